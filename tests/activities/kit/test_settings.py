"""Every setting against every mishap, there and back: one table."""

import pytest

from tests.activities.kit.cells import CELLS
from tests.activities.kit.rows import SETTINGS


@pytest.mark.parametrize("way", ["there", "back"])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("row", SETTINGS)
async def test_contract(row: str, cell: str, way: str) -> None:
    await CELLS[cell](await SETTINGS[row](), way)
