"""The alert rules of playbook 2.4 on the practice platform: what fires when somebody reads there who must not."""

from practice.intrusion.faults import intrude
from practice.world.world import World
from tests.alerts.rules.test_alert_rules import ALERTS, firing

RULES = ALERTS / "data_breach.yml"


def fired(world: World, seconds: float) -> set[tuple[str, str]]:
    """The alerts that fire within so many seconds, with the identity."""
    return {(one["alertname"], one.get("identity", "")) for one in firing(world, RULES, seconds)}


def test_ordinary_reports_are_no_breach() -> None:
    assert fired(World(following=True, history=600), 900) == set()


def test_an_intruder_is_heard_within_minutes_by_the_identity_that_reads() -> None:
    world = World(following=True, history=600)
    intrude(world.state, world.clock.now())
    assert fired(world, 300) == {("ExportBeyondUsual", "svc-export"), ("ExportVolume", "svc-export")}
