"""Who was let in by what, as the inventory and the issuers show it: kept before anything is revoked (A.10 M1, INV-1). No value is in it."""

import gzip
import json
from datetime import timedelta

from activities.action import Call, Effect, Order, Refused, System, action
from activities.credentials.issuers import Issuers
from activities.credentials.orders import Credential, seen_by_hand
from activities.evidence.store import EvidenceStore
from activities.kit.words.shell import command, pipe
from activities.organisation.numbers import EvidenceHold


class CredentialExport(
    Order, target="credentials/{incident_id}", effect="keep as evidence who was let in by {named}, as their issuers show it"
):  # fmt: skip
    undone = "nothing to undo: it only reads; what is kept stays"

    incident_id: str
    credentials: tuple[Credential, ...]
    named: tuple[str, ...]
    held_for: timedelta = EvidenceHold().held_for  # real time

    def by_hand(self) -> tuple[str, ...]:
        return tuple(
            pipe(shown, command("tee", f"{one.id}.json"), command("sha256sum"))
            for one in self.credentials
            for shown in seen_by_hand(one.ref)
        )


class CredentialEvidence(System):
    def __init__(self, issuers: Issuers, store: EvidenceStore) -> None:
        self._issuers, self._store = issuers, store

    @action("evidence.credentials", writes=True)
    async def keep(self, order: CredentialExport, call: Call) -> Effect:
        """Kept once, and read back. An issuer that does not answer is named, and does not keep the others from being kept."""
        shown, unread = {}, []
        for one in order.credentials:
            try:
                seen = await self._issuers.of(one.ref).seen(call, one.ref)
            except Refused:
                unread.append(one.id)
                continue
            uses = {name: at.isoformat() for name, at in seen.uses.items()}
            shown[one.id] = {"credential": one.model_dump(mode="json"), "alive": seen.alive, "uses": uses}
        raw = gzip.compress(json.dumps(shown, sort_keys=True).encode(), mtime=0)
        kept = await self._store.keep(call, "credentials", raw, held_until=call.at + order.held_for)
        return order.done(
            "the store shows what was written, with the same hash", kept.summary, adopted=kept.adopted,
            after={"unread": unread, **kept.model_dump(mode="json", exclude={"adopted"})},
        )  # fmt: skip
