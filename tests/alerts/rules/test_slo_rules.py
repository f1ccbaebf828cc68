"""The alert about an exhausted error budget: silent in a young world, whatever breaks there; Prometheus' own stories are in alerts/tests/slo.yml."""

import yaml

from activities.metrics.slo import SloPolicy
from tests.alerts.rules.test_alert_rules import ALERTS, RULES, Watched
from tests.alerts.rules.test_outage_rules import OUTAGE, broken, provider

SLO = ALERTS / "slo.yml"


def test_it_says_where_it_belongs_and_not_how_severe_it_is() -> None:
    (rule,) = [rule for group in yaml.safe_load(SLO.read_text())["groups"] for rule in group["rules"] if "alert" in rule]
    assert rule["alert"] == "ErrorBudgetExhausted"
    assert rule["labels"] == {
        "playbook": "slo_burn", "service": "{{ $labels.service }}", "incident_key": "slo_burn/{{ $labels.service }}", "confidence": "0.9",
    }  # fmt: skip
    assert {"for", "keep_firing_for"} <= set(rule)


def test_the_rules_and_the_policys_defaults_agree() -> None:
    text, policy = SLO.read_text(), SloPolicy()
    assert f"[{policy.window.days}d]" in text
    assert f">= {policy.least_history.total_seconds() / 300:g}" in text, "a sample is five minutes with data"
    assert f"[30d]) >= {policy.least_errors:g}" in text


def test_an_outage_of_a_young_world_exhausts_no_budget() -> None:
    """As in the demos: a service and a provider burn a good part of four weeks' budget, and there are no three days of data."""
    watched = Watched((RULES, OUTAGE, SLO))
    for breaks in (broken(kind="region", rate=0.5), provider("overload", 0.6)):
        breaks(watched)
    watched.pass_by(3600)
    names = {series.name for series in watched.world.metrics}
    assert "slo:bad:increase5m" in names and "slo:budget_remaining:ratio30d" not in names
    assert "ErrorBudgetExhausted" not in {name for _, name, _ in watched.changes}
    assert {"ServiceErrors", "LlmProviderErrors"} <= {name for _, name, firing in watched.changes if firing}, (
        "the outages themselves are heard"
    )
