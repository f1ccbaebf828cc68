"""What the stories of §2.9 are told with: a cluster that breaks, and the metrics that have seen it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from practice.databases.cluster import Cluster, Databases
from tests.stage.drill import Drill, drill
from tests.stage.organisation import OTHERS, ROLES, brisk
from tests.stage.outages import passes
from tests.stage.running import RunningIncident
from workflows.incident import Phase
from workflows.status import Status

Break = str | int | dict[str, Any]
MAX = """
[people.max]
roles = ["db_lead"]
email = "max@example.com"
slack = "U_MAX"
pager = "P_MAX"
"""
PEOPLE = OTHERS + MAX
QUICK = """
{others}
[policy.database_failover]
write_step = "PT1M"
attached_for = "PT5M"
resting = "PT0S"
{numbers}
"""
SAID = {"Is the ledger": "signed off", "Which of": "db-1", "Is db-1 cut off": "cut off", "Do the clients use": "yes"}


def quick(numbers: str = "", more: str = "") -> str:
    """The same story in less policy time, with everybody there."""
    return brisk(more=QUICK.format(others=PEOPLE, numbers=numbers) + more)


async def makes(stage: Drill, path: str, **given: Any) -> None:
    """One of the hands on the world (docs/practice-platform.md, Databases)."""
    (await stage.http.post(f"/practice/{path}", json=given)).raise_for_status()


async def mended(stage: Drill) -> None:
    """The machines are well again; a fence stays."""
    (await stage.http.delete("/practice/database-faults")).raise_for_status()


@asynccontextmanager
async def broken(
    tmp: Path, *kinds: Break, policy: str = "", seconds: float = 90, dials: dict[str, Any] | None = None, **settings: Any
) -> AsyncIterator[tuple[Drill, RunningIncident]]:
    """One thing after the other breaks, the metrics show it, and an incident is declared."""
    tmp.mkdir(exist_ok=True)
    async with drill(tmp, policy=policy or quick(), **settings) as stage:
        yield stage, await declared(stage, *kinds, seconds=seconds, dials=dials)


async def declared(stage: Drill, *kinds: Break, seconds: float = 90, dials: dict[str, Any] | None = None) -> RunningIncident:
    """The same on a stage that stands. A number: so many seconds later."""
    await passes(stage, 60)
    if dials:
        await makes(stage, "database-dials", **dials)
    for kind in kinds:
        if isinstance(kind, int):
            await passes(stage, kind)
        else:
            await makes(stage, "database-faults", **({"kind": kind} if isinstance(kind, str) else kind))
    await passes(stage, seconds)
    return await stage.declare("DatabaseFailover", service="api", labels={"cluster": "main"})


def of(stage: Drill) -> Cluster:
    """The cluster, as the world has it now."""
    return stage.world.state.part(Databases).clusters["main"]


async def ends(
    incident: RunningIncident, answers: dict[str, str] | None = None, values: dict[str, Any] | None = None, until: Phase | None = None,
    rounds: int = 400, lenient: bool = False, second: str = "",
) -> Status:  # fmt: skip
    """Let the incident run to its end (or to a phase), answering on the way: a verdict or a value by a part of the question.

    `second`: who agrees beside the commander to what is hard to reverse; whoever chose it may not.
    """
    verdicts, told, answered = answers or {}, {**SAID, **(values or {})}, set[int]()
    for _ in range(rounds):
        status = await incident.status()
        if await incident.over() or (until is not None and until in status.phases):
            return status
        for question in (one for one in status.asking if second and one.quorum > 1 and one.number not in answered):
            await incident.commanded()
            answered.add(question.number)
            for who in [ROLES[role] for role in question.roles[:2]] if question.strict else ("dana", second):
                code = await incident.drill.code(who, question.number)
                await incident.say("approve", {"question": question.number, "code": code, "reason": "drill", "value": None})
        await incident.move(status, verdicts, answered, timedelta(seconds=60), told)
    if lenient:
        return await incident.status()
    raise AssertionError("\n".join(await incident.timeline()) + f"\nasking {[one.asks for one in (await incident.status()).asking]}")


def written(incident: RunningIncident) -> list[str]:
    """The verbs that were carried out and proven, in their order."""
    return [row.verb for row in incident.book() if row.outcome in ("done", "adopted")]
