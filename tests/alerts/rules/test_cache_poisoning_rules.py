"""The alerts of playbook 2.11: a world that goes wrong is heard after the rules' own time; Prometheus' stories are in alerts/tests."""

import shutil

import pytest

from practice.knowledge import faults
from practice.knowledge.library import Knowledge
from tests.alerts.rules.test_alert_rules import ALERTS, Watched, agree

RULES = ALERTS / "cache_poisoning.yml"
BROKEN = {
    "poisoned": (
        {
            "UntrustedSourceCited": (0, 60),
            "CacheQualityDrop": (300, 720),
            "IndexDiffersFromOrigin": (900, 960),
            "WrongAnswersReported": (0, 600),
        },
        "billing",
    ),
    "new_source": ({"NewSourceDominates": (300, 600)}, "billing"),
    "garbled": ({"CacheQualityDrop": (300, 720), "WrongAnswersReported": (0, 600)}, "product"),
    "stale": (
        {
            "StaleGrounding": (600, 660),
            "CacheQualityDrop": (300, 720),
            "IndexDiffersFromOrigin": (900, 960),
            "WrongAnswersReported": (0, 600),
        },
        "product",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_wrong_is_heard_and_names_its_domain(kind: str) -> None:
    heard, name = BROKEN[kind]
    watched = Watched((RULES,))
    knowledge = watched.world.state.part(Knowledge)
    domain = knowledge.domains[name]
    faults.break_(knowledge, kind, domain, next(iter(domain.documents.values())), 0.5, watched.now)
    watched.pass_by(1200)
    for alert, (soonest, latest) in heard.items():
        assert soonest <= watched.fired(alert) <= latest, watched.changes
    assert {alert for _, alert, firing in watched.changes if firing} == set(heard)
    named = {alert.labels["domain"] for group in watched.alerting.groups for _, alert in group.alerts() if alert.state == "firing"}
    assert named == {name}
    if kind == "poisoned" and shutil.which("promtool"):
        agree(watched)


def test_a_healthy_world_is_quiet() -> None:
    watched = Watched((RULES,))
    watched.pass_by(3600)
    assert watched.changes == []
