"""kill -9 at random steps: what an incident must survive."""

import asyncio
import random
import time

from starters.gameday.day import Day
from workflows.status import Status

LAST_KILL = 18  # every playbook has as many steps; a kill that never came proves nothing


async def kill_at_random(day: Day) -> None:
    """kill -9 at random steps on screen; each time the same process again, and how long until something happens."""
    for at_step in sorted(random.sample(range(2, max(LAST_KILL, 2 + day.options.kills)), day.options.kills)):
        while (status := day.status()) is None or len(status.steps) < at_step:  # noqa: ASYNC110 - as below
            await asyncio.sleep(0.02)
        await asyncio.sleep(random.uniform(0, 0.5))  # a crash does not wait for a good moment, nor for a bad one
        await _kill(day, day.status() or status)


async def _kill(day: Day, status: Status) -> None:
    step = status.steps[-1]
    day.killed.append(f"{day.options.kill} at step {step.number} ({step.verb}, {step.state})")
    day.say(f"!!!!!!!!  kill -9 {day.killed[-1]}")
    day.stage.processes.kill(day.options.kill)
    version = _version(day)
    if day.options.kill == "temporal":
        await asyncio.to_thread(day.stage.restart_temporal)
    else:
        day.stage.restart_worker()
    began = time.monotonic()
    day.say(f"!!!!!!!!  {day.options.kill} is started again")
    while _version(day) == version:  # noqa: ASYNC110 - the ledger is a file; it has no event to wait for
        await asyncio.sleep(0.02)
    day.recovered.append(round(time.monotonic() - began, 2))
    day.say(f"!!!!!!!!  the next thing happened {day.recovered[-1]:g} s after the restart")


def _version(day: Day) -> int:
    status = day.status()
    return status.version if status else 0
