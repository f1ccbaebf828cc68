"""The alert rules of playbook 2.10 on the practice platform: what fires when a stranger uses a credential there."""

from practice.credentials.cast import credentials
from practice.world.world import World
from tests.alerts.rules.test_alert_rules import ALERTS, firing

RULES = ALERTS / "secret_compromise.yml"


def fired(world: World, seconds: float) -> set[tuple[str, str]]:
    """The alerts that fire within so many seconds, with the credential."""
    return {(one["alertname"], one.get("inventory_id", "")) for one in firing(world, RULES, seconds)}


def test_a_stranger_is_heard_within_a_minute_with_the_credential() -> None:
    world = World(following=True, history=120)
    credentials(world.state, world.clock.now()).dials.thief = "database"
    assert fired(world, 60) == {("CredentialUsedByStrangers", "database")}


def test_passwords_by_the_thousand_are_heard_without_one() -> None:
    world = World(following=True, history=3900)
    assert fired(world, 60) == set()
    credentials(world.state, world.clock.now()).dials.stuffing = True
    assert fired(world, 480) == {("CredentialStuffing", "")}
