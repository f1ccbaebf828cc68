"""How long from the declaration until a clamp holds, by the meter: `python -m tests.playbooks.cost_runaway.measured` writes `docs/performance.md`.

Policy time, which no machine is too slow for: every wait is a wait of the workflow. Each run has another seed: other names, other chance.
"""

import asyncio
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import quantiles

from tests.playbooks.cost_runaway.runaway import BRISK, runs_away
from tests.stage.drill import drill
from workflows.status import StepState

PAGE = Path(__file__).parents[3] / "docs" / "performance.md"
BEGIN, END = "<!-- containment: written by `python -m tests.playbooks.cost_runaway.measured` -->", "<!-- containment: end -->"
RUNS, KINDS = 20, ("loop", "retries", "bloat")


async def seconds(seed: int) -> float:
    """Of policy time, from the declaration until the clamp was read back and the meter showed it."""
    with tempfile.TemporaryDirectory() as tmp:
        async with drill(Path(tmp), seed=seed, policy=BRISK) as stage:
            incident = await runs_away(stage, KINDS[seed % len(KINDS)])
            while True:
                status = await incident.status()
                steps = [
                    step for step in status.steps if step.verb == "budgets.clamp" and step.state in (StepState.DONE, StepState.ADOPTED)
                ]
                if steps and steps[0].ended_at is not None:
                    return (steps[0].ended_at - status.declared_at).total_seconds()
                await stage.env.sleep(1)


def section(found: Sequence[float]) -> str:
    cuts = quantiles(found, n=20, method="inclusive")
    return "\n".join(
        (
            BEGIN,
            f"From the declaration of a cost runaway (§2.6) until the clamp was read back and the meter of model calls showed it, in seconds of "
            f"policy time, over {len(found)} runs with seeds of their own (loops, retry storms, context bloat):",
            "",
            "| p50 | p95 | slowest | to be reached |",
            "|---|---|---|---|",
            f"| {cuts[9]:.1f} | {cuts[18]:.1f} | {max(found):.1f} | 60 |",
            END,
        )
    )


async def main() -> None:
    found = [await seconds(seed) for seed in range(1, RUNS + 1)]
    text = PAGE.read_text()
    kept = (
        text[: text.index(BEGIN)].rstrip() + text[text.index(END) + len(END) :] if BEGIN in text else text.rstrip() + "\n\n## Containment\n"
    )
    before, _, after = kept.partition("\n## Containment\n")
    PAGE.write_text(f"{before.rstrip()}\n\n## Containment\n\n{section(found)}\n{after.lstrip()}")
    print(section(found))


if __name__ == "__main__":
    asyncio.run(main())
    sys.stdout.flush()
    os._exit(0)
