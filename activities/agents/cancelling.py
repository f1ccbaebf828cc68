"""Ending a run with its children: they are asked to stop, and terminated when they do not; seen by the meter of model calls (A.6 M3)."""

from datetime import datetime, timedelta

from activities.action import Call, Limits, NotYet, Order, Refused, Risk, Role
from activities.agents.agent_runtime import BASE, TOKEN, AgentRuntime
from activities.kit.fence import by_now
from activities.kit.operation import At, Operation, Progress
from activities.kit.words.shell import address, curl
from activities.kit.words.urls import path, query
from activities.usage.usage_meter import UsageMeter

STILL_CALLING = timedelta(seconds=30)  # policy time: whoever called so shortly before calls on


class CancelRun(Order, target="run/{trace}", effect="end run {trace} and its children"):
    """End a run by its trace. `side_effects`: how many of its effects outside were recorded before (spec §9.6, precondition)."""

    undone = "nothing brings an ended run back: start it again"

    trace: str
    reason: str = ""
    grace: timedelta = timedelta(seconds=30)  # then it is terminated
    quiet: timedelta = timedelta(minutes=2)  # for so long no call may come from it, or from a child
    many: bool = False  # it is one of more than may be ended unasked

    def effect(self) -> str:
        return f"end run {self.trace} and its children: asked to stop, terminated after {self.grace.total_seconds():.0f} s"

    def by_hand(self) -> tuple[str, ...]:
        body = {"trace": self.trace, "key": f"by-hand-{self.trace}", "grace_seconds": self.grace.total_seconds(), "reason": self.reason}
        bearer = ("Authorization: Bearer ", TOKEN)
        look = curl("GET", address(BASE, "/v1/runs", query({"under": self.trace})), bearer)
        return (look, curl("POST", address(BASE, path("v1", "cancellations")), bearer, body=body), look)


def _risk(order: CancelRun, limits: Limits) -> Risk:
    return Risk.C2 if order.many else Risk.C1


class Cancellations(Operation[CancelRun], name="agents.cancel", risk=_risk, asks=(Role.INCIDENT_COMMANDER, Role.OPS_LEAD)):
    """Runs that are ended. That none of them calls on is asked of the meter where calls pass, not of the runtime."""

    def __init__(self, runtime: AgentRuntime, meter: UsageMeter) -> None:
        self._runtime, self._meter = runtime, meter

    async def precondition(self, call: Call, order: CancelRun) -> None:
        """Refuses a run that is over already, with all its children."""
        runs = await self._runtime.runs(call, under=order.trace)
        if not runs:
            raise Refused(f"there is no run {order.trace}")
        if all(run["state"] not in ("running", "paused", "cancelling") for run in runs):
            raise Refused(f"run {order.trace} is over already: it is {runs[0]['state']}, and so are its children; nothing was changed")

    async def find(self, call: Call, order: CancelRun) -> str | None:
        found = (await self._runtime.get(call, "/v1/cancellations", key=call.key))["cancellations"]
        return str(found[0]["id"]) if found else None

    async def start(self, call: Call, order: CancelRun) -> str:
        grace = order.grace.total_seconds()
        body = {"trace": order.trace, "key": call.key, "grace_seconds": grace, "reason": order.reason}
        return str((await self._runtime.cancel(call, body))["id"])

    async def status(self, call: Call, order: CancelRun, id: str) -> Progress:
        """Raises `NotYet` while runs have not ended: the next attempt looks again."""
        now = by_now(call)
        said = await self._runtime.get(now, path("v1", "cancellations", id))
        if said["state"] != "done":
            raise NotYet(f"{len(said['going'])} of {len(said['traces'])} runs have not ended yet", after=order.grace / 2 / call.pace)
        terminated = len(said["terminated"])
        after = {"traces": said["traces"], "terminated": said["terminated"]}
        return Progress(at=At.DONE, says=f"{len(said['traces'])} ended, {terminated} of them terminated" if terminated else "", after=after)

    async def verify(self, call: Call, order: CancelRun, id: str) -> str:
        """No model call of it, or of a child, for so long. A meter that stands still proves nothing."""
        seen = await self._meter.traces(call, under=order.trace)
        last = max((one.last_call_at for one in seen.traces if one.last_call_at), default=None)
        if last is None:
            return "the meter never saw a call of it"
        quiet = (seen.observed_at - last) * call.pace
        if quiet < order.quiet:
            calling = ", ".join([one.trace for one in seen.traces if one.last_call_at == last][:3])
            said = f"{calling} called {quiet.total_seconds():.0f} s before the meter's last count"
            asked = datetime.fromisoformat((await self._runtime.get(call, path("v1", "cancellations", id)))["asked_at"])
            if quiet < STILL_CALLING and (seen.observed_at - asked) * call.pace > order.grace + order.quiet:
                raise Refused(f"not honoured: it reads ended, and {said}")
            wait = max(order.quiet - quiet, timedelta(seconds=15)) / call.pace
            raise NotYet(f"ended, but {said}; wanted: {order.quiet.total_seconds():.0f} s without a call", after=wait)
        return f"the meter has seen no call of it or its children for {quiet.total_seconds():.0f} s"
