"""What calls outside by itself: the ordinary traffic of workloads, and the flows that a drill has set going."""

from __future__ import annotations

from practice.egress.outbound import MADE, REFUSED, Flow, Origin, outbound
from practice.metrics.metrics import Metrics, Series
from practice.world.state import State

STEP_MINUTES = 0.25
USUAL = (
    Origin("agents", "search.example.com", "tool", tool="search"),
    Origin("agents", "tickets.example.com", "tool", tool="tickets"),
    Origin("api", "api.aurora.example", "fetch"),
)


class Simulation:
    """Ordinary calls go out evenly; chance would say nothing more."""

    def __init__(self, seed: int, metrics: Metrics, state: State) -> None:
        self._metrics = metrics
        self._known: dict[tuple[str, str], Series] = {}
        for origin in USUAL:
            for outcome in (MADE, REFUSED):
                self._counted(origin.workload, outcome)

    def step(self, state: State, at: float) -> None:
        """A step's calls, refused or not by the rules of now."""
        there = outbound(state)
        for origin in USUAL:
            self._count(origin, there.call(origin, at), 1)
        for flow in there.flows:
            n = _due(flow, at)
            if n:
                self._count(flow.origin, there.call(flow.origin, at, n), n)

    def _count(self, origin: Origin, went: bool, n: int) -> None:
        self._counted(origin.workload, MADE if went else REFUSED).value += n

    def _counted(self, workload: str, outcome: str) -> Series:
        if (workload, outcome) not in self._known:
            series = self._metrics.counter("egress_calls_total", {"workload": workload, "outcome": outcome})
            self._known[workload, outcome] = series
        return self._known[workload, outcome]


def _due(flow: Flow, at: float) -> int:
    """How many whole calls of a flow are due."""
    if at < flow.since or (flow.until is not None and at >= flow.until):
        return 0
    flow.due += flow.per_minute * STEP_MINUTES
    n, flow.due = int(flow.due), flow.due - int(flow.due)
    return n
