"""An attempt writes no more once the server may have given its work to somebody else; which is later than the attempt believes."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.testing import ActivityEnvironment

from activities.action import NotYet
from activities.kit.fence import refuse_when_late
from activities.kit.pulse import PULSE, SILENT, beating
from activities.organisation.rhythm import PATIENCE
from worker.service import HELD_BACK

HEARTBEAT = timedelta(seconds=0.2)


async def in_activity(body: object, **info: object) -> None:
    env = ActivityEnvironment()
    told = {"heartbeat_timeout": HEARTBEAT, "start_to_close_timeout": timedelta(seconds=10), "started_time": datetime.now(UTC)}
    env.info = replace(env.info, **{**told, **info})  # type: ignore[arg-type]
    await env.run(body)  # type: ignore[arg-type]


async def test_a_process_that_was_suspended_writes_no_more_although_it_beats_again() -> None:
    async def body() -> None:
        async with beating():
            refuse_when_late()
            time.sleep(HEARTBEAT.total_seconds() * 0.9)  # noqa: ASYNC251 - as a stopped process does: nothing of it runs, no heartbeat either
            pulse = PULSE.get()
            assert pulse is not None
            pulse.beat()
            with pytest.raises(NotYet, match="silent for too long"):
                refuse_when_late()

    await in_activity(body)


async def test_an_attempt_that_is_over_time_writes_no_more() -> None:
    async def body() -> None:
        with pytest.raises(NotYet, match="over time"):
            refuse_when_late()

    await in_activity(body, started_time=datetime.now(UTC) - timedelta(seconds=9.5))


def test_the_fence_is_shorter_than_what_the_server_waits() -> None:
    """The server counts from the last heartbeat that reached it, which the SDK may have held back."""
    for tries in PATIENCE.values():
        held_back = min(tries.heartbeat * 0.8, HELD_BACK)
        assert tries.heartbeat * SILENT < tries.heartbeat - held_back
