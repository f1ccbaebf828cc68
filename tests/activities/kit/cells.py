"""The contract table's cells: what every setting does whatever happens, on the way there and on the way back."""

import contextlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from activities.action import NotYet, Refused
from tests.activities.kit.rows.practised import LEE, Subject
from tests.activities.kit.stage import attempt, refused, tried

Cell = Callable[[Subject, str], Awaitable[None]]


async def begin(subject: Subject, way: str) -> tuple[Any, Any, int, Any]:
    """The verb and the order of this way, how many writes it takes, and the value afterwards."""
    if way == "there":
        return subject.kind.change, subject.order, 1, subject.order.wanted
    await tried(subject.kind.change, subject.system, subject.order, subject.call(key="before"))
    back = subject.order.undo()
    return subject.kind.restore, back, len(back.steps), back.goal


async def done_once(subject: Subject, way: str, *, mode: str, times: int = 1, on: str = "write") -> None:
    """Whatever happens to a write, it is done once; and doing it again under the same key does nothing."""
    verb, order, writes, wanted = await begin(subject, way)
    before = len(subject.effects())
    subject.inject(mode, times, on)
    effect, _ = await tried(verb, subject.system, order, subject.call(key="k"))
    done = subject.effects()[before:]
    assert len(set(done)) == writes, f"{mode}: wrote {done}"
    assert len(done) == writes or (mode == "partial" and subject.halves), f"{mode}: wrote twice: {done}"
    assert wanted.same(await subject.now()) and effect.proven_by
    again, _ = await tried(verb, subject.system, order, subject.call(key="k"))
    assert again.adopted and subject.effects()[before:] == done, "done again"


async def waits_as_told(subject: Subject, way: str) -> None:
    """429: nothing is sent before the vendor's Retry-After is over."""
    verb, order, _, _ = await begin(subject, way)
    subject.inject("throttle", 1)
    _, broke = await tried(verb, subject.system, order, subject.call(key="k"))
    assert isinstance(broke[0], NotYet) and broke[0].next_retry_delay == timedelta(seconds=7)


async def refused_for_good(subject: Subject, way: str, *, mode: str) -> None:
    """A vendor that says no is not asked again, and nothing was done."""
    verb, order, _, _ = await begin(subject, way)
    before = len(subject.effects())
    subject.inject(mode, None if subject.stage else 1)
    await refused(lambda: tried(verb, subject.system, order, subject.call(key="k")))
    assert len(subject.effects()) == before


async def never_an_effect(subject: Subject, way: str) -> None:
    """200 OK, and nothing changed: never an effect, however often it is tried."""
    verb, order, _, _ = await begin(subject, way)
    before = len(subject.effects())
    subject.inject("nothing_changed", None if subject.stage else 9)
    try:
        effect, _ = await tried(verb, subject.system, order, subject.call(key="k"), tries=3)
    except AssertionError as never:
        assert "accepted, but" in str(never)
    else:
        raise AssertionError(f"claimed without a change: {effect.proven_by}")
    assert len(subject.effects()) == before


async def their_change_stays(subject: Subject, way: str) -> None:
    """What somebody else changed since is theirs: we refuse, and say whose it is."""
    if subject.theirs is None:
        pytest.skip("on or off: there is no third value")
    verb, order, _, _ = await begin(subject, way)
    await subject.set_by(subject.theirs, LEE)
    before = len(subject.effects())
    why = await refused(lambda: tried(verb, subject.system, order, subject.call(key="k")))
    assert subject.author in why and str(subject.theirs) in why
    assert len(subject.effects()) == before and subject.theirs.same(await subject.now())


async def their_work_is_adopted(subject: Subject, way: str) -> None:
    """What somebody did by hand already is adopted, and not done again."""
    verb, order, _, wanted = await begin(subject, way)
    await subject.set_by(wanted, LEE)
    before = len(subject.effects())
    effect, _ = await tried(verb, subject.system, order, subject.call(key="k"))
    author = subject.author_back if way == "back" and subject.author_back else subject.author
    assert effect.adopted and author in effect.proven_by and len(subject.effects()) == before


async def a_late_process_writes_nothing(subject: Subject, way: str) -> None:
    """A process that was suspended until its time was over leaves the work to others."""
    verb, order, _, _ = await begin(subject, way)
    before = len(subject.effects())
    over: dict[str, Any] = {"worked": timedelta(seconds=11), "start_to_close_timeout": timedelta(seconds=10)}
    try:
        await attempt(verb, subject.system, order, subject.call(key="k"), **over)
    except NotYet as late:
        assert "does not write any more" in late.message
    assert len(subject.effects()) == before, "written after its time was over"


async def a_late_zombie_loses(subject: Subject, way: str) -> None:
    """A late copy of an order that has been undone since changes nothing (where the vendor can tell; elsewhere its time is over)."""
    verb, order, _, _ = await begin(subject, way)
    await tried(verb, subject.system, order, subject.call(key="k"))
    if way == "there":
        await tried(subject.kind.restore, subject.system, order.undo(), subject.call(key="lift"))
    else:
        await subject.set_by(subject.order.wanted if subject.theirs is None else subject.theirs, LEE)
    before = len(subject.effects())
    # What came between cannot be told from what was there before; on or off: nor what somebody else set since from what we had left.
    by_value = subject.system.values_compare or (way == "back" and subject.theirs is None)
    over: dict[str, Any] = (
        {}
        if (subject.fenced and not by_value) or (way == "back" and subject.theirs is not None)
        else {"start_to_close_timeout": timedelta(seconds=1), "worked": timedelta(seconds=1)}
    )
    with contextlib.suppress(Refused, NotYet):
        await attempt(verb, subject.system, order, subject.call(key="zombie"), 3, **over)
    assert len(subject.effects()) == before, "a late copy won"


async def a_late_write_is_undone(subject: Subject, way: str) -> None:
    """A first write that arrives after the lift changes nothing, or is put back as well."""
    if way == "there":
        return
    over = await subject.system.look_at(subject.call(), subject.order.of)
    await tried(subject.kind.change, subject.system, subject.order, subject.call(key="first"))

    async def arrives() -> None:
        try:
            await subject.system.write(
                subject.call(key="late"), subject.order.of, subject.order.wanted, over, (over.epoch or 0) + 1
            )  # fmt: skip
        except Exception as lost:
            assert subject.fenced, lost

    call = subject.call(key="lift")
    order = subject.order.model_copy(update={"late_until": call.at + timedelta(seconds=5)})
    subject.clock.lands.append(arrives)
    effect, _ = await tried(subject.kind.restore, subject.system, order.undo(), call)
    await subject.clock.sleep(timedelta(0))  # it arrives at the latest now
    assert order.undo().goal.same(await subject.now()), f"a late first write won: {effect.proven_by}"


CELLS: dict[str, Cell] = {
    **{f"done once: {mode}": partial(done_once, mode=mode) for mode in ("fail", "commit_then_drop", "hang", "conflict", "nothing_changed")},
    "done once: throttle": partial(done_once, mode="throttle", times=2),
    "done once: stale reading": partial(done_once, mode="stale_read", on="read"),
    "done once: partial": partial(done_once, mode="partial"),
    "429: waits as told": waits_as_told,
    **{f"refused: {mode}": partial(refused_for_good, mode=mode) for mode in ("denied", "expired", "moved")},
    "200 OK, nothing changed": never_an_effect,
    "changed by somebody else": their_change_stays,
    "done by somebody else": their_work_is_adopted,
    "late process": a_late_process_writes_nothing,
    "late zombie": a_late_zombie_loses,
    "late first write": a_late_write_is_undone,
}  # fmt: skip
