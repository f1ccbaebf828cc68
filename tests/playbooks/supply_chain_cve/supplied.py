"""The stage of the stories of §2.12: an advisory that becomes known, builds that have it, and people who answer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from practice.supply.cast import supply
from practice.supply.faults import GHSA, MAL
from practice.supply.model import Supply
from practice.supply.simulation import running
from tests.stage.drill import Drill, drill
from tests.stage.organisation import OTHERS, brisk
from tests.stage.outages import makes, passes
from tests.stage.running import RunningIncident
from workflows.incident import Phase
from workflows.status import Status

ADVISORIES = {"vulnerable": GHSA, "malicious": MAL}
QUICK = """
[policy.supply_chain]
people_look = "PT5M"
clean_for = "PT10M"
zero_every = "PT5M"
resting = "PT0S"
{numbers}
[policy.roll_back]
canary_steps = [0.25, 1.0]
canary_step = "PT2M"
"""


def quick(numbers: str = "", more: str = "") -> str:
    """The same story in less policy time."""
    return brisk(more=OTHERS + QUICK.format(numbers=numbers) + more)


@asynccontextmanager
async def supplied(
    tmp: Path, kind: str = "vulnerable", *, policy: str = "", seconds: float = 60, labels: dict[str, str] | None = None,
    before: dict[str, dict[str, Any]] | None = None, service: str = "api", **settings: Any,
) -> AsyncIterator[tuple[Drill, RunningIncident]]:  # fmt: skip
    """It becomes known, scanners have seen it, and an incident is declared. `before`: what is done to the world first, by its path."""
    tmp.mkdir(exist_ok=True)
    async with drill(tmp, policy=policy or quick(), **settings) as stage:
        await makes(stage, "supply-faults", kind=kind)
        for path, given in (before or {}).items():
            await makes(stage, path, **given)
        await passes(stage, seconds)
        told = {"advisory": ADVISORIES[kind]} if labels is None else labels
        yield stage, await stage.declare("SupplyChainCve", service=service, labels=told)


def of(stage: Drill) -> Supply:
    """As it is now: the state is another after each write."""
    return supply(stage.world.state, stage.world.clock.now())


def affected(stage: Drill, service: str = "api") -> int:
    """How many instances run something that an advisory truly concerns."""
    there = of(stage)
    return sum(many for one, many in running(stage.world.state, there, service) if there.bad(one))


async def ends(
    stage: Drill, incident: RunningIncident, answers: dict[str, str] | None = None, values: dict[str, Any] | None = None,
    until: Phase | None = None, rounds: int = 400, skip: float = 60,
) -> Status:  # fmt: skip
    """Let the incident run to its end (or to a phase), answering on the way."""
    return await incident.runs(answers, values, until=until, rounds=rounds, skip=timedelta(seconds=skip))


async def hears(
    incident: RunningIncident, phrase: str, answers: dict[str, str] | None = None, values: dict[str, Any] | None = None, rounds: int = 80,
    skip: float = 60,
) -> str:  # fmt: skip
    """Let the incident run, answering on the way, until its timeline says this."""
    return await incident.says(phrase, answers, values, rounds=rounds, skip=timedelta(seconds=skip))
