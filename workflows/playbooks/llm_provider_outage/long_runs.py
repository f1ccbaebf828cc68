"""Long agent runs while a provider is out: they rest at a checkpoint, and go on from there when everything else is back (A.2 M5, R3)."""

from activities.action import Role
from activities.agents.holding import CHECKPOINTED, Paused, PauseOf, Pauses
from activities.agents.seen import Agents, RunsOf
from workflows.engine.verbs import Verbs


async def checkpoint_long_runs(verbs: Verbs, why: str) -> None:
    """The longest of them; more than a step may touch, and what cannot be seen, are people's."""
    numbers = verbs.policy.provider_outage
    seen = await verbs.look(Agents.runs, RunsOf(state="running"))
    if seen is None:
        verbs.task(
            "Checkpoint and pause long agent runs by hand, and resume them at a safe point: the agent runtime does not answer",
            Role.OPS_LEAD,
        )
        return
    long = sorted(seen.long(verbs.policy.paced(numbers.long_run)), key=lambda run: (run.started_at, run.trace))
    for run in long[: numbers.most_checkpointed]:
        lasts = f"it has run for {run.lasting(seen.at).total_seconds() / 60:.0f} min, with {run.steps} steps"
        await verbs.impose(CHECKPOINTED, Pauses.order(PauseOf(trace=run.trace), Paused(paused=True), why=why), facts=(lasts,))
    if left := long[numbers.most_checkpointed :]:
        verbs.task(f"Checkpoint and pause {len(left)} more long agent runs, and resume them at a safe point", Role.OPS_LEAD)
