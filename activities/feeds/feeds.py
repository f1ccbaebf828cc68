"""Generated artefacts that services read: rule sets, feature files (spec §9.1 step 2; A.1 M2).

A bad artefact is made again and again: who rolls services back while its generator runs has won nothing. Stop the generator, and pin the
last good version.
"""

from datetime import datetime, timedelta
from typing import ClassVar, Self

from pydantic import JsonValue

from activities.action import Call, Effect, Imposition, Measure, NotYet, Order, Refused, Risk, Role, System, Value, action
from activities.kit.versioned import Setting, Settled, Versioned, by_now, named, put_by_hand, read_by_hand, whose
from activities.metrics.metric_check import MetricCheck, again
from activities.metrics.prometheus import Prometheus
from activities.organisation.numbers import MitigationSettings
from activities.platform.control_plane import ControlPlane, Json

PAUSING = (Role.OPS_LEAD, Role.INCIDENT_COMMANDER)


class FeedsOf(Order):
    """Read which feeds a service reads."""

    service: str

    def target(self) -> str:
        return f"service/{self.service}"

    def effect(self) -> str:
        return f"read the feeds of {self.service}"

    def by_hand(self) -> tuple[str, ...]:
        return (read_by_hand(f"feeds?service={named(self.service)}"),)


class FeedOf(Order):
    feed: str

    def target(self) -> str:
        return f"feed/{self.feed}"

    def effect(self) -> str:
        return f"read feed {self.feed}"

    def by_hand(self) -> tuple[str, ...]:
        return (read_by_hand(f"feeds/{named(self.feed)}"),)


class Feed(Versioned):
    """A feed: the newest `version`, the one that is `read`, and the last that is known to be `good`. The period is in policy seconds."""

    name: str
    services: tuple[str, ...]
    running: bool
    pinned: int | None
    version: int
    read: int
    last_good: int
    period_seconds: float
    made_at: datetime

    @property
    def suspect(self) -> bool:
        """True when the version that is read is newer than the last good one."""
        return self.read > self.last_good


class FeedList(Value):
    """The feeds that a service reads."""

    feeds: tuple[Feed, ...]
    at: datetime

    def suspects(self) -> tuple[Feed, ...]:
        """Those whose version in use is not known to be good."""
        return tuple(feed for feed in self.feeds if feed.suspect)


class Pause(Imposition):
    """Stop a feed's generator, and let everybody read this version whatever is newest."""

    volatile: ClassVar[frozenset[str]] = frozenset({"prior", "epoch"})

    feed: str
    version: int
    mitigation: MitigationSettings = MitigationSettings()
    prior: Feed | None = None
    epoch: int = 0

    def target(self) -> str:
        return f"feed/{self.feed}"

    def effect(self) -> str:
        return f"stop the generator of {self.feed}, and pin version {self.version}"

    def inverse(self) -> str:
        """The generator, once its newest version is good."""
        return f"let the generator of {self.feed} run again as before, once its newest version is good"

    def by_hand(self) -> tuple[str, ...]:
        """Read the version, then write, by curl."""
        return _by_hand(self.feed, running=False, pinned=self.version)

    def look(self) -> Order:
        return FeedOf(feed=self.feed)

    def met(self, now: Feed) -> bool:
        """The good version is the one that is read, and no other follows it."""
        return now.pinned == self.version or (now.read == self.version and not now.running)

    def given(self, prior: Feed) -> Self:
        """The same, with the feed before, to be written under the epoch after it."""
        return self.model_copy(update={"prior": prior, "epoch": prior.epoch + 1})

    def undo(self) -> "Resume":
        if self.prior is None:
            raise ValueError("this order does not carry the feed before; give it the feed first")
        return Resume(feed=self.feed, running=self.prior.running, pinned=self.prior.pinned, left=self.version, mitigation=self.mitigation)


class Resume(Order):
    """Let a generator run again as before. `left`: the version that we pinned; it stays until a good one has been made."""

    feed: str
    running: bool
    pinned: int | None
    left: int
    mitigation: MitigationSettings = MitigationSettings()

    def target(self) -> str:
        return f"feed/{self.feed}"

    def effect(self) -> str:
        runs = "runs again" if self.running else "stays stopped"
        reads = "the newest version is read" if self.pinned is None else f"version {self.pinned} is read"
        return f"the generator of {self.feed} {runs} as before, and {reads}"

    def inverse(self) -> str:
        return f"stop the generator of {self.feed} again, and pin version {self.left}"

    def by_hand(self) -> tuple[str, ...]:
        """Read the version, then write, by curl; the pin goes last."""
        put = _by_hand(self.feed, running=self.running, pinned=self.pinned)
        if not self.unpins:
            return put
        wait = f"# wait until last_good is the newest version: {read_by_hand(f'feeds/{named(self.feed)}')}"
        return (*_by_hand(self.feed, running=True, pinned=self.left), wait, *put)

    @property
    def unpins(self) -> bool:
        """True when services read the newest version afterwards, so that a good one must have been made first."""
        return self.running and self.pinned is None


