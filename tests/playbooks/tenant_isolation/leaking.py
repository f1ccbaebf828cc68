"""The stage of the stories of §2.5: a product whose tenants' data crosses, canaries who see it, and people who repair it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from practice.tenancy.cast import tenancy
from practice.tenancy.model import Tenancy
from tests.stage.drill import Drill, drill
from tests.stage.organisation import OTHERS, brisk
from tests.stage.outages import makes, passes
from tests.stage.running import RunningIncident
from workflows.incident import Phase
from workflows.status import Status

DB_LEAD = """
[people.ada]
roles = ["db_lead"]
email = "ada@example.com"
slack = "U_ADA"
pager = "P_ADA"
"""
QUICK = """
[policy.tenant_isolation]
helped_within = "PT1M"
fix_again = "PT5M"
fix_patience = "PT2H"
matrix_clean = "PT10M"
matrix_every = "PT5M"
reopen = [0.25, 1.0]
reopen_step = "PT1M"
watched = "PT6M"
{numbers}
"""
NO_LETTER = {"Send the letter": "decline", "send the letter": "decline"}
NO_DIGEST = {"Which artefact": "decline"}


def quick(numbers: str = "", more: str = "") -> str:
    """The same story in less policy time."""
    return brisk(more=OTHERS + DB_LEAD + QUICK.format(numbers=numbers) + more)


@asynccontextmanager
async def leaking(
    tmp: Path, *kinds: str, endpoints: tuple[str, ...] = (), policy: str = "", seconds: float = 120, labels: dict[str, str] | None = None,
    **settings: Any,
) -> AsyncIterator[tuple[Drill, RunningIncident]]:  # fmt: skip
    """Data crosses tenants in these ways, the counters have seen it, and an incident is declared."""
    tmp.mkdir(exist_ok=True)
    async with drill(tmp, policy=policy or quick(), **settings) as stage:
        for kind in kinds:
            await makes(stage, "tenancy-faults", kind=kind, endpoints=list(endpoints))
        await passes(stage, seconds)
        yield stage, await stage.declare("TenantIsolation", service="api", labels=labels or {})


def of(stage: Drill) -> Tenancy:
    """As it is now: the state is another after each write."""
    return tenancy(stage.world.state, stage.world.clock.now())


def admitted(stage: Drill) -> dict[str, float]:
    """What each endpoint lets through."""
    return {name: one.admission.admitted for name, one in of(stage).endpoints.items()}


async def ships(stage: Drill, **fix: Any) -> None:
    """People ship a hotfix."""
    await makes(stage, "tenancy-fixes", **fix)


async def crossed(stage: Drill) -> float:
    """Reads that crossed in the last five minutes, by the counters."""
    found = await stage.measured("sum(increase(tenant_mismatch_total[5m]))")
    return float(found[0]["value"][1]) if found else 0.0


async def ends(
    stage: Drill, incident: RunningIncident, answers: dict[str, str] | None = None, values: dict[str, Any] | None = None,
    until: Phase | None = None, rounds: int = 300, fix: dict[str, Any] | None = None, lenient: bool = False,
) -> Status:  # fmt: skip
    """Let the incident run to its end (or to a phase), answering on the way. `fix`: what people ship as soon as it has come to recovery."""
    shipped = fix is None

    async def ship(status: Status) -> None:
        nonlocal shipped
        if not shipped and Phase.RECOVERY in status.phases:
            shipped = True
            await ships(stage, **(fix or {}))

    verdicts = {**NO_LETTER, **NO_DIGEST, **(answers or {})}
    return await incident.runs(verdicts, values, until=until, rounds=rounds, meanwhile=ship, lenient=lenient)
