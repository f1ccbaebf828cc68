from collections.abc import AsyncIterator

import pytest

from practice.world.stage import Stage, served, staged


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with staged() as ready:
        yield ready


@pytest.fixture
async def socket_stage() -> AsyncIterator[Stage]:
    """Over sockets."""
    async with served() as ready:
        yield ready
