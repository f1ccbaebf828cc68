"""What an order prints does the same as we do: run in a shell against the platform, and adopted afterwards."""

import asyncio
import os

import pytest

from practice.http.server import serve
from tests.activities.kit.cells import begin
from tests.activities.kit.rows.practised import Practised
from tests.activities.kit.rows.settings import SETTINGS
from tests.activities.kit.stage import tried
from worker.systems import practice

BY_HAND = [name for name, row in SETTINGS.items() if isinstance(row, Practised) and row.by_curl]


@pytest.mark.parametrize("way", ["there", "back"])
@pytest.mark.parametrize("row", BY_HAND)
async def test_by_hand_does_the_same(row: str, way: str) -> None:
    subject = await SETTINGS[row]()
    verb, order, _, wanted = await begin(subject, way)
    assert subject.stage is not None
    async with serve(subject.stage.world) as url:
        await in_a_shell(subject.order.look().by_hand(), url)
        await in_a_shell(order.by_hand(), url)
    assert wanted.same(await subject.now())
    effect, _ = await tried(verb, subject.system, order, subject.call(later=90))
    assert effect.adopted


async def in_a_shell(commands: tuple[str, ...], url: str) -> None:
    """Run them, one after the other, as a person named lee."""
    settings = practice(url, "practice-token")
    told = {name.upper(): str(value) for name, value in settings.items() if name.endswith(("_url", "_token"))}
    told |= {"UNLEASH_PROJECT": "default", "UNLEASH_ENVIRONMENT": "production", "USER": "lee"}
    shell = await asyncio.create_subprocess_exec(
        "bash", "-ec", "\n".join(commands), env={**os.environ, **told}, stdout=asyncio.subprocess.DEVNULL
    )
    assert await shell.wait() == 0, commands
