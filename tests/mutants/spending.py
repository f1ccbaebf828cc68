"""What agents may use, how they are held and ended, and what is believed of meters."""

from tests.mutants.mutant import Mutant

LIMITS, CANCELLING, SESSIONS = "activities/budgets/limits.py", "activities/agents/cancelling.py", "activities/agents/sessions.py"
REMEDIES, SPENDING = "workflows/playbooks/cost_runaway/remedies.py", "workflows/playbooks/cost_runaway/spending.py"
OF_LIMITS, OF_RUNS = "tests/activities/budgets/test_limits.py::", "tests/activities/agents/test_cancelling.py::"
CAUSES, HAPPY = "tests/playbooks/cost_runaway/test_causes.py::", "tests/playbooks/cost_runaway/test_story.py::"

SPENT = (
    Mutant(
        "a limit may be raised",
        LIMITS,
        "if not limit.within(now.value.each[name])]",
        "if False and not limit.within(now.value.each[name])]",
        (OF_LIMITS + "test_nothing_is_ever_raised",),
    ),
    Mutant(
        "a pattern is sent as a name",
        LIMITS,
        "if PATTERN.search(name):",
        'if name == "nobody":',
        (OF_LIMITS + "test_a_pattern_is_no_name",),
    ),
    Mutant(
        "a clamp is believed without the meter",
        LIMITS,
        "elif over := _over(limit, used):",
        'elif over := "":',
        (OF_LIMITS + "test_a_clamp_counts_when_the_meter_shows_it",),
    ),
    Mutant(
        "nothing at all for a tenant needs no two people",
        LIMITS,
        'or (zero and order.of.scope == "tenant"):',
        "or False:",
        (OF_LIMITS + "test_the_wider_the_graver",),
    ),
    Mutant(
        "a step back that lets it run away again stays",
        LIMITS,
        "if used.usd_per_hour > order.numbers.spend_ratio * usual:",
        "if used.usd_per_hour < 0:",
        (OF_LIMITS + "test_it_is_given_back_in_steps_and_a_step_that_lets_it_run_away_again_is_taken_back",),
    ),
    Mutant(
        "a cancelled run is believed to have ended",
        CANCELLING,
        "if quiet < order.quiet:",
        "if quiet < 0 * order.quiet:",
        (OF_RUNS + "test_a_child_that_calls_on_is_seen_by_the_meter",),
    ),
    Mutant(
        "a quarantine is believed although its run calls on",
        SESSIONS,
        "if calling and any(",
        "if not calling and any(",
        (OF_RUNS + "test_a_quarantine_that_reads_back_set_is_none_while_its_run_calls_on",),
    ),
    Mutant(
        "a meter that says what cannot be is believed",
        "activities/usage/attribution.py",
        "return math.isfinite(value) and value >= 0",
        "return math.isfinite(0 * 1.0)",
        ("tests/activities/usage/test_attribution.py::test_a_meter_that_says_what_cannot_be_is_unknown",),
    ),
    Mutant(
        "a run is ended before its side effects are recorded",
        REMEDIES,
        "await self._record(run)",
        "pass",
        (HAPPY + "test_a_loop_is_clamped_ended_and_paused_and_everything_comes_back",),
    ),
    Mutant(
        "who was only suspected stays clamped",
        SPENDING,
        "self._clamped.pop(found.name, []) if suspected else []",
        "list[Imposed]()",
        (CAUSES + "test_clamping_the_innocent_leaves_the_curve_high_and_the_playbook_goes_on_to_the_stolen_key",),
    ),
)
