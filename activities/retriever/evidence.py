"""What a domain answers from, and whom it has answered wrongly: kept in the evidence store, with only hashes and counts outside (A.11 M1, C1)."""

import gzip
import json
from datetime import timedelta

from activities.action import Call, Effect, Refused, System, action
from activities.evidence.store import EvidenceStore
from activities.kit.words.shell import address as at
from activities.kit.words.shell import command, curl, pipe
from activities.kit.words.urls import path
from activities.mail.letter import keep_list
from activities.organisation.numbers import EvidenceHold
from activities.retriever.plane import BASE, TOKEN, DomainLook, Retriever


class KnowledgeExport(
    DomainLook, effect="keep as evidence what {domain} answers from: texts, headers, embeddings", path="domains/{domain}/export"
):
    """Before anything of it is kept out, fetched or built anew (INV-1)."""

    undone = "nothing to undo: it only reads; what is kept stays"

    incident_id: str
    held_for: timedelta = EvidenceHold().held_for  # real time

    def by_hand(self) -> tuple[str, ...]:
        return (pipe(self.command(), command("tee", "knowledge.json"), command("sha256sum")),)


class TraceRecipients(
    DomainLook, effect="find whom {domain} has answered wrongly, and keep the list as evidence", path="domains/{domain}/recipients"
):  # fmt: skip
    """The addresses stay in the evidence store; an order names them by their hash."""

    undone = "nothing to undo: nobody is written to"

    incident_id: str
    held_for: timedelta = EvidenceHold().held_for  # real time

    def by_hand(self) -> tuple[str, ...]:
        read = curl("GET", at(BASE, path("v1", "domains", self.domain, "recipients")), ("Authorization: Bearer ", TOKEN))
        return (pipe(read, command("tee", "recipients.json"), command("sha256sum")),)


class KnowledgeEvidence(System):
    def __init__(self, retriever: Retriever, store: EvidenceStore) -> None:
        self._retriever, self._store = retriever, store

    @action("evidence.knowledge", writes=True)
    async def keep(self, order: KnowledgeExport, call: Call) -> Effect:
        """Kept once, and read back."""
        said = await self._retriever.look(call, order)
        raw = gzip.compress(json.dumps(said, sort_keys=True).encode(), mtime=0)
        kept = await self._store.keep(call, f"domain/{order.domain}", raw, held_until=call.at + order.held_for)
        told = kept.model_dump(mode="json", exclude={"adopted"})
        return order.done(
            "the store shows what was written, with the same hash", f"{len(said['chunks'])} documents kept; {kept.summary}",
            adopted=kept.adopted, after={"documents": len(said["chunks"]), **told},
        )  # fmt: skip

    @action("evidence.recipients", writes=True)
    async def trace(self, order: TraceRecipients, call: Call) -> Effect:
        """Raises `Refused` when nobody has kept who was answered what."""
        found = (await self._retriever.look(call, order))["addresses"]
        if found is None:
            raise Refused(f"nobody has kept who was answered what about {order.domain}: it cannot be said whom to write to")
        count = len({one.strip().casefold() for one in found})
        if not count:
            return order.done("the retriever names nobody", "nobody was answered wrongly", after={"count": 0})
        kept = await keep_list(self._store, call, f"recipients/{order.domain}", found, call.at + order.held_for)
        return order.done(
            "the store shows the list, with its hash", f"{count} were answered wrongly; {kept.summary}", adopted=kept.adopted,
            after={"count": count, "sha256": kept.sha256, "location": kept.location},
        )  # fmt: skip
