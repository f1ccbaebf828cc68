"""What may be done about each cause of a production outage: the orders, and the rules of when they may be given (spec §9.1)."""

from collections.abc import Callable

from activities.action import Role
from activities.capacity.autoscaler import AutoscalerOf, Autoscalers, Bounds
from activities.edge.gateway import Gateway, GatewayOf, limit
from activities.edge.regions import HeadroomOf, Regions, RegionsOf, Weights, drain
from activities.feeds.feeds import Feeding, FeedList, FeedOf, pin
from activities.flags.flags import SWITCHED_OFF, switch_off
from activities.kit.setting import Change
from activities.organisation.catalogue import Deployed
from workflows.engine.verbs import Verbs
from workflows.playbooks.production_outage.diagnosis import Diagnosis
from workflows.playbooks.production_outage.findings import TriageFindings
from workflows.procedures.rollback import Rollback


class Remedies:
    def __init__(self, verbs: Verbs, service: Deployed, rollback: Rollback, findings: Callable[[], TriageFindings]) -> None:
        self._verbs = verbs
        self._numbers = verbs.policy.production_outage
        self._mitigation = verbs.policy.mitigation
        self._service = service
        self._rollback = rollback
        self._findings = findings

    async def undo_change(self, found: Diagnosis) -> None:
        """A deploy is rolled back; a flag is ours to switch; any other change is a task for the person who made it."""
        verbs, change = self._verbs, found.change
        if change is None or change.kind == "deploy":
            await self._roll_back(found.reasons[:3])
        elif change.kind == "flag" and (flag := str(change.details.get("flag", ""))):
            await verbs.impose(SWITCHED_OFF, switch_off(flag, f"suspected: {change.in_words()}", verbs.policy), facts=found.reasons[:3])
        else:
            await self._by_hand(f"Undo {change.in_words()}")

    async def roll_back_anyway(self, found: Diagnosis) -> None:
        """The cause is still unknown after a quarter of an hour: the top-ranked change is rolled back, when it may be (spec §9.1.6)."""
        verbs = self._verbs
        until = verbs.state.declared_at + verbs.policy.paced(self._numbers.unknown_after)
        await verbs.until(until, f"the cause is unknown: the top-ranked change is rolled back at {until:%H:%M:%S} UTC")
        top = next((s for s in found.suspects if s.change.kind == "deploy" and self._service.name in s.change.services), None)
        if top is None:
            verbs.hand_over("the cause is unknown, and no deploy of this service is among the suspects")
        await self._roll_back((f"the cause is unknown; nearest change: {top.change.in_words()}", *found.reasons[:2]))

    async def return_to_latest(self) -> None:
        """End what the rollback has pinned."""
        await self._rollback.return_to_latest()

    async def _roll_back(self, because: tuple[str, ...]) -> None:
        findings = self._findings()
        changes = findings.changes.changes if findings.changes else ()
        irreversible = [c.at for c in changes if c.kind == "migration" and not c.reversible and self._service.name in c.services]
        self._rollback.knows(findings.gate.schema_version if findings.gate else None, irreversible)
        await self._rollback.to_last_green(because)

    async def _by_hand(self, what: str) -> None:
        """What no system of ours can do: a task, and the word of a person that it is done; the metrics judge it."""
        self._verbs.task(what, Role.OPS_LEAD)
        if self._verbs.state.shadow:  # people do what they find right; the metrics say when it has helped
            return
        await self._verbs.ask(
            f"{what}: done?", roles=(Role.OPS_LEAD, Role.INCIDENT_COMMANDER), example='"reverted in config repository, commit 3f2a"'
        )

    def pause(self, found: Diagnosis) -> Change[FeedOf, Feeding]:
        """Stop the feed, and pin its last good version."""
        feeds = self._findings().feeds or FeedList(feeds=(), at=self._verbs.state.declared_at)
        feed = next(feed for feed in feeds.feeds if feed.name == found.which)
        return pin(feed.name, feed.last_good, self._mitigation)

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
        capacity = self._findings().capacity
        served = sum(capacity.capacity_rps.values()) * self._numbers.limit_share if capacity else None
        return limit(self._service.name, round(served, 3) if served else None, self._mitigation)

    def guard(self) -> Change[GatewayOf, Gateway]:
        """A breaker towards the dependencies, and no limit."""
        return limit(self._service.name, None, self._mitigation)

    async def scale(self) -> Change[AutoscalerOf, Bounds]:
        """More instances, within the autoscaler's bounds."""
        capacity = await self._verbs.do(Autoscalers.read, Autoscalers.look(AutoscalerOf(service=self._service.name)))
        return capacity.scaled(self._numbers.scale_by, self._mitigation)
