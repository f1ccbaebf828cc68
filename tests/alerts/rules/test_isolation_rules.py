"""The alert rules of playbook 2.5 on the practice platform: what fires when data crosses tenants there."""

import pytest

from practice.tenancy.cast import tenancy
from practice.tenancy.leaking import begin
from practice.world.world import World
from tests.alerts.rules.test_alert_rules import ALERTS, firing

RULES = ALERTS / "tenant_isolation.yml"


def fired(world: World, seconds: float) -> set[tuple[str, str]]:
    """The alerts that fire within so many seconds, with their endpoints."""
    return {(one["alertname"], one.get("endpoint", "")) for one in firing(world, RULES, seconds)}


@pytest.mark.parametrize(("kind", "endpoint"), [("missing_where", "documents.get"), ("cdn", "files.get"), ("cache_key", "answers.get")])
def test_what_crosses_is_heard_within_a_minute_with_its_endpoint(kind: str, endpoint: str) -> None:
    world = World(following=True, history=120)
    begin(world.state, tenancy(world.state, world.clock.now()), kind, [], world.clock.now())
    assert fired(world, 60) == {("CrossTenantObject", endpoint), ("CanaryCrossRead", endpoint)}


def test_a_quiet_day_is_one_and_a_denied_endpoint_is_heard_no_more() -> None:
    world = World(following=True, history=120)
    assert fired(world, 1800) == set()
    there = tenancy(world.state, world.clock.now())
    begin(world.state, there, "missing_where", [], world.clock.now())
    there.endpoints["documents.get"].admission.admitted = 0.0
    assert fired(world, 900) == set()
