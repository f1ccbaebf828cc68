"""Looking for the cause of a production outage, and ruling causes out (spec §9.1). What is done about each is in the playbook.

The likeliest cause is acted on first; when that does not end the symptom it is ruled out, the findings are read again, and the next one is
tried. The latest change is a suspect like any other: an innocent one is cleared when undoing it does not help.
"""

import asyncio
from contextlib import AbstractAsyncContextManager

from temporalio import workflow

from activities.action import Risk
from activities.capacity.autoscaler import AutoscalerOf, Autoscalers
from activities.edge.health import DependenciesOf, Edge, Vantages
from activities.feeds.feeds import Feeds, FeedsOf
from activities.metrics.onset import OnsetOf
from activities.metrics.telemetry import BlastRadius, ServiceHealth, Surface, Telemetry
from activities.organisation.catalogue import Deployed
from activities.platform.change_feed import Change, ChangeFeed, ChangesSince
from activities.write_gate.write_gate import WriteGateOf, WriteGates
from workflows.engine.proof.proof import in_words
from workflows.engine.verbs import Verbs
from workflows.playbooks.production_outage.diagnosis import LEAST, Diagnosis, diagnose
from workflows.playbooks.production_outage.findings import TriageFindings
from workflows.playbooks.production_outage.hypotheses import Cause
from workflows.playbooks.production_outage.remedies import Remedies
from workflows.playbooks.production_outage.writes import WriteGuard
from workflows.procedures.rollback import Rollback, better
from workflows.severity.facts import Facts, Scope, Slo
from workflows.status import StepState

MOST = 0.9  # of the probes from outside: one lost probe in ten is chance


