"""Every setting against every mishap, there and back: one table."""

import pytest

from tests.activities.kit.cells import CELLS
from tests.activities.kit.rows.settings import PROBES, SETTINGS
from tests.activities.kit.stage import attempt

WHOLE = (*PROBES, "edge gateway", "flags in flagd's file")
"""They go through everything: the kit's own code, one setting over our HTTP client, and one in a file. What they prove holds for the others."""
ITS_OWN = (
    "done once: commit_then_drop", "done once: partial", "200 OK, nothing changed", "changed by somebody else", "done by somebody else", "late zombie",
)  # fmt: skip
"""What depends on a system's own reading and writing."""


@pytest.mark.parametrize("way", ["there", "back"])
@pytest.mark.parametrize(("row", "cell"), [(row, cell) for row in SETTINGS for cell in (CELLS if row in WHOLE else ITS_OWN)])
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
