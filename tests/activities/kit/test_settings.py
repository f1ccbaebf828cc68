"""Every setting against every mishap, there and back: one table."""

import pytest

from tests.activities.kit.cells import CELLS, begin
from tests.activities.kit.rows.practised import LEE
from tests.activities.kit.rows.probe import Level
from tests.activities.kit.rows.settings import SETTINGS
from tests.activities.kit.stage import attempt, refused, tried


@pytest.mark.parametrize("way", ["there", "back"])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("row", SETTINGS)
async def test_contract(row: str, cell: str, way: str) -> None:
    await CELLS[cell](await SETTINGS[row](), way)


UNSURE = [("probe with neither", 2, True), ("probe with neither", 1, False), ("probe with an epoch", 2, False)]


@pytest.mark.parametrize(("row", "attempts", "late"), UNSURE)
async def test_only_an_attempt_that_nobody_fences_may_still_arrive(row: str, attempts: int, late: bool) -> None:
    """The lift is told: it looks again once that is over."""
    subject = await SETTINGS[row]()
    effect = await attempt(subject.kind.change, subject.system, subject.order, subject.call(), attempts)
    assert (effect.late_until is not None) is late
    if effect.late_until:
        known = subject.order.late_until_known(effect.late_until)
        assert known.undo().late_until == effect.late_until and known.digest("x") == subject.order.digest("x")


BREAKS = [("there", 1), ("there", 3), ("back", 1), ("back", 3)]


@pytest.mark.parametrize(("way", "times"), BREAKS)
async def test_a_write_of_ours_that_broke_off_half_way_is_continued(way: str, times: int) -> None:
    """Where one write is more than one step and no version fences it: it broke off once, or again while it was continued."""
    subject = await SETTINGS["probe with neither"]()
    verb, order, writes, wanted = await begin(subject, way)
    if writes > 1:
        subject.inject("none")  # the first step back is taken whole
    subject.inject("broken_off", times)
    _, broke = await tried(verb, subject.system, order, subject.call(key="k"))
    assert len(broke) == times and wanted.same(await subject.now())


@pytest.mark.parametrize("way", ["there", "back"])
async def test_what_somebody_else_set_between_what_was_and_what_we_want_is_theirs(way: str) -> None:
    """It looks like half of ours, and no write of ours broke off: it is a conflict, and stays. So is what was set after ours had broken off."""
    for ours_broke_off in (False, True):
        subject = await SETTINGS["probe with neither"]()
        verb, order, _, _ = await begin(subject, way)
        if ours_broke_off:
            subject.inject("broken_off")
            with pytest.raises(Exception, match="half way"):
                await attempt(verb, subject.system, order, subject.call(key="k"))
        half = Level(level=1, mode="open") if way == "there" else Level(level=2, mode="shut")
        await subject.set_by(half, LEE)
        assert LEE in await refused(lambda: tried(verb, subject.system, order, subject.call(key="k")))  # noqa: B023
        assert half.same(await subject.now())
