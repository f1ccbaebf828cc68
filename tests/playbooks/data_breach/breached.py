"""The stage of the stories of §2.4: an intruder who reads rows at a pace and has ways to come back, and people who answer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from practice.containment.cast import there as containment_of
from practice.containment.model import Containment
from practice.intrusion.cast import EXPORTER, intrusion
from practice.intrusion.model import Intrusion
from practice.intrusion.ways import ways_in
from tests.stage.drill import Drill, drill
from tests.stage.organisation import OTHERS, brisk
from tests.stage.outages import makes, passes
from tests.stage.running import RunningIncident
from workflows.incident import Phase
from workflows.status import Status

QUICK = """
[policy.data_breach]
back = "P1D"
hunt_again = "PT2M"
staged_step = "PT2M"
quiet = "PT10M"
rebuilt_again = "PT5M"
{numbers}
[policy.secret_compromise]
forget_again = "PT2M"
forget_patience = "PT6M"
zero_use = "PT6M"
"""
NO_LETTER = {"send the letter": "decline", "Keep the stolen": "decline"}


def quick(numbers: str = "", more: str = "") -> str:
    """The same story in less policy time."""
    return brisk(more=OTHERS + QUICK.format(numbers=numbers) + more)


@asynccontextmanager
async def breached(
    tmp: Path, *, policy: str = "", seconds: float = 300, intruder: bool = True, footholds: list[str] | None = None,
    labels: dict[str, str] | None = None, before: tuple[tuple[str, dict[str, Any]], ...] = (), **settings: Any,
) -> AsyncIterator[tuple[Drill, RunningIncident]]:  # fmt: skip
    """Somebody reads, the counters have seen it, and an incident is declared. `before`: what is done to the world first, by its path."""
    tmp.mkdir(exist_ok=True)
    async with drill(tmp, policy=policy or quick(), secret_manager_project="acme", **settings) as stage:
        for path, given in before:
            await makes(stage, path, **given)
        if intruder:
            await makes(stage, "intrusions", **({} if footholds is None else {"footholds": footholds}))
        await passes(stage, seconds)
        yield stage, await stage.declare("DataBreach", service="api", labels=labels or {})


def of(stage: Drill) -> Intrusion:
    """As it is now: the state is another after each write."""
    return intrusion(stage.world.state, stage.world.clock.now())


def contained(stage: Drill) -> Containment:
    return containment_of(stage.world.state, stage.world.clock.now())


def inside(stage: Drill) -> list[str]:
    """The ways in that the intruder has."""
    return ways_in(stage.world.state, of(stage), stage.world.clock.now())


def rows(stage: Drill) -> int:
    """What the intruder has read so far."""
    return sum(one.rows for one in of(stage).reads if one.identity == EXPORTER)


def done_before(incident: RunningIncident, first: str, then: str) -> bool:
    """Whether one verb was proven everywhere before another one was tried anywhere."""
    earlier, later = incident.done(first), [row for row in incident.book() if row.verb == then]
    return bool(earlier and later) and max(row.last_at for row in earlier) <= min(row.first_at for row in later)


async def ends(
    stage: Drill, incident: RunningIncident, answers: dict[str, str] | None = None, values: dict[str, Any] | None = None,
    until: Phase | None = None, rounds: int = 500, skip: float = 60,
) -> Status:  # fmt: skip
    """Let the incident run to its end (or to a phase), answering on the way."""
    return await incident.runs({**NO_LETTER, **(answers or {})}, values, until=until, rounds=rounds, skip=timedelta(seconds=skip))


async def hears(
    incident: RunningIncident, phrase: str, answers: dict[str, str] | None = None, values: dict[str, Any] | None = None, rounds: int = 120,
    skip: float = 30,
) -> str:  # fmt: skip
    """Let the incident run, answering on the way, until its timeline says this."""
    return await incident.says(phrase, {**NO_LETTER, **(answers or {})}, values, rounds=rounds, skip=timedelta(seconds=skip))
