"""Classifying again while the incident lasts, and proposing to raise what automation may not raise itself (spec §3, escalation)."""

from datetime import timedelta

from temporalio import workflow

from activities.action import Risk, Role
from activities.metrics.telemetry import Surface, Telemetry
from workflows.comms.part import Part, Shared
from workflows.incident import QuestionDraft, Severity
from workflows.severity.adjustment import Proposal, raise_if_not_mitigated

AFTER_MITIGATION = timedelta(hours=4)  # a lowering asks for half an hour only, and an incident may stay open for weeks


class SeverityWatch(Part):
    def __init__(self, shared: Shared) -> None:
        super().__init__(shared)
        self._proposed: set[Severity] = set()  # what was proposed to the commander so far

    @property
    def active(self) -> bool:
        ended = self._state.mitigated_at
        return ended is None or workflow.now() - ended < self._state.policy.paced(AFTER_MITIGATION)

    async def classify_again(self) -> None:
        """Classify on the radius of now (spec §3: at least every 10 min at SEV-1/2). What automation may not raise it proposes."""
        state = self._state
        state.new_facts = False
        if state.run_state.over or not state.incident.service:
            return
        await self._quietly(
            Telemetry.blast_radius, Surface(service=state.incident.service)
        )  # every reading is judged (`engine/invoker.py`)
        if state.mitigated_at is not None:
            return
        # What has gone unmitigated for too long is proposed at a higher severity, once for each level (spec §3, escalation).
        history = state.severity_history
        numbers = state.policy.severity.paced(state.policy.pace)
        proposal = raise_if_not_mitigated(state.severity, history.since, workflow.now(), history.growing, numbers)
        if proposal is not None and proposal.severity not in self._proposed:
            self._proposed.add(proposal.severity)
            self._background.run("severity", self._ask_to_raise(proposal))

    async def _ask_to_raise(self, proposal: Proposal) -> None:
        state = self._state
        decision = await self._questions.confirmation(
            QuestionDraft(
                asks=f"Raise to {proposal.severity.label}? {proposal.because}", roles=(Role.INCIDENT_COMMANDER, Role.DEPUTY), risk=Risk.C1,
                effect="updates come at the shorter intervals of that severity, and further people are paged",
                inverse="the commander may lower it again when it has been quiet",
            )
        )  # fmt: skip
        if decision.granted and not decision.question.assumed and proposal.severity < state.severity:
            state.set_severity(proposal.severity, proposal.because, decision.by)
