"""The alert rules: promtool's own stories, and the practice platform saying the same at the same instant as Prometheus does."""

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from math import isnan
from pathlib import Path
from typing import Any

import pytest
import yaml

from practice.llm.faults import ProviderFault
from practice.metrics.alerting import Alerting
from practice.metrics.metrics import Series
from practice.world.world import World
from worker.playbooks import discover

ALERTS = Path(__file__).parents[3] / "alerts"
RULES = ALERTS / "llm_provider.yml"
STEP = 15.0
SLACK = 30.0  # Debian's Prometheus closes windows on the left, Prometheus 3 and the practice platform do not: one sample more or less

needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (apt-get install prometheus)")


def promtool(*arguments: object) -> None:
    """Run promtool; its complaint is the test's failure."""
    ran = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, timeout=100, check=False)
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]


@needs_promtool
@pytest.mark.prometheus
def firing(world: World, rules: Path, seconds: float) -> list[dict[str, str]]:
    """The labels of the alerts that fire within so many seconds."""
    alerting = Alerting(world, [rules])
    world.clock.show(world.clock.now() + seconds)
    world.advance()
    alerting.stop()
    return [alert.labels for group in alerting.groups for _, alert in group.alerts() if alert.state == "firing"]


def test_prometheus_accepts_the_rules() -> None:
    promtool("check", "rules", *ALERTS.glob("*.yml"))


@needs_promtool
@pytest.mark.prometheus
@pytest.mark.parametrize("stories", sorted(ALERTS.glob("tests/*.yml")), ids=lambda path: path.stem)
def test_the_rules_tell_their_stories(stories: Path) -> None:
    promtool("test", "rules", stories)


# How many alerts each file has: one that is lost is heard by nobody.
MANY = {
    "cache_poisoning": 7, "cost_runaway": 9, "data_breach": 3, "database_failover": 9, "llm_provider": 7, "model_drift": 9, "production_outage": 9,
    "prompt_injection": 5, "queue_backlog": 6, "secret_compromise": 6, "slo": 1, "supply_chain_cve": 3, "tenant_isolation": 4,
}  # fmt: skip


