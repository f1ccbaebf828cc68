"""Generated artefacts that services read: rule sets, feature files (spec §9.1 step 2; A.1 M2).

A bad artefact is made again and again: who rolls services back while its generator runs has won nothing. Stop the generator, and pin the
last good version.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Self

from activities.action import Call, NotYet, Refused, Risk, Role, Value, action
from activities.kit.fence import by_now
from activities.kit.rest import RestSetting
from activities.kit.setting import Change, Reading, Restore, SettingValue
from activities.kit.words.promql import selector, total
from activities.kit.words.shell import comment
from activities.metrics.counting import again
from activities.metrics.prometheus import Prometheus
from activities.organisation.numbers import MitigationSettings
from activities.platform.control_plane import ControlPlane, PlatformLook, PlatformResource


class FeedsOf(PlatformLook, effect="read the feeds of {service}", path="feeds", asks=("service",)):
    service: str


class FeedOf(PlatformResource, path="feeds/{feed}", called="feed {feed}"):
    feed: str

    def watch_by_hand(self, value: "Feeding") -> tuple[str, ...]:
        return (comment("wait until last_good is the newest version:"), *self.read_by_hand())


class Feeding(SettingValue, effect="stop the generator of {of.feed}, and pin version {pinned}"):
    """Whether the generator runs, and which version is read (None: the newest)."""

    running: bool
    pinned: int | None

    def __str__(self) -> str:
        reads = "the newest version" if self.pinned is None else f"version {self.pinned}"
        return f"generator {'running' if self.running else 'stopped'}, {reads} read"

    def back(self, of: FeedOf) -> str:
        runs = "runs again" if self.running else "stays stopped"
        reads = "the newest version is read" if self.pinned is None else f"version {self.pinned} is read"
        return f"the generator of {of.feed} {runs} as before, and {reads}"

    def way_back(self, before: Self, numbers: MitigationSettings, shares: Sequence[float] | None) -> tuple[Self, ...]:
        """What we pinned stays pinned until the generator has made a good version."""
        newest = before.running and before.pinned is None
        return (self.model_copy(update={"running": True}), before) if newest and not self.running else (before,)


class Feed(Reading[Feeding]):
    """A feed: the newest `version`, the one that is `read`, and the last that is known to be good. The period is in policy seconds."""

    name: str
    services: tuple[str, ...]
    newest: int
    read: int
    last_good: int
    period_seconds: float
    made_at: datetime

    def meets(self, wanted: Feeding) -> bool:
        """The good version is the one that is read, and no other follows it."""
        return self.value.pinned == wanted.pinned or (self.read == wanted.pinned and not self.value.running)

    @property
    def suspect(self) -> bool:
        """True when the version that is read is newer than the last good one."""
        return self.read > self.last_good


class FeedList(Value):
    feeds: tuple[Feed, ...]
    at: datetime

    def suspects(self) -> tuple[Feed, ...]:
        """Those whose version in use is not known to be good."""
        return tuple(feed for feed in self.feeds if feed.suspect)


class Feeds(
    RestSetting[FeedOf, Feeding, Feed], read="feeds.read", change="feeds.pause", restore="feeds.resume", risk=Risk.C1,
    asks=(Role.OPS_LEAD, Role.INCIDENT_COMMANDER),
):  # fmt: skip
    """Generators of artefacts, proven by the version that services say they read."""

    def __init__(self, plane: ControlPlane, prometheus: Prometheus) -> None:
        self.rest, self._prometheus = plane, prometheus

    @action("feeds.of_service")
    async def of_service(self, order: FeedsOf, call: Call) -> FeedList:
        """The feeds that a service reads."""
        said = (await self.rest.look(call, order))["feeds"]
        return FeedList(feeds=tuple(self.understood(FeedOf(feed=row["name"]), row) for row in said), at=call.at)

    def understood(self, of: FeedOf, said: Mapping[str, Any]) -> Feed:
        return super().understood(of, {**said, "newest": said["version"]})

    async def check(self, call: Call, order: Change[FeedOf, Feeding] | Restore[FeedOf, Feeding], to: Feeding) -> None:
        """No version is read that is not known to be good; on the way back a good one is waited for."""
        now = await self.look_at(call, order.of)
        read = now.newest if to.pinned is None else to.pinned
        if read <= now.last_good:
            return
        said = f"version {read} of {order.of.feed} is not known to be good: the last good one is {now.last_good}"
        if isinstance(order, Change) or to.pinned is not None:
            raise Refused(said)
        raise NotYet(
            f"version {now.value.pinned} stays pinned: {said}; its generator must be mended first",
            after=timedelta(seconds=now.period_seconds) / call.pace,
        )

    async def prove(self, call: Call, order: Change[FeedOf, Feeding], now: Feed) -> str:
        """What services read; where nothing says that, no new version for some intervals."""
        feed, pinned = order.of.feed, order.wanted.pinned
        read = await self._prometheus.number(call, total(selector("artefact_read_version", feed=feed)))
        if read == pinned:
            return f"services read version {pinned}"
        if read is not None:
            raise NotYet(f"accepted, but services still read version {read:g} of {feed}", after=again(call, order.numbers))
        quiet = (call.at - now.made_at).total_seconds() * call.pace
        wanted = order.numbers.feed_intervals * now.period_seconds
        if quiet < wanted:
            raise NotYet(
                f"accepted; nothing says what services read, and {feed} has made no new version for only {quiet:.0f} of {wanted:.0f} s",
                after=again(call, order.numbers),
            )
        return f"no new version for {quiet:.0f} s, {order.numbers.feed_intervals} intervals and more"

    async def prove_step(self, call: Call, order: Restore[FeedOf, Feeding], step: Feeding) -> str:
        now = await self.look_at(by_now(call), order.of)
        return f"version {now.read} is read, the last good one is {now.last_good}"


PAUSED = Feeds.measure("paused")


def pin(feed: str, version: int, numbers: MitigationSettings | None = None) -> Change[FeedOf, Feeding]:
    """The order that stops a feed's generator, and lets everybody read this version whatever is newest."""
    return Feeds.order(FeedOf(feed=feed), Feeding(running=False, pinned=version), numbers=numbers)
