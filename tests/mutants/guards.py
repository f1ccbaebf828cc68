"""Who may change what: the guard in front of every verb, the workflow that minds it, and people's yes."""

from tests.mutants.mutant import Mutant

LIMITS, ACTION, INVOKER, STATE, APPROVALS = (
    "activities/limits.py",
    "activities/action.py",
    "workflows/engine/invoker.py",
    "workflows/engine/state.py",
    "workflows/people/approvals.py",
)
GUARD = "tests/activities/test_guard.py::"
ASSUMED = "tests/incident/protections/test_assumed.py::"
AUTHORITY = "tests/incident/roles/test_authority.py::"
PERMITS = "tests/activities/models/test_looking.py::test_a_permission_counts_only_in_a_region_that_the_provider_has"

GUARDS = (
    Mutant(
        "observe only: the verb does not mind it",
        ACTION,
        "if level >= Risk.C1 and call.observe_only:",
        "if level > Risk.C3 and call.observe_only:",
        (GUARD + "test_automation_that_may_only_observe_changes_nothing_and_still_looks",),
    ),
    Mutant(
        "observe only: the verb is not told",
        INVOKER,
        "observe_only=state.policy.observe_only,",
        "observe_only=False,",
        ("tests/incident/protections/test_observe_only.py::test_set_to_observe_only_an_incident_looks_and_changes_nothing",),
    ),
    Mutant(
        "an assumed grant is good for the verb",
        ACTION,
        'if call.grant.basis == "assumed":',
        'if call.grant.basis == "assumed?":',
        (GUARD + "test_a_broad_change_runs_only_with_a_yes_to_this_very_order",),
    ),
    Mutant(
        "shadow mode: the verb writes where it was granted no access",
        ACTION,
        "if changes and call.write_access is not None and declared.system",
        "if not changes and call.write_access is not None and declared.system",
        (GUARD + "test_in_shadow_mode_a_system_without_write_access_is_not_written_to_whatever_was_granted",),
    ),
    Mutant(
        "shadow mode: the verb is not told",
        INVOKER,
        "write_access=state.policy.may_write_to,",
        "write_access=None,",
        (ASSUMED + "test_in_shadow_mode_no_change_is_asked_of_a_verb_and_each_is_told_what_it_may_write_to",),
    ),
    Mutant(
        "shadow mode: the workflow has the change made",
        STATE,
        "return touches and allowed is not None and action.system not in OURS | set(allowed)",
        "return touches and allowed is not None and action.system in OURS",
        (ASSUMED + "test_in_shadow_mode_no_change_is_asked_of_a_verb_and_each_is_told_what_it_may_write_to",),
    ),
    Mutant(
        "a yes to something else is good for the verb",
        ACTION,
        "if order.digest(name) not in call.grant.covers:",
        "if not call.grant.covers:",
        (GUARD + "test_a_broad_change_runs_only_with_a_yes_to_this_very_order",),
    ),
    Mutant(
        "a yes has no end at the verb",
        ACTION,
        "if left < timedelta(0):",
        "if left < -timedelta(days=9):",
        (GUARD + "test_a_broad_change_runs_only_with_a_yes_to_this_very_order",),
    ),
    Mutant(
        "a yes that ends while the attempt waits is good for the write",
        ACTION,
        "VALIDITY.set(Validity(left))",
        "VALIDITY.set(None)",
        (GUARD + "test_a_yes_that_ends_while_the_attempt_waits_authorises_no_write",),
    ),
    Mutant(
        "what we stand on is not spared",
        LIMITS,
        "if kept is not None:",
        "if kept is None and limits is None:",
        (GUARD + "test_what_we_stand_on_is_spared_whatever_was_granted",),
    ),
    Mutant(
        "our own pager path may be denied",
        LIMITS,
        "if stands_on.needs(name.casefold()):",
        "if stands_on.needs(name.casefold()) and limits is None:",
        (GUARD + "test_our_own_keys_record_and_pager_path_are_spared_whatever_was_granted",),
    ),
    Mutant(
        "C3: a role that was given by a self-declared message counts",
        APPROVALS,
        "if going_on and vouched is None and role is not None:",
        "if going_on and vouched is None and role is None:",
        (AUTHORITY + "test_a_bystander_whom_a_name_made_commander_takes_no_seat_of_a_decision_for_two",),
    ),
    Mutant(
        "C3: a self-declared yes counts",
        APPROVALS,
        "if risk >= policy.verified_from and not identity.verified:",
        "if Risk.C3 > risk >= policy.verified_from and not identity.verified:",
        (
            AUTHORITY + "test_a_bystander_whom_a_name_made_commander_takes_no_seat_of_a_decision_for_two",
            "tests/incident/test_approvals.py::test_c3_takes_two_people_in_two_roles_and_not_the_proposer",
        ),
    ),
    Mutant(
        "C3: one yes is enough",
        APPROVALS,
        "quorum = 2 if draft.risk >= Risk.C3",
        "quorum = 1 if draft.risk >= Risk.C3",
        ("tests/incident/test_approvals.py::test_c3_takes_two_people_in_two_roles_and_not_the_proposer",),
    ),
    Mutant(
        "INV-13: a permission counts in any region",
        "activities/models/model_gateway.py",
        'return tuple(tenant["name"] for tenant in tenants if places & set(tenant["allowed"]))',
        """named = {place.partition("@")[0] for place in places}
    return tuple(tenant["name"] for tenant in tenants if named & {one.partition("@")[0] for one in tenant["allowed"]})""",
        (PERMITS,),
    ),
    Mutant(
        "INV-13: whoever permits nothing is moved too",
        "activities/models/models.py",
        "movable = permitting(_named(providers, order.to), tenants) if order.to else ()",
        'movable = tuple(tenant["name"] for tenant in tenants) if order.to else ()',
        ("tests/activities/models/test_looking.py::test_tenants_are_split_by_what_they_permit",),
    ),
    Mutant(
        "INV-10: automation lowers the severity",
        STATE,
        "if raised := found.severity < self.severity:",
        "if raised := found.severity != self.severity:",
        ("tests/incident/protections/test_severity.py::test_automation_never_lowers_the_severity_and_says_what_it_would_be",),
    ),
)
