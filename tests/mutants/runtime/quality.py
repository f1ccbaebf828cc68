"""What serves was blessed as a whole, evals are believed only when they may be, and no score alone closes an incident about quality."""

from tests.mutants.mutant import Mutant

TRIPLES, EVALS = "activities/registry/triples.py", "activities/evals/evals.py"
RECOVERY, REMEDIES = "workflows/playbooks/model_drift/recovery.py", "workflows/playbooks/model_drift/remedies.py"
OF_TRIPLES, OF_EVALS = "tests/activities/quality/test_triples.py::", "tests/activities/quality/test_evals.py::"
STORIES = "tests/playbooks/model_drift/"

QUALITY = (
    Mutant(
        "what was never blessed may serve",
        TRIPLES,
        "if to.short not in {one.triple for one in known.releases if one.blessed_at is not None and not one.blocklisted}:",
        "if to.short not in {one.triple for one in known.releases if not one.blocklisted} and False:",
        (OF_TRIPLES + "test_what_was_never_blessed_together_does_not_serve",),
    ),
    Mutant(
        "what re-opens an injection may serve",
        TRIPLES,
        "if any(one.triple == to.short and one.blocklisted for one in known.releases):",
        "if False:",
        (OF_TRIPLES + "test_what_served_before_may_come_back_unblessed_unless_it_is_blocklisted",),
    ),
    Mutant(
        "a triple counts without being seen",
        TRIPLES,
        "if by[value.short] < INTENDED * by.total():",
        "if False:",
        (OF_TRIPLES + "test_it_counts_when_it_answers",),
    ),
    Mutant(
        "yesterday's green is believed",
        EVALS,
        "if ran.ran_at is None or ran.ran_at < order.asked_at - SLACK:",
        "if ran.ran_at is None:",
        (OF_EVALS + "test_a_stuck_runner_is_refused_also_for_what_it_once_judged",),
    ),
    Mutant(
        "the green of another triple is believed",
        EVALS,
        "if ran.ran_on != order.triple or ran.suite != order.suite:",
        "if ran.suite != order.suite:",
        (OF_EVALS + "test_what_must_not_be_believed",),
    ),
    Mutant(
        "twenty samples are enough",
        EVALS,
        "if ran.n is None or ran.passed is None or ran.n < order.least:",
        "if ran.n is None or ran.passed is None or not ran.n:",
        (OF_EVALS + "test_too_few_samples_are_refused",),
    ),
    Mutant(
        "a worse model is cheap enough",
        "activities/registry/choices.py",
        "if offer.parity < call.limits.parity:",
        "if offer.parity < 0:",
        ("tests/activities/quality/test_releases.py::test_only_what_is_good_enough_and_permitted_is_cheaper",),
    ),
    Mutant(
        "what people find bad is closed all the same",
        RECOVERY,
        'verbs.hand_over(f"{decision.by} does not find the sample good, whatever the evals say")',
        "pass",
        (STORIES + "test_evals_go_wrong.py::test_a_sample_that_people_find_bad_keeps_it_open",),
    ),
    Mutant(
        "the first cause is the only one",
        REMEDIES,
        "if ended and not after:",
        "if ended or after:",
        (STORIES + "test_causes.py::test_rolling_back_the_wrong_triple_leaves_the_symptom_and_is_said",),
    ),
)
