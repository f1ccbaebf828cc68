"""What exists once, and what is started once, against every mishap; and what an operation does besides."""

from datetime import timedelta

import pytest

from activities.kit.operation import At
from tests.activities.kit.once import ONCE, ONCE_CELLS, Post
from tests.activities.kit.rows.created import CREATED, CREATED_CELLS
from tests.activities.kit.stage import attempt, refused


@pytest.mark.parametrize("cell", ONCE_CELLS)
@pytest.mark.parametrize("row", ONCE)
async def test_contract(row: str, cell: str) -> None:
    await ONCE_CELLS[cell](ONCE[row]())


@pytest.mark.parametrize("cell", CREATED_CELLS)
@pytest.mark.parametrize("row", CREATED)
async def test_contract_at_the_vendor(row: str, cell: str) -> None:
    await CREATED_CELLS[cell](await CREATED[row]())


async def test_the_id_that_creation_returned_is_asked_for_and_not_searched() -> None:
    row = ONCE["created once"](lags=9)
    effect, broke = await row.tried()
    assert not broke and not effect.adopted, "a listing that lags is not asked after creation"


async def test_an_operation_goes_on_where_a_crash_left_it() -> None:
    row = ONCE["operation"]()
    row.board.posts.append({"id": "post-1", "text": "hello", "key": "an unknown one"})
    effect = await attempt(row.verb, row.system, Post(), row.call(), 2, heartbeat_details=("post-1",))
    assert effect.adopted and effect.after["id"] == "post-1" and len(row.board.posts) == 1
    assert row.clock.slept == [timedelta(seconds=2)] * 2


async def test_a_heartbeat_that_cannot_be_read_says_nothing() -> None:
    row = ONCE["operation"]()
    row.board.posts.append({"id": "post-1", "text": "hello", "key": row.call().key})
    effect = await attempt(row.verb, row.system, Post(), row.call(), 2, heartbeat_details=({"id": 7},))
    assert effect.adopted and effect.after["id"] == "post-1" and len(row.board.posts) == 1


async def test_an_operation_that_failed_is_no_effect() -> None:
    row = ONCE["operation"]()
    row.board.states.extend([At.FAILED])
    assert await refused(row.tried) == "the board says hello has failed: as the board says"


async def test_an_operation_of_which_nobody_can_say_anything_is_unknown() -> None:
    row = ONCE["operation"]()
    row.board.states.extend([At.UNKNOWN] * 99)
    with pytest.raises(AssertionError, match="nobody can say how far it is"):
        await row.tried()
    assert len(row.board.posts) == 1
