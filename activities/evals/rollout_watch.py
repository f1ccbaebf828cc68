"""One step of a rollout, watched tick by tick: how good the candidate's answers are, weighed by the pure core, beside those of what serves.

Windows are disjoint and lie at fixed instants after the call's, so that a second look at one gives the same answer. No judged answer of
either arm in a window is blind: it never advances. A step soaks: the least time on it is a day by default, because quality shows slowly.
"""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx
from pydantic import ValidationError
from temporalio import activity

from activities.action import Call, NotYet, Order, Patience, Refused, System, Value, action
from activities.evals.answers import SamplesOf
from activities.kit.clock import Clock
from activities.kit.http import Conflict
from activities.models.canary_core import CanaryPolicy, Evidence, Tick, Verdict, weigh
from activities.registry.release_plane import ReleasePlane
from activities.registry.releases import RolloutOf

LONGEST_SILENCE = timedelta(seconds=1)  # between heartbeats
LEAST_SAMPLES, SIGMAS = 30, 3  # in each arm, before they are compared; standard errors by which the candidate must be worse
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


class Progress(Value):
    """How far the watch is: what a heartbeat carries, and what the next attempt resumes from."""

    ticks: int = 0
    evidence: Evidence = Evidence()
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
        told = activity.info().heartbeat_details if activity.in_activity() else ()
        progress, behind = _resumed(told), timedelta(0)
        if progress.ticks:  # the windows that a resumed watch missed lie in the past, and need no waiting for
            behind = max(behind, activity.info().started_time - self._instant(progress.ticks))
        verdict, reason = Verdict.CONTINUE, ""
        while verdict is Verdict.CONTINUE:
            behind = await self._wait(progress, behind)
            began = asyncio.get_running_loop().time()
            verdict, reason, progress = await self._look(progress)
            _heartbeat(progress)
            behind += timedelta(seconds=asyncio.get_running_loop().time() - began)
        arms = progress.model_dump(include={"n", "bad", "control_n", "control_bad", "ticks"})
        return RolloutWatched(verdict=verdict, reason=reason, ended_at=self._instant(progress.ticks), **arms)

    @property
    def _tick(self) -> timedelta:
        return self.order.policy.tick / self.call.pace

    def _instant(self, ticks: int) -> datetime:
        return self.call.at + ticks * self._tick

    async def _wait(self, progress: Progress, behind: timedelta) -> timedelta:
        """Let one tick pass, less what we are late; never silent for more than a second. Returns what we are still late."""
        caught_up = min(behind, self._tick)
        left = self._tick - caught_up
        while left > timedelta(0):
            pause = min(left, LONGEST_SILENCE)
            await self.clock.sleep(pause)
            _heartbeat(progress)
            left -= pause
        return behind - caught_up

    async def _look(self, progress: Progress) -> tuple[Verdict, str, Progress]:
        order, number = self.order, progress.ticks + 1
        call = self.call.model_copy(update={"at": self._instant(number)})
        veto, seen = await self._veto(call), await self._answers(call)
        n, bad, control_n, control_bad = seen or (0, 0, 0, 0)
        tick = Tick(
            n=n, bad=bad, control_n=control_n, control_bad=control_bad, seconds=order.policy.tick.total_seconds(), blind=not n, veto=veto
        )
        verdict, evidence, reason = weigh(order.policy, order.steps, order.percent / 100, progress.evidence, tick)
        now = Progress(
            ticks=number, evidence=evidence, n=progress.n + n, bad=progress.bad + bad, control_n=progress.control_n + control_n,
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
    if min(seen.n, seen.control_n) < LEAST_SAMPLES:
        return ""
    drop = seen.bad / seen.n - seen.control_bad / seen.control_n
    both = (seen.bad + seen.control_bad) / (seen.n + seen.control_n)
    error = math.sqrt(both * (1 - both) * (1 / seen.n + 1 / seen.control_n))
    if drop < order.quality_drop or drop <= SIGMAS * error:
        return ""
    return f"{drop:.1%} more of its answers are bad than of {order.control}'s"


def _resumed(details: Sequence[Any]) -> Progress:
    """How far an earlier attempt had come. What cannot be read is no evidence: the step is watched from its beginning."""
    try:
        return Progress.model_validate(details[0]) if details else Progress()
    except ValidationError:
        return Progress()


def _heartbeat(progress: Progress) -> None:
    if activity.in_activity():
        activity.heartbeat(progress.model_dump(mode="json"))
