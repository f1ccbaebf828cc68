"""The change freeze of each service in the blast radius, held by this incident (spec §5, §7.2)."""

from datetime import datetime

from temporalio import workflow

from activities.action import Role
from activities.freeze.freezes import FROZEN
from activities.freeze.orders import Hold
from activities.organisation.catalogue import Deployed
from workflows.engine.verbs import Verbs
from workflows.errors import HandOver
from workflows.incident import QuestionDraft
from workflows.waiting import waited


class ServiceFreezes:
    def __init__(self, verbs: Verbs) -> None:
        self._verbs = verbs
        self.since: dict[str, tuple[datetime, str]] = {}  # service → since when, and how the freeze was proven
        self.without: dict[str, str] = {}  # service → why there is no freeze

    async def freeze(self, service: Deployed) -> bool:
        """Hold the freeze of one service, as a measure of this incident. True when a probe deploy was denied."""
        if service.name in self.since:
            return True
        state = self._verbs.state
        order = Hold(service=service, holder=state.id, reason=state.incident.title or state.card.title)
        self.without.pop(service.name, None)
        try:
            result = await self._verbs.impose(FROZEN, order)
        except HandOver as by_hand:
            self.without[service.name] = str(by_hand)
            raise
        if result.effect is None:
            self.without[service.name] = "declined" if result.declined else "skipped by a person"
            return False
        self.since[service.name] = (workflow.now(), result.effect.proven_by)
        return True

    def holds(self, service: Deployed) -> bool:
        """Whether this incident holds the freeze of a service: then what we deploy ourselves needs an exemption (INV-4)."""
        return service.name in self.since and bool(service.repository)

    async def wait_for(self, service: Deployed) -> bool:
        """Wait for the verified freeze, as long as policy lets a rollback wait; then the commander decides (INV-4)."""
        if self._verbs.state.rehearsing:
            return await self.freeze(service)
        policy = self._verbs.policy
        within, timer = policy.paced(policy.roll_back.freeze_within), f"the verified freeze of {service.name}"
        await waited(lambda: service.name in self.since or service.name in self.without, within, timer)
        if service.name in self.since or not service.repository:
            return True
        decision = await self._verbs.confirm(
            QuestionDraft(
                asks=f"Roll {service.name} back without a verified change freeze?", roles=(Role.INCIDENT_COMMANDER, Role.DEPUTY),
                effect="a deploy may come in between and take the traffic again",
                facts=(self.without.get(service.name, "no probe deploy was denied so far"),), inverse="decline: no rollback by us",
            )
        )  # fmt: skip
        return decision.granted
