"""The alert rules of playbook 2.3 on the practice platform: what fires when agents obey what they read there."""

from practice.agents.runtime import Profile, Runtime
from practice.injection.attacks import PAYLOAD, Attack, Deed, injections
from practice.library.library import library
from practice.quality.faults import QualityFaults
from practice.world.world import World
from tests.alerts.rules.test_alert_rules import ALERTS, firing

RULES = ALERTS / "prompt_injection.yml"


def fired(world: World, seconds: float) -> set[str]:
    """The alerts that fire within so many seconds."""
    return {one["alertname"] for one in firing(world, RULES, seconds)}


def attacked(*deeds: Deed) -> World:
    """A letter of the first tenant's mail gives orders."""
    world = World(following=True, history=120)
    now, tenant = world.clock.now(), next(iter(world.state.tenants))
    planted = library(world.state).plant("mail", PAYLOAD, now)
    injections(world.state).attacks.append(Attack("at-1", PAYLOAD, "mail", planted.id, [tenant], list(deeds), now))
    return world


def test_what_is_carried_out_is_heard_within_a_minute() -> None:
    assert fired(attacked(Deed("tickets.create")), 60) >= {"InjectedInstructionCarriedOut", "GuardrailTrippedOnAnAct"}


def test_an_attempt_that_is_refused_is_heard_as_that() -> None:
    world = attacked(Deed("tickets.create"))
    world.state.part(Runtime).profiles[next(iter(world.state.tenants))] = Profile(strict=True)
    assert fired(world, 300) == {"GuardrailTripsOnContent"}


def test_a_quiet_day_is_one_and_guardrails_that_are_down_are_none() -> None:
    world = World(following=True, history=120)
    assert fired(world, 1800) == set()
    world.state.part(QualityFaults).guardrails_down = True
    assert fired(world, 900) == {"GuardrailsJudgeNothing"}
