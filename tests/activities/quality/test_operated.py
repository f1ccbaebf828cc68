"""Every operation against every mishap: one table."""

import pytest

from tests.activities.kit.rows.operated import OPERATED, OPERATED_CELLS


@pytest.mark.parametrize("cell", OPERATED_CELLS)
@pytest.mark.parametrize("row", OPERATED)
async def test_contract(row: str, cell: str) -> None:
    await OPERATED_CELLS[cell](OPERATED[row]())
