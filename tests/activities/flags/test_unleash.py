"""Flags in Unleash: off means that a customer meets it so. What every setting does stands in the contract table."""

import asyncio
import os

import pytest

from activities.action import Call, NotYet, Refused
from activities.flags.flags import Flag, Flags, Switch, switch_off
from activities.flags.unleash import Unleash
from activities.kit.setting import Change
from activities.organisation.policy import Policy
from activities.product.app_plane import AppPlane
from practice.world.world import World
from tests.activities.conftest import MakeCall, MakeClient, effects, inject, tried

FLAGS = ("tools.high_psu", "scheduler.enabled", "batch.enabled", "orchestrator.autonomy")


async def off(flags: Flags, call: Call, flag: str) -> Change[Flag, Switch]:
    order = switch_off(flag, "aurora is out", Policy())
    return order.given(await flags.read(order.look(), call))


def unleash(client: MakeClient, environment: str = "production", project: str = "default") -> Flags:
    http = client("/unleash", Authorization="practice-token")
    return Flags(Unleash(http, http, project=project, environment=environment), AppPlane(client("/app")))


@pytest.mark.parametrize("flag", FLAGS)
async def test_a_flag_goes_off_outside_too_and_comes_back(world: World, flags: Flags, call: MakeCall, flag: str) -> None:
    order = await off(flags, call(), flag)
    effect = await flags.change(order, call(key="off"))
    assert (effect.before, effect.after, effect.adopted) == ({"on": True}, {"on": False}, False)
    assert "the product shows it off" in effect.proven_by
    assert not (await flags.restore(order.undo(), call(key="on"))).adopted
    assert [e["key"] for e in effects(world, "unleash")] == ["off", "on/step-1"]


async def test_a_product_that_does_not_obey_yet_is_no_proof(world: World, flags: Flags, call: MakeCall) -> None:
    world.before["app"] = (world.keep(), world.clock.now())
    inject(world, "app.batch", "stale_read", times=2)
    effect, broke = await tried(Flags.change, flags, await off(flags, call(), "batch.enabled"), call())
    assert [type(e) for e in broke] == [NotYet, NotYet] and effect.adopted
    assert len(effects(world, "unleash")) == 1


async def test_a_flag_nobody_knows_is_refused(flags: Flags, call: MakeCall) -> None:
    with pytest.raises(Refused, match="Could not find"):
        await off(flags, call(), "no.such")


async def test_an_environment_that_is_not_there_is_refused_and_not_taken_for_off(world: World, door: MakeClient, call: MakeCall) -> None:
    with pytest.raises(Refused, match=r"in no environment called live .*set INCIDENT_UNLEASH_ENVIRONMENT"):
        await off(unleash(door, environment="live"), call(), "batch.enabled")
    with pytest.raises(Refused, match="404"):
        await off(unleash(door, project="other"), call(), "batch.enabled")
    assert not effects(world, "unleash")


async def test_a_flag_that_clients_are_not_told_of_is_unknown(world: World, door: MakeClient, call: MakeCall) -> None:
    """The client token may belong to another project: a flag that is not listed is not *off*."""
    store = Unleash(
        door("/unleash", Authorization="practice-token"), door("/unleash", Authorization="practice-token"),
        project="default", environment="production",
    )  # fmt: skip
    with pytest.raises(NotYet, match="INCIDENT_UNLEASH_CLIENT_TOKEN"):
        await store.shown_to_clients(call(), "no.such")


async def test_what_was_off_before_stays_off_and_a_lift_does_not_overrule_whoever_switched_it_on(
    world: World, flags: Flags, call: MakeCall
) -> None:
    world.state.flags["batch.enabled"] = False
    order = await off(flags, call(), "batch.enabled")
    assert (await flags.change(order, call())).adopted
    assert (await flags.restore(order.undo(), call())).adopted
    assert not effects(world, "unleash")
    world.state.flags["batch.enabled"] = True
    with pytest.raises(Refused, match="conflict: somebody has changed"):
        await flags.restore(order.undo(), call())


async def test_by_hand_does_the_same(world: World, flags: Flags, call: MakeCall, practice_url: str) -> None:
    order = await off(flags, call(), "tools.high_psu")
    names = {"UNLEASH_URL": f"{practice_url}/unleash", "UNLEASH_TOKEN": "practice-token", "UNLEASH_PROJECT": "default"}
    for lines in (order.by_hand(), order.undo().by_hand()):
        shell = await asyncio.create_subprocess_exec(
            "bash", "-euc", "\n".join(lines), env={**os.environ, **names, "UNLEASH_ENVIRONMENT": "production"}
        )
        assert await shell.wait() == 0
        assert world.state.flags["tools.high_psu"] is (lines != order.by_hand())
