"""An attempt writes no more once the server may have given its work to somebody else; which is later than the attempt believes."""

import time
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.testing import ActivityEnvironment

from activities.action import Call, Effect, NotYet, Order, Risk, System, action
from activities.kit import pulse
from activities.kit.fence import refuse_when_late
from activities.kit.pulse import PULSE, SILENT, beating, begins
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
        begins()
        async with beating():
            refuse_when_late()
            time.sleep(HEARTBEAT.total_seconds() * 0.9)  # noqa: ASYNC251 - as a stopped process does: nothing of it runs, no heartbeat either
            beats = PULSE.get()
            assert beats is not None
            beats.beat()
            with pytest.raises(NotYet, match="silent for too long"):
                refuse_when_late()

    await in_activity(body)


class Slow(System):
    """Writes after so many seconds of work."""

    def __init__(self, seconds: float, patch: pytest.MonkeyPatch) -> None:
        self._seconds, self._patch = seconds, patch

    @action("slow.write", risk=Risk.C1)
    async def write(self, order: Order, call: Call) -> Effect:
        now = time.clock_gettime(pulse.CLOCK) + self._seconds
        self._patch.setattr(time, "clock_gettime", lambda clock: now)
        refuse_when_late()
        return order.done("written")


@pytest.mark.parametrize("off", [timedelta(minutes=-2), timedelta(0), timedelta(minutes=2)], ids=["behind", "right", "ahead"])
@pytest.mark.parametrize(("seconds", "late"), [(0, False), (8.9, False), (9.1, True), (60, True)])
async def test_an_attempt_that_is_over_time_writes_no_more(
    off: timedelta, seconds: float, late: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the time that it was at work, of ten seconds: a clock that is minutes off the server's lets nothing late through, and stops nothing."""
    began = datetime.now(UTC) - off  # by the server
    call = Call(incident_id="inc", key="key", at=began)

    async def body() -> None:
        with pytest.raises(NotYet, match="over time") if late else nullcontext():
            await Slow(seconds, monkeypatch).write(Order(), call)

    await in_activity(body, started_time=began, heartbeat_timeout=None)


def test_the_fence_is_shorter_than_what_the_server_waits() -> None:
    """The server counts from the last heartbeat that reached it, which the SDK may have held back."""
    for tries in PATIENCE.values():
        held_back = min(tries.heartbeat * 0.8, HELD_BACK)
        assert tries.heartbeat * SILENT < tries.heartbeat - held_back
