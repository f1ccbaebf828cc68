"""One step of a rollout, watched tick by tick: how good the candidate's answers are, weighed by the pure core, beside those of what serves.

A window without a judged answer of the candidate is blind: it never advances. A step soaks: the least time on it is a day by default,
because quality shows slowly.
"""

from dataclasses import dataclass
from datetime import datetime

import httpx

from activities.action import Call, NotYet, Order, Patience, Refused, System, Value, action
from activities.evals.answers import SamplesOf
from activities.kit.clock import Clock
from activities.kit.http import Conflict
from activities.models.canary_core import CanaryPolicy, Tick, Verdict, weigh, worsened
from activities.models.ticks import Ticked, Ticks
from activities.registry.release_plane import ReleasePlane
from activities.registry.releases import RolloutOf

_TROUBLE = (httpx.HTTPError, NotYet, Refused, Conflict)


class WatchRollout(
    Order,
    target="route/{route}/rollout",
    effect="watch {candidate} at {percent:g} % of the new sessions of {route}, step {step} of {steps}",
):
    """Watch one step of a rollout. `control`: the triple that serves the others."""

    undone = "stop watching: the share stays until it is set to 0"

    route: str
    candidate: str
    control: str
    percent: float
    step: int
    steps: int
    policy: CanaryPolicy = CanaryPolicy()
    quality_drop: float = 0.03

    def by_hand(self) -> tuple[str, ...]:
        return SamplesOf(route=self.route, window=self.policy.tick).by_hand()


class RolloutWatched(Value):
    """How a step ended: the verdict, its reason, and what was seen of both arms."""

    verdict: Verdict
    reason: str
    n: int
    bad: int
    control_n: int
    control_bad: int
    ticks: int
    ended_at: datetime


class Progress(Ticked):
    """What both arms have answered so far."""

    n: int = 0
    bad: int = 0
    control_n: int = 0
    control_bad: int = 0


class RolloutWatches(System):
    def __init__(self, plane: ReleasePlane, clock: Clock) -> None:
        self._plane, self._clock = plane, clock

    @action("answers.watch", patience=Patience.WATCH)
    async def watch(self, order: WatchRollout, call: Call) -> RolloutWatched:
        """Watch one step until it is decided (S-CANARY). It may take days; it heartbeats, and resumes where it was."""
        return await _Watch(self._plane, self._clock, order, call).until_decided()


@dataclass
class _Watch:
    plane: ReleasePlane
    clock: Clock
    order: WatchRollout
    call: Call

    async def until_decided(self) -> RolloutWatched:
        """Tick until the core says more than *continue*."""
        ticks = Ticks(self.clock, self.call, self.order.policy.tick)
        verdict, reason, progress = await ticks.until_decided(Progress(), self._look)
        arms = progress.model_dump(include={"n", "bad", "control_n", "control_bad", "ticks"})
        return RolloutWatched(verdict=verdict, reason=reason, ended_at=ticks.instant(progress.ticks), **arms)

    async def _look(self, progress: Progress, call: Call) -> tuple[Verdict, str, Progress]:
        order = self.order
        veto, seen = await self._veto(call), await self._answers(call)
        n, bad, control_n, control_bad = seen or (0, 0, 0, 0)
        tick = Tick(
            n=n, bad=bad, control_n=control_n, control_bad=control_bad, seconds=order.policy.tick.total_seconds(), blind=not n, veto=veto
        )
        verdict, evidence, reason = weigh(order.policy, order.steps, order.percent / 100, progress.evidence, tick)
        now = Progress(
            ticks=progress.ticks + 1, evidence=evidence, n=progress.n + n, bad=progress.bad + bad, control_n=progress.control_n + control_n,
            control_bad=progress.control_bad + control_bad,
        )  # fmt: skip
        worse = _worse(order, now)
        return (Verdict.ABORT, worse, now) if worse and verdict is not Verdict.ABORT else (verdict, reason, now)

    async def _veto(self, call: Call) -> str:
        """Why this is not our rollout any more; a look that failed otherwise has more tries left."""
        order = self.order
        try:
            now = await self.plane.get(call, RolloutOf(route=order.route).path)
        except _TROUBLE:
            return ""
        if now["candidate"] != order.candidate or now["percent"] != order.percent:
            return f"{now['changed_by'] or 'somebody'} has changed the rollout: {now['candidate']} at {now['percent']:g} %"
        return ""

    async def _answers(self, call: Call) -> tuple[int, int, int, int] | None:
        """Judged answers of both arms in the window that ends at the call's instant; None when nobody says."""
        order = self.order
        try:
            said = await self.plane.look(call, SamplesOf(route=order.route, window=order.policy.tick, until=call.at.isoformat()))
        except _TROUBLE:
            return None
        ours = [row["bad"] for row in said["samples"] if row["triple"] == order.candidate]
        others = [row["bad"] for row in said["samples"] if row["triple"] == order.control]
        return len(ours), sum(ours), len(others), sum(others)


def _worse(order: WatchRollout, seen: Progress) -> str:
    """Why the candidate is worse than what serves, beyond chance: the core weighs it against fixed shares only."""
    drop = worsened(seen.n, seen.bad, seen.control_n, seen.control_bad)
    if drop is None or drop < order.quality_drop:
        return ""
    return f"{drop:.1%} more of its answers are bad than of {order.control}'s"
