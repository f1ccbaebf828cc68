"""The impact on customers, as this incident's card counts it: read from the metrics store, and judged."""

from datetime import datetime, timedelta

from activities.action import Role
from activities.metrics.curves import CurveOf, CurveReading, Curves
from activities.metrics.orders import ServiceHealth, Surface
from activities.metrics.telemetry import Telemetry
from workflows.engine.invoker import Invoker
from workflows.engine.proof.judge import Finding, Verdict, better, in_words, judge, worse
from workflows.engine.state import IncidentState
from workflows.errors import RetriesExhausted
from workflows.people.context import Tells


class CustomerImpact:
    def __init__(self, state: IncidentState, invoker: Invoker) -> None:
        self._state, self._invoker = state, invoker

    def surface(self, window: timedelta | None = None) -> Surface:
        """The order that reads it. Without a window: over as long as it must have ended to be called ended."""
        state, policy = self._state, self._state.policy
        return Surface(
            service=state.incident.service, window=window or policy.mitigated_window,
            usual_before=state.incident.started_at or state.declared_at, fresh=policy.stability.fresh,
        )  # fmt: skip

    def surface_of(self, service: str, window: timedelta | None = None) -> Surface:
        """The same of a service: of another one than the incident's nobody knows from when on it was not as usual."""
        surface = self.surface(window)
        return surface if service == surface.service else surface.model_copy(update={"service": service, "usual_before": None})

    def curve(self) -> CurveOf | None:
        """The order that reads the card's curve. None: it has none, and impact is what customers meet of the service."""
        state = self._state
        if state.card.curve is None:
            return None
        policy = state.policy
        return CurveOf(curve=state.card.curve, service=state.incident.service, numbers=policy.curves, fresh=policy.stability.fresh)

    async def now(self) -> Verdict:
        """What the metrics say now. A store that does not answer is one that says nothing."""
        try:
            if (curve := self.curve()) is not None:
                return self.judge_curve(await self._invoker.quietly(Curves.read, curve))
            return self.judge(await self._invoker.quietly(Telemetry.impact, self.surface()))
        except RetriesExhausted as out:
            return Verdict(Finding.UNKNOWN, f"the metrics store does not answer: {out.why}")

    def judge_curve(self, reading: CurveReading) -> Verdict:
        """One thing that is surely too far from usual is enough; that none is must be known of everything that counts."""
        finding = Finding.IMPACT if reading.ill else Finding.ENDED if reading.well else Finding.UNKNOWN
        return Verdict(finding, reading.in_words)

    def judge(self, health: ServiceHealth) -> Verdict:
        return judge(self._state.card.proof, health, self._state.policy.impact)

    def better(self, before: ServiceHealth, now: ServiceHealth) -> bool:
        return better(self._state.card.proof, before, now, self._state.policy.impact)

    def worse(self, before: ServiceHealth, now: ServiceHealth) -> bool:
        return worse(self._state.card.proof, before, now, self._state.policy.impact)

    def compared(self, before: ServiceHealth, now: ServiceHealth) -> str:
        return f"{in_words(now)}, before {in_words(before)}"


class Blindness:
    """Missing data is a fault of its own: it is posted to the room, and when it lasts, people are paged (spec §2.3, §7.1)."""

    def __init__(self, state: IncidentState, announcer: Tells) -> None:
        self._state, self._announcer = state, announcer
        self.since: datetime | None = None

    def ended(self) -> None:
        self.since = None

    def goes_on(self, why: str, now: datetime) -> None:
        """Nothing can be seen now: said in the room, and paged once it has lasted."""
        policy = self._state.policy
        self._announcer.say(f"BLIND: {why}. Nothing is called healthy on missing data.")
        self.since = self.since or now
        if now - self.since >= policy.paced(policy.stability.blind_page_after):
            self._announcer.page((Role.INCIDENT_COMMANDER, Role.OPS_LEAD), f"metrics are missing: {why}")
