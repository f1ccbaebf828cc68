"""A session as evidence: its content goes from the runtime into the store of evidence in one activity, and only where it lies is answered."""

from datetime import timedelta

from activities.action import Call, Effect, Order, System, action
from activities.agents.agent_runtime import BASE, TOKEN, AgentRuntime
from activities.evidence.store import EvidenceStore
from activities.kit.words.shell import address, command, curl, pipe
from activities.kit.words.urls import path
from activities.organisation.numbers import EvidenceHold


class ExportSession(Order, target="session/{session}", effect="export session {session} into the evidence, with a hash"):
    """Keep a session as it is, before anything is done to it (INV-1)."""

    undone = "nothing to undo: an export changes nothing at its source"

    incident_id: str
    session: str
    held_for: timedelta = EvidenceHold().held_for  # real time

    def by_hand(self) -> tuple[str, ...]:
        said = curl("GET", address(BASE, path("v1", "sessions", self.session, "export")), ("Authorization: Bearer ", TOKEN))
        return (pipe(said, command("tee", "session.json"), command("sha256sum")),)


class SessionExports(System):
    """Exports of sessions. The same content is kept once, whoever exports it how often."""

    def __init__(self, runtime: AgentRuntime, store: EvidenceStore) -> None:
        self._runtime, self._store = runtime, store

    @action("evidence.export_session", writes=True)
    async def export(self, order: ExportSession, call: Call) -> Effect:
        """Export, keep once, read back."""
        raw = await self._runtime.export(call, order.session)
        kept = await self._store.keep(call, f"session/{order.session}", raw, held_until=call.at + order.held_for)
        return order.done(
            "the store shows what was written, with the same hash", kept.summary, adopted=kept.adopted,
            after=kept.model_dump(mode="json", exclude={"adopted"}),
        )  # fmt: skip
