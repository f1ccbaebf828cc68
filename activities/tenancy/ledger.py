"""The leak ledger: who has seen what of whom (A.5 T2). The rows go to the evidence store; pairs and counts come out, and never what was seen."""

import gzip
import json
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any, Literal

from activities.action import Call, Effect, Refused, System, Value, action
from activities.evidence.store import EvidenceStore
from activities.kit.rest import Json
from activities.kit.words.shell import command, pipe
from activities.mail.letter import keep_list
from activities.organisation.numbers import EvidenceHold
from activities.tenancy.plane import CrossingsOf, TenancyLook, TenancyPlane
from activities.values import listed

MOST_PAIRS = 40  # that come out; more would only fill the history, and are in the evidence


class LeakPair(Value):
    """What one tenant has seen of another."""

    owner: str
    viewer: str
    count: int
    objects: int
    fields: tuple[str, ...]
    first: datetime
    last: datetime


class LeakLedger(Value):
    """`complete`: the access log has every read. Where it has not, everybody counts. `sha256`: of the rows, in the evidence."""

    complete: bool
    rows: int
    pairs: tuple[LeakPair, ...]
    more: int = 0  # pairs that are not among them
    owners: tuple[str, ...]
    viewers: tuple[str, ...]
    endpoints: tuple[str, ...]
    first: datetime | None = None
    sha256: str = ""

    @property
    def summary(self) -> str:
        if not self.rows:
            return "no read of the access log has crossed" + ("" if self.complete else ", and the log has gaps")
        sure = "complete" if self.complete else "the log has gaps: everybody whom it could concern is assumed"
        return f"{self.rows} reads crossed: data of {len(self.owners)} tenants, seen by {len(self.viewers)}; {sure}"


class TraceLeaks(
    CrossingsOf, effect="write the leak ledger of {service} since {since:%H:%M:%S} UTC: owner, viewer, object, class of field, count, time"
):
    """From the access log into the evidence store."""

    undone = "nothing to undo: it only reads; what is kept stays"

    incident_id: str
    held_for: timedelta = EvidenceHold().held_for  # real time

    def by_hand(self) -> tuple[str, ...]:
        return (pipe(self.command(), command("tee", "leak-ledger.json"), command("sha256sum")),)


class TraceTenants(
    TenancyLook, effect="keep as evidence whom to write to for {tenants} tenants of {service} ({side})", path="services/{service}/addresses"
):  # fmt: skip
    """Addresses of the tenants of one side of the ledger: `owners`, whose data it was, or `viewers`, who were given it."""

    undone = "nothing to undo: nobody is written to"

    side: Literal["owners", "viewers"]
    names: tuple[str, ...]
    incident_id: str
    held_for: timedelta = EvidenceHold().held_for  # real time

    @property
    def tenants(self) -> int:
        return len(self.names)

    def effect(self) -> str:
        return f"keep as evidence whom to write to of {len(self.names)} tenants ({self.side})"

    def by_hand(self) -> tuple[str, ...]:
        return (pipe(self.command(), command("tee", "addresses.json"), command("sha256sum")),)


class IsolationExport(
    CrossingsOf, effect="keep as evidence what {service} says of reads that crossed: ids of requests and answers, homes, its map"
):
    """Before anything of it is changed (A.5 M2, INV-1)."""

    undone = "nothing to undo: it only reads; what is kept stays"

    incident_id: str
    held_for: timedelta = EvidenceHold().held_for  # real time

    def by_hand(self) -> tuple[str, ...]:
        return (pipe(self.command(), command("tee", "isolation.json"), command("sha256sum")),)


class LeakEvidence(System):
    def __init__(self, plane: TenancyPlane, store: EvidenceStore) -> None:
        self._plane, self._store = plane, store

    @action("evidence.isolation", writes=True)
    async def keep(self, order: IsolationExport, call: Call) -> Effect:
        """The access log of reads that crossed, the endpoints, and whose home is where; kept once, and read back."""
        of = f"/v1/services/{order.service}"
        said = {
            "crossings": await self._plane.look(call, order), "map": await self._known(call, f"{of}/map"),
            "facts": await self._known(call, f"{of}/facts"),
        }  # fmt: skip
        raw = gzip.compress(json.dumps(said, sort_keys=True).encode(), mtime=0)
        kept = await self._store.keep(call, f"isolation/{order.service}", raw, held_until=call.at + order.held_for)
        return order.done(
            "the store shows what was written, with the same hash", kept.summary, adopted=kept.adopted,
            after={"reads": len(said["crossings"]["crossings"]), **kept.model_dump(mode="json", exclude={"adopted"})},
        )  # fmt: skip

    async def _known(self, call: Call, path: str) -> Json:
        """What the platform refuses to tell is missing in the evidence, and said there; the log is kept all the same."""
        try:
            return await self._plane.get(call, path)
        except Refused as no:
            return {"unknown": no.message}

    @action("evidence.leak_ledger", writes=True)
    async def ledger(self, order: TraceLeaks, call: Call) -> LeakLedger:
        """Pair by pair. Where the log has gaps, nobody can say who saw what: everybody who reads there is assumed."""
        said = await self._plane.look(call, order)
        rows: list[Json] = said["crossings"]
        raw = gzip.compress(json.dumps(said, sort_keys=True).encode(), mtime=0)
        kept = await self._store.keep(call, f"leak-ledger/{order.service}", raw, held_until=call.at + order.held_for)
        everybody = tuple(said["readers"]) if not said["complete"] and rows else ()
        pairs = _pairs(rows)
        return LeakLedger(
            complete=said["complete"], rows=len(rows), pairs=pairs[:MOST_PAIRS], more=len(pairs[MOST_PAIRS:]), sha256=kept.sha256,
            owners=everybody or _names(rows, "owner"), viewers=everybody or _names(rows, "viewer"), endpoints=_names(rows, "endpoint"),
            first=min((datetime.fromisoformat(one["at"]) for one in rows), default=None),
        )  # fmt: skip

    @action("evidence.leak_recipients", writes=True)
    async def recipients(self, order: TraceTenants, call: Call) -> Effect:
        """Raises `Refused` where an address is missing: whoever is not on the list would not be told."""
        known = {one["tenant"]: one["address"] for one in (await self._plane.look(call, order))["addresses"]}
        if missing := tuple(name for name in order.names if not known.get(name)):
            raise Refused(f"nobody knows whom to write to at {listed(missing[:3])}: look the address up, or tell them by hand")
        kept = await keep_list(self._store, call, f"recipients/{order.side}", [known[one] for one in order.names], call.at + order.held_for)
        return order.done(
            "the store shows the list, with its hash", f"{len(order.names)} {order.side}; {kept.summary}", adopted=kept.adopted,
            after={"count": len({known[one].strip().casefold() for one in order.names}), "sha256": kept.sha256},
        )  # fmt: skip


def _names(rows: list[Json], of: str) -> tuple[str, ...]:
    return tuple(sorted({one[of] for one in rows}))


def _pairs(rows: list[Json]) -> tuple[LeakPair, ...]:
    """By how often, the most first."""
    by: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by[row["owner"], row["viewer"]].append(row)
    pairs = [
        LeakPair(
            owner=owner, viewer=viewer, count=len(those), objects=len({one["object"] for one in those}),
            fields=tuple(sorted({one["field_class"] for one in those})),
            first=min(datetime.fromisoformat(one["at"]) for one in those), last=max(datetime.fromisoformat(one["at"]) for one in those),
        )
        for (owner, viewer), those in by.items()
    ]  # fmt: skip
    return tuple(sorted(pairs, key=lambda one: (-one.count, one.owner, one.viewer)))
