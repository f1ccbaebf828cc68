"""What the tests of roles share: a provider outage whose failover is asked, and what reached people's phones."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.stage.drill import Drill, drill
from tests.stage.organisation import ORGANISATION, brisk
from tests.stage.running import RunningIncident, until

MINUTE = timedelta(minutes=1)


@asynccontextmanager
async def incident_of(
    tmp: Path, *, policy: str | None = None, more: str = "", organisation: str = "", lasts: int | None = None, **declared: Any
) -> AsyncIterator[tuple[Drill, RunningIncident]]:
    """A provider outage whose failover is asked."""
    written = organisation or ORGANISATION.format(policy=brisk() if policy is None else policy) + more
    async with drill(tmp, organisation=written) as stage:
        await stage.edit(providers={"borealis": {"parity": 0.93}})
        await stage.break_provider(provider="aurora", kind="overload", rate=0.6, **({"for_seconds": lasts} if lasts else {}))
        yield stage, await stage.declare(**declared)


def heard(stage: Drill, person: str, via: str = "page") -> list[str]:
    """What reached somebody's phone."""
    return [str(letter["text"]) for letter in stage.world.state.people[person].inbox if letter["via"] == via]


async def when(look: Any, told: RunningIncident, what: str, skip: timedelta = timedelta(seconds=30)) -> Any:
    """Let time pass until something is so."""

    async def seen() -> Any:
        found = look()
        if not found:
            await told.pass_time(skip)
        return found

    return await until(seen, what)
