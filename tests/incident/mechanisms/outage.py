"""What the tests of the mechanisms (design §4) share: a provider outage whose failover is asked."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.client import WorkflowExecutionStatus
from temporalio.common import RawValue

from tests.stage.drill import Drill, drill
from tests.stage.organisation import brisk
from tests.stage.running import RunningIncident, failed_tasks

LOW_PARITY = {"borealis": {"parity": 0.93}}
BROKEN = RawValue(Payload(metadata={"encoding": b"json/plain"}, data=b"{bad"))
ONES: tuple[Any, ...] = ({}, 5, BROKEN)
FIVE = timedelta(minutes=5)


@asynccontextmanager
async def incident_of(
    tmp: Path, *, policy: str = "", lasts: int | None = None, **declared: Any
) -> AsyncIterator[tuple[Drill, RunningIncident]]:
    """A provider outage whose failover is asked: questions 2 and 3 are the failover and the degradation."""
    async with drill(tmp, policy=policy or brisk()) as stage:
        await stage.edit(providers=LOW_PARITY)
        await stage.break_provider(provider="aurora", kind="overload", rate=0.6, **({"for_seconds": lasts} if lasts else {}))
        yield stage, await stage.declare(**declared)


async def alive(incident: RunningIncident) -> bool:
    """No message has wedged it: it runs, and no workflow task has failed."""
    history = await incident.handle.fetch_history()
    assert not (failed := failed_tasks(history)), failed[0]
    return (await incident.handle.describe()).status is WorkflowExecutionStatus.RUNNING


async def signalled(incident: RunningIncident, name: str, *given: Any) -> None:
    """Send a signal as the Temporal UI does."""
    await incident.handle.signal(name, args=list(given))
