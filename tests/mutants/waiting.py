"""Waiting for people holds up nothing else, and nothing is asked or called resolved against what is so (ADR 26, ADR 29)."""

from tests.mutants.mutant import Mutant

QUESTIONS, ROUNDS = "workflows/people/questions.py", "workflows/engine/proof/rounds.py"
ATTEMPTS, WRITES = "workflows/playbooks/production_outage/attempts.py", "workflows/playbooks/production_outage/writes.py"
KEPT = "tests/incident/waiting/test_keep_waiting.py::"
RESOLVED = "tests/incident/waiting/test_not_resolved.py::"
BESIDE = "tests/playbooks/production_outage/test_beside.py::"
EVIDENCE = "tests/incident/test_evidence.py::"

WAITED = (
    Mutant(
        "what the metrics have answered is asked on",
        QUESTIONS,
        "                gone = self._symptom_ended\n",
        "                pass\n",
        (RESOLVED + "test_the_question_whether_to_look_on_is_withdrawn_when_the_impact_ends",),
    ),
    Mutant(
        "an end that nobody saw begin withdraws a question",
        ROUNDS,
        "ended = seen and verdict.ended and not state.firing",
        "ended = verdict.ended and not state.firing",
        (EVIDENCE + "test_a_bare_start_on_a_healthy_world_changes_nothing_with_nobody_there",),
    ),
    Mutant(
        "the question about damaged data goes with the symptom",
        "workflows/people/questions.py",
        "assumed=self._state.assumes(action), stays=action.contains or terms.stays)",
        "assumed=self._state.assumes(action))",
        (BESIDE + "test_unsafe_writes_are_still_to_be_decided_when_the_symptom_has_ended",),
    ),
    Mutant(
        "mitigation ends over damaged data",
        WRITES,
        "        if kind is None and not self._task.done():\n            await self._still_unsafe()\n",
        "",
        (BESIDE + "test_unsafe_writes_are_still_to_be_decided_when_the_symptom_has_ended",),
    ),
    Mutant(
        "one question holds up everything else",
        ATTEMPTS,
        "await verbs.until_free(_tasks(acting), self._numbers.others_after)",
        "await verbs.until_free(_tasks(acting))",
        (BESIDE + "test_while_nobody_answers_about_the_rollback_what_is_not_essential_is_shed",),
    ),
    Mutant(
        "who wants to wait is paged all the same",
        "workflows/people/ladder.py",
        "while question.waits_until is not None and question.waits_until > workflow.now():",
        "while question.waits_until is not None and question.waits_until > workflow.now() and not question.kept_by:",
        (KEPT + "test_keep_waiting_pages_nobody_for_half_an_hour_and_the_answer_counts_at_any_time",),
    ),
    Mutant(
        "a question that is kept waiting ends when it would have",
        "workflows/people/approvals.py",
        "            question.expires_at += at + lasting - max(at, question.waits_until or at)\n",
        "            question.expires_at += timedelta(0)\n",
        (KEPT + "test_silence_means_nothing_while_a_question_is_kept_waiting",),
    ),
    Mutant(
        "resolved over degraded tenants",
        "workflows/engine/measures.py",
        "return [i for i in self.standing if not i.assumed and i.order.felt()]",
        "return [i for i in self.standing if not i.held_by and not i.assumed and i.order.felt()]",
        (RESOLVED + "test_nothing_is_resolved_over_degraded_tenants_in_whoevers_name",),
    ),
    Mutant(
        "a seal that is not ours is believed",
        "workflows/engine/evidence.py",
        "            if ours:\n                self._heard",
        "            if told:\n                self._heard",
        (EVIDENCE + "test_an_event_that_is_not_sealed_or_too_old_or_not_sure_or_of_two_objects_is_asked",),
    ),
    Mutant(
        "automation acts without evidence",
        "workflows/engine/unasked.py",
        "if action.on_suspicion or order.puts_back():",
        "if action.name:",
        (EVIDENCE + "test_a_bare_start_on_a_healthy_world_changes_nothing_with_nobody_there",),
    ),
    Mutant(
        "a canary is blamed for what hits both arms",
        "activities/models/canary_core.py",
        "if (mostly or llr <= abort) and _mostly_bad(policy, tick.control_n, tick.control_bad):",
        "if mostly and _mostly_bad(policy, tick.control_n, tick.control_bad):",
        ("tests/activities/test_canary_core.py::test_when_both_arms_fail_it_is_not_the_canarys_fault",),
    ),
)
