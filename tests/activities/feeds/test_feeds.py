"""Feeds: stopped means that services read the version that was pinned; and nothing resumes that would break again."""

import pytest

from activities.action import Limits, NotYet, Refused, Risk, action_of
from activities.feeds.feeds import PAUSED, Feeding, FeedOf, Feeds, FeedsOf, pin
from activities.kit.setting import Change
from tests.activities.kit.rows.platform import feeds
from tests.activities.kit.rows.practised import LandingClock
from tests.activities.kit.stage import Stage, stage, tried

PUT, FEED = "platform.feeds.put", "routing-rules"


def begin() -> tuple[Stage, Feeds]:
    played = stage()
    return played, feeds(played, LandingClock())


def spoil(played: Stage) -> int:
    """Make the generator's next versions bad; returns the last good one."""
    feed = played.world.state.fleet.feeds[FEED]
    feed.bad_from, feed.error_rate = feed.version + 1, 0.6
    feed.make(played.world.clock.now())
    return feed.version - 1


async def paused(played: Stage, system: Feeds) -> Change[FeedOf, Feeding]:
    now = await system.read(Feeds.look(FeedOf(feed=FEED)), played.call())
    return pin(FEED, now.last_good).given(now)


async def test_a_feed_says_who_reads_it_and_what_is_good() -> None:
    played, system = begin()
    (feed,) = (await system.of_service(FeedsOf(service="api"), played.call())).feeds
    assert (feed.name, feed.services, feed.value) == (FEED, ("api", "orchestrator"), Feeding(running=True, pinned=None))
    assert not feed.suspect
    good = spoil(played)
    said = await system.of_service(FeedsOf(service="api"), played.call())
    assert [one.last_good for one in said.suspects()] == [good]
    assert (await system.of_service(FeedsOf(service="chat"), played.call())).feeds == ()
    with pytest.raises(Refused, match="there is no feed"):
        await system.read(Feeds.look(FeedOf(feed="no-such")), played.call())


async def test_a_paused_feed_heals_every_service_that_reads_it() -> None:
    played, system = begin()
    good = spoil(played)
    effect, waited = await tried(Feeds.change, system, await paused(played, system), played.call(key="pause"))
    assert all(isinstance(one, NotYet) for one in waited)
    assert f"services read version {good}" in effect.proven_by
    version = played.world.state.fleet.feeds[FEED].version
    played.pass_time(600)
    assert played.world.state.fleet.feeds[FEED].version == version and not played.world.state.fleet.feeds[FEED].bad
    assert [e["key"] for e in played.effects(PUT)] == ["pause"]


async def test_nothing_resumes_that_would_break_again() -> None:
    played, system = begin()
    spoil(played)
    order = await paused(played, system)
    await tried(Feeds.change, system, order, played.call())
    with pytest.raises(AssertionError, match="stays pinned"):
        await tried(Feeds.restore, system, order.undo(), played.call(), tries=3)
    feed = played.world.state.fleet.feeds[FEED]
    assert feed.running and feed.pinned == order.wanted.pinned and not feed.bad
    feed.good_from = feed.version + 1
    effect, waited = await tried(Feeds.restore, system, order.undo(), played.call(key="resume"))
    assert len(waited) <= 2 and effect.after == {"running": True, "pinned": None}
    played.pass_time(300)
    assert not played.world.state.fleet.feeds[FEED].bad


async def test_a_version_that_is_not_good_is_never_pinned() -> None:
    played, system = begin()
    good = spoil(played)
    bad = pin(FEED, good + 1).given(await system.read(Feeds.look(FeedOf(feed=FEED)), played.call()))
    with pytest.raises(Refused, match=f"the last good one is {good}"):
        await tried(Feeds.change, system, bad, played.call())
    assert not played.effects(PUT)


async def test_where_nothing_says_what_is_read_two_quiet_intervals_must_do() -> None:
    played, system = begin()
    order = await paused(played, system)
    played.world.state.blind = True
    played.pass_time(360)
    played.world.state.fleet.feeds[FEED].made_at = played.world.clock.now()
    effect, waited = await tried(Feeds.change, system, order, played.call(), tries=20)
    assert "no new version for 240 s" in effect.proven_by
    assert len(waited) == 16 and "for only" in str(waited[0])


async def test_automation_may_do_it_alone_and_says_what_it_does() -> None:
    played, system = begin()
    order = await paused(played, system)
    assert action_of(Feeds.change).risk(order, Limits()) is action_of(Feeds.restore).risk(order.undo(), Limits()) is Risk.C1
    assert not PAUSED.sticky
    assert order.effect() == "stop the generator of routing-rules, and pin version 4711"
    assert order.inverse() == "the generator of routing-rules runs again as before, and the newest version is read, in 2 steps"
    now = await system.read(order.look(), played.call())
    assert not order.met(now) and order.met(now.model_copy(update={"value": Feeding(running=False, pinned=None)}))
