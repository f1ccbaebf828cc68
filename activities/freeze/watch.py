"""Watches a freeze while it is held: commits that came to its branches, and revisions that came to its platform, which is the deploy itself.

One call watches for long, and returns as soon as there is something new: no history is written for looking (spec §7.2).
"""

import asyncio
import time
from collections.abc import Awaitable
from datetime import datetime, timedelta
from typing import TypeVar

from activities.action import Call, NotYet, Patience, Refused, System, Value, action
from activities.deploys.deploys import Deploys
from activities.deploys.orders import Revision, Rollout
from activities.freeze.branch_lock import BranchLocks
from activities.freeze.lock_orders import BranchLock, LockOf, OfService, hotfix
from activities.kit.clock import Clock
from activities.kit.pulse import beating
from activities.platform.change_feed import ChangeFeed, Changes, ChangesSince

T = TypeVar("T")


class Passed(Value):
    """One deploy that came while the service was frozen. `covered`: an exemption names its artefact."""

    id: str
    what: str  # which revision or commit, and by whom
    covered: bool = False


class WatchFreeze(OfService, effect="watch whether anything is deployed to {service.name} although it is frozen"):
    """Watch from `start` on. `lock`: as it was when the freeze began; `exempted`: digests of what may pass, and of those the ones that may be
    pushed; `known`: what was told already."""

    start: datetime
    lock: BranchLock
    exempted: tuple[str, ...] = ()
    pushed: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    locked: bool = True  # as it was seen last
    every: timedelta
    lasting: timedelta  # then it returns without anything new

    def by_hand(self) -> tuple[str, ...]:
        return LockOf(service=self.service).by_hand()


class FreezeSeen(Value):
    """What is new, and until when it was watched. `unseen`: what could not be looked at, which is not the same as nothing."""

    passed: tuple[Passed, ...] = ()
    locked: bool = True
    unseen: tuple[str, ...] = ()
    until: datetime


class FreezeWatch(System):
    def __init__(self, locks: BranchLocks, deploys: Deploys, feed: ChangeFeed, clock: Clock) -> None:
        self._locks, self._deploys, self._feed, self._clock = locks, deploys, feed, clock

    @action("freeze_watch.watch", patience=Patience.WATCH)
    async def watch(self, order: WatchFreeze, call: Call) -> FreezeSeen:
        """Return when something came, when the lock is gone or back, or when it was watched for as long as ordered."""
        every, looks = order.every / call.pace, max(1, order.lasting // order.every)
        async with beating():
            for nth in range(1, looks + 1):
                now = call.model_copy(update={"at": call.at + (nth - 1) * every})
                seen = await self._look(order, now)
                if seen.passed or seen.locked != order.locked:
                    return seen
                began = time.monotonic()
                await self._clock.sleep(every)
                if time.monotonic() - began < every.total_seconds() / 2:  # a clock that does not wait: the caller's timers pass the time
                    break
        return seen.model_copy(update={"until": call.at + order.lasting / call.pace})

    async def _look(self, order: WatchFreeze, call: Call) -> FreezeSeen:
        service = order.service
        lock, rollout = await asyncio.gather(
            self._locks.read(LockOf(service=service, since=order.lock, exempted=order.pushed), call),
            _told(self._deploys.revisions(service, call)),
        )
        found = [Passed(id=drift, what=drift) for drift in lock.drift]
        unseen = [f"the revisions of {service.name}: {rollout}"] if isinstance(rollout, str) else []
        fresh = [one for one in rollout.revisions if one.created_at > order.start] if isinstance(rollout, Rollout) else []
        if fresh := [one for one in fresh if one.id not in order.known]:
            since = ChangesSince(look_back=(call.at - order.start) * call.pace + timedelta(minutes=1))
            changes = await _told(self._feed.since(since, call))
            found += [_passed(one, changes, order.exempted) for one in fresh]
        news = tuple(one for one in found if one.id not in order.known)
        return FreezeSeen(passed=news, locked=lock.locked, unseen=tuple(unseen), until=call.at)


async def _told(reading: Awaitable[T]) -> T | str:
    """What was read, or why it could not be."""
    try:
        return await reading
    except (Refused, NotYet) as no:
        return no.message


def _passed(one: Revision, changes: Changes | str, exempted: tuple[str, ...]) -> Passed:
    made = (
        ()
        if isinstance(changes, str)
        else [c for c in changes.changes if c.details.get("revision") == one.id or (c.digest and c.digest == one.digest)]
    )
    by = made[-1].actor if made else "somebody: the change feed does not say by whom"
    covered = bool(one.digest) and hotfix(one.digest) in map(hotfix, exempted)  # an exemption goes by as many digits as its branch has
    what = f"revision {one.id} ({one.digest[:19] or 'digest unknown'}) by {by}, built {one.created_at:%Y-%m-%d %H:%M:%S} UTC"
    return Passed(id=one.id, what=what, covered=covered)
