"""Feeds: stopped means that services read the version that was pinned; and nothing resumes that would break again."""

from typing import Any

import pytest

from activities.action import Limits, NotYet, Refused, Risk, action_of
from activities.feeds.feeds import PAUSED, FeedOf, Feeds, FeedsOf, Pause, Resume
from practice.world.world import World
from tests.activities.conftest import MISHAPS, MakeCall, by_hand, effects, inject, pass_time, tried

PUT, FEED = "platform.feeds.put", "routing-rules"
mishaps = pytest.mark.parametrize(("mode", "settings"), MISHAPS, ids=[mode for mode, _ in MISHAPS])
ways = pytest.mark.parametrize("way", ["pause", "resume"])


def spoil(world: World) -> int:
    """Make the generator's next versions bad; returns the last good one."""
    feed = world.state.fleet.feeds[FEED]
    feed.bad_from, feed.error_rate = feed.version + 1, 0.6
    feed.make(world.clock.now())
    return feed.version - 1


def wanted(way: str) -> list[str]:
    """The keys of the writes: a generator runs before its pin is taken away."""
    return ["the key"] if way == "pause" else ["the key/run", "the key"]


async def pause_order(feeds: Feeds, call: MakeCall) -> Pause:
    now = await feeds.read(FeedOf(feed=FEED), call())
    return Pause(feed=FEED, version=now.last_good).given(now)


async def test_a_feed_says_who_reads_it_and_what_is_good(world: World, feeds: Feeds, call: MakeCall) -> None:
    (feed,) = (await feeds.of_service(FeedsOf(service="api"), call())).feeds
    assert (feed.name, feed.services, feed.running, feed.pinned) == (FEED, ("api", "orchestrator"), True, None)
    assert not feed.suspect
    good = spoil(world)
    said = await feeds.of_service(FeedsOf(service="api"), call())
    assert [one.last_good for one in said.suspects()] == [good]
    assert (await feeds.of_service(FeedsOf(service="chat"), call())).feeds == ()


async def test_a_paused_feed_heals_every_service_that_reads_it(world: World, feeds: Feeds, call: MakeCall) -> None:
    good = spoil(world)
    effect, waited = await tried(Feeds.pause, feeds, await pause_order(feeds, call), call(key="pause"))
    assert all(isinstance(one, NotYet) for one in waited)
    assert f"services read version {good}" in effect.proven_by
    version = world.state.fleet.feeds[FEED].version
    pass_time(world, 600)
    assert world.state.fleet.feeds[FEED].version == version and not world.state.fleet.feeds[FEED].bad
    assert [e["key"] for e in effects(world, PUT)] == ["pause"]


async def test_nothing_resumes_that_would_break_again(world: World, feeds: Feeds, call: MakeCall) -> None:
    spoil(world)
    order = await pause_order(feeds, call)
    await tried(Feeds.pause, feeds, order, call())
    with pytest.raises(AssertionError, match="stays pinned"):
        await tried(Feeds.resume, feeds, order.undo(), call(), tries=3)
    feed = world.state.fleet.feeds[FEED]
    assert feed.running and feed.pinned == order.version and not feed.bad
    feed.good_from = feed.version + 1
    effect, waited = await tried(Feeds.resume, feeds, order.undo(), call(key="resume"))
    assert len(waited) <= 2 and effect.after["running"] is True and effect.after["pinned"] is None
    pass_time(world, 300)
    assert not world.state.fleet.feeds[FEED].bad


async def test_a_version_that_is_not_good_is_never_pinned(world: World, feeds: Feeds, call: MakeCall) -> None:
    good = spoil(world)
    bad = (await pause_order(feeds, call)).model_copy(update={"version": good + 1})
    with pytest.raises(Refused, match=f"the last good one is {good}"):
        await tried(Feeds.pause, feeds, bad, call())
    assert not effects(world, PUT)


async def test_where_nothing_says_what_is_read_two_quiet_intervals_must_do(world: World, feeds: Feeds, call: MakeCall) -> None:
    order = await pause_order(feeds, call)
    world.state.blind = True
    pass_time(world, 360)
    world.state.fleet.feeds[FEED].made_at = world.clock.now()
    effect, waited = await tried(Feeds.pause, feeds, order, call(), tries=20)
    assert "no new version for 240 s" in effect.proven_by
    assert len(waited) == 16 and "for only" in str(waited[0])


