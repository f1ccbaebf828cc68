"""Looking for the cause of a production outage, and crossing causes out (spec §9.1). What is done about each stands in the playbook.

The likeliest cause is acted on first; when that does not end the symptom it is crossed out, the findings are read again, and the next one is
tried. A change that happened last is a suspect like any other: an innocent one is acquitted by what does not get better.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from temporalio import workflow

from activities.action import A, O, Risk, Role, Verb
from activities.capacity.autoscaler import AutoscalerOf, Autoscalers, Bounds
from activities.edge.edge import Edge
from activities.edge.gateway import Gateway, GatewayOf, limit
from activities.edge.health import DependenciesOf, Vantages
from activities.edge.regions import HeadroomOf, Regions, RegionsOf, Weights, drain
from activities.feeds.feeds import Feeding, FeedList, FeedOf, Feeds, FeedsOf, pin
from activities.flags.flags import SWITCHED_OFF, switch_off
from activities.kit.setting import Change as Changed
from activities.metrics.onset import OnsetOf
from activities.metrics.telemetry import ServiceHealth, Surface, Telemetry
from activities.organisation.catalogue import Deployed
from activities.platform.change_feed import Change, ChangeFeed, ChangesSince
from activities.write_gate.values import WriteGateOf, Writes, WriteSafety
from activities.write_gate.write_gate import READ_ONLY, WriteGates, read_only
from workflows.engine.proof import in_words
from workflows.errors import HandOver, RetriesExhausted
from workflows.playbooks.production_outage.findings import TriageFindings
from workflows.playbooks.production_outage.suspects import Cause, Diagnosis, diagnose
from workflows.procedures.rollback import Rollback, better
from workflows.severity.facts import Facts, Scope, Slo
from workflows.status import StepState

if TYPE_CHECKING:
    from workflows.playbook import Playbook


MOST = 0.9  # of the probes from outside: one lost probe in ten is chance


class Outage:
    """One service that fails, what we know of it, and what has been tried."""

    def __init__(self, playbook: "Playbook", service: Deployed) -> None:
        self._playbook = playbook
        self._numbers = playbook.policy.production_outage
        self._mitigation = playbook.policy.mitigation
        self.service = service
        self.findings = TriageFindings(service=service.name, at=workflow.now(), pace=playbook.policy.pace)
        self.refuted: set[tuple[Cause, str]] = set()
        self._data_suspected = False
        self._writes_decided = False
        self._acted: tuple[Diagnosis, ServiceHealth] | None = None
        self._acted_from = 0  # how many steps there were before

    # -- triage -----------------------------------------------------------------------------------------------------------------------

    async def survey(self) -> None:
        """Everything that can be known in a few minutes, side by side; what cannot be read is unknown, and said to be (A.1 T1 to T4)."""
        name, regions = self.service.name, self.service.regions
        health, dependencies, changes, onset, radius, capacity, gate, feeds = await asyncio.gather(
            self._maybe(Edge.health, Vantages(service=name, regions=regions, numbers=self._mitigation)),
            self._maybe(Edge.dependencies, DependenciesOf(service=name)),
            self._maybe(ChangeFeed.since, ChangesSince(look_back=self._numbers.look_back)),
            self._maybe(Telemetry.onset, OnsetOf(service=name)),
            self._maybe(Telemetry.blast_radius, Surface(service=name)),
            self._maybe(Autoscalers.read, Autoscalers.look(AutoscalerOf(service=name))),
            self._maybe(WriteGates.read, WriteGates.look(WriteGateOf(service=name))),
            self._maybe(Feeds.of_service, FeedsOf(service=name)),
        )
        self.findings = TriageFindings(
            service=name, at=workflow.now(), pace=self._playbook.policy.pace, onset=onset, health=health, radius=radius, changes=changes,
            dependencies=dependencies, capacity=capacity, gate=gate, feeds=feeds, mitigation=self._mitigation,
        )  # fmt: skip

    async def _maybe(self, verb: Verb[O, A], order: O) -> A | None:
        """A reading that triage can do without: a control plane that is down must not keep us from what the others say."""
        try:
            return await self._playbook.changes.look(verb, order)
        except RetriesExhausted:
            return None

    def facts(self) -> Facts:
        """What triage found, in the words of the severity function."""
        errors, radius = self.findings.errors_by_region(), self.findings.radius
        began = self.findings.began()
        lasted = (workflow.now() - (began or self._playbook.state.declared_at)).total_seconds() * self._playbook.policy.pace
        return Facts(
            err_ratio=errors, regions_total=len(errors) or None, duration_s=max(lasted, 0.0), scope=Scope.CORE,
            tenant_ratio=radius.tenant_ratio if radius else None, tenant_count=len(radius.tenants) if radius else None,
            slo=Slo.LIKELY if self.findings.hit_regions() else Slo.UNKNOWN,
        )  # fmt: skip

    @property
    def writes_unsafe(self) -> bool:
        """Whether what is written now may not fit together, and is still written (A.1 T4)."""
        unsafe = self.findings.gate is not None and self.findings.gate.safety is WriteSafety.UNSAFE
        return unsafe and not self._playbook.state.measures.of(READ_ONLY)

    @asynccontextmanager
    async def writes_guarded(self) -> AsyncIterator[None]:
        """While the block lasts: writes are stopped when they are not safe, asked and done beside everything else (A.1 M5, ∥ b)."""
        guard = asyncio.create_task(self._guard_writes())
        try:
            yield
        except (Exception, asyncio.CancelledError):
            await self._stopped(guard)
            raise
        if self._playbook.state.measures.of(READ_ONLY):
            await guard  # what was begun comes to its end
        else:
            await self._stopped(guard)  # a question that is still open is withdrawn
            if not guard.cancelled():
                guard.result()  # what broke the guard is not lost

    @staticmethod
    async def _stopped(task: asyncio.Task[None]) -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def _guard_writes(self) -> None:
        """Unsafe, or unknown for ten minutes, which counts as unsafe (A.1 T4). A no stands: it is asked once."""
        playbook = self._playbook
        unknown_until = playbook.state.declared_at + playbook.policy.paced(self._numbers.unknown_is_unsafe_after)
        try:
            while not (self.writes_unsafe or self._data_suspected):
                if await self._no_word_of_writes(playbook) and workflow.now() >= unknown_until:
                    break
            await playbook.impose(READ_ONLY, self.read_only(), authorised=True)
        except HandOver as by_hand:
            playbook.state.note("by hand", f"read-only: {by_hand}")
        finally:
            self._writes_decided = True

    async def _no_word_of_writes(self, playbook: "Playbook") -> bool:
        """Wait until writes are known to be unsafe, or look again after a while. True: nobody can say whether they are safe."""
        every = None if playbook.state.rehearsing else playbook.policy.paced(self._numbers.writes_looked_at)
        try:
            await workflow.wait_condition(
                lambda: self.writes_unsafe or self._data_suspected, timeout=every, timeout_summary="whether writes are safe"
            )
        except TimeoutError:
            try:
                gate = await playbook.invoker.quietly(WriteGates.read, WriteGates.look(WriteGateOf(service=self.service.name)))
            except RetriesExhausted:
                gate = None
            self.findings = self.findings.model_copy(update={"gate": gate})
        return self.findings.gate is None or self.findings.gate.safety is WriteSafety.UNKNOWN

    async def before_repair(self) -> None:
        """Data is repaired only once it is decided whether writes go on (spec §9.1, Order)."""
        self._data_suspected = True
        await workflow.wait_condition(lambda: self._writes_decided)

    # -- the next cause to act on -----------------------------------------------------------------------------------------------------

    async def next_cause(self) -> Diagnosis | None:
        """Judge what was done last; then the likeliest cause that is not crossed out. None: the symptom has ended, or got much better."""
        if self._acted is not None:
            done, before = self._acted
            if await self._improved(before):
                return None
            self.refuted.add((done.cause, done.which))
            self._playbook.note(f"crossed out: {done.cause.value.lower()} {done.which}".rstrip() + ", acting on it did not help")
            await self.survey()
        elif await self._nothing_to_see():
            return None
        found = self._likeliest(diagnose(self.findings))
        if (found.cause, found.which) in self.refuted:
            self._playbook.hand_over("nothing that we could do has helped, and the cause is still unknown")
        self._playbook.state.note("diagnosis", found.in_words(), cause=found.cause.value, which=found.which, confidence=found.confidence)
        for missing in found.missing:
            self._playbook.state.note("unknown", missing)
        self._acted, self._acted_from = (found, await self._impact()), len(self._playbook.state.steps)
        return found

    async def _nothing_to_see(self) -> bool:
        """Whether nothing says that anybody is hit: no errors, not slow, well inside and outside. Then nothing is changed on suspicion alone."""
        impact, health, onset = await self._impact(), self.findings.health, self.findings.onset
        well = impact.error_ratio is not None and not impact.blind and impact.error_ratio <= self._playbook.policy.mitigated_error_ratio
        slow = onset is not None and onset.slow and onset.first_bad is not None
        ill = health is None or not health.believed or any(share is None or share < MOST for share in health.outside.values())
        if not well or slow or ill or self.findings.hit_regions() or self.writes_unsafe:
            return False
        self._playbook.note(f"nobody seems to be hit: {in_words(impact)}; nothing is changed")
        return True

    def _likeliest(self, found: Diagnosis) -> Diagnosis:
        """The best lead that is not crossed out; when none is left, the cause is unknown."""
        if (found.cause, found.which) not in self.refuted and found.cause is not Cause.UNKNOWN:
            return found
        for lead in found.others:
            if (lead.cause, lead.which) not in self.refuted and lead.score >= 0.4 and found.cause is not Cause.UNKNOWN:
                return found.model_copy(
                    update={
                        "cause": lead.cause, "which": lead.which, "confidence": lead.score, "reasons": lead.reasons,
                        "change": self._change(lead.which), "feed": None,
                    }
                )  # fmt: skip
        return found.model_copy(update={"cause": Cause.UNKNOWN, "which": "", "change": None, "feed": None})

    def _change(self, which: str) -> Change | None:
        changes = self.findings.changes.changes if self.findings.changes else ()
        return next((change for change in changes if change.id == which), None)

    async def _impact(self) -> ServiceHealth:
        surface = Surface(service=self.service.name, window=self._playbook.policy.mitigated_window)
        return await self._playbook.proof.look(Telemetry.impact, surface)

    async def _improved(self, before: ServiceHealth) -> bool:
        """Whether the symptom has ended or got much better, within the time that policy gives it. Without data there is no claim."""
        playbook = self._playbook
        if playbook.state.rehearsing:
            return True
        if playbook.state.shadow and not self._did_something():
            playbook.note("not judged whether that helps: it was only said, and from here on people mend it (shadow mode)")
            return True
        deadline = workflow.now() + playbook.policy.paced(self._numbers.improvement_within)
        while True:
            await playbook.rest(playbook.policy.mitigated_window, "whether that helped")
            now = await self._impact()
            ended = now.error_ratio is not None and not now.blind and now.error_ratio <= playbook.policy.mitigated_error_ratio
            if ended or better(before, now, playbook.policy.roll_back.improvement):
                playbook.note(f"better: {in_words(now)}, before {in_words(before)}")
                return True
            if workflow.now() >= deadline and (now.blind or now.error_ratio is None):
                playbook.note("nobody can see whether that helped: nothing is crossed out on missing data")
                return True  # the block of mitigation ends on no such word: it waits for the metrics, or for a person's
            if workflow.now() >= deadline:
                playbook.note(f"no better: {in_words(now)}, before {in_words(before)}")
                return False

    def _did_something(self) -> bool:
        """Whether anything was really changed about the cause that we acted on last."""
        since = self._playbook.state.steps[self._acted_from :]
        return any(step.risk >= Risk.C1 and step.state in (StepState.DONE, StepState.ADOPTED) for step in since)

    # -- what may be done about it ----------------------------------------------------------------------------------------------------

    @property
    def rollback(self) -> Rollback:
        """Rolling this service back: one for the whole incident, so that what did not help is remembered."""
        moved = self.findings.changes.changes if self.findings.changes else ()
        irreversible = [c.at for c in moved if c.kind == "migration" and not c.reversible and self.service.name in c.services]
        schema = self.findings.gate.schema_version if self.findings.gate else None
        rollback = self._playbook.procedures.rollback_of(self.service)
        rollback.knows(schema, irreversible)
        return rollback

    async def undo_change(self, found: Diagnosis) -> None:
        """A deploy is rolled back; a flag is ours to switch; any other change is undone by whoever made it, and stated as a task."""
        change = found.change
        if change is None or change.kind == "deploy":
            await self.rollback.to_last_green(found.reasons[:3])
            return
        if change.kind == "flag" and (flag := str(change.details.get("flag", ""))):
            await self._playbook.impose(
                SWITCHED_OFF, switch_off(flag, f"suspected: {change.in_words()}", self._playbook.policy), facts=found.reasons[:3]
            )
            return
        await self._by_hand(found, f"Undo {change.in_words()}")

    async def roll_back_anyway(self, found: Diagnosis) -> None:
        """The cause is still unknown after a quarter of an hour: the top-ranked change is rolled back, when it may be (spec §9.1.6)."""
        playbook = self._playbook
        until = playbook.state.declared_at + playbook.policy.paced(self._numbers.unknown_after)
        await playbook.proof.until(until, f"the cause is unknown: the top-ranked change is rolled back at {until:%H:%M:%S} UTC")
        top = next((s for s in found.suspects if s.change.kind == "deploy" and self.service.name in s.change.services), None)
        if top is None:
            playbook.hand_over("the cause is unknown, and no deploy of this service is among the suspects")
        await self.rollback.to_last_green((f"the cause is unknown; nearest change: {top.change.in_words()}", *found.reasons[:2]))

    async def _by_hand(self, found: Diagnosis, what: str) -> None:
        """What no system of ours can do: a task, and the word of a person that it is done; the metrics judge it."""
        self._playbook.task(what, Role.OPS_LEAD)
        if self._playbook.state.shadow:  # people do what they find right; the metrics say when it has helped
            return
        await self._playbook.ask(
            f"{what}: done?", roles=(Role.OPS_LEAD, Role.INCIDENT_COMMANDER), example='"reverted in config repository, commit 3f2a"'
        )

    def pause(self, found: Diagnosis) -> Changed[FeedOf, Feeding]:
        """Stop the feed, and pin its last good version."""
        feeds = self.findings.feeds or FeedList(feeds=(), at=workflow.now())
        feed = next(feed for feed in feeds.feeds if feed.name == found.which)
        return pin(feed.name, feed.last_good, self._mitigation)

    async def drain(self, found: Diagnosis) -> Changed[RegionsOf, Weights] | None:
        """Send a region's traffic to the others, by absolute weights. None, and the reason on the timeline, where that may not be done."""
        service = self.service.name
        room = await self._playbook.do(Regions.headroom, HeadroomOf(service=service, region=found.which, numbers=self._mitigation))
        weights = await self._playbook.do(Regions.read, Regions.look(RegionsOf(service=service)))
        if room.against:
            self._playbook.note(f"{found.which} is not drained: {room.summary}")
            self._playbook.task(f"Mend {found.which}, or make room for its traffic elsewhere: {room.summary}", Role.OPS_LEAD)
            self.refuted.add((found.cause, found.which))
            self._acted = None  # nothing was done about it, so there is nothing to judge
            return None
        return drain(service, found.which, weights, self._mitigation)

    def limit(self) -> Changed[GatewayOf, Gateway]:
        """Let in what can be served, and guard the dependencies."""
        capacity = self.findings.capacity
        served = sum(capacity.capacity_rps.values()) * self._numbers.limit_share if capacity else None
        return limit(self.service.name, round(served, 3) if served else None, self._mitigation)

    def guard(self) -> Changed[GatewayOf, Gateway]:
        """A breaker towards the dependencies, and no limit."""
        return limit(self.service.name, None, self._mitigation)

    async def scale(self) -> Changed[AutoscalerOf, Bounds]:
        """More instances, within the autoscaler's bounds."""
        capacity = await self._playbook.do(Autoscalers.read, Autoscalers.look(AutoscalerOf(service=self.service.name)))
        return capacity.scaled(self._numbers.scale_by, self._mitigation)

    def read_only(self) -> Changed[WriteGateOf, Writes]:
        why = "; ".join(self.findings.gate.why_unsafe() if self.findings.gate else ()) or "nobody can say whether writes are safe"
        return read_only(self.service.name, self.service.regions, why, self._mitigation)
