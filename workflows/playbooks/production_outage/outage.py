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
from workflows.engine.verbs import Verbs
from workflows.playbooks.production_outage.attempts import Attempt, Attempts
from workflows.playbooks.production_outage.diagnosis import Cause, Diagnosis, diagnose
from workflows.playbooks.production_outage.findings import TriageFindings
from workflows.playbooks.production_outage.suspects import Remedy, Suspects
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
        self._attempts = Attempts(verbs, self._likeliest)
        self.try_each = self._attempts.each
        self._rounds, self._fresh = 0, True

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
        """In a later round of mitigation than the first everything is looked at again."""
        self._rounds, self._fresh = self._rounds + 1, True
        if self._rounds > 1:
            self._attempts.begin_round()
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

    async def _likeliest(self, suspects: Suspects, acting: set[tuple[Cause, str]]) -> Diagnosis | None:
        """The likeliest cause that has no verdict and is not acted on. None: nobody seems to be affected."""
        if not self._fresh:
            await self.survey()
        self._fresh = False
        return None if await self._nobody_affected() else diagnose(self.findings).without(suspects.judged() | acting)

    def leave_to_people(self, attempt: Attempt, what: str, role: Role) -> None:
        """The remedy is no system's of ours: a task. It is looked whether it helps; that it does not yet crosses nothing out."""
        self._verbs.task(what, role)
        attempt.remedy = Remedy(begun=True, why="it is with people, and no better so far", remains=what)

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

    async def undo_change(self, attempt: Attempt) -> None:
        """A deploy is rolled back; a flag is ours to switch; any other change is a task for the person who made it, and the metrics judge it."""
        verbs, found, change = self._verbs, attempt.found, attempt.found.change
        if change is None or change.kind == "deploy":
            await self._roll_back(attempt, found.facts())
        elif change.kind == "flag" and (flag := str(change.details.get("flag", ""))):
            off = switch_off(flag, f"suspected: {change.in_words()}", verbs.policy)
            attempt.tried(await verbs.impose(SWITCHED_OFF, off, facts=found.facts()))
        else:
            what = f"Undo {change.in_words()}"
            task = verbs.task(what, Role.OPS_LEAD)
            if verbs.shadow:  # people do what they find right; the metrics say when it has helped
                return
            example = '"reverted in config repository, commit 3f2a"'
            said = await verbs.ask(f"{what}: done?", roles=(Role.OPS_LEAD, Role.INCIDENT_COMMANDER), example=example, about=task)
            if said is None or said.moot:
                attempt.remedy = Remedy(why="nobody says that it was undone", remains=what, moot=said is not None)
            else:
                attempt.remedy = Remedy(begun=True, applied=True, why="")

    async def shed(self, attempt: Attempt) -> None:
        """Switch off what is not essential: load goes down, whatever the cause is (A.1 M6)."""
        verbs = self._verbs
        for flag in self._numbers.features:
            attempt.also(await verbs.impose(SWITCHED_OFF, switch_off(flag, "shedding what is not essential", verbs.policy)))

    async def roll_back_anyway(self, attempt: Attempt) -> None:
        """The cause is still unknown after a quarter of an hour: the top-ranked change is rolled back, when it may be (spec §9.1.6).

        A rollback that was answered with no, or has no target, is not asked for again.
        """
        verbs, found = self._verbs, attempt.found
        if self._rollback.ended is not None or self._rollback.under_way:
            why = self._rollback.ended.why if self._rollback.ended else "one is asked for already"
            attempt.remedy = Remedy(begun=True, why=f"no rollback: {why}")  # what was shed may still help
            return
        until = verbs.declared_at + verbs.policy.paced(self._numbers.unknown_after)
        await verbs.until(until, f"the cause is unknown: the top-ranked change is rolled back at {until:%H:%M:%S} UTC")
        top = next((s for s in found.suspects if s.change.kind == "deploy" and self._service.name in s.change.services), None)
        if top is None and attempt.beside:
            attempt.remedy = Remedy(begun=True, why="no deploy of this service is among the suspects")
        elif top is None:
            verbs.hand_over("the cause is unknown, and no deploy of this service is among the suspects")
        else:
            await self._roll_back(attempt, (f"the cause is unknown; nearest change: {top.change.in_words()}", *found.reasons[:2]))

    async def _roll_back(self, attempt: Attempt, because: tuple[str, ...]) -> None:
        ended = await self._rollback.to_last_green(because)
        applied = ended.attempt in ("helped", "did not help") and not self._verbs.assumes(Deploys.shift)
        moot = ended.attempt == "withdrawn"
        attempt.remedy = Remedy(applied or ended.attempt == "unproven", applied, ended.why, ended.remains, moot)

    def pause(self, found: Diagnosis) -> Change[FeedOf, Feeding]:
        """Stop the feed, and pin its last good version."""
        assert found.feed is not None  # noqa: S101 - narrows the type; an artefact that is suspected is a feed
        return pin(found.which, found.feed.last_good, self._mitigation)

    async def drain(self, attempt: Attempt) -> Change[RegionsOf, Weights] | None:
        """Send a region's traffic to the others, by absolute weights. None, and the reason on the timeline, where that may not be done."""
        verbs, name, found = self._verbs, self._service.name, attempt.found
        room = await verbs.do(Regions.headroom, HeadroomOf(service=name, region=found.which, numbers=self._mitigation))
        weights = await verbs.do(Regions.read, Regions.look(RegionsOf(service=name)))
        if room.against:
            verbs.note(f"{found.which} is not drained: {room.summary}")
            what = f"Repair {found.which}, or make room for its traffic elsewhere: {room.summary}"
            verbs.task(what, Role.OPS_LEAD)
            attempt.remedy = Remedy(why=f"it may not be drained: {room.summary}", remains=what)
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
