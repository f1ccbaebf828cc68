"""The alert rules of playbook 2.12 on the practice platform: what fires when an advisory becomes known there."""

import pytest

from practice.supply.faults import GHSA, MAL, begin
from practice.world.world import World
from tests.alerts.rules.test_alert_rules import ALERTS, firing

RULES = ALERTS / "supply_chain_cve.yml"


def fired(world: World, seconds: float) -> set[tuple[str, str]]:
    """The alerts that fire within so many seconds, with their advisories."""
    return {(one["alertname"], one.get("advisory", "")) for one in firing(world, RULES, seconds)}


@pytest.mark.parametrize(
    ("kind", "alert", "advisory"), [("vulnerable", "VulnerableInRuntime", GHSA), ("malicious", "MaliciousPackageInstalled", MAL)]
)
def test_what_becomes_known_is_heard_within_two_minutes_with_its_advisory(kind: str, alert: str, advisory: str) -> None:
    world = World(following=True, history=120)
    begin(world, kind)
    assert fired(world, 120) == {(alert, advisory)}


def test_a_quiet_day_is_one() -> None:
    assert fired(World(following=True, history=120), 900) == set()
