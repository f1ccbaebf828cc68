"""A session as evidence: its content goes from the runtime into the store of evidence in one activity, and only where it lies is answered."""

import asyncio
import hashlib
from functools import partial
from pathlib import Path

from activities.action import Call, Effect, NotYet, Order, System, action
from activities.agents.agent_runtime import BASE, TOKEN, AgentRuntime
from activities.evidence.evidence import file_name, read_export, write_export
from activities.kit.create_once import once
from activities.kit.words.shell import address, command, curl, pipe
from activities.kit.words.urls import path


class ExportSession(Order, target="session/{session}", effect="export session {session} into the evidence, with a hash"):
    """Keep a session as it is, before anything is done to it (INV-1)."""

    undone = "nothing to undo: an export changes nothing at its source"

    incident_id: str
    session: str

    def by_hand(self) -> tuple[str, ...]:
        said = curl("GET", address(BASE, path("v1", "sessions", self.session, "export")), ("Authorization: Bearer ", TOKEN))
        return (pipe(said, command("tee", "session.json"), command("sha256sum")),)


class SessionExports(System):
    """Exports of sessions. The same content is the same file, whoever exports it how often."""

    def __init__(self, runtime: AgentRuntime, root: Path) -> None:
        self._runtime, self._root = runtime, root

    @action("agents.export_session", writes=True)
    async def export(self, order: ExportSession, call: Call) -> Effect:
        """Export, write once, read back, compare the hash."""
        raw = await self._runtime.export(call, order.session)
        digest = hashlib.sha256(raw).hexdigest()
        kept = self._root / file_name(order.incident_id) / f"session-{file_name(order.session)}-{digest[:16]}.json.gz"
        there = await once(
            call, str(kept), partial(asyncio.to_thread, read_export, kept), partial(asyncio.to_thread, write_export, kept, raw)
        )
        if there.found != raw:
            raise NotYet(f"{kept} does not hold what was written")
        return order.done(
            "the file was read back and its hash is the same", f"session {order.session} kept, sha256 {digest[:16]}…", adopted=there.adopted,
            after={"location": str(kept), "sha256": digest, "bytes": len(raw)},
        )  # fmt: skip