@pytest.mark.parametrize("path", sorted(ALERTS.glob("*.yml")), ids=lambda path: path.stem)
def test_every_alert_says_where_it_belongs_and_none_how_severe_it_is(path: Path) -> None:
    rules = [rule for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"] if "alert" in rule]
    assert len(rules) == MANY[path.stem]
    for rule in rules:
        labels = rule["labels"]
        assert {"playbook", "service", "incident_key", "confidence"} <= set(labels), rule["alert"]
        assert labels["playbook"] in discover()
        assert 0.6 <= float(labels["confidence"]) <= 1
        assert {"summary", "description"} == set(rule["annotations"])
        assert "severity" not in labels
        assert {"for", "keep_firing_for"} <= set(rule)


# Prometheus takes the samples of a subquery (what is usual: every 30 min of a day) at round instants. So the hour at which a test runs must not
# matter, and a world that is an hour old must have one of these samples before anything breaks: it comes 100 s after the start.
SOON_HALF_PAST = 1_795_501_700.0


class Watched:
    """A world that goes through a fault, and what its alerts did, in seconds since the fault began."""

    def __init__(self, rules: Sequence[Path] = (RULES,)) -> None:
        self.rules = rules
        self.world = World(seed=7, following=True, start=SOON_HALF_PAST)
        self.alerting = Alerting(self.world, rules)
        self.changes: list[tuple[float, str, bool]] = []
        self._firing: set[str] = set()
        self.pass_by(60)
        self.began = self.now
        self.world.on_moved.append(self._look)

    @property
    def now(self) -> float:
        return self.world.clock.now()

    def pass_by(self, seconds: float) -> None:
        self.world.clock.show(self.now + seconds)
        self.world.advance()

    def _look(self, at: float) -> None:
        firing = {alert.labels["alertname"] for group in self.alerting.groups for _, alert in group.alerts() if alert.state == "firing"}
        self.changes += [(at - self.began, name, name in firing) for name in sorted(firing ^ self._firing)]
        self._firing = firing

    def suffer(self, seconds: float, kind: str = "overload", rate: float = 0.6) -> None:
        """Break the primary, mend it, and watch until everything is quiet again."""
        self.world.state.provider_faults.append(ProviderFault("aurora", kind, rate, since=self.now, until=self.now + seconds))
        self.pass_by(seconds + 1060)

    def fired(self, name: str) -> float:
        return next(at for at, changed, firing in self.changes if changed == name and firing)

    def cleared(self, name: str) -> float:
        return next(at for at, changed, firing in self.changes if changed == name and not firing)


def as_promtool_sees_it(watched: Watched) -> dict[str, Any]:
    """The world's samples as promtool input, and around every change what Prometheus must say of that alert."""
    rules, times = "".join(file.read_text() for file in watched.rules), watched.world.metrics.times
    series = [one for one in watched.world.metrics if one.kind != "recorded" and re.search(rf"\b{one.name}\b", rules)]
    origin = times[0]
    checks = [
        _check(name, at + watched.began - origin + late, firing == (late > 0))
        for at, name, firing in watched.changes
        for late in (-SLACK, SLACK)
    ]
    story = {"interval": "15s", "input_series": [_spelled(one) for one in series], "promql_expr_test": checks}
    order = [group.name for group in watched.alerting.groups]
    return {"rule_files": [*map(str, watched.rules)], "evaluation_interval": "15s", "group_eval_order": order, "tests": [story]}


def _spelled(series: Series) -> dict[str, str]:
    labels = ",".join(f"{name}={json.dumps(value)}" for name, value in series.labels.items())
    return {
        "series": f"{series.name}{{{labels}}}",
        "values": " ".join(["_"] * series.born + ["_" if isnan(value) else f"{value:g}" for value in series.values]),
    }


def _check(name: str, at: float, firing: bool) -> dict[str, Any]:
    said = [{"labels": f'{{alertname="{name}"}}', "value": 1}] if firing else []
    asks = f'group by (alertname) (ALERTS{{alertname="{name}", alertstate="firing"}})'
    return {"expr": asks, "eval_time": f"{round(at)}s", "exp_samples": said}


FAULTS: dict[str, tuple[str, float, list[str]]] = {
    "overload": ("overload", 0.6, ["LlmProviderErrors", "LlmProviderProbeFailing"]),
    "barely": ("overload", 0.06, ["LlmProviderErrors"]),
    "rate limit": ("rate_limit", 0.3, ["LlmProviderRateLimited"]),
    "slow": ("slow", 0.5, ["LlmProviderSlow", "LlmOrchestratorTimeouts"]),
    "timeout": ("timeout", 0.4, ["LlmOrchestratorTimeouts", "LlmProviderSlow"]),
    "down": ("down", 1.0, ["LlmProviderErrors"]),
}


ASKED = ("rate limit", "slow", "barely")
"""Of these Prometheus is asked too: every rule that counts fires in one of them."""


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_the_world_is_heard_after_the_rules_own_time(name: str) -> None:
    kind, rate, alerts = FAULTS[name]
    watched = Watched()
    watched.suffer(1200, kind, rate)
    for alert in alerts:
        assert 300 <= watched.fired(alert) <= 780, watched.changes
        assert 1200 + 600 <= watched.cleared(alert) <= 1200 + 600 + 420, watched.changes
    if name in ASKED and shutil.which("promtool"):
        agree(watched)


def agree(watched: Watched) -> None:
    """Prometheus sees the same samples and says the same, give or take a sample at the edge of a window."""
    with tempfile.TemporaryDirectory() as place:
        stories = Path(place) / "world.yml"
        stories.write_text(json.dumps(as_promtool_sees_it(watched)))
        promtool("test", "rules", stories)


def test_a_healthy_world_and_a_short_spell_are_quiet() -> None:
    watched = Watched()
    watched.suffer(90, "overload", 0.05)
    assert watched.changes == []


def test_a_blind_world_is_a_fault_of_its_own_and_no_verdict_about_the_provider() -> None:
    watched = Watched()
    watched.world.state.provider_faults.append(ProviderFault("aurora", "overload", 0.6, since=watched.now))
    watched.pass_by(120)
    watched.world.state.blind = True
    watched.pass_by(1800)
    assert [(name, firing) for _, name, firing in watched.changes] == [("LlmMetricsAbsent", True)]
    assert 120 + 300 <= watched.fired("LlmMetricsAbsent") <= 120 + 330
