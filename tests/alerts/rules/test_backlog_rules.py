"""The alert rules of playbook 2.8 on the practice platform: what fires when jobs pile up there."""

import pytest

from practice.jobs import faults
from practice.jobs.work import Work
from practice.world.world import World
from tests.alerts.rules.test_alert_rules import ALERTS, firing

RULES = ALERTS / "queue_backlog.yml"


def fired(world: World, seconds: float) -> set[str]:
    """The alerts that fire within so many seconds."""
    return {one["alertname"] for one in firing(world, RULES, seconds)}


TROUBLES: list[tuple[str, set[str]]] = [
    ("hot_tenant", {"QueueDoesNotDrain", "QueueDepthAboveUsual", "OldestJobGrowsOld", "JobApiTimesOut", "WorkersBusyAndJobsWait"}),
    ("poison", {"QueueDoesNotDrain", "QueueDepthAboveUsual", "OldestJobGrowsOld", "JobApiTimesOut"}),
]


@pytest.mark.parametrize(("kind", "heard"), TROUBLES, ids=[kind for kind, _ in TROUBLES])
def test_what_piles_up_is_heard(kind: str, heard: set[str]) -> None:
    world = World(following=True, history=120)
    faults.break_(world.state.part(Work), kind, "interactive", next(iter(world.state.tenants)), None, world.clock.now(), None)
    assert fired(world, 1500) == heard


def test_a_quiet_day_is_not_heard_nor_is_what_may_wait() -> None:
    world = World(following=True, history=120)
    assert fired(world, 1800) == set()
    work = world.state.part(Work)
    work.touched = True
    work.queues["reports"].consumers = 0.0
    assert fired(world, 1800) == set(), "a deferrable queue that is paused is no incident"
