"""What the stories of a production outage are told with: a world that something happens to, and looks at what came of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.stage.drill import Drill, drill
from tests.stage.running import RunningIncident

MINUTE = timedelta(minutes=1)
QUICK = """
mitigated_window = "PT1M"
[policy.stability]
window = "PT5M"
[policy.production_outage]
improvement_within = "PT3M"
unknown_after = "PT5M"
steady = "PT2M"
resting = "PT0S"
[policy.roll_back]
freeze_within = "PT30M"
proven_within = "PT3M"
look_again = "PT15S"
samples = 20
least_answers = 10
canary_step = "PT1M"
{more}
"""


STANDING = """
[policy.standing."{verb}"]
expires_at = "2027-12-31T00:00:00Z"
why = "signed for the drill"
"""


def quick(more: str = "", top: str = "") -> str:
    """The same story in less policy time."""
    return f"{top}\n" + QUICK.format(more=more)


@asynccontextmanager
async def outage(
    tmp: Path, *, policy: str = "", service: str = "api", fault: dict[str, Any] | None = None, ago: float = 180, **deploy: Any
) -> AsyncIterator[tuple[Drill, RunningIncident]]:
    """Something broke `ago` seconds ago (a bad revision came to traffic, or a fault), the metrics show it, and an incident is declared."""
    async with drill(tmp, policy=policy or quick()) as stage:
        if fault:
            await makes(stage, "service-faults", service=service, **fault)
        if deploy:
            (await stage.http.post("/practice/deploys", json={"service": service, **deploy})).raise_for_status()
        await passes(stage, ago)
        yield stage, await stage.declare("ProductionOutage", service=service)


async def passes(stage: Drill, seconds: float) -> None:
    """Let time pass for the world and for the server alike, before anything is declared."""
    stage.forward(seconds)
    await stage.env.sleep(timedelta(seconds=seconds))


async def makes(stage: Drill, path: str, **given: Any) -> None:
    """Do something to the world (docs/practice-platform.md)."""
    (await stage.http.post(f"/practice/{path}", json=given)).raise_for_status()


async def split_of(stage: Drill, service: str = "api") -> dict[str, dict[str, float]]:
    """What serves where, as the world has it."""
    places = (await stage.look())["fleet"]["services"][service]["places"]
    return {region: {name: share for name, share in place["split"].items() if share} for region, place in places.items()}


async def failing(stage: Drill, service: str = "api") -> float:
    """The share of requests that fail now, by the metrics."""
    of = f'service="{service}"'
    failed, every = f'service_requests_total{{{of},outcome="error"}}[1m]', f"service_requests_total{{{of}}}[1m]"
    found = await stage.measured(f"sum(increase({failed})) / sum(increase({every}))")
    return float(found[0]["value"][1]) if found else 0.0


def pinned(revision: str) -> dict[str, dict[str, float]]:
    return {region: {revision: 1.0} for region in ("eu-west", "us-east")}


def story(lines: list[str]) -> str:
    """A timeline, as an assertion shows it."""
    return "\n".join(lines)


async def mended(stage: Drill) -> None:
    """What was wrong with the services is wrong no more."""
    (await stage.http.delete("/practice/service-faults")).raise_for_status()


async def changed(stage: Drill, *systems: str) -> list[dict[str, Any]]:
    """The changes that really happened to the services, by anybody but the story itself."""
    return [
        e for e in await stage.effects() if e["changed"] and e["route"].startswith(systems or ("run.", "k8s.", "platform.", "unleash."))
    ]
