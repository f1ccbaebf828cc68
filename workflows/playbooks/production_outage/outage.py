"""Looking for the cause of a production outage, ruling causes out, and what may be done about each (spec §9.1). What is done is in the playbook.

The likeliest cause is acted on first; when that does not end the symptom it is ruled out, the findings are read again, and the next one is
tried. The latest change is a suspect like any other: an innocent one is cleared when undoing it does not help.
"""

from collections.abc import Coroutine
from typing import Any

from temporalio import workflow

from activities.action import Risk, Role
from activities.capacity.autoscaler import AutoscalerOf, Autoscalers, Bounds
from activities.edge.gateway import Gateway, GatewayOf, limit
from activities.edge.health import DependenciesOf, Edge, Vantages
from activities.edge.regions import HeadroomOf, Regions, RegionsOf, Weights, drain
from activities.feeds.feeds import Feeding, FeedOf, Feeds, FeedsOf, pin
from activities.flags.flags import SWITCHED_OFF, switch_off
from activities.kit.setting import Change
from activities.metrics.onset import OnsetOf
from activities.metrics.telemetry import ServiceHealth, Surface, Telemetry
from activities.organisation.catalogue import Deployed
from activities.platform.change_feed import ChangeFeed, ChangesSince
from activities.write_gate.write_gate import WriteGateOf, WriteGates
from workflows.engine.proof.proof import in_words
from workflows.engine.verbs import Verbs
from workflows.playbooks.production_outage.diagnosis import Cause, Diagnosis, diagnose
from workflows.playbooks.production_outage.findings import TriageFindings
from workflows.playbooks.production_outage.writes import WriteGuard
from workflows.procedures.rollback import Rollback, better
from workflows.severity.facts import Facts, Scope, Slo
from workflows.status import StepState

MOST = 0.9  # of the probes from outside: one lost probe in ten is chance


