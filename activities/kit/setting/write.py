"""One write of a setting: compare, check, write under what was read, read back. And what may not be written over."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, Protocol, TypeVar

from activities.action import Call, Effect, NotYet, Refused
from activities.kit import fence
from activities.kit.http import Conflict
from activities.kit.setting.orders import Change, Reading, Restore, SettingValue

ROUNDS = 3  # read, decide, write: as often before somebody else is plainly at work on the same thing
SOON = timedelta(seconds=1)

R = TypeVar("R", bound=Reading[Any])
Wanted = Change[Any, Any] | Restore[Any, Any]
Writing = Callable[[], AbstractAsyncContextManager[None]]


@dataclass(frozen=True)
class Settled(Generic[R]):
    """A setting that is as wanted: as it was found, as it is now, and whether we wrote."""

    before: R
    after: R
    wrote: bool


class Written(Protocol[R]):
    """What a system declares of writing (see `Setting`)."""

    values_compare: bool

    async def look_at(self, call: Call, of: Any) -> R: ...
    async def write(self, call: Call, of: Any, wanted: Any, over: R, epoch: int) -> None: ...
    async def check(self, call: Call, order: Any, to: Any) -> None: ...


async def bring_about(
    system: Written[R], call: Call, order: Wanted, to: SettingValue, since: SettingValue | None = None, *, taking_back: bool = False,
    writing: Writing = nullcontext,
) -> Settled[R]:  # fmt: skip
    """Bring a value about. `since`: a step back is taken only from there. `taking_back`: a step that brought trouble is, whatever forbids it.
    `writing`: around each write, until it was read back.

    Raises `Refused` when somebody else has changed it, `NotYet` when it was accepted but does not show.
    """
    before: R | None = None
    for _ in range(ROUNDS):
        now = await system.look_at(call, order.of)
        if to.same(now.value):
            now = await system.look_at(call, order.of)  # once more: nothing else would show that the first reading was stale
        before = before or now
        if to.same(now.value):
            return Settled(before, now, wrote=False)
        refuse_conflict(system, order, to, now, since)
        if not taking_back:
            await system.check(fence.by_now(call), order, to)
        async with writing():
            fence.refuse_when_late()
            try:
                await system.write(call, order.of, to, now, epoch_of(order, now))
            except Conflict:
                if isinstance(order, Change) and order.prior is None:
                    break  # nothing but this version fenced the write: the next attempt decides anew
                continue
            after = await system.look_at(call, order.of)
            if not shows(to, after):
                raise NotYet(f"accepted, but {order.of} still shows {after.value}", after=SOON)
            return Settled(before, after, wrote=True)
    raise NotYet(f"{order.of} changed while we wrote; we look again", after=SOON)


def shows(to: SettingValue, after: Reading[Any]) -> bool:
    """Whether what was read back is what was written: a "200 OK" is no proof."""
    return to.same(after.value)


def refuse_conflict(system: Written[Any], order: Wanted, to: SettingValue, now: Reading[Any], since: SettingValue | None) -> None:
    """Raise `Refused` when somebody else has changed it: since it was read (there), or since we left it (back)."""
    if since is not None and not since.same(now.value) and not to.between(since, now.value):
        raise Refused(f"conflict: {now.author} has changed {order.of} since we left it: {now.value}")
    if isinstance(order, Change) and order.prior is not None and is_newer(system, order.prior, to, now):
        at = "" if now.epoch is None else f" (epoch {now.epoch})"
        raise Refused(f"a newer change of {order.of}{at} by {now.author} exists: {now.value}. Read it again")


def is_newer(system: Written[Any], prior: Reading[Any], to: SettingValue, now: Reading[Any]) -> bool:
    """Whether somebody has changed it since it was read; a write of ours that broke off does not count."""
    if now.epoch is not None and prior.epoch is not None:
        return now.epoch > prior.epoch
    unchanged = prior.value.same(now.value)
    same = now.version == prior.version if prior.version and not system.values_compare else unchanged
    return not same and (unchanged or not to.between(prior.value, now.value))


def epoch_of(order: Wanted, now: Reading[Any]) -> int:
    """The epoch to write at: the one after what the order was decided by, so that a late copy of it loses against whatever came after."""
    if isinstance(order, Change) and order.prior is not None and order.prior.epoch is not None:
        return order.prior.epoch + 1
    return (now.epoch or 0) + 1


def effect(call: Call, order: Wanted, before: SettingValue, made: Settled[Any], seen: str, ended: datetime | None = None) -> Effect:
    """What came of it, as it goes into the record."""
    epoch = "" if made.after.epoch is None else f" at epoch {made.after.epoch}"
    whose = ""  # doing it is that we did not write in this attempt
    if not made.wrote:
        ours = made.after.changed_by == call.incident_id
        whose = "already applied by our earlier attempt" if ours else f"it was so already, by {made.after.author}"
    proof = "; ".join(filter(None, (f"read back{epoch}", seen, whose)))
    then, now = before.model_dump(mode="json"), made.after.value.model_dump(mode="json")
    return order.done(proof, adopted=not made.wrote, before=then, after=now).model_copy(update={"seen_at": ended})
