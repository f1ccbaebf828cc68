"""Ending a run with its children: done when the meter sees none of them call, and never on the runtime's word."""

from typing import Any

import pytest

from activities.action import NotYet
from activities.agents.cancelling import Cancellations, CancelRun
from activities.agents.seen import Agents, RunsOf
from activities.agents.sessions import Quarantine, QuarantineOf, Quarantines, RevokeTokens, SessionTokens
from tests.activities.agents.worlds import Played, played
from tests.activities.kit.stage import attempt, refused, tried


async def cancelled(world: Played, trace: str, tries: int = 12) -> tuple[Any, list[Exception]]:
    order = CancelRun(trace=trace, reason="it loops")
    return await tried(Cancellations.run, world.system(Cancellations), order, world.stage.call(key="c"), tries)


async def test_a_run_and_its_children_end_and_nothing_of_them_calls_for_two_minutes() -> None:
    world = played()
    world.runtime.paused_schedules[world.runs_away().id] = True  # else the schedule begins it anew
    effect, _ = await cancelled(world, world.runaways()[0].trace)
    assert "has seen no call of it or its children for" in effect.proven_by and len(effect.after["traces"]) == 3
    assert {run.state for run in world.runaways()} == {"cancelled"}
    assert len(world.stage.effects("agents.cancellations.start")) == 1


async def test_a_run_that_does_not_stop_by_itself_is_terminated() -> None:
    world = played()
    world.runtime.paused_schedules[world.runs_away().id] = True
    first = world.runaways()[0]
    first.stubborn = True
    effect, _ = await cancelled(world, first.trace)
    assert effect.after["terminated"] == [first.trace] and "1 of them terminated" in effect.summary


async def test_a_child_that_calls_on_is_seen_by_the_meter() -> None:
    world = played()
    world.runtime.dials.children_call_on = True
    world.runtime.paused_schedules[world.runs_away().id] = True
    first = world.runaways()[0]
    why = await refused(lambda: cancelled(world, first.trace))
    assert "not honoured: it reads ended, and tr-" in why
    seen = await attempt(Agents.runs, world.system(Agents), RunsOf(under=first.trace), world.stage.call())
    assert {run.state for run in seen.runs} == {"cancelled"}, "the runtime says that they have ended"
    revoke = RevokeTokens(session=first.session)  # the same session's tokens: without them nothing calls
    effect = await attempt(SessionTokens.revoke, world.system(SessionTokens), revoke, world.stage.call(key="r"))
    assert "refused with 401" in effect.proven_by
    world.stage.pass_time(60)
    ended, _ = await cancelled(world, first.trace)
    assert "no call" in ended.proven_by


async def test_a_run_that_is_over_is_said_so_and_nothing_is_changed() -> None:
    world = played()
    run = next(iter(world.runtime.runs.values()))
    run.end("done", 0)
    why = await refused(lambda: cancelled(world, run.trace))
    assert f"run {run.trace} is over already: it is done" in why and "nothing was changed" in why
    assert "there is no run tr-none" in await refused(lambda: cancelled(world, "tr-none"))
    assert not world.stage.effects("agents")


@pytest.mark.parametrize("mode", ["commit_then_drop", "fail", "hang"])
async def test_a_lost_reply_cancels_once(mode: str) -> None:
    world = played()
    world.runtime.paused_schedules[world.runs_away().id] = True
    world.stage.inject("agents.cancellations.start", mode, times=1)
    await cancelled(world, world.runaways()[0].trace)
    assert len(world.stage.effects("agents.cancellations.start")) == 1


async def test_a_quarantine_that_reads_back_set_is_none_while_its_run_calls_on() -> None:
    world = played()
    world.runs_away()
    world.runtime.dials.quarantine_leaks = True
    system, order = world.system(Quarantines), Quarantines.order(
        QuarantineOf(session=world.runaways()[0].session), Quarantine(quarantined=True, reason="it loops")
    )  # fmt: skip
    order = order.given(await system.look_at(world.stage.call(), order.of))
    with pytest.raises(NotYet, match=r"reads back quarantined, and its run tr-\w+ calls on"):
        await attempt(Quarantines.change, system, order, world.stage.call(key="q"))
    assert world.runtime.sessions[world.runaways()[0].session].quarantined


async def test_revoked_tokens_are_dead_and_revoking_twice_is_once() -> None:
    world = played()
    session = next(iter(world.runtime.sessions))
    world.stage.inject("agents.tokens.put", "commit_then_drop", times=1)
    effect, _ = await tried(SessionTokens.revoke, world.system(SessionTokens), RevokeTokens(session=session), world.stage.call(key="r"))
    again, _ = await tried(SessionTokens.revoke, world.system(SessionTokens), RevokeTokens(session=session), world.stage.call(key="r"))
    assert effect.adopted and again.adopted and len(world.stage.effects("agents.tokens.put")) == 1
