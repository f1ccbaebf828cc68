"""The alert rules of playbook 2.6 on the practice platform: what fires when an agent runs away there."""

from collections.abc import Sequence

import pytest

from practice.agents.runtime import Runtime, Trouble
from practice.world.world import World
from tests.alerts.rules.test_alert_rules import ALERTS, firing

RULES = ALERTS / "cost_runaway.yml"


def fired(world: World, seconds: float) -> set[str]:
    """The alerts that fire within so many seconds."""
    return {one["alertname"] for one in firing(world, RULES, seconds)}


TROUBLES: Sequence[tuple[str, float, set[str]]] = [
    ("loop", 9.0, {"LlmSpendOfAnAgent", "LlmSpendShareOfAnAgent", "AgentRunLooping"}),
    ("slow", 2.6, {"LlmSpendSlowBurn"}),
]


@pytest.mark.parametrize(("kind", "factor", "heard"), TROUBLES, ids=[kind for kind, _, _ in TROUBLES])
def test_what_runs_away_is_heard(kind: str, factor: float, heard: set[str]) -> None:
    world = World(following=True, history=120)
    runtime = world.state.part(Runtime)
    agent = next(one for one in runtime.agents.values() if one.autonomous)
    runtime.troubles.append(Trouble(kind, agent.id, factor, world.clock.now()))
    assert fired(world, 3 * 3600 if kind == "slow" else 1800) == heard


def test_a_stolen_key_is_heard_and_a_quiet_day_is_not() -> None:
    world = World(following=True, history=120)
    assert fired(world, 1800) == set()
    world.state.part(Runtime).stolen["key-batch"] = 200_000.0
    assert fired(world, 1800) == {"ProviderMeterAboveOurs"}