class Feeds(System):
    """Generators of artefacts, proven by the version that services say they read."""

    def __init__(self, plane: ControlPlane, prometheus: Prometheus) -> None:
        self._plane = plane
        self._seen = MetricCheck(prometheus)

    @action("feeds.of_service")
    async def of_service(self, order: FeedsOf, call: Call) -> FeedList:
        """The feeds that a service reads."""
        return FeedList(feeds=tuple(_feed(row) for row in await self._plane.feeds(call, order.service)), at=call.at)

    @action("feeds.read")
    async def read(self, order: FeedOf, call: Call) -> Feed:
        """One feed. Raises `Refused` when there is none of that name."""
        return await self._feed(call, order.feed)

    @action("feeds.pause", risk=Risk.C1, asks=PAUSING)
    async def pause(self, order: Pause, call: Call) -> Effect:
        """Stop the generator and pin a version, and see that it is read (A.1 M2).

        Proven by what services read; where nothing says that, by no new version for two intervals. Raises `Refused` when that version is
        not known to be good, or when somebody has changed the feed since; `NotYet` until it shows.
        """
        made = await self._set(call, order, running=False, pinned=order.version, epoch=order.epoch)
        return _effect(call, order, order.prior or made.before, made, await self._is_read(call, order, made.after))

    @action("feeds.resume", risk=Risk.C1, asks=PAUSING)
    async def resume(self, order: Resume, call: Call) -> Effect:
        """Let the generator run again; what we pinned stays pinned until it has made a good version.

        Raises `NotYet` while its newest version is not good, `Refused` when somebody else has changed the feed.
        """
        now = by_now(call)
        await self._feed(now, order.feed)
        before = await self._feed(now, order.feed)  # once more: nothing else would show that the first reading was stale
        if order.unpins and (before.running, before.pinned) == (False, order.left):
            first = now.model_copy(update={"key": f"{call.key}/run"})
            before = (await self._set(first, order, running=True, pinned=order.left, left=order.left)).after
        if order.unpins and before.pinned == order.left and before.version > before.last_good:
            raise NotYet(
                f"the generator of {order.feed} runs, and version {order.left} stays pinned: its newest, {before.version}, is not known to be "
                f"good (the last good one is {before.last_good}); its generator must be mended first",
                after=timedelta(seconds=before.period_seconds) / call.pace,
            )
        made = await self._set(now, order, running=order.running, pinned=order.pinned, left=order.left)
        return _effect(call, order, made.before, made, f"version {made.after.read} is read, the last good one is {made.after.last_good}")

    async def _feed(self, call: Call, name: str) -> Feed:
        return _feed(await self._plane.feed(call, name))

    async def _set(
        self, call: Call, order: Pause | Resume, *, running: bool, pinned: int | None, epoch: int = 0, left: int | None = None
    ) -> Settled[Feed]:
        async def write(etag: str, at: int) -> None:
            now = await self._feed(call, order.feed)
            read = now.version if pinned is None else pinned
            if read > now.last_good:
                raise Refused(f"version {read} of {order.feed} is not known to be good: the last good one is {now.last_good}")
            await self._plane.put_feed(call, order.feed, etag, {"epoch": at, "running": running, "pinned": pinned})

        setting = Setting(f"feed {order.feed}", lambda: self._feed(call, order.feed), write, _words)
        return await setting.bring_about(
            lambda now: (now.running, now.pinned) == (running, pinned),
            epoch=epoch,
            left=None if left is None else lambda now: now.pinned == left,
        )

    async def _is_read(self, call: Call, order: Pause, feed: Feed) -> str:
        """Whether services read that version by now. Raises `NotYet` until they do."""
        now = by_now(call)
        read = await self._seen.value(now, f'artefact_read_version{{feed="{order.feed}"}}')
        if read == order.version:
            return f"services read version {order.version}"
        if read is not None:
            raise NotYet(f"accepted, but services still read version {read:g} of {order.feed}", after=again(call, order.mitigation))
        quiet = (now.at - feed.made_at).total_seconds() * call.pace
        wanted = order.mitigation.feed_intervals * feed.period_seconds
        if quiet < wanted:
            raise NotYet(
                f"accepted; nothing says what services read, and {order.feed} has made no new version for only {quiet:.0f} of {wanted:.0f} s",
                after=again(call, order.mitigation),
            )
        return f"no new version for {quiet:.0f} s, {order.mitigation.feed_intervals} intervals and more"


PAUSED = Measure("paused", look=Feeds.read, impose=Feeds.pause, lift=Feeds.resume)


def _feed(row: Json) -> Feed:
    return Feed.model_validate(row)


def _words(feed: Feed) -> str:
    reads = "the newest version" if feed.pinned is None else f"version {feed.pinned}"
    return f"{'running' if feed.running else 'stopped'}, {reads} read"


def _by_hand(feed: str, *, running: bool, pinned: int | None) -> tuple[str, ...]:
    return put_by_hand(f"feeds/{named(feed)}", {"epoch": "$EPOCH", "running": running, "pinned": pinned})


def _effect(call: Call, order: Pause | Resume, before: Feed, made: Settled[Feed], seen: str) -> Effect:
    def shown(feed: Feed) -> dict[str, JsonValue]:
        return {"running": feed.running, "pinned": feed.pinned, "read": feed.read}

    return Effect(
        target=order.target(),
        summary=order.effect(),
        proven_by=f"feed read back at epoch {made.after.epoch}; {seen}{whose(call, made)}",
        adopted=not made.wrote,
        before=shown(before),
        after=shown(made.after),
    )
