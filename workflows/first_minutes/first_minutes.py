"""The first fifteen minutes, beside the phases: freeze, snapshot, leads, and a report at T+15 (seed §0.3, spec §5).

Mitigation never waits for any of it, except that a rollback waits for the verified freeze (INV-4).
"""

import asyncio
from collections.abc import Awaitable

from temporalio import workflow

from activities.evidence.evidence import Evidence, Snapshot
from activities.metrics.telemetry import Surface, Telemetry
from workflows.clocks.reporting import IncidentClocks
from workflows.engine.verbs import Verbs
from workflows.errors import HandOver, RetriesExhausted
from workflows.first_minutes.checklist import ITEMS, due_at
from workflows.first_minutes.freezes import ServiceFreezes
from workflows.first_minutes.progress import ticks
from workflows.incident import Severity
from workflows.people.background import begun, stopped
from workflows.status import ItemState
from workflows.waiting import waited

FROM = Severity.SEV2  # deploys are frozen by automation at SEV-1 and SEV-2; below that people judge (spec §5)


class FirstMinutes:
    def __init__(self, verbs: Verbs) -> None:
        self._verbs = verbs
        self._state = verbs.state
        self.freezes, self.clocks = ServiceFreezes(verbs), IncidentClocks(verbs)
        self._tasks: list[asyncio.Task[None]] = []
        self._ending = False
        self._state.checklist = lambda: ticks(verbs.state, self.freezes)

    def start(self) -> None:
        """Begin everything that is due at T0."""
        for what, work in (
            ("change freeze", self._freeze()),
            ("telemetry snapshot", self._snapshot()),
            ("checkpoint", self._checkpoint()),
            ("legal clocks", self.clocks.run()),
        ):
            self._tasks.append(begun(self._attempt(what, work)))

    async def stop(self) -> None:
        """Start nothing more; what is under way (a freeze that nobody could prove so far) is given up and comes to rest."""
        self._ending = True
        await stopped(*self._tasks)
        await self.clocks.over()

    async def _attempt(self, what: str, work: Awaitable[None]) -> None:
        try:
            await work
        except RetriesExhausted as out:
            self._state.note("not done", f"{what}: {out.why}")
        except HandOver as by_hand:
            self._state.note("by hand", f"{what}: {by_hand}")

    async def _freeze(self) -> None:
        """Hold the freeze of the services in the blast radius, from the severity at which automation may."""
        state = self._state
        await workflow.wait_condition(lambda: self._ending or (bool(state.incident.service) and state.severity <= FROM))
        if self._ending:
            return
        name = state.incident.service
        service = (await self._verbs.catalogue()).services.get(name)
        if service is None or not service.repository:
            why = f"no deploy system is configured for {name}: organisation.toml, [services.{name}] repository"
            self.freezes.without[name] = why
            state.note("not frozen", why)
            return
        await self.freezes.freeze(service)

    async def _snapshot(self) -> None:
        """Export the hour before and what came since, at absolute instants, and keep links to the same (spec §5.4, §1 G26)."""
        state, policy = self._state, self._verbs.policy
        await workflow.wait_condition(lambda: self._ending or bool(state.incident.service))
        if self._ending:
            return
        service = state.incident.service
        start = state.declared_at - policy.paced(policy.stability.window)
        effect = await self._verbs.quietly(
            Evidence.snapshot,
            Snapshot(incident_id=state.id, service=service, start=start, end=workflow.now(), held_for=policy.evidence_hold.held_for),
        )
        state.note(
            "snapshot", f"telemetry kept: {effect.summary}", sha256=str(effect.after["sha256"]), location=str(effect.after["location"])
        )
        links = await self._verbs.quietly(Telemetry.links, Surface(service=service, window=policy.stability.window))
        state.note("telemetry links", " · ".join(f"{title}: {url}" for title, url in links.links))

    async def _checkpoint(self) -> None:
        """At T+15: pass or fail for each item, in the room; each one that is not done to its owner (spec §5.13)."""
        state = self._state
        due = due_at("checkpoint", state.severity, state.declared_at, state.first_pace)
        if due is None:
            return
        if await waited(lambda: self._ending, due - workflow.now(), "checkpoint of the first minutes") or self._ending:
            return
        items = list(zip(ITEMS, ticks(state, self.freezes), strict=True))
        done = sum(status.state in (ItemState.DONE, ItemState.LATE) for _, status in items)
        missed = [
            (item.owner, item.text.replace("**", "").replace("`", "").rstrip("."))
            for item, status in items
            if status.state is ItemState.MISSED and item.key != "checkpoint"
        ]
        listed = "; ".join(f"{text} ({owner.title})" for owner, text in missed)
        state.note("checkpoint", f"first minutes: {done} done" + (f"; not done: {listed}" if listed else ", nothing is missing"))
        self._verbs.say(f"Checkpoint of the first minutes: {done} done." + (f" Not done: {listed}." if listed else ""))
        for role in dict.fromkeys(owner for owner, _ in missed):
            owed = ", ".join(text for owner, text in missed if owner is role)
            self._verbs.page((role,), f"not done in the first minutes: {owed}")