class Outage:
    """One service that fails, what we know of it, and what has been tried."""

    def __init__(self, verbs: Verbs, service: Deployed, rollback: Rollback) -> None:
        self._verbs = verbs
        self._numbers = verbs.policy.production_outage
        self.service = service
        self.findings = TriageFindings(service=service.name, at=workflow.now(), pace=verbs.policy.pace)
        self.ruled_out: set[tuple[Cause, str]] = set()
        self.remedies = Remedies(verbs, service, rollback, lambda: self.findings)
        self._writes = WriteGuard(verbs, service, lambda: self.findings.gate)
        self._acted: tuple[Diagnosis, ServiceHealth] | None = None
        self._acted_from = 0  # how many steps there were before

    # -- triage -----------------------------------------------------------------------------------------------------------------------

    async def survey(self) -> None:
        """Everything that can be known in a few minutes, side by side; what cannot be read is unknown, and shown as such (A.1 T1 to T4)."""
        verbs, name, mitigation = self._verbs, self.service.name, self._verbs.policy.mitigation
        health, dependencies, changes, onset, radius, capacity, gate, feeds = await asyncio.gather(
            verbs.look(Edge.health, Vantages(service=name, regions=self.service.regions, numbers=mitigation)),
            verbs.look(Edge.dependencies, DependenciesOf(service=name)),
            verbs.look(ChangeFeed.since, ChangesSince(look_back=self._numbers.look_back)),
            verbs.look(Telemetry.onset, OnsetOf(service=name, slo_target=verbs.policy.stability.slo_target)),
            verbs.look(Telemetry.blast_radius, Surface(service=name)),
            verbs.look(Autoscalers.read, Autoscalers.look(AutoscalerOf(service=name))),
            verbs.look(WriteGates.read, WriteGates.look(WriteGateOf(service=name))),
            verbs.look(Feeds.of_service, FeedsOf(service=name)),
        )
        self.findings = TriageFindings(
            service=name, at=workflow.now(), pace=verbs.policy.pace, onset=onset, health=health, radius=radius, changes=changes,
            dependencies=dependencies, capacity=capacity, gate=gate, feeds=feeds, mitigation=mitigation,
        )  # fmt: skip
        self._writes.surveyed()

    def facts(self) -> Facts:
        """What triage found, as the severity function reads it."""
        errors, radius = self.findings.errors_by_region(), self.findings.radius
        began = self.findings.began() or self._verbs.state.declared_at
        lasted = (workflow.now() - began).total_seconds() * self._verbs.policy.pace
        return Facts(
            err_ratio=errors, regions_total=len(errors) or None, duration_s=max(lasted, 0.0), scope=Scope.CORE,
            tenant_ratio=radius.tenant_ratio if radius else None, tenant_count=len(radius.tenants) if radius else None,
            slo=Slo.LIKELY if self.findings.hit_regions() else Slo.UNKNOWN,
        )  # fmt: skip

    @property
    def radius(self) -> BlastRadius | None:
        return self.findings.radius

    def writes_guarded(self) -> AbstractAsyncContextManager[None]:
        """While the block lasts, writes are stopped as soon as they are not safe."""
        return self._writes.active()

    async def before_repair(self) -> None:
        """Data is repaired only once it is decided whether writes go on."""
        await self._writes.before_repair()

    # -- the next cause to act on -----------------------------------------------------------------------------------------------------

    async def next_cause(self) -> Diagnosis | None:
        """Judge what was done last; then the likeliest cause that is not ruled out. None: the symptom has ended, or got much better."""
        verbs = self._verbs
        if self._acted is not None:
            done, before = self._acted
            if await self._improved(before):
                return None
            self.ruled_out.add((done.cause, done.which))
            verbs.note(f"ruled out: {done.cause.value.lower()} {done.which}".rstrip() + ", acting on it did not help")
            await self.survey()
        elif await self._nobody_affected():
            return None
        found = self._likeliest(diagnose(self.findings))
        if (found.cause, found.which) in self.ruled_out:
            verbs.hand_over("nothing that we could do has helped, and the cause is still unknown")
        verbs.state.note("diagnosis", found.in_words(), cause=found.cause.value, which=found.which, confidence=found.confidence)
        for missing in found.missing:
            verbs.note(missing, "unknown")
        self._acted, self._acted_from = (found, await self._impact()), len(verbs.state.steps)
        return found

    def not_done(self, found: Diagnosis) -> None:
        """Nothing could be done about this cause, so there is nothing to judge."""
        self.ruled_out.add((found.cause, found.which))
        self._acted = None

    async def _nobody_affected(self) -> bool:
        """Whether nothing says that anybody is affected: no errors, not slow, well inside and outside. Then nothing is changed on suspicion."""
        impact, health, onset = await self._impact(), self.findings.health, self.findings.onset
        well = impact.at_most(self._verbs.policy.mitigated_error_ratio)
        slow = onset is not None and onset.slow and onset.first_bad is not None
        ill = health is None or not health.believed or any(share is None or share < MOST for share in health.outside.values())
        if not well or slow or ill or self.findings.hit_regions() or self._writes.unsafe:
            return False
        self._verbs.note(f"nobody seems to be affected: {in_words(impact)}; nothing is changed")
        return True

    def _likeliest(self, found: Diagnosis) -> Diagnosis:
        """The best hypothesis that is not ruled out; when none is left, the cause is unknown."""
        known = found.cause is not Cause.UNKNOWN
        if known and (found.cause, found.which) not in self.ruled_out:
            return found
        for other in found.others:
            if known and (other.cause, other.which) not in self.ruled_out and other.score >= LEAST:
                return found.model_copy(
                    update={
                        "cause": other.cause, "which": other.which, "confidence": other.score, "reasons": other.reasons,
                        "change": self._change(other.which), "feed": None,
                    }
                )  # fmt: skip
        return found.model_copy(update={"cause": Cause.UNKNOWN, "which": "", "change": None, "feed": None})

    def _change(self, which: str) -> Change | None:
        changes = self.findings.changes.changes if self.findings.changes else ()
        return next((change for change in changes if change.id == which), None)

    async def _impact(self) -> ServiceHealth:
        return await self._verbs.read(Telemetry.impact, Surface(service=self.service.name, window=self._verbs.policy.mitigated_window))

    async def _improved(self, before: ServiceHealth) -> bool:
        """Whether the symptom has ended or got much better, within the time that policy gives it. Without data there is no claim."""
        verbs, policy = self._verbs, self._verbs.policy
        if verbs.state.rehearsing:
            return True
        if verbs.state.shadow and not self._did_something():
            verbs.note("not judged whether that helps: it was only noted, and from here on people repair it (shadow mode)")
            return True
        deadline = workflow.now() + policy.paced(self._numbers.improvement_within)
        while True:
            await verbs.rest(policy.mitigated_window, "whether that helped")
            now = await self._impact()
            if now.at_most(policy.mitigated_error_ratio) or better(before, now, policy.roll_back.improvement):
                verbs.note(f"better: {in_words(now)}, before {in_words(before)}")
                return True
            if workflow.now() < deadline:
                continue
            if now.blind or now.error_ratio is None:
                verbs.note("nobody can see whether that helped: nothing is ruled out on missing data")
                return True  # this does not end the mitigation block: it waits for the metrics, or for a person
            verbs.note(f"no better: {in_words(now)}, before {in_words(before)}")
            return False

    def _did_something(self) -> bool:
        """Whether anything was really changed about the cause that we acted on last."""
        since = self._verbs.state.steps[self._acted_from :]
        return any(step.risk >= Risk.C1 and step.state in (StepState.DONE, StepState.ADOPTED) for step in since)
