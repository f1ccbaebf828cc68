"""What was imposed is known, goes back to what was, and is lifted only while somebody can see; and what ends an incident."""

from tests.mutants.mutant import Mutant

IMPOSE, PROOF, ENDING, COMMANDS = (
    "workflows/engine/impose.py",
    "workflows/engine/proof/proof.py",
    "workflows/engine/lifecycle/ending.py",
    "workflows/people/commands.py",
)
MEASURES = "tests/incident/mechanisms/test_measures.py::"
LIFTING = "tests/incident/protections/test_lifting.py::"
STOPS = "tests/playbooks/llm_provider_outage/test_canary_stops.py::"
TARGETS = "tests/playbooks/production_outage/test_eligibility.py::"
LATE = """                attempt.imposed = self.state.measures.register(measure, wanted, workflow.now())
            elif"""
AFTER = """                effect = await self.invoker.step(measure.impose, wanted, attempt.step, grant=attempt.grant, again=attempt.again)
                attempt.imposed = self.state.measures.register(measure, wanted, workflow.now())
                return effect, wanted, found
            elif"""

LIFTED = (
    Mutant(
        "the lift is registered after the call",
        IMPOSE,
        LATE,
        AFTER,
        (MEASURES + "test_what_may_be_in_force_is_lifted_although_its_call_never_returned",),
    ),
    Mutant(
        "a yes holds although its undo is another one by now",
        IMPOSE,
        "if attempt.undo and wanted.undo().digest(measure.name) != attempt.undo:",
        'if attempt.undo and wanted.undo().digest(measure.name) == "":',
        (MEASURES + "test_a_yes_is_void_when_its_undo_would_be_another_one",),
    ),
    Mutant(
        "after a lost try our own doing is taken for the state before",
        IMPOSE,
        'wanted = wanted.model_copy(update={"prior": cast("Any", attempt.imposed.order).prior})',
        "attempt.imposed.order = wanted",
        (MEASURES + "test_a_try_that_was_lost_and_repeated_goes_back_to_what_was_before_the_first",),
    ),
    Mutant(
        "resolved with measures in nobody's name",
        ENDING,
        "if left := [imposed for imposed in state.measures.unheld() if imposed not in last]:",
        "if left := [imposed for imposed in state.measures.unheld() if imposed not in last and imposed.held_by]:",
        (MEASURES + "test_nothing_is_resolved_with_a_measure_in_nobodys_name",),
    ),
    Mutant(
        "blind after a lift, the next one is lifted",
        PROOF,
        "            if verdict.ended or verdict.impact:\n                self._blind.ended()\n                return verdict.why",
        "            if verdict.why or verdict.impact:\n                self._blind.ended()\n                return verdict.why",
        (LIFTING + "test_blind_after_a_lift_nothing_more_is_lifted_and_people_are_paged",),
    ),
    Mutant(
        "impact after a lift, the next one is lifted",
        PROOF,
        'return verdict.why if verdict.impact else ""\n            self._blind.goes_on',
        'return ""\n            self._blind.goes_on',
        (LIFTING + "test_impact_after_a_lift_stops_the_rest",),
    ),
    Mutant(
        "no rest before the first lift",
        "workflows/playbooks/llm_provider_outage/playbook.py",
        'await self.rest(numbers.rest_before_restoring, "a rest on the primary before anything else is restored")',
        "pass",
        (LIFTING + "test_there_is_a_rest_before_the_first_lift_and_between_two",),
    ),
    Mutant(
        "no rest between two lifts",
        "workflows/engine/lift.py",
        'await self.proof.rest(resting, "rest between two lifts")',
        "pass",
        (LIFTING + "test_there_is_a_rest_before_the_first_lift_and_between_two",),
    ),
    Mutant(
        "an alarm does not stop the canary",
        "workflows/engine/verbs.py",
        "await workflow.wait_condition(lambda: work.done() or bool(state.alarm))",
        "await workflow.wait_condition(lambda: work.done())",
        (STOPS + "test_an_alarm_stops_the_canary_at_once",),
    ),
    Mutant(
        "a false alarm although customers were affected",
        COMMANDS,
        '"customers: they were affected" if state.breached else ""',
        '""',
        ("tests/incident/protections/test_false_alarm.py::test_what_has_hit_customers_is_no_false_alarm",),
    ),
    Mutant(
        "a false alarm although measures are in force",
        COMMANDS,
        '"the systems: measures are in force" if state.lasting_measures else',
        '"" if state.lasting_measures else',
        ("tests/incident/protections/test_false_alarm.py::test_with_measures_in_force_it_is_no_false_alarm",),
    ),
    Mutant(
        "an irreversible migration bars nothing",
        "workflows/procedures/eligibility.py",
        "since = [at for at in irreversible if at >= one.created_at]",
        "since = [at for at in irreversible if at < at]",
        (TARGETS + "test_each_flaw_alone_bars_a_revision_and_is_told",),
    ),
    Mutant(
        "irreversible migrations are not taken from the change feed",
        "workflows/procedures/eligibility.py",
        'c.kind == "migration" and not c.reversible',
        'c.kind == "migration" and c.reversible',
        (TARGETS + "test_migrations_of_the_service_or_of_everything_bar_and_no_others",),
    ),
    Mutant(
        "irreversible migrations are looked for only during the last day",
        "workflows/procedures/rollback.py",
        "since = ChangesSince(look_back=max(verbs.clock() - oldest, timedelta(0)) * verbs.policy.pace + timedelta(minutes=1))",
        "since = ChangesSince(look_back=min(verbs.clock() - oldest, timedelta(days=1)))",
        (
            "tests/playbooks/production_outage/test_rollback_targets.py::"
            "test_an_irreversible_migration_bars_every_older_revision_however_long_ago_it_was",
        ),
    ),
    Mutant(
        "the public still reads Monitoring when the impact is back",
        "workflows/engine/proof/rounds.py",
        "self._announcer.impact_returned()\n        raise HandOver(why)",
        "raise HandOver(why)",
        (LIFTING + "test_impact_after_a_lift_by_hand_takes_the_public_page_back_to_identified",),
    ),
)
