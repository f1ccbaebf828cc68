"""The stage of the stories of §2.3: a document gives orders, agents obey, and the metrics have seen it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from practice.agents.runtime import Runtime
from practice.injection.attacks import Injections, injections
from tests.stage.drill import Drill, drill
from tests.stage.organisation import OTHERS, brisk
from tests.stage.running import RunningIncident
from workflows.incident import Phase
from workflows.status import Status

QUICK = """
[policy.prompt_injection]
helped_within = "PT6M"
replay_again = "PT10M"
replay_patience = "{patience}"
monitored = "PT10M"
resting = "PT0S"
{numbers}
"""
TRUE_ALARM = {"false positive": "decline"}


def quick(numbers: str = "", more: str = "", patience: str = "PT1H") -> str:
    """The same story in less policy time."""
    return brisk(more=OTHERS + QUICK.format(numbers=numbers, patience=patience) + more)


def runtime(stage: Drill) -> Runtime:
    """As it is now: the state is another after each write."""
    return stage.world.state.part(Runtime)


def traces(stage: Drill) -> Injections:
    return injections(stage.world.state)


def first_tenant(stage: Drill, n: int = 0) -> str:
    return list(stage.world.state.tenants)[n]


async def control(stage: Drill, path: str, **given: Any) -> Any:
    """One of the hands on the world (docs/practice-platform.md, Injections)."""
    answer = await stage.http.post(f"/practice/{path}", json=given)
    answer.raise_for_status()
    return answer.json()


async def pass_time(stage: Drill, seconds: float) -> None:
    stage.forward(seconds)
    await stage.env.sleep(timedelta(seconds=seconds))


async def effects(stage: Drill) -> float:
    """How much injected instructions have brought about, by the metrics."""
    found = await stage.measured("sum(injected_effects_total)")
    return float(found[0]["value"][1]) if found else 0.0


@asynccontextmanager
async def attacked(
    tmp: Path, *deeds: str, store: str = "mail", policy: str = "", seconds: float = 90, labels: Any = None, **attack: Any
) -> AsyncIterator[tuple[Drill, RunningIncident]]:
    """An attack in a store, the metrics have seen it, and an incident is declared."""
    async with drill(tmp, policy=policy or quick()) as stage:
        yield stage, await reached(stage, *deeds, store=store, seconds=seconds, labels=labels, **attack)


async def reached(
    stage: Drill, *deeds: str, store: str = "mail", seconds: float = 90, labels: Any = None, **attack: Any
) -> RunningIncident:
    await control(stage, "injections", store=store, deeds=list(deeds) or ["reversible"], **attack)
    await pass_time(stage, seconds)
    return await stage.declare("PromptInjection", labels=labels or {})


async def ends(
    incident: RunningIncident, answers: dict[str, str] | None = None, values: dict[str, Any] | None = None, until: Phase | None = None,
    rounds: int = 400, fix: dict[str, Any] | None = None, until_told: str = "",
) -> Status:  # fmt: skip
    """Let the incident run to its end, or to a phase; both of two people say yes where two are asked; "" leaves a question open.

    When a fix is asked for, people ship it (`fix`: how good it is; with `never` none).
    """
    shipped = "never" in (fix or {})

    async def ship(status: Status) -> None:
        nonlocal shipped
        if not shipped and any(task.text.startswith("Patch the tools") for task in status.tasks):
            await control(cast("Drill", incident.drill), "injection-fixes", **(fix or {}))
            shipped = True

    verdicts, skip = {**TRUE_ALARM, **(answers or {})}, timedelta(seconds=30)
    return await incident.runs(verdicts, values, until=until, says=until_told, rounds=rounds, skip=skip, meanwhile=ship)
