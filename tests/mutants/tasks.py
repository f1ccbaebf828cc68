"""Every task and every follow-up, by its exact text: each with a story that fails when people read another one."""

from tests.mutants.mutant import Mutant

PLAYBOOKS, TOLD = "workflows/playbooks/", "tests/playbooks/"
LLM = (
    PLAYBOOKS + "llm_provider_outage/playbook.py",
    TOLD + "llm_provider_outage/test_story.py::test_the_primary_fails_and_everybody_comes_back_to_it",
)
OUTAGE = (
    PLAYBOOKS + "production_outage/playbook.py",
    TOLD + "production_outage/test_story.py::test_a_bad_revision_is_rolled_back_and_stays_pinned_in_somebodys_name",
)
SLO = (PLAYBOOKS + "slo_burn/playbook.py", TOLD + "test_slo_burn.py::test_the_commander_waives_it_by_name")
CAUSES, TARGETS = TOLD + "production_outage/test_causes.py::", TOLD + "production_outage/test_rollback_targets.py::"
BY_HAND, COMMS = "tests/incident/protections/test_tasks.py::", "tests/incident/test_comms.py::"
NEVER = "test_what_automation_never_does_is_a_task_with_its_commands_until_somebody_attests_it"
LEFT = "test_an_incident_that_is_stood_down_leaves_its_page_to_a_person"
CLOSED = "test_a_restricted_incident_says_nothing_outside_without_legal_and_the_commander"
MORE_CAUSES, ROLLBACK = PLAYBOOKS + "production_outage/outage.py", "workflows/procedures/rollback.py"
PROCEDURES, SUPPORT, PAGE = "workflows/procedures/procedures.py", "workflows/comms/stakeholders.py", "workflows/comms/status_page.py"

TEXTS: tuple[tuple[str, str, str], ...] = (  # what is said, where, and the story
    ("same tenant, age within policy, nothing personal", PLAYBOOKS + "llm_provider_outage/traffic.py", LLM[1]),
    ("Update Tool Specs with failover policy", *LLM),
    ("Add provider-health probes", *LLM),
    ("Run parity evals for the fallback provider", *LLM),
    ("Claim the provider's contract credits", *LLM),
    ("Drill this failover", *LLM),
    (
        "check our own egress, DNS, key and quota",
        LLM[0],
        BY_HAND + "test_a_provider_that_answers_from_elsewhere_makes_our_own_network_a_task",
    ),
    ("Capture timelines, contributing causes, preventing actions", *OUTAGE),
    ("Add a regression test for the cause", *OUTAGE),
    ("Add a monitor that sees it before customers do", *OUTAGE),
    ("forward, and return it from", "workflows/procedures/traffic_pin.py", OUTAGE[1]),
    ("makes bad versions, and repair its generator", OUTAGE[0], CAUSES + "test_an_innocent_latest_deploy_is_not_the_end_of_it"),
    ("back; we only protect it from overload", OUTAGE[0], CAUSES + "test_a_broken_dependency_gets_a_breaker_and_a_task"),
    (
        "no schema is rolled back by us",
        OUTAGE[0],
        CAUSES + "test_integrity_errors_stop_writes_after_one_question_and_they_come_back_in_steps",
    ),
    (
        "Undo {change.in_words()}",
        MORE_CAUSES,
        CAUSES + "test_another_kind_of_change_is_undone_by_whoever_made_it_and_judged_by_the_metrics",
    ),
    (
        ", or make room for its traffic elsewhere",
        MORE_CAUSES,
        CAUSES + "test_a_drain_onto_regions_without_headroom_is_not_even_asked_for",
    ),
    (
        ", or roll it back by hand",
        ROLLBACK,
        TARGETS + "test_a_permission_that_is_taken_away_while_the_question_waits_is_noticed_before_anything_is_written",
    ),
    (
        "build a hotfix, and let it pass the change freeze by its digest",
        ROLLBACK,
        TOLD + "production_outage/test_crossing_out.py::test_where_nothing_is_eligible_the_change_stays_suspected_and_a_hotfix_is_offered",
    ),
    ("Which reliability work goes before features?", *SLO),
    ("Bring to Prod Review what spent the budget, and who repairs it", *SLO),
    ("which incidents and changes spent the error budget, and what is repaired first", *SLO),
    ("Review the objective and its alerts with Prod Review", *SLO),
    (
        "until its error budget is positive again: no deploy system is configured",
        PLAYBOOKS + "slo_burn/budget.py",
        TOLD + "test_slo_burn.py::test_where_no_deploy_system_is_configured_changes_are_halted_by_hand",
    ),
    ("Otherwise export, count, do it, count again", PROCEDURES, BY_HAND + NEVER),
    ("Purge pending tasks", PROCEDURES, BY_HAND + "test_what_automation_never_does_is_told_whole"),
    (
        "Review the break-glass decision",
        "workflows/people/commands.py",
        "tests/incident/roles/test_alone.py::"
        "test_alone_with_a_drastic_decision_a_second_person_is_paged_before_the_glass_may_break[break-glass]",
    ),
    ("those of the first tier by", SUPPORT, LLM[1]),
    ("the current state, now and at every update", SUPPORT, LLM[1]),
    ("in person what they need to know; write nothing outside the room", SUPPORT, COMMS + CLOSED),
    (", and no playbook follows it any more: end it", PAGE, COMMS + LEFT),
    (
        "The status page is down and lacks these posts: publish them when it is back",
        PAGE,
        BY_HAND + "test_posts_that_a_status_page_lacks_are_a_task_when_the_incident_ends",
    ),
    ("The status page refuses a post: put it there by hand", PAGE, BY_HAND + "test_a_post_that_the_status_page_refuses_is_a_task"),
)
TASKS = tuple(Mutant(f"another text than “{text}”", file, text, "something else", (story,)) for text, file, story in TEXTS)
