"""An incident that lasts: its commander is told what an hour costs, and is offered public updates that come less often (spec §6)."""

from collections.abc import Callable
from datetime import datetime, timedelta

from temporalio import workflow

from activities.action import Risk, Role
from activities.metrics.telemetry import FOUR_WEEKS, Surface, Telemetry
from activities.organisation.people import Person
from workflows.comms.part import Part, Shared
from workflows.errors import NotAccepted, RetriesExhausted
from workflows.incident import QuestionDraft, Silence

HOUR = timedelta(hours=1)


class LongIncident(Part):
    """`known`: whether the public may be told less often, because the cause is known. `widen`: does it, in a person's name."""

    def __init__(self, shared: Shared, known: Callable[[], bool], widen: Callable[[Person, str], str]) -> None:
        super().__init__(shared)
        self._known, self._widen = known, widen
        self._next: datetime | None = None  # not before

    def offer(self) -> None:
        """Once the time for it has come, and again as much later after a no."""
        state, cadence, policy = self._state, self._cadence, self._state.policy
        self._next = self._next or cadence.started_at + policy.paced(policy.widen_after)
        may = cadence.period is not None and not cadence.widened and cadence.rhythm.widened is not None and self._known()
        if workflow.now() < self._next or not may or state.shadow or state.run_state.over:
            return
        self._next = workflow.now() + policy.paced(policy.widen_after)
        self._background.run("wider cadence", self._ask())

    async def _ask(self) -> None:
        state, cadence = self._state, self._cadence
        wide, now = cadence.rhythm.widened or HOUR, cadence.period or HOUR
        lasts = state.policy_time(state.declared_at, workflow.now())
        decision = await self._questions.confirmation(
            QuestionDraft(
                asks=f"Send public updates every {wide.total_seconds() / 60:g} min instead of {now.total_seconds() / 60:g}?",
                roles=(Role.INCIDENT_COMMANDER, Role.DEPUTY), risk=Risk.C1, silence=Silence.SKIP,
                effect="it is announced in the room and on the status page", inverse="a graver severity shortens it again",
                facts=(f"the incident has lasted {lasts.total_seconds() / 3600:.1f} h", await self._costs()),
            )
        )  # fmt: skip
        person = state.assignments.roster.person(decision.by)
        if decision.granted and person is not None:
            try:
                self._widen(person, "the cause is known, and this lasts")
            except NotAccepted as no:
                state.note("not widened", str(no))

    async def _costs(self) -> str:
        """What the last hour has cost customers, and us where policy says what a failed request costs."""
        policy, service = self._state.policy, self._state.incident.service
        try:
            health = await self._quietly(Telemetry.impact, Surface(service=service, window=HOUR))
        except RetriesExhausted as out:
            return f"what an hour costs is not known: {out.why}"
        if health.blind or health.error_ratio is None:
            return "what an hour costs is not known: the metrics are blind"
        failed = health.error_ratio * health.served
        share = health.error_ratio / (1 - policy.stability.slo_target) * (HOUR / FOUR_WEEKS)
        money = f", {failed * policy.failed_request_cents / 100:,.0f} USD" if policy.failed_request_cents else ""
        return f"an hour costs {failed:,.0f} failed requests, {share:.1%} of four weeks' error budget{money}, as the last one did"
