from collections.abc import AsyncIterator

import pytest

from practice.world.stage import Stage, staged


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with staged() as ready:
        yield ready
