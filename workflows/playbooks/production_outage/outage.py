"""Looking for the cause of a production outage, ruling causes out, and what may be done about each (spec §9.1). What is done is in the playbook.

The likeliest cause is acted on first; when that does not end the symptom it is ruled out, the findings are read again, and the next one is
tried. The latest change is a suspect like any other: an innocent one is cleared when undoing it does not help.
"""

from collections.abc import Coroutine
from typing import Any

from activities.action import Role
from activities.capacity.autoscaler import AutoscalerOf, Autoscalers, Bounds
from activities.deploys.deploys import Deploys
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
from workflows.engine.changes import ChangeResult
from workflows.engine.measures import Imposed
from workflows.engine.verbs import Verbs
from workflows.playbooks.production_outage.diagnosis import Cause, Diagnosis, diagnose
from workflows.playbooks.production_outage.findings import TriageFindings
from workflows.playbooks.production_outage.suspects import Remedy, Suspects, remedy_of
from workflows.playbooks.production_outage.writes import WriteGuard
from workflows.procedures.rollback import Rollback
from workflows.severity.facts import Facts, Scope, Slo
from workflows.severity.readings import samples

MOST = 0.9  # of the probes from outside: one lost probe in ten is chance


class Outage:
    """One service that fails, what we know of it, and what has been tried."""

    def __init__(self, verbs: Verbs, service: Deployed, rollback: Rollback) -> None:
        self._verbs, self._service, self._rollback = verbs, service, rollback
        self._numbers, self._mitigation = verbs.policy.production_outage, verbs.policy.mitigation
        self.findings = TriageFindings(service=service.name, at=verbs.clock(), pace=verbs.policy.pace)
        self.writes = WriteGuard(verbs, service)
        self._suspects = Suspects()
        self._measures: dict[tuple[Cause, str], list[Imposed]] = {}  # what was imposed against a cause that has a verdict
        self._acted: tuple[Diagnosis, ServiceHealth] | None = None
        self._acted_from = verbs.clock()
        self._remedy = Remedy()  # of the cause that was acted on last
        self._rounds = 0

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
        self.findings = TriageFindings(service=name, at=verbs.clock(), pace=verbs.policy.pace, mitigation=mitigation, **found)
        self.writes.gate = self.findings.gate

    async def begin_round(self) -> None:
        """In a later round of mitigation than the first everything is looked at again.

        What was found out about a cause stays so, unless what was imposed against it has been lifted since.
        """
        self._rounds += 1
        if self._rounds > 1:
            self._acted = None
            for cause, measures in self._measures.items():
                if not all(map(self._verbs.still_in_force, measures)):
                    self._suspects.reopen(cause)
            await self.survey()

    def facts(self) -> Facts:
        """What triage has found, as the severity function reads it. What nobody counted has no requests behind it: it makes no SEV-1."""
        errors, radius = self.findings.errors_by_region(), self.findings.radius
        counted = samples(radius) if radius else {}
        lasted = (self._verbs.clock() - (self.findings.began() or self._verbs.declared_at)).total_seconds() * self._verbs.policy.pace
        return Facts(
            err_ratio=errors, sample_count={region: counted.get(region, 0) for region in errors},
            regions_total=len(errors) or None, duration_s=max(lasted, 0.0), scope=Scope.CORE,
            tenant_ratio=radius.tenant_ratio if radius else None, tenant_count=len(radius.tenants) if radius else None,
            slo=Slo.LIKELY if self.findings.hit_regions() else Slo.UNKNOWN,
        )  # fmt: skip

    async def next_cause(self) -> Diagnosis | None:
        """Judge what was done last; then the likeliest cause that has no verdict yet. None: the symptom has ended, or got much better."""
        verbs = self._verbs
        if self._acted is not None:
            done, before = self._acted
            if await self._helped(before):
                return None
            verbs.note(self._suspects.judge(done, self._remedy))
            self._measures[done.cause, done.which] = verbs.imposed_since(self._acted_from)
            await self.survey()
        if await self._nobody_affected():
            return None
        found = diagnose(self.findings).without(self._suspects)
        verbs.suspect(self._suspects.shown(found))
        if (found.cause, found.which) in self._suspects:
            kept = self._suspects.kept()
            verbs.hand_over(
                "nothing that we could do has helped, and the cause is still unknown" + (f"; still suspected: {kept}" if kept else "")
            )
        verbs.note(found.in_words(), "diagnosis", cause=found.cause.value, which=found.which, confidence=found.confidence)
        for missing in found.missing:
            verbs.note(missing, "unknown")
        self._acted, self._acted_from, self._remedy = (found, await self._impact()), verbs.clock(), Remedy()
        return found

    def tried(self, *results: ChangeResult) -> None:
        """What became of the remedy: a cause is crossed out only when all of it was applied."""
        self._remedy = remedy_of(*results)

    def leave_to_people(self, what: str, role: Role) -> None:
        """The remedy is no system's of ours: a task. It is looked whether it helps; that it does not yet crosses nothing out."""
        self._verbs.task(what, role)
        self._remedy = Remedy(begun=True, why="it is with people, and no better so far", remains=what)

    async def _helped(self, before: ServiceHealth) -> bool:
        """Whether the symptom has ended or got much better. Where nothing was done there is nothing to wait for."""
        verbs = self._verbs
        if verbs.rehearsing:
            return True
        if verbs.shadow and not self._remedy.applied:
            verbs.note("not judged whether that helps: it was only noted, and from here on people repair it (shadow mode)")
            return True
        return self._remedy.begun and await self._improved(before)

    async def _nobody_affected(self) -> bool:
        """Whether nothing says that anybody is affected: no errors, not slow, well inside and outside. Then nothing is changed on suspicion."""
        impact, health, onset = await self._impact(), self.findings.health, self.findings.onset
        verdict = self._verbs.impact.judge(impact)
        # In a later round what was slow at the onset may be over; what is slow now is in the verdict.
        slow = onset is not None and onset.slow and onset.first_bad is not None and self._rounds < 2
        ill = health is None or not health.believed or any(share is None or share < MOST for share in health.outside.values())
        if not verdict.ended or slow or ill or self.findings.hit_regions() or self.writes.unsafe:
            return False
        self._verbs.note(f"nobody seems to be affected: {verdict.why}; nothing is changed")
        return True

    async def _impact(self) -> ServiceHealth:
        return await self._verbs.read(Telemetry.impact, self._verbs.impact.surface())

    async def _improved(self, before: ServiceHealth) -> bool:
        """Whether the symptom has ended or got much better, within the time that policy gives it. Without data there is no claim."""
        verbs, policy = self._verbs, self._verbs.policy
        deadline = verbs.clock() + policy.paced(self._numbers.improvement_within)
        while True:
            await verbs.rest(policy.mitigated_window, "whether that helped")
            now = await self._impact()
            if verbs.impact.judge(now).ended or verbs.impact.better(before, now):
                verbs.note(f"better: {verbs.impact.compared(before, now)}")
                return True
            if verbs.impact.worse(before, now):
                verbs.note(f"clearly worse: {verbs.impact.compared(before, now)}")
                await verbs.take_back(verbs.imposed_since(self._acted_from), "it became clearly worse")
                return False
            if verbs.clock() < deadline:
                continue
            if now.blind:
                verbs.note("nobody can see whether that helped: nothing is ruled out on missing data")
                if self._acted is not None:
                    verbs.note(self._suspects.judge(self._acted[0], self._remedy, blind=True))
                return True  # this does not end the mitigation block: it waits for the metrics, or for a person
            verbs.note(f"no better: {verbs.impact.compared(before, now)}")
            return False

    async def undo_change(self, found: Diagnosis) -> None:
        """A deploy is rolled back; a flag is ours to switch; any other change is a task for the person who made it, and the metrics judge it."""
        verbs, change = self._verbs, found.change
        if change is None or change.kind == "deploy":
            await self._roll_back(found.facts())
        elif change.kind == "flag" and (flag := str(change.details.get("flag", ""))):
            self.tried(
                await verbs.impose(SWITCHED_OFF, switch_off(flag, f"suspected: {change.in_words()}", verbs.policy), facts=found.facts())
            )
        else:
            what = f"Undo {change.in_words()}"
            task = verbs.task(what, Role.OPS_LEAD)
            if not verbs.shadow:  # there people do what they find right; the metrics say when it has helped
                example = '"reverted in config repository, commit 3f2a"'
                await verbs.ask(f"{what}: done?", roles=(Role.OPS_LEAD, Role.INCIDENT_COMMANDER), example=example, about=task)
                self._remedy = Remedy(begun=True, applied=True)

    async def roll_back_anyway(self, found: Diagnosis) -> None:
        """The cause is still unknown after a quarter of an hour: the top-ranked change is rolled back, when it may be (spec §9.1.6).

        A rollback that was answered with no, or has no target, is not asked for again.
        """
        verbs = self._verbs
        if self._rollback.ended is not None:
            self._remedy = Remedy(begun=True, why=f"no rollback: {self._rollback.ended.why}")  # what was shed may still help
            return
        until = verbs.declared_at + verbs.policy.paced(self._numbers.unknown_after)
        await verbs.until(until, f"the cause is unknown: the top-ranked change is rolled back at {until:%H:%M:%S} UTC")
        top = next((s for s in found.suspects if s.change.kind == "deploy" and self._service.name in s.change.services), None)
        if top is None:
            verbs.hand_over("the cause is unknown, and no deploy of this service is among the suspects")
        await self._roll_back((f"the cause is unknown; nearest change: {top.change.in_words()}", *found.reasons[:2]))

    async def _roll_back(self, because: tuple[str, ...]) -> None:
        ended = await self._rollback.to_last_green(because)
        applied = ended.attempt in ("helped", "did not help") and not self._verbs.assumes(Deploys.shift)
        self._remedy = Remedy(applied or ended.attempt == "unproven", applied, ended.why, ended.remains)

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
            what = f"Repair {found.which}, or make room for its traffic elsewhere: {room.summary}"
            verbs.task(what, Role.OPS_LEAD)
            self._remedy = Remedy(why=f"it may not be drained: {room.summary}", remains=what)
            return None
        return drain(name, found.which, weights, self._mitigation)

    async def limit(self) -> Change[GatewayOf, Gateway]:
        """Let in what can be served by now, and guard the dependencies. What turns nobody away today needs no question; the rest does."""
        verbs, name = self._verbs, self._service.name
        capacity = await verbs.do(Autoscalers.read, Autoscalers.look(AutoscalerOf(service=name)))
        served, health = sum(capacity.capacity_rps.values()), await self._impact()
        asked = None if health.blind else health.requests / verbs.policy.mitigated_window.total_seconds()
        if asked is None or asked > served:
            served *= self._numbers.limit_share
        return limit(name, round(served, 3) or None, self._mitigation, asked)

    def guard(self) -> Change[GatewayOf, Gateway]:
        return limit(self._service.name, None, self._mitigation)

    async def scale(self) -> Change[AutoscalerOf, Bounds]:
        capacity = await self._verbs.do(Autoscalers.read, Autoscalers.look(AutoscalerOf(service=self._service.name)))
        return capacity.scaled(self._numbers.scale_by, self._mitigation)
