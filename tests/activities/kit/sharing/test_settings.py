"""Two incidents and one setting: every setting of ours, whoever ends first; and what happens in between (ADR 25)."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.action import NotYet, Refused
from activities.edge.gateway import Gateway
from activities.kit.holding import NOT_KNOWN, Held, HoldersAway, Thing, taken
from activities.kit.setting.sharing import Shared, Sharing
from activities.ledger.holders import RecordedHolders
from activities.models.modes import degrade
from tests.activities.kit.rows.settings import PROBES, SETTINGS
from tests.activities.kit.sharing.cells import CELLS, OTHER, Two
from tests.activities.kit.stage import INCIDENT, attempt, tried


@pytest.mark.parametrize("way", ["there", "back"])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("row", SETTINGS)
async def test_contract(row: str, cell: str, way: str) -> None:
    await CELLS[cell](await SETTINGS[row](), way)


def no_lift_for_all(patch: pytest.MonkeyPatch) -> None:
    """A lift does what its order says, whoever else holds it."""

    async def alone(_self: Sharing, _call: Any, order: Any) -> Shared:
        return Shared(order)

    patch.setattr(Sharing, "lifting", alone)


def no_state_before_the_first(patch: pytest.MonkeyPatch) -> None:
    """The state before is what was read, also where another incident had brought it about."""

    async def as_read(*_: Any) -> tuple[None, tuple[str, ...]]:
        return None, ()

    patch.setattr(Sharing, "before", as_read)


def no_contention(patch: pytest.MonkeyPatch) -> None:
    """Whoever comes last wins."""
    patch.setattr("activities.kit.setting.sharing.taken", lambda holds, mine, agree, now, over: taken(holds, mine, lambda _: True, now))


WITHOUT: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], str]] = {
    "others are left what they need": (no_lift_for_all, "two incidents, one need"),
    "the state before the first": (no_state_before_the_first, "two incidents, one need"),
    "contention": (no_contention, "two incidents, two needs"),
}


@pytest.mark.parametrize("off", WITHOUT)
async def test_what_sharing_is_without_it(off: str, monkeypatch: pytest.MonkeyPatch) -> None:
    switch, cell = WITHOUT[off]
    switch(monkeypatch)
    for row in PROBES:
        with pytest.raises((AssertionError, NotYet, Refused)):
            await CELLS[cell](await PROBES[row](), "there")


async def test_who_comes_while_another_is_about_to_lift_keeps_what_it_needs() -> None:
    """Between the look of the lift and its write. The lift looks again, and leaves it."""
    subject = await PROBES["probe with an epoch"]()
    two, wanted = Two(subject), subject.order.wanted
    order, _ = await two.imposes(INCIDENT, wanted)
    check, came = subject.system.check, list[Any]()

    async def the_other_comes(*given: Any) -> None:
        if not came:
            came.append((await two.imposes(OTHER, wanted))[0])
        await check(*given)

    subject.system.check = the_other_comes  # type: ignore[method-assign,assignment]
    effect = await two.lifts(INCIDENT, order)
    assert OTHER in effect.summary and wanted.same(await subject.now())
    await two.lifts(OTHER, came[0])
    assert subject.order.prior.value.same(await subject.now())  # type: ignore[union-attr]


async def test_who_comes_while_another_writes_waits_until_it_is_known_what_is_in_force() -> None:
    """It would find what it needs, rely on it, and lose it a moment later."""
    subject = await PROBES["probe with an epoch"]()
    two, wanted, write = Two(subject), subject.order.wanted, subject.system.write
    order, _ = await two.imposes(INCIDENT, wanted)
    late = subject.order.model_copy(update={"prior": None})
    said: list[str] = []

    async def meanwhile(*given: Any) -> None:
        with pytest.raises(ApplicationError) as waits:
            await attempt(subject.kind.change, subject.system, late, subject.call(incident_id=OTHER, key="other"))
        said.append(f"{waits.value.type}: {waits.value.message}")
        await write(*given)

    subject.system.write = meanwhile  # type: ignore[method-assign,assignment]
    await two.lifts(INCIDENT, order)
    assert said and all(one == f"NotYet: {INCIDENT} is just changing it; we look again" for one in said)


async def test_two_needs_of_one_incident_are_one_after_the_other() -> None:
    """What it imposed before is what its second lift goes back to, as far as the other incident needs no more."""
    subject = await SETTINGS["edge gateway"]()
    two, before = Two(subject), subject.order.prior.value  # type: ignore[union-attr]
    rates = {rps: Gateway(rate_limit_rps=rps) for rps in (9.0, 6.0, 3.0)}
    first, _ = await two.imposes(INCIDENT, rates[9.0])
    other, _ = await two.imposes(OTHER, rates[6.0])
    call = subject.call(incident_id=INCIDENT, key=f"{INCIDENT}/second")
    second = subject.order.model_copy(update={"wanted": rates[3.0]}).given(await two.read(INCIDENT))
    await tried(subject.kind.change, subject.system, second, call)
    assert second.undo().goal.same(rates[9.0]) and rates[3.0].same(await subject.now())
    await two.lifts(INCIDENT, second)
    assert rates[6.0].same(await subject.now())
    await two.lifts(OTHER, other)
    assert rates[9.0].same(await subject.now())
    await two.lifts(INCIDENT, first)
    assert before.same(await subject.now()) and two.held() == 0


async def test_tenants_are_held_one_by_one() -> None:
    """Two incidents degrade overlapping tenants: each gets its own back, and those of both wait for the last."""
    subject = await SETTINGS["modes of tenants"]()
    two, (only, shared, theirs) = Two(subject), subject.order.of.tenants

    async def degrades(incident: str, *tenants: str) -> Any:
        order = degrade("chat", tenants)
        order = order.given(await subject.kind.read(subject.system, order.look(), subject.call(incident_id=incident)))
        await tried(subject.kind.change, subject.system, order, subject.call(incident_id=incident, key=f"{incident}/impose"))
        return order

    first, second = await degrades(INCIDENT, only, shared), await degrades(OTHER, shared, theirs)
    for step in first.undo_steps((0.5, 1.0)):
        await tried(subject.kind.restore, subject.system, step, subject.call(key=f"lift {step.steps}"))
    assert (await subject.now()).modes == {only: "normal", shared: "retrieval_only", theirs: "retrieval_only"}
    await two.lifts(OTHER, second)
    assert set((await subject.now()).modes.values()) == {"normal"} and two.held() == 0


class Away(RecordedHolders):
    async def look(self, things: Sequence[Thing]) -> Held:
        raise HoldersAway("the disk is full")

    async def settle(self, things: Sequence[Thing], rule: Callable[[Held], Held]) -> Held:
        raise HoldersAway("the disk is full")


async def test_with_the_record_away_mitigation_goes_on_and_says_so_and_nothing_is_lifted() -> None:
    subject = await PROBES["probe with an epoch"]()
    two, holders = Two(subject), subject.system.holders
    subject.system.holders = Away(holders.database)  # type: ignore[attr-defined]
    assert (await two.read(INCIDENT)).held == (NOT_KNOWN,)
    order, effect = await two.imposes(INCIDENT, subject.order.wanted)
    assert NOT_KNOWN in effect.proven_by and subject.order.wanted.same(await subject.now())
    with pytest.raises(NotYet, match="Nothing is lifted before that"):
        await attempt(subject.kind.restore, subject.system, order.undo(), subject.call(key="lift"))
    subject.system.holders = holders
    await two.lifts(INCIDENT, order)
    assert subject.order.prior.value.same(await subject.now())  # type: ignore[union-attr]


async def test_what_was_refused_is_not_held() -> None:
    """Nobody waits for an incident that changed nothing."""
    subject = await PROBES["probe with an epoch"]()
    two = Two(subject)
    await subject.set_by(subject.theirs, "lee")
    call = subject.call(key="k")
    with pytest.raises(Refused):
        await attempt(subject.kind.change, subject.system, subject.order, call)
    assert two.held() == 0


async def test_to_go_over_another_incidents_need_takes_a_persons_word() -> None:
    """Also where the change itself is one that automation may make alone."""
    subject = await PROBES["probe with an epoch"]()
    two = Two(subject)
    await two.imposes(INCIDENT, subject.order.wanted)
    over = subject.order.model_copy(update={"wanted": subject.theirs, "over": (INCIDENT,)})
    with pytest.raises(Refused, match="needs an approval and has none"):
        await subject.kind.change(subject.system, over, subject.call(incident_id=OTHER, key="other"))
    assert subject.order.wanted.same(await subject.now())
