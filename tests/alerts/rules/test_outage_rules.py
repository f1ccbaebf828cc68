"""The alerts about services: they hear what breaks in the practice world, as Prometheus does, and leave to others what others name."""

import shutil
from collections.abc import Callable

import pytest
import yaml

from practice.llm.faults import ProviderFault
from practice.services.deploying import deploy
from practice.services.fleet import ServiceFault
from tests.alerts.rules.test_alert_rules import ALERTS, RULES, Watched, agree

OUTAGE = ALERTS / "production_outage.yml"
BOTH = (RULES, OUTAGE)
BREAKS = 1200.0  # seconds of world time
Break = Callable[[Watched], object]


def test_every_alert_says_where_it_belongs_and_none_how_severe_it_is() -> None:
    rules = [rule for group in yaml.safe_load(OUTAGE.read_text())["groups"] for rule in group["rules"] if "alert" in rule]
    assert len(rules) == 9
    for rule in rules:
        labels = rule["labels"]
        assert {"playbook", "service", "incident_key", "confidence"} <= set(labels), rule["alert"]
        outage = labels["playbook"] == "production_outage"
        assert labels["incident_key"] == ("production_outage/{{ $labels.service }}" if outage else "blind/services")
        assert outage or labels["playbook"] == "triage"
        assert ("region" in labels) is (rule["alert"] == "ServiceRegionErrors")
        assert 0.6 <= float(labels["confidence"]) <= 1
        assert {"summary", "description"} == set(rule["annotations"])
        assert "severity" not in labels
        assert {"for", "keep_firing_for"} <= set(rule)


def broken(**how: object) -> Break:
    """The service `api` is broken like that."""

    def breaks(watched: Watched) -> None:
        fault = ServiceFault("api", since=watched.now, until=watched.now + BREAKS, **how)  # type: ignore[arg-type]
        watched.world.state.fleet.faults.append(fault)

    return breaks


def provider(kind: str, rate: float) -> Break:
    """The primary model provider is broken like that."""
    return lambda watched: watched.world.state.provider_faults.append(
        ProviderFault("aurora", kind, rate, since=watched.now, until=watched.now + BREAKS)
    )


def gone_through(breaks: Break, before: float = 0.0, after: float = 1200.0) -> Watched:
    """A world that has been through a fault, and time enough to get over it."""
    watched = Watched(BOTH)
    watched.pass_by(before)
    watched.began = watched.now
    breaks(watched)
    watched.pass_by(BREAKS + after)
    return watched


def keys(watched: Watched) -> set[str]:
    """The incidents that the alerts would have opened; each alert is looked up in the metrics, where it has left its trace."""
    traces = [series for series in watched.world.metrics if series.name == "ALERTS" and series.labels["alertstate"] == "firing"]
    return {series.labels["incident_key"] for series in traces}


FAULTS: dict[str, tuple[Break, float, dict[str, tuple[float, float]]]] = {
    "one region": (broken(kind="region", region="eu-west", rate=0.5), 0, {"ServiceRegionErrors": (300, 480)}),
    "every region": (broken(kind="region", rate=0.3), 0, {"ServiceBudgetBurnsFast": (120, 240), "ServiceErrors": (300, 480)}),
    "load": (broken(kind="load", factor=4.0), 0, {"ServiceErrors": (300, 480), "ServiceSlow": (600, 780)}),
    "database": (broken(kind="dependency", dependency="database", rate=0.5), 0, {"ServiceErrors": (300, 480), "ServiceSlow": (600, 780)}),
    "integrity": (broken(kind="integrity", rate=0.5), 0, {"ServiceBudgetBurnsFast": (120, 300), "ServiceErrors": (300, 600)}),
    "name service": (broken(kind="dependency", dependency="dns", rate=0.9), 0, {"ServiceUnreachable": (180, 360)}),
    "customers stay away": (broken(kind="load", factor=0.2), 1200, {"ServiceTrafficLost": (300, 600)}),
}  # fmt: skip


ASKED = ("one region", "load")
"""Of these Prometheus is asked too: every rule that counts fires in one of them."""


@pytest.mark.parametrize("name", FAULTS)
def test_what_breaks_a_service_is_heard_as_one_incident_and_clears(name: str) -> None:
    breaks, before, alerts = FAULTS[name]
    watched = gone_through(breaks, before, after=1060)
    for alert, (soonest, latest) in alerts.items():
        assert soonest <= watched.fired(alert) <= latest, watched.changes
        assert BREAKS + 600 <= watched.cleared(alert) <= BREAKS + 600 + 420, watched.changes
    assert keys(watched) == {"production_outage/api"}
    # The usual traffic is learnt from what the rules have seen, and promtool's rules see ten minutes more: their own stories tell of it.
    watched.changes = [change for change in watched.changes if change[1] != "ServiceTrafficLost"]
    if name in ASKED and shutil.which("promtool"):
        agree(watched)


def test_a_bad_revision_is_heard_and_a_slow_one_is() -> None:
    watched = gone_through(lambda watched: deploy(watched.world, "orchestrator", actor="ci", what="", error_rate=0.3, latency_factor=3.0))
    assert watched.fired("ServiceErrors") <= 480
    assert watched.fired("ServiceSlow") <= 780
    assert keys(watched) == {"production_outage/orchestrator"}


PROVIDER = {"overload": 0.6, "barely": 0.06, "timeout": 0.4}


@pytest.mark.parametrize(("kind", "rate"), PROVIDER.items(), ids=PROVIDER)
def test_a_provider_that_its_own_alert_names_is_one_incident_as_before(kind: str, rate: float) -> None:
    watched = gone_through(provider("overload" if kind == "barely" else kind, rate), after=2700)
    assert keys(watched) == {"llm_provider_outage/chat"}, watched.changes
    if kind == "overload" and shutil.which("promtool"):
        agree(watched)


def test_errors_that_no_alert_about_a_provider_explains_are_the_services_own() -> None:
    watched = gone_through(provider("auth", 0.8))
    assert watched.fired("ServiceErrors") <= 480
    assert "production_outage/chat" in keys(watched)


def test_a_healthy_world_is_quiet() -> None:
    watched = Watched(BOTH)
    watched.pass_by(3600)
    assert watched.changes == []


def test_a_blind_world_is_one_fault_of_its_own() -> None:
    def blinded(rules: tuple[object, ...]) -> Watched:
        watched = Watched(rules)  # type: ignore[arg-type]
        watched.world.state.blind = True
        watched.pass_by(3600 + 600)
        return watched

    assert keys(blinded(BOTH)) == {"blind/llm"}
    alone = blinded((OUTAGE,))
    assert keys(alone) == {"blind/services"}
    assert 300 <= alone.fired("ServiceMetricsAbsent") <= 330
