"""Every setting against every mishap, there and back: one table."""

import pytest

from tests.activities.kit.cells import CELLS
from tests.activities.kit.rows.settings import SETTINGS
from tests.activities.kit.stage import attempt


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
