"""The alerts about quality: they hear what spoils answers in the practice world, as Prometheus does, and what spoils the judging of them."""

import shutil
from collections.abc import Callable

import pytest
import yaml

from practice.quality.faults import QualityFaults, Spoilt
from practice.quality.registry import Registry
from tests.alerts.rules.test_alert_rules import ALERTS, Watched, agree

RULES = ALERTS / "model_drift.yml"
Break = Callable[[Watched], object]


def test_every_alert_says_where_it_belongs_and_none_how_severe_it_is() -> None:
    rules = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"] if "alert" in rule]
    assert len(rules) == 9
    for rule in rules:
        labels = rule["labels"]
        assert set(labels) == {"playbook", "service", "incident_key", "confidence"}, rule["alert"]
        assert labels["playbook"] == "model_drift" and labels["incident_key"] == "model_drift/{{ $labels.service }}"
        assert 0.6 <= float(labels["confidence"]) <= 1
        assert {"summary", "description"} == set(rule["annotations"])
        assert {"for", "keep_firing_for"} <= set(rule)


def spoilt(watched: Watched, *, in_evals: bool = True, garbled: bool = False, rate: float = 0.6) -> None:
    """A prompt is published that spoils the answers in one language."""
    number = watched.world.state.part(Registry).publish("prompt", "ci", watched.now - watched.world.clock.start)
    where = (("language", "de"), ("prompt", str(number)))
    watched.world.state.part(QualityFaults).spoilt.append(Spoilt("prompt", where, rate, in_evals, garbled))


def judging(**wrong: object) -> Break:
    """Something is wrong with the eval runner."""

    def breaks(watched: Watched) -> None:
        vars(watched.world.state.part(QualityFaults)).update(wrong)

    return breaks


def unseen(watched: Watched) -> None:
    spoilt(watched, in_evals=False)


def garbled(watched: Watched) -> None:
    spoilt(watched, garbled=True)


def gone_through(breaks: Break, seconds: float) -> Watched:
    watched = Watched((RULES,))
    breaks(watched)
    watched.pass_by(seconds)
    return watched


@pytest.mark.parametrize(
    ("breaks", "heard", "silent"),
    [
        (spoilt, {"EvalSuiteFailing", "EvalCriticalCaseFailed", "AnswersJudgedBad"}, {"EvalSuiteStale", "EvalSuiteSilent"}),
        (unseen, {"AnswersJudgedBad"}, {"EvalSuiteFailing", "EvalCriticalCaseFailed"}),
        (garbled, {"GarbledAnswers", "AnswersJudgedBad"}, set()),
        (judging(nan=True), {"EvalSuiteSilent"}, {"AnswersJudgedBad", "EvalSuiteFailing"}),
        (judging(judge=-0.2), {"EvalSuiteFailing", "EvalCriticalCaseFailed"}, {"AnswersJudgedBad"}),
    ],
    ids=["spoilt", "unseen by evals", "garbled", "no number", "judge drifted"],
)
def test_what_goes_wrong_is_heard_as_what_it_is(breaks: Break, heard: set[str], silent: set[str]) -> None:
    watched = gone_through(breaks, 3600)
    fired = {name for _, name, firing in watched.changes if firing}
    assert heard <= fired and not silent & fired, watched.changes
    if breaks is spoilt and shutil.which("promtool"):
        agree(watched)


def test_a_runner_that_repeats_yesterdays_green_is_heard_as_stale() -> None:
    """The prompt is bad, the suites stay green: after two hours their last run is too old to say anything."""

    def breaks(watched: Watched) -> None:
        judging(stuck=True)(watched)
        spoilt(watched, in_evals=True)

    watched = gone_through(breaks, 9000)
    fired = {name for _, name, firing in watched.changes if firing}
    assert {"EvalSuiteStale", "AnswersJudgedBad"} <= fired and "EvalSuiteFailing" not in fired
    assert 7000 <= watched.fired("EvalSuiteStale") <= 8700


def test_three_healthy_hours_are_quiet() -> None:
    assert gone_through(lambda _: None, 10_800).changes == []
