"""What the stories of §2.7 share: answers that became worse, and what is read off the practice world."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from practice.quality.faults import QualityFaults
from practice.quality.guardrails import Posture
from practice.quality.registry import Registry, said
from tests.stage.drill import Drill, drill
from tests.stage.running import RunningIncident
from workflows.status import Status

# The same story in less policy time: the numbers are smaller, the rules are the spec's.
BRISK = """
mitigated_window = "PT1M"
[policy.stability]
window = "PT5M"
[policy.model_drift]
window = "PT12M"
least_answers = 100
settled = "PT2M"
improvement_within = "PT9M"
normal_for = "PT6M"
eval_again = "PT5M"
eval_patience = "PT15M"
resting = "PT0S"
rollout_steps = [5, 50, 100]
[policy.model_drift.canary]
tick = "PT2M"
min_dwell = "PT10M"
bake = "PT10M"
max_dwell = "PT60M"
hold = "PT60M"
p_good = 0.04
p_bad = 0.4
alpha = 0.05
"""
SEEN = 540.0  # seconds that it lasts before it is declared
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


async def control(stage: Drill, what: str, **body: Any) -> None:
    """Do something to quality in the practice world: `publishes`, `moves`, `judging`, `releases`, `faults`."""
    (await stage.http.post(f"/practice/quality/{what}", json=body)).raise_for_status()


async def publish(stage: Drill, part: str = "prompt", rate: float = 0.8, **more: Any) -> None:
    """A version that serves at once, and spoils the answers in one language."""
    spoils = more.pop("spoils", {"language": "de"})
    await control(stage, "publishes", part=part, spoils=spoils, rate=rate, **more)


@asynccontextmanager
async def regression(tmp: Path, *, policy: str = "", seen: float = SEEN, **more: Any) -> AsyncIterator[Drill]:
    """A stage on which nothing is declared yet."""
    async with drill(tmp, policy=BRISK + policy, **more) as stage:
        yield stage


async def declared(stage: Drill, seen: float = SEEN) -> RunningIncident:
    """It has lasted for so long when it is declared."""
    stage.forward(seen)
    await stage.env.sleep(timedelta(seconds=seen))
    return await stage.declare("ModelDrift", service="chat")


def registry(stage: Drill) -> Registry:
    return stage.world.state.part(Registry)


def faults(stage: Drill) -> QualityFaults:
    return stage.world.state.part(QualityFaults)


def posture(stage: Drill) -> dict[str, Any]:
    return dict(vars(stage.world.state.part(Posture)))


def serving(stage: Drill) -> str:
    return said(registry(stage).serving)


def bad(stage: Drill, seconds: float = 300) -> float:
    """The share of bad answers among those that were judged lately."""
    from practice.quality.simulation import Simulation

    (simulation,) = (one for one in stage.world.simulations if isinstance(one, Simulation))
    found = [one.bad for one in simulation.answers.log if one.at > stage.world.clock.now() - seconds]
    return sum(found) / len(found)


def untouched(stage: Drill, *, publishing: str = "open") -> bool:
    """Whether nothing that the incident imposed is in force any more. `publishing`: it ends by the stability gate, or stays in somebody's name."""
    now = registry(stage).publishing
    usual = {"strictness": "usual", "high_risk_tools": "open", "banner": False}
    return now.publishes == publishing and posture(stage) == usual and not stage.world.state.route.modes


def asked(status: Status, about: str) -> bool:
    return any(about.lower() in question.asks.lower() for question in status.questions)


def tasks(status: Status, about: str) -> list[str]:
    return [task.text for task in status.tasks if about.lower() in task.text.lower()]