class Outage:
    """One service that fails, what we know of it, and what has been tried."""

    def __init__(self, verbs: Verbs, service: Deployed, rollback: Rollback) -> None:
        self._verbs, self._service, self._rollback = verbs, service, rollback
        self._numbers, self._mitigation = verbs.policy.production_outage, verbs.policy.mitigation
        self.findings = TriageFindings(service=service.name, at=workflow.now(), pace=verbs.policy.pace)
        self.writes = WriteGuard(verbs, service)
        self._ruled_out: set[tuple[Cause, str]] = set()
        self._acted: tuple[Diagnosis, ServiceHealth] | None = None
        self._acted_from = 0  # how many steps there were before

    async def survey(self) -> None:
        """Everything that can be known in a few minutes, side by side; what cannot be read is unknown, and shown as such (A.1 T1 to T4)."""
        verbs, name, mitigation = self._verbs, self._service.name, self._mitigation
        looks: dict[str, Coroutine[Any, Any, Any]] = {
            "health": verbs.look(Edge.health, Vantages(service=name, regions=self._service.regions, numbers=mitigation)),
            "dependencies": verbs.look(Edge.dependencies, DependenciesOf(service=name)),
            "changes": verbs.look(ChangeFeed.since, ChangesSince(look_back=self._numbers.look_back)),
            "onset": verbs.look(Telemetry.onset, OnsetOf(service=name, slo_target=verbs.policy.stability.slo_target)),
            "radius": verbs.look(Telemetry.blast_radius, Surface(service=name)),
            "capacity": verbs.look(Autoscalers.read, Autoscalers.look(AutoscalerOf(service=name))),
            "gate": verbs.look(WriteGates.read, WriteGates.look(WriteGateOf(service=name))),
            "feeds": verbs.look(Feeds.of_service, FeedsOf(service=name)),
        }
        found = dict(zip(looks, await verbs.together(*looks.values()), strict=True))
        self.findings = TriageFindings(service=name, at=workflow.now(), pace=verbs.policy.pace, mitigation=mitigation, **found)
        self.writes.gate = self.findings.gate

    def facts(self) -> Facts:
        errors, radius = self.findings.errors_by_region(), self.findings.radius
        lasted = (workflow.now() - (self.findings.began() or self._verbs.state.declared_at)).total_seconds() * self._verbs.policy.pace
        return Facts(
            err_ratio=errors, regions_total=len(errors) or None, duration_s=max(lasted, 0.0), scope=Scope.CORE,
            tenant_ratio=radius.tenant_ratio if radius else None, tenant_count=len(radius.tenants) if radius else None,
            slo=Slo.LIKELY if self.findings.hit_regions() else Slo.UNKNOWN,
        )  # fmt: skip

    async def next_cause(self) -> Diagnosis | None:
        """Judge what was done last; then the likeliest cause that is not ruled out. None: the symptom has ended, or got much better."""
        verbs = self._verbs
        if self._acted is not None:
            done, before = self._acted
            if await self._improved(before):
                return None
            self._ruled_out.add((done.cause, done.which))
            verbs.note(f"ruled out: {done.cause.value.lower()} {done.which}".rstrip() + ", acting on it did not help")
            await self.survey()
        elif await self._nobody_affected():
            return None
        found = diagnose(self.findings).without(self._ruled_out)
        if (found.cause, found.which) in self._ruled_out:
            verbs.hand_over("nothing that we could do has helped, and the cause is still unknown")
        verbs.state.note("diagnosis", found.in_words(), cause=found.cause.value, which=found.which, confidence=found.confidence)
        for missing in found.missing:
            verbs.note(missing, "unknown")
        self._acted, self._acted_from = (found, await self._impact()), len(verbs.state.steps)
        return found

    def not_done(self, found: Diagnosis) -> None:
        """Nothing could be done about this cause, so there is nothing to judge."""
        self._ruled_out.add((found.cause, found.which))
        self._acted = None

    async def _nobody_affected(self) -> bool:
        """Whether nothing says that anybody is affected: no errors, not slow, well inside and outside. Then nothing is changed on suspicion."""
        impact, health, onset = await self._impact(), self.findings.health, self.findings.onset
        well = impact.at_most(self._verbs.policy.mitigated_error_ratio)
        slow = onset is not None and onset.slow and onset.first_bad is not None
        ill = health is None or not health.believed or any(share is None or share < MOST for share in health.outside.values())
        if not well or slow or ill or self.findings.hit_regions() or self.writes.unsafe:
            return False
        self._verbs.note(f"nobody seems to be affected: {in_words(impact)}; nothing is changed")
        return True

    async def _impact(self) -> ServiceHealth:
        return await self._verbs.read(Telemetry.impact, Surface(service=self._service.name, window=self._verbs.policy.mitigated_window))

    async def _improved(self, before: ServiceHealth) -> bool:
        """Whether the symptom has ended or got much better, within the time that policy gives it. Without data there is no claim."""
        verbs, policy = self._verbs, self._verbs.policy
        if verbs.state.rehearsing:
            return True
        since = verbs.state.steps[self._acted_from :]
        changed = any(step.risk >= Risk.C1 and step.state in (StepState.DONE, StepState.ADOPTED) for step in since)
        if verbs.state.shadow and not changed:
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

    async def undo_change(self, found: Diagnosis) -> None:
        """A deploy is rolled back; a flag is ours to switch; any other change is a task for the person who made it, and the metrics judge it."""
        verbs, change = self._verbs, found.change
        if change is None or change.kind == "deploy":
            await self._roll_back(found.reasons[:3])
        elif change.kind == "flag" and (flag := str(change.details.get("flag", ""))):
            await verbs.impose(SWITCHED_OFF, switch_off(flag, f"suspected: {change.in_words()}", verbs.policy), facts=found.reasons[:3])
        else:
            what = f"Undo {change.in_words()}"
            task = verbs.task(what, Role.OPS_LEAD)
            if not verbs.state.shadow:  # there people do what they find right; the metrics say when it has helped
                example = '"reverted in config repository, commit 3f2a"'
                await verbs.ask(f"{what}: done?", roles=(Role.OPS_LEAD, Role.INCIDENT_COMMANDER), example=example, about=task)

    async def roll_back_anyway(self, found: Diagnosis) -> None:
        """The cause is still unknown after a quarter of an hour: the top-ranked change is rolled back, when it may be (spec §9.1.6)."""
        verbs = self._verbs
        until = verbs.state.declared_at + verbs.policy.paced(self._numbers.unknown_after)
        await verbs.until(until, f"the cause is unknown: the top-ranked change is rolled back at {until:%H:%M:%S} UTC")
        top = next((s for s in found.suspects if s.change.kind == "deploy" and self._service.name in s.change.services), None)
        if top is None:
            verbs.hand_over("the cause is unknown, and no deploy of this service is among the suspects")
        await self._roll_back((f"the cause is unknown; nearest change: {top.change.in_words()}", *found.reasons[:2]))

    async def _roll_back(self, because: tuple[str, ...]) -> None:
        gate, changes = self.findings.gate, self.findings.changes.changes if self.findings.changes else ()
        irreversible = [c.at for c in changes if c.kind == "migration" and not c.reversible and self._service.name in c.services]
        self._rollback.knows(gate.schema_version if gate else None, irreversible)
        await self._rollback.to_last_green(because)

    def pause(self, found: Diagnosis) -> Change[FeedOf, Feeding]:
        """Stop the feed, and pin its last good version."""
        assert found.feed is not None  # noqa: S101 - narrows the type; an artefact that is suspected is a feed
        return pin(found.which, found.feed.last_good, self._mitigation)

    async def drain(self, found: Diagnosis) -> Change[RegionsOf, Weights] | None:
        """Send a region's traffic to the others, by absolute weights. None, and the reason on the timeline, where that may not be done."""
        verbs, name = self._verbs, self._service.name
        room = await verbs.do(Regions.headroom, HeadroomOf(service=name, region=found.which, numbers=self._mitigation))
        weights = await verbs.do(Regions.read, Regions.look(RegionsOf(service=name)))
        if room.against:
            verbs.note(f"{found.which} is not drained: {room.summary}")
            verbs.task(f"Repair {found.which}, or make room for its traffic elsewhere: {room.summary}", Role.OPS_LEAD)
            return None
        return drain(name, found.which, weights, self._mitigation)

    def limit(self) -> Change[GatewayOf, Gateway]:
        """Let in what can be served, and guard the dependencies."""
        capacity = self.findings.capacity
        served = round(sum(capacity.capacity_rps.values()) * self._numbers.limit_share, 3) if capacity else None
        return limit(self._service.name, served or None, self._mitigation)

    def guard(self) -> Change[GatewayOf, Gateway]:
        return limit(self._service.name, None, self._mitigation)

    async def scale(self) -> Change[AutoscalerOf, Bounds]:
        capacity = await self._verbs.do(Autoscalers.read, Autoscalers.look(AutoscalerOf(service=self._service.name)))
        return capacity.scaled(self._numbers.scale_by, self._mitigation)
