"""What the stories of §2.2 share: an outage of the primary, and what is read off the practice world."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tests.stage.drill import Drill, drill
from tests.stage.organisation import brisk
from tests.stage.running import RunningIncident
from workflows.status import Status

LOW_PARITY = {"borealis": {"parity": 0.93}}
NO_TERTIARY = {"cumulus": {"evaluated": False}}
SECOND, MINUTE, FIVE = timedelta(seconds=1), timedelta(minutes=1), timedelta(minutes=5)


@asynccontextmanager
async def outage(
    tmp: Path,
    *,
    policy: str = "",
    providers: dict[str, Any] | None = None,
    rate: float = 0.6,
    lasts: int | None = 400,
    kind: str = "overload",
) -> AsyncIterator[tuple[Drill, RunningIncident]]:
    """The primary fails and an incident is declared. Nobody has answered anything yet."""
    async with drill(tmp, policy=policy or brisk()) as stage:
        if providers:
            await stage.edit(providers=providers)
        await stage.break_provider(provider="aurora", kind=kind, rate=rate, **({"for_seconds": lasts} if lasts else {}))
        yield stage, await stage.declare()


def story(lines: list[str]) -> str:
    """A timeline, as an assertion shows it."""
    return "\n".join(lines)


def asked(status: Status, about: str) -> bool:
    """Whether a question about something was ever put."""
    return any(about.lower() in q.asks.lower() for q in status.questions)


def sends(effect: dict[str, Any], provider: str) -> float:
    """The greatest share that a write of weights sends anybody to a provider."""
    after = effect["after"]
    return float(max([after["weights"].get(provider, 0.0), *(o.get(provider, 0.0) for o in after["overrides"].values())]))


async def returns(stage: Drill) -> list[datetime]:
    """When traffic began to come back to the primary: every write that gives it back a share of a tenant who was all on another."""
    wrote = await stage.wrote("llm.routes.weights")
    return [
        datetime.fromisoformat(e["world_at"])
        for e in wrote
        if any(o.get("aurora", 0.0) == 0 and e["after"]["overrides"].get(t, e["after"]["weights"]).get("aurora", 0.0) > 0
               for t, o in e["before"]["overrides"].items())
    ]  # fmt: skip


async def retrieval_only(stage: Drill) -> set[str]:
    """The tenants that are answered from retrieval only."""
    return {t for t, mode in (await stage.look())["route"]["modes"].items() if mode == "retrieval_only"}


STANDING = """
[policy.standing."models.degrade"]
expires_at = 2099-01-01T00:00:00Z
why = "confirmed provider outage"
"""


async def at_of(incident: RunningIncident, kind: str) -> datetime:
    """When the latest entry of a kind was made."""
    return max(datetime.fromisoformat(e["at"]) for e in await incident.entries() if e["kind"] == kind)
