"""The stage of the stories of §2.10: keys that somebody has stolen, issuers that revoke them, and services that need them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from practice.credentials.cast import credentials
from practice.credentials.model import Credentials, Key
from tests.stage.drill import Drill, drill
from tests.stage.organisation import OTHERS, brisk
from tests.stage.outages import makes, passes
from tests.stage.running import RunningIncident
from workflows.incident import Phase
from workflows.status import Status

QUICK = """
[policy.data_breach]
hunt_again = "PT2M"
quiet = "PT6M"
[policy.secret_compromise]
forget_again = "PT2M"
forget_patience = "PT6M"
zero_use = "PT6M"
{numbers}
"""
NO_OVERLAP = {"Keep the stolen": "decline"}


def quick(numbers: str = "", more: str = "") -> str:
    """The same story in less policy time."""
    return brisk(more=OTHERS + QUICK.format(numbers=numbers) + more)


@asynccontextmanager
async def stolen(
    tmp: Path, credential: str = "", *, thief: bool = True, exposure: str = "", policy: str = "", seconds: float = 120,
    dials: dict[str, Any] | None = None, labels: dict[str, str] | None = None, at_edge: dict[str, Any] | None = None,
    **settings: Any,
) -> AsyncIterator[tuple[Drill, RunningIncident]]:  # fmt: skip
    """A stranger uses a credential, the counters have seen it, and an incident is declared. `at_edge`: dials of sign-in."""
    tmp.mkdir(exist_ok=True)
    async with drill(tmp, policy=policy or quick(), secret_manager_project="acme", **settings) as stage:
        await makes(stage, "credential-dials", **({"thief": credential} if thief and credential else {}), **(dials or {}))
        if at_edge:
            await makes(stage, "sign-in-dials", **at_edge)
        await passes(stage, seconds)
        said = {"inventory_id": credential, "exposure": exposure, **(labels or {})}
        yield stage, await stage.declare("SecretCompromise", service="api", labels={name: one for name, one in said.items() if one})


def of(stage: Drill) -> Credentials:
    """As it is now: the state is another after each write."""
    return credentials(stage.world.state, stage.world.clock.now())


def living(stage: Drill, label: str) -> list[Key]:
    """Keys that let somebody in, under a label of ours."""
    return [one for one in of(stage).keys.values() if label in one.label and one.revoked is None]


def served_by(stage: Drill, secret: str) -> dict[str, set[int]]:
    """Which versions of a secret serve, by service."""
    fleet = stage.world.state.fleet.services.values()
    return {
        one.name: {version for region in one.places for name in one.serving(region) if (version := one.revisions[name].secrets.get(secret))}
        for one in fleet
    }


async def ends(
    stage: Drill, incident: RunningIncident, answers: dict[str, str] | None = None, values: dict[str, Any] | None = None,
    until: Phase | None = None, rounds: int = 300,
) -> Status:  # fmt: skip
    """Let the incident run to its end (or to a phase), answering on the way."""
    return await incident.runs({**NO_OVERLAP, **(answers or {})}, values, until=until, rounds=rounds)
