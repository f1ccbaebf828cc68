"""What contains a breach: isolation that the network enforces, access that comes back, logs that are seen to log, copies and holds that are ours."""

from tests.mutants.mutant import Mutant

ISOLATION, POLICIES = "activities/network/isolation.py", "activities/network/policies.py"
RESPONDERS, GOOGLE, GROUPS = "activities/access/responders.py", "activities/access/google.py", "activities/access/keycloak_groups.py"
LEVEL, AUDIT = "activities/audit/level.py", "activities/audit/google.py"
COPIES, COMPUTE, OBJECTS = "activities/disks/snapshots.py", "activities/disks/gce.py", "activities/holds/gcs.py"
NETWORK, ACCESS = "tests/activities/network/test_isolation.py::", "tests/activities/access/test_google.py::"
REALM, LOGGED = "tests/activities/access/test_keycloak.py::", "tests/activities/audit/test_level.py::"
DISKS, HELD = "tests/activities/disks/test_snapshots.py::", "tests/activities/holds/test_objects.py::"

CONTAINMENT = (
    Mutant(
        "an isolation that the network does not enforce is believed",
        ISOLATION,
        "        if wrong:\n",
        "        if wrong and not value.isolated:\n",
        (NETWORK + "test_a_cluster_whose_network_does_nothing_of_policies_is_found_by_the_probe",),
    ),
    Mutant(
        "a connection that nobody could try counts as refused",
        ISOLATION,
        "for what, came in tried.items() if came is None]",
        "for what, came in tried.items() if came is None and not isolated]",
        (NETWORK + "test_what_nobody_can_try_or_forensics_cannot_reach_is_not_proven",),
    ),
    Mutant(
        "forensics may be shut out with everybody else",
        ISOLATION,
        "    if isolated and flow.forensic is not True:\n",
        "    if isolated and flow.forensic is None:\n",
        (NETWORK + "test_what_nobody_can_try_or_forensics_cannot_reach_is_not_proven",),
    ),
    Mutant(
        "half an isolation is taken for none, and one cluster stays cut off",
        ISOLATION,
        "partly=any(there) and not all(there)",
        "partly=False",
        (NETWORK + "test_a_write_that_breaks_off_between_two_clusters_is_continued_there_and_back",),
    ),
    Mutant(
        "a policy of our name that lets everything in is taken for an isolation",
        POLICIES,
        'if any(found["spec"].get(name) != wanted[name] for name in wanted):',
        'if found["spec"].get("podSelector") != wanted["podSelector"]:',
        (NETWORK + "test_a_policy_of_our_name_that_does_something_else_is_not_taken_for_ours",),
    ),
    Mutant(
        "a rule that was changed meanwhile is deleted",
        POLICIES,
        '"preconditions": {"resourceVersion": version}',
        '"gracePeriodSeconds": 0',
        (NETWORK + "test_two_incidents_need_one_rule_and_a_rule_that_was_changed_meanwhile_is_not_deleted",),
    ),
    Mutant(
        "break-glass loses its access too",
        GOOGLE,
        "return name in self._kept or name in PUBLIC",
        "return name in PUBLIC",
        (ACCESS + "test_responders_have_it_until_the_end_others_rest_and_everything_comes_back_exactly",),
    ),
    Mutant(
        "the condition that a binding had is lost when it comes back",
        GOOGLE,
        'before = condition["expression"].removesuffix(PAST).removesuffix(" && ")',
        'before = ""',
        (ACCESS + "test_responders_have_it_until_the_end_others_rest_and_everything_comes_back_exactly",),
    ),
    Mutant(
        "access that has ended counts as access",
        RESPONDERS,
        "return super().meets(wanted) and not self.ended",
        "return super().meets(wanted)",
        (ACCESS + "test_an_end_that_has_passed_is_seen_as_what_it_is_and_to_extend_it_is_a_new_order",),
    ),
    Mutant(
        "a change of something else in the same policy is taken for one of access",
        RESPONDERS,
        "values_compare = True",
        "values_compare = False",
        (ACCESS + "test_what_others_change_in_the_same_policy_is_no_conflict_and_is_not_lost",),
    ),
    Mutant(
        "a policy is written over what others changed meanwhile",
        GOOGLE,
        'policy["etag"] = over.version',
        'policy.pop("etag")',
        (ACCESS + "test_a_policy_that_changes_between_our_look_and_our_write_is_read_again",),
    ),
    Mutant(
        "what no end can be put to is passed over",
        RESPONDERS,
        "        if now.unbound:\n            raise Refused",
        "        if now.unbound and now.ended:\n            raise Refused",
        (ACCESS + "test_what_no_condition_can_be_put_to_is_named_and_nothing_is_narrowed_by_half",),
    ),
    Mutant(
        "access is narrowed where nobody could give it back",
        GOOGLE,
        "if not await self.may_change(call, of.scope):",
        "if not of.scope:",
        (ACCESS + "test_where_we_could_not_give_it_back_it_is_not_proven",),
    ),
    Mutant(
        "only the first page of a group is moved",
        GROUPS,
        "return said, first + PAGE if len(said) == PAGE else None",
        "return said, None",
        (REALM + "test_a_list_is_read_to_its_end",),
    ),
    Mutant(
        "an event that has not arrived proves a log",
        LEVEL,
        "        if not event.mark:\n",
        "        if not event.mark and event.access:\n",
        (LOGGED + "test_an_event_that_does_not_arrive_is_no_proof",),
    ),
    Mutant(
        "an entry of our own proves that accesses are logged",
        LEVEL,
        "if order.wanted.data_access and event.access is False:",
        "if order.wanted.data_access and event.mark is False:",
        (LOGGED + "test_a_log_that_takes_what_is_written_and_shows_no_access_is_no_proof",),
    ),
    Mutant(
        "a log that is kept longer is shortened",
        LEVEL,
        "days = max(wanted.retention_days, over.value.retention_days) if wanted.at_least else wanted.retention_days",
        "days = wanted.retention_days",
        (LOGGED + "test_what_is_kept_longer_is_never_shortened_and_comes_back_as_it_was",),
    ),
    Mutant(
        "who was exempted from a log is forgotten",
        AUDIT,
        "    if exempted:\n",
        "    if exempted < 0:\n",
        (LOGGED + "test_whoever_is_exempted_from_the_whole_log_is_for_a_person",),
    ),
    Mutant(
        "a copy of another disk is evidence of this one",
        COPIES,
        "if found is not None and not found.disk.endswith(order.disk):",
        "if found is not None and not found.disk:",
        (DISKS + "test_a_copy_that_failed_and_one_of_another_disk_are_no_evidence",),
    ),
    Mutant(
        "a copy that failed is evidence",
        COPIES,
        "if found is not None and found.at in (At.FAILED, At.DELETING):",
        "if found is not None and found.at is At.DELETING:",
        (DISKS + "test_a_copy_that_failed_and_one_of_another_disk_are_no_evidence",),
    ),
    Mutant(
        "a zone that nobody can ask has no disks",
        COMPUTE,
        'away.extend(said.get("unreachables") or ())',
        'away.extend(())',
        (DISKS + "test_a_zone_that_nobody_can_ask_is_said",),
    ),
    Mutant(
        "a hold of somebody else is ended with ours",
        OBJECTS,
        "(not _held(one) if held else _ours(one))",
        "(not _held(one) if held else _held(one))",
        (HELD + "test_a_hold_of_somebody_else_stays",),
    ),
    Mutant(
        "nothing at all counts as held",
        OBJECTS,
        "held=bool(objects) and not free",
        "held=not free",
        (HELD + "test_an_empty_prefix_holds_nothing_and_says_so",),
    ),
)  # fmt: skip
