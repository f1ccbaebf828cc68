"""What the stories of §2.8 are told with: something goes wrong with queues or workers, jobs pile up, and an incident is declared."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from practice.jobs.work import Queue, Work
from tests.stage.drill import Drill, drill
from tests.stage.organisation import OTHERS, brisk
from tests.stage.outages import makes, passes
from tests.stage.running import RunningIncident
from workflows.incident import Phase
from workflows.status import Status

SERVICE, QUIET = "api", 120.0
QUICK = """
{others}
[policy.queue_backlog]
age_ok_for = "PT5M"
after_restoring = "PT5M"
resting = "PT0S"
{numbers}
[policy.mitigation]
return_pause = "PT1M"
limit_pause = "PT1M"
"""


def quick(numbers: str = "", more: str = "", top: str = "") -> str:
    """The same story in less policy time."""
    return brisk(more=QUICK.format(others=OTHERS, numbers=numbers) + more, top=top)


def work(stage: Drill) -> Work:
    """As it is now: the state is another after each write."""
    return stage.world.state.part(Work)


def queue(stage: Drill, name: str = "interactive") -> Queue:
    return work(stage).queues[name]


def tenant(stage: Drill) -> str:
    """Whose jobs go wrong, where none is named."""
    return next(iter(stage.world.state.tenants))


async def census(stage: Drill) -> Any:
    """Where every job is, by its id, as the platform itself counts them."""
    answer = await stage.http.get("/jobs/v1/census", headers={"Authorization": "Bearer practice-token"})
    answer.raise_for_status()
    return answer.json()


async def balanced(stage: Drill) -> None:
    """No job is lost, and none was done twice."""
    said = await census(stage)
    counted = sum(said[name] for name in ("completed", "waiting", "in_flight", "parked", "expired", "dead_letters"))
    assert said["arrived"] == counted > 0 and not said["lost"] and not said["doubled"], said


async def mended(stage: Drill) -> None:
    """The causes are repaired."""
    (await stage.http.delete("/practice/job-faults")).raise_for_status()


@asynccontextmanager
async def piled(
    tmp: Path,
    *kinds: str | Mapping[str, Any],
    policy: str = "",
    seconds: float = 300,
    labels: Any = None,
    **settings: Any,
) -> AsyncIterator[tuple[Drill, RunningIncident]]:
    """One thing after the other goes wrong, the metrics show it, and an incident is declared."""
    async with drill(tmp, policy=policy or quick(), **settings) as stage:
        for kind in kinds:
            await makes(stage, "job-faults", **({"kind": kind} if isinstance(kind, str) else dict(kind)))
        await passes(stage, seconds)
        yield stage, await stage.declare("QueueBacklog", service=SERVICE, labels=labels or {})


async def ends(
    incident: RunningIncident, answers: dict[str, str] | None = None, until: Phase | None = None, rounds: int = 400, step: float = 60
) -> Status:
    """Let the incident run to its end (or to a phase), answering on the way; the causes are repaired when recovery begins."""

    async def repair(status: Status) -> None:
        if Phase.RECOVERY in status.phases:
            await mended(incident.drill)  # type: ignore[arg-type]

    return await incident.runs(answers, until=until, rounds=rounds, skip=timedelta(seconds=step), meanwhile=repair)