# ---- whatever happens ----


@mishaps
@ways
async def test_whatever_happens_to_a_write_it_is_done_once(
    world: World, feeds: Feeds, call: MakeCall, way: str, mode: str, settings: dict[str, Any]
) -> None:
    verb, order = await _lever(world, feeds, call, way)
    before = len(effects(world, PUT))
    inject(world, PUT, mode, **settings)
    effect, broke = await tried(verb, feeds, order, call(key="the key"), tries=12)
    assert effect.proven_by and (broke or mode == "latency")
    done = effects(world, PUT)[before:]
    assert [e["key"] for e in done] == wanted(way)
    again, _ = await tried(verb, feeds, order, call(key="the key"))
    assert again.adopted and effects(world, PUT)[before:] == done


@ways
async def test_a_200_that_changed_nothing_is_never_an_effect(world: World, feeds: Feeds, call: MakeCall, way: str) -> None:
    verb, order = await _lever(world, feeds, call, way)
    before = len(effects(world, PUT))
    inject(world, PUT, "nothing_changed")
    with pytest.raises(AssertionError, match="accepted, but feed routing-rules still shows"):
        await tried(verb, feeds, order, call(), tries=3)
    assert len(effects(world, PUT)) == before


@ways
async def test_a_stale_reading_is_read_again(world: World, feeds: Feeds, call: MakeCall, way: str) -> None:
    verb, order = await _lever(world, feeds, call, way)
    before = len(effects(world, PUT))
    inject(world, "platform.feeds.get", "stale_read", times=1)
    effect, _ = await tried(verb, feeds, order, call())
    assert effect.proven_by and len(effects(world, PUT)) == before + len(wanted(way))


async def test_a_late_zombie_does_not_pause_what_was_resumed(world: World, feeds: Feeds, call: MakeCall) -> None:
    late = await pause_order(feeds, call)
    await tried(Feeds.pause, feeds, late, call(key="pause"))
    await tried(Feeds.resume, feeds, late.undo(), call(key="resume"))
    with pytest.raises(Refused, match=r"a newer change of feed routing-rules \(epoch 3\) by inc-20261123-chat exists: running"):
        await tried(Feeds.pause, feeds, late, call(key="zombie"))
    assert world.state.fleet.feeds[FEED].running


async def test_a_pin_that_somebody_else_set_is_left_to_people(world: World, feeds: Feeds, call: MakeCall, practice_url: str) -> None:
    order = await pause_order(feeds, call)
    await tried(Feeds.pause, feeds, order, call())
    await by_hand(Pause(feed=FEED, version=order.version - 1), practice_url, USER="lee")
    with pytest.raises(Refused, match="lee has changed feed routing-rules since we left it"):
        await tried(Feeds.resume, feeds, order.undo(), call())


async def test_automation_may_do_it_alone_and_an_unknown_feed_is_refused(feeds: Feeds, call: MakeCall) -> None:
    order = await pause_order(feeds, call)
    assert action_of(Feeds.pause).risk(order, Limits()) is action_of(Feeds.resume).risk(order.undo(), Limits()) is Risk.C1
    assert not PAUSED.sticky
    with pytest.raises(Refused, match="there is no feed"):
        await feeds.read(FeedOf(feed="no-such"), call())


@ways
async def test_by_hand_does_the_same(world: World, feeds: Feeds, call: MakeCall, practice_url: str, way: str) -> None:
    verb, order = await _lever(world, feeds, call, way)
    await by_hand(order, practice_url, USER="lee")
    effect, _ = await tried(verb, feeds, order, call(later=30))
    assert effect.adopted


async def _lever(world: World, feeds: Feeds, call: MakeCall, way: str) -> tuple[Any, Pause | Resume]:
    order = await pause_order(feeds, call)
    if way == "pause":
        return Feeds.pause, order
    await tried(Feeds.pause, feeds, order, call(key="before"))
    return Feeds.resume, order.undo()
