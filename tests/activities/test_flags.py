"""Flags: off means that a customer meets it so."""

import asyncio
import os
from typing import Any

import pytest

from activities.action import NotYet, Refused
from activities.flags.flags import FlagOf, Flags, FlagState, RestoreFlag, SwitchOff
from practice.world.world import World
from tests.activities.conftest import MakeCall, dial, effects, until_done

FLAGS = ("tools.high_psu", "scheduler.enabled", "batch.enabled", "orchestrator.autonomy")
MISHAPS: list[tuple[str, dict[str, Any]]] = [
    ("fail", {"times": 2}),
    ("commit_then_drop", {"times": 1}),
    ("nothing_changed", {"times": 1}),
    ("partial", {"times": 1}),
    ("throttle", {"times": 2}),
    ("hang", {"times": 1}),
]


@pytest.mark.parametrize("flag", FLAGS)
async def test_a_flag_goes_off_outside_too_and_comes_back(world: World, flags: Flags, call: MakeCall, flag: str) -> None:
    order = SwitchOff(flag=flag, why="aurora is out")
    order = order.given(await flags.read(FlagOf(flag=flag), call()))
    effect = await flags.switch_off(order, call(key="off"))
    assert (effect.before, effect.after, effect.adopted) == ({"on": True}, {"on": False}, False)
    assert (await flags.switch_off(order, call(key="off"))).adopted
    assert not (await flags.restore(order.undo(), call(key="on"))).adopted
    assert [e["key"] for e in effects(world, "unleash")] == ["off", "on"]


@pytest.mark.parametrize("on", [False, True])
@pytest.mark.parametrize(("mode", "settings"), MISHAPS, ids=[mode for mode, _ in MISHAPS])
async def test_whatever_happens_to_a_switch_it_is_done_once(
    world: World, flags: Flags, call: MakeCall, mode: str, settings: dict[str, Any], on: bool
) -> None:
    world.state.flags["tools.high_psu"] = not on
    dial(world, "unleash.feature.o*", mode, **settings)
    made = call()
    if on:
        effect, broke = await until_done(lambda: flags.restore(RestoreFlag(flag="tools.high_psu", on=True), made))
    else:
        effect, broke = await until_done(lambda: flags.switch_off(SwitchOff(flag="tools.high_psu"), made))
    assert broke and effect.adopted == (mode in ("commit_then_drop", "partial"))
    assert len(effects(world, "unleash")) == 1


async def test_a_product_that_does_not_obey_yet_is_no_proof(world: World, flags: Flags, call: MakeCall) -> None:
    world.before["app"] = (world.keep(), world.clock.now())
    dial(world, "app.batch", "stale_read", times=2)
    effect, broke = await until_done(lambda: flags.switch_off(SwitchOff(flag="batch.enabled"), call()))
    assert [type(e) for e in broke] == [NotYet, NotYet] and effect.adopted
    assert len(effects(world, "unleash")) == 1


async def test_a_stale_flag_service_is_asked_again(world: World, flags: Flags, call: MakeCall) -> None:
    await flags.switch_off(SwitchOff(flag="batch.enabled"), call())
    dial(world, "unleash.feature", "stale_read", times=2)
    effect, _ = await until_done(lambda: flags.switch_off(SwitchOff(flag="batch.enabled"), call()))
    assert effect.adopted and not world.state.flags["batch.enabled"]
    assert len(effects(world, "unleash")) == 1


async def test_a_flag_nobody_knows_is_refused(flags: Flags, call: MakeCall) -> None:
    with pytest.raises(Refused, match="Could not find"):
        await flags.read(FlagOf(flag="no.such"), call())


async def test_what_was_off_before_stays_off(world: World, flags: Flags, call: MakeCall) -> None:
    world.state.flags["batch.enabled"] = False
    order = SwitchOff(flag="batch.enabled").given(FlagState(flag="batch.enabled", on=False))
    assert (await flags.switch_off(order, call())).adopted
    assert (await flags.restore(order.undo(), call())).adopted
    assert not effects(world, "unleash")


async def test_by_hand_does_the_same(world: World, flags: Flags, call: MakeCall, practice_url: str) -> None:
    order = SwitchOff(flag="tools.high_psu")
    settings = {**os.environ, "UNLEASH_URL": f"{practice_url}/unleash", "UNLEASH_TOKEN": "practice-token"}
    shell = await asyncio.create_subprocess_exec("bash", "-ec", "\n".join(order.by_hand()), env=settings)
    assert await shell.wait() == 0
    assert (await flags.switch_off(order, call())).adopted
