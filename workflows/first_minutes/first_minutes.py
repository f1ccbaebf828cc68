"""The first fifteen minutes, beside the phases: freeze, snapshot, leads, and a report at T+15 (seed §0.3, spec §5).

Mitigation never waits for any of it, save that a rollback waits for the verified freeze (INV-4). The ticks of the checklist are read off the
state and its timeline: nothing is ticked on our own word.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from temporalio import workflow

from activities.action import Risk, Role, Verb, action_of
from activities.chat.war_room import WarRoom
from activities.evidence.evidence import Evidence, Snapshot
from activities.freeze.freezes import FROZEN, Hold
from activities.organisation.catalogue import Catalogue, Deployed
from activities.organisation.organisation import Organisation, ReadAll
from activities.paging.pager import Pager
from activities.status_page.status_page import StatusPage
from activities.tickets.tickets import Tickets
from workflows.errors import HandOver, RetriesExhausted
from workflows.first_minutes.checklist import ITEMS, Item, due_at, tick
from workflows.incident import Phase, QuestionKind, Severity
from workflows.status import ItemState, ItemStatus, StepState

if TYPE_CHECKING:
    from workflows.playbook import Playbook

FROM = Severity.SEV2  # deploys are frozen by automation at SEV-1 and SEV-2; below that people judge (spec §5)


class FirstMinutes:
    """Does what can be done at once, and says what is not done in time."""

    def __init__(self, playbook: "Playbook") -> None:
        self._playbook = playbook
        self._state = playbook.state
        self._catalogue: Catalogue | None = None
        self._frozen: dict[str, tuple[datetime, str]] = {}  # service → since when, and how the freeze was proven
        self._unfrozen: dict[str, str] = {}  # service → why there is no freeze
        self._background: list[asyncio.Task[None]] = []
        self._ending = False
        self._state.ticks = self.ticks

    def start(self) -> None:
        """Begin everything that is due at T0."""
        self._run("change freeze", self._freeze)
        self._run("telemetry snapshot", self._snapshot)
        self._run("checkpoint", self._checkpoint)

    async def stop(self) -> None:
        """Start nothing more; what is under way (a freeze that nobody could prove so far) is given up and comes to rest."""
        self._ending = True
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)

    def _run(self, what: str, work: Callable[[], Awaitable[None]]) -> None:
        async def forgiving() -> None:
            try:
                await work()
            except RetriesExhausted as out:
                self._state.note("not done", f"{what}: {out.why}")
            except HandOver as by_hand:
                self._state.note("by hand", f"{what}: {by_hand}")

        self._background.append(asyncio.create_task(forgiving()))

    async def catalogue(self) -> Catalogue:
        """Which services there are, as recorded by the first who asked."""
        if self._catalogue is None:
            self._catalogue = await self._playbook.invoker.quietly(Organisation.catalogue, ReadAll())
        return self._catalogue

    # -- the freeze -------------------------------------------------------------------------------------------------------------------

    async def _freeze(self) -> None:
        """Hold the freeze of the services in the blast radius, from the severity at which automation may."""
        state = self._state
        await workflow.wait_condition(lambda: self._ending or (bool(state.incident.service) and state.severity <= FROM))
        if self._ending:
            return
        name = state.incident.service
        service = (await self.catalogue()).services.get(name)
        if service is None or not service.repository:
            self._unfrozen[name] = f"no deploy system is configured for {name}: organisation.toml, [services.{name}] repository"
            state.note("not frozen", self._unfrozen[name])
            return
        await self.freeze(service)

    async def freeze(self, service: Deployed) -> bool:
        """Hold the freeze of one service, as a measure of this incident. True when a probe deploy was denied."""
        if service.name in self._frozen:
            return True
        order = Hold(service=service, incident_id=self._state.id, reason=self._state.incident.title or self._state.card.title)
        self._unfrozen.pop(service.name, None)
        try:
            proposed = await self._playbook.impose(FROZEN, order)
        except HandOver as by_hand:
            self._unfrozen[service.name] = str(by_hand)
            raise
        if proposed.effect is None:
            self._unfrozen[service.name] = "declined" if proposed.declined else "left out by a person"
            return False
        self._frozen[service.name] = (workflow.now(), proposed.effect.proven_by)
        return True

    def holds(self, service: Deployed) -> bool:
        """Whether this incident holds the freeze of a service: then what we deploy ourselves needs an exemption (INV-4)."""
        return service.name in self._frozen and bool(service.repository)

    async def frozen(self, service: Deployed) -> bool:
        """Wait for the verified freeze, as long as policy lets a rollback wait; then the commander decides (INV-4)."""
        if self._state.rehearsing:
            return await self.freeze(service)
        policy, known = self._playbook.policy, lambda: service.name in self._frozen or service.name in self._unfrozen
        with suppress(TimeoutError):
            await workflow.wait_condition(
                known, timeout=policy.paced(policy.roll_back.freeze_within), timeout_summary=f"the verified freeze of {service.name}"
            )
        if service.name in self._frozen or not service.repository:
            return True
        why = self._unfrozen.get(service.name, "no probe deploy was denied so far")
        decision = await self._playbook.questions.confirmation(
            f"Roll {service.name} back without a verified change freeze?",
            roles=(Role.INCIDENT_COMMANDER, Role.DEPUTY),
            effect="a deploy may come in between and take the traffic again",
            facts=(why,),
            inverse="decline: no rollback by us",
        )
        return decision.granted

    # -- the snapshot and the report --------------------------------------------------------------------------------------------------

    async def _snapshot(self) -> None:
        """Export the hour before and what came since, at absolute instants (spec §5.4)."""
        state = self._state
        await workflow.wait_condition(lambda: self._ending or bool(state.incident.service))
        if self._ending:
            return
        policy, now = self._playbook.policy, workflow.now()
        start = state.declared_at - policy.paced(policy.stability.window)
        order = Snapshot(incident_id=state.id, service=state.incident.service, start=start, end=now)
        effect = await self._playbook.invoker.quietly(Evidence.snapshot, order)
        state.note(
            "snapshot", f"telemetry kept: {effect.summary}", sha256=str(effect.after["sha256"]), location=str(effect.after["location"])
        )

    async def _checkpoint(self) -> None:
        """At T+15: pass or fail for each item, in the room; each red one to its owner (spec §5.13)."""
        state, policy = self._state, self._playbook.policy
        due = due_at("checkpoint", state.severity, state.declared_at, policy)
        if due is None:
            return
        with suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._ending, timeout=due - workflow.now(), timeout_summary="checkpoint of the first minutes"
            )
        if self._ending:
            return
        missed = [
            (item, one) for item, one in zip(ITEMS, self.ticks(), strict=True) if one.state is ItemState.MISSED and item.key != "checkpoint"
        ]
        done = sum(one.state in (ItemState.DONE, ItemState.LATE) for one in self.ticks())
        red = "; ".join(f"{_plain(item)} ({item.owner.title})" for item, _ in missed)
        state.note("checkpoint", f"first minutes: {done} done" + (f"; not done: {red}" if red else ", nothing is missing"))
        self._playbook.comms.said(f"Checkpoint of the first minutes: {done} done." + (f" Not done: {red}." if red else ""))
        for role in dict.fromkeys(item.owner for item, _ in missed):
            mine = ", ".join(_plain(item) for item, _ in missed if item.owner is role)
            self._playbook.comms.remind((role,), f"not done in the first minutes: {mine}")

    # -- the ticks --------------------------------------------------------------------------------------------------------------------

    def ticks(self) -> list[ItemStatus]:
        """Where every item of the checklist stands now."""
        return [self._tick(item) for item in ITEMS]

    def _tick(self, item: Item) -> ItemStatus:
        state = self._state
        if (why := self._not_applicable(item.key)) is not None:
            return ItemStatus(key=item.key, state=ItemState.NOT_APPLICABLE, evidence=why)
        done_at, evidence = self._done(item.key)
        due = due_at(item.key, state.peak_severity, state.declared_at, state.policy)
        return tick(item.key, due, workflow.now(), done_at, evidence)

    def _not_applicable(self, key: str) -> str | None:
        state = self._state
        if state.shadow and key in SAID_BY and state.assumes(action_of(SAID_BY[key])) and (key == "freeze" or self._done(key)[0] is None):
            return "shadow mode: people do it, we do not see it"
        if key == "freeze" and state.incident.service in self._unfrozen and state.incident.service not in self._frozen:
            return self._unfrozen[state.incident.service]
        if key in ("evidence", "legal_clocks") and not state.exposure:
            return "no hint of exposed data"
        if key in ("status_page", "published", "told") and not state.card.public:
            return "nothing customers can see"
        return None

    def _done(self, key: str) -> tuple[datetime | None, str]:
        """When it was done, and what shows it."""
        state, first = self._state, self._state.timeline.first
        match key:
            case "commander":
                return state.acknowledged_at, state.commander()
            case "scribe":
                return state.declared_at, state.assignments.name(Role.SCRIBE) or "timeline bot, until somebody is assigned"
            case "cadence":
                due = state.next_update_due
                return state.declared_at, f"next update due {due:%H:%M:%S} UTC" if due else "war-room status by the clock"
            case "freeze":
                at, proof = min(self._frozen.values(), default=(None, ""))
                return at, proof
            case "playbook":
                return self._mitigation_began()
            case "leads":
                return self._leads()
            case "blast_radius":
                looked = next((s for s in state.steps if s.verb == "telemetry.blast_radius" and s.state is StepState.DONE), None)
                return (looked.ended_at, looked.result) if looked else (None, "")
            case _:
                entry = first.get(ENTRIES.get(key, key))
                return (entry.at, entry.text[:120]) if entry else (None, "")

    def _leads(self) -> tuple[datetime | None, str]:
        """Both roles are taken: assigned, accepted, or filled by somebody who has answered in it."""
        assignments, taken = self._state.assignments, {}
        for role in (Role.OPS_LEAD, Role.COMMS_LEAD):
            given = [given for question in self._state.approvals.questions for given in question.given if given.role is role]
            since = {
                **{one.at: one.by for one in given},
                **({assignments.taken[role]: assignments.name(role)} if role in assignments.taken else {}),
            }
            if not since:
                return None, ""
            first = min(since)
            taken[role] = (first, f"{role.title}: {since[first]}")
        return max(at for at, _ in taken.values()), ", ".join(who for _, who in taken.values())

    def _mitigation_began(self) -> tuple[datetime | None, str]:
        """The first step that mitigates is proven, or waits for somebody's word."""
        for step in self._state.steps:
            if step.phase is Phase.MITIGATION and step.risk >= Risk.C1 and step.verb != "freezes.hold":
                if step.state in (StepState.DONE, StepState.ADOPTED):
                    return step.ended_at, f"{step.verb} {step.target}"
                if step.state is StepState.ASKING:
                    return step.started_at, f"asked: {step.says}"[:120]
        return self._mitigation_asked()

    def _mitigation_asked(self) -> tuple[datetime | None, str]:
        """A plan of several steps waits for one word: none of them has begun, and that is mitigation all the same."""
        questions = {q.number: q for q in self._state.approvals.questions if q.kind is not QuestionKind.REPAIR}
        for entry in self._state.timeline.entries:
            asked = questions.get(int(str(entry.facts.get("question") or 0)))
            if entry.kind == "asked" and entry.phase == Phase.MITIGATION and asked and Role.COMMS_LEAD not in asked.roles:
                return entry.at, f"asked: {asked.asks}"[:120]
        return None, ""


# Item of the checklist → the kind of timeline entry that shows it was done.
ENTRIES = {
    "declare": "ticket", "telemetry": "snapshot", "war_room": "room", "status_page": "draft", "published": "published",
    "told": "told", "evidence": "evidence hold", "legal_clocks": "clocks", "checkpoint": "checkpoint",
}  # fmt: skip


# Item of the checklist → the verb that does it; without write access it is not ours to do.
SAID_BY: dict[str, Verb[Any, Any]] = {
    "declare": Tickets.open, "commander": Pager.page, "war_room": WarRoom.open, "status_page": StatusPage.publish,
    "published": StatusPage.publish, "told": StatusPage.publish, "freeze": FROZEN.impose,
}  # fmt: skip


def _plain(item: Item) -> str:
    return item.text.replace("**", "").replace("`", "").rstrip(".")
