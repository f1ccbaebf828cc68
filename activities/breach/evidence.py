"""Who has read what, who could, and what was left behind: kept before anything is cut off or revoked (A.4 M2, INV-1). No value of a record."""

import gzip
import json
from collections.abc import Awaitable
from datetime import datetime, timedelta

from activities.action import Call, Effect, Order, Refused, System, action
from activities.breach.footholds import HuntOf
from activities.breach.planes import AccessRecords, FootholdPlane
from activities.breach.records import ReadersOf
from activities.evidence.store import EvidenceStore
from activities.kit.rest import Json
from activities.kit.words.shell import command, pipe
from activities.organisation.numbers import EvidenceHold


class BreachExport(
    Order, target="breach/{incident_id}", effect="keep as evidence who has read which data since {since:%Y-%m-%d %H:%M} UTC"
):
    undone = "nothing to undo: it only reads; what is kept stays"

    incident_id: str
    since: datetime
    held_for: timedelta = EvidenceHold().held_for  # real time

    def by_hand(self) -> tuple[str, ...]:
        looked = ("readers", ReadersOf(since=self.since)), ("footholds", HuntOf(since=self.since))
        return tuple(pipe(one.command(), command("tee", f"{name}.json"), command("sha256sum")) for name, one in looked)


class BreachEvidence(System):
    def __init__(self, records: AccessRecords, footholds: FootholdPlane, store: EvidenceStore) -> None:
        self._records, self._footholds, self._store = records, footholds, store

    @action("evidence.breach", writes=True)
    async def keep(self, order: BreachExport, call: Call) -> Effect:
        """Kept once, and read back. What does not answer is named, and does not keep the rest from being kept."""
        asked, unread = {"since": order.since.isoformat()}, list[str]()

        async def known(name: str, answer: Awaitable[list[Json]]) -> list[Json]:
            try:
                return await answer
            except Refused:
                unread.append(name)
                return []

        said = {
            "reads": await known("access records", self._records.answers(call, "/v1/records", "reads", **asked)),
            "identities": await known("identities", self._records.answers(call, "/v1/identities", "identities", **asked)),
            "footholds": await known("footholds", self._footholds.all(call, "/v1/footholds", "footholds", **asked)),
        }
        raw = gzip.compress(json.dumps({**said, "unread": unread}, sort_keys=True).encode(), mtime=0)
        kept = await self._store.keep(call, "breach", raw, held_until=call.at + order.held_for)
        return order.done(
            "the store shows what was written, with the same hash", kept.summary, adopted=kept.adopted,
            after={"unread": unread, **kept.model_dump(mode="json", exclude={"adopted"})},
        )  # fmt: skip
