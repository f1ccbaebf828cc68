"""The hunt (spec §9.3 Triage; A.3 T2): the same payload, or one that says the same, in every store that there is.

The order names a piece of evidence by its hash. What it holds goes from the evidence store to the search inside one activity, and nowhere
else. A store that cannot be read, or not in whole, excludes nothing: *not excluded* is a value, and never a no.
"""

import asyncio
import math
from collections.abc import Sequence
from enum import StrEnum

from activities.action import Call, Order, Refused, System, Value, action
from activities.evidence.store import EvidenceStore
from activities.kit.words.redact import redact
from activities.kit.words.shell import Command, address, command, comment, pipe
from activities.kit.words.urls import path
from activities.organisation.numbers import HuntNumbers
from activities.search.index import BASE, TOKEN, SearchIndex, SearchLook

PAYLOAD = "payload.txt"
AS_JSON = "import json,sys; print(json.dumps({'content': open(sys.argv[1]).read(), 'likeness': float(sys.argv[2]), 'window': float(sys.argv[3])}))"


class StoresOf(SearchLook, target="search", effect="read which stores of documents there are", path="stores"):
    """Which stores there are."""


class Store(Value):
    name: str
    readable: bool
    documents: int


class Stores(Value):
    stores: tuple[Store, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.stores)


class Hunt(
    Order,
    target="search/{evidence:.16}",
    effect="look in every store for what the evidence {evidence:.16}… holds, and for what is like it",
):
    """`evidence`: the sha256 of what is looked for, in the evidence store. `stores`: only these; all, where none is named."""

    incident_id: str
    evidence: str
    stores: tuple[str, ...] = ()
    numbers: HuntNumbers = HuntNumbers()

    def by_hand(self) -> tuple[str, ...]:
        fetched = command("incident", "evidence", self.incident_id, "--fetch", self.evidence, "--output", PAYLOAD)
        named = [self._searched(store) for store in self.stores]
        return (fetched, *(named or (*StoresOf().by_hand(), comment("then for each store, by its name:"), self._searched("STORE"))))

    def _searched(self, store: str) -> Command:
        window = f"{self.numbers.window.total_seconds():g}"
        asked = command("python3", "-c", AS_JSON, PAYLOAD, f"{self.numbers.likeness:g}", window)
        url = address(BASE, path("v1", "stores", store, "hunts"))
        headers = ("-H", ("Authorization: Bearer ", TOKEN), "-H", "Content-Type: application/json")
        return pipe(asked, command("curl", "-sS", "-X", "POST", url, *headers, "-d", "@-"))


class Found(Value):
    """A document that carries it. `by`: `hash`, or `likeness`; `tenant`: whose it is, empty for the platform's own."""

    store: str
    id: str
    sha256: str
    by: str
    likeness: float
    tenant: str = ""
    session: str = ""


class Verdict(StrEnum):
    FOUND = "found"
    NOT_EXCLUDED = "not excluded"
    EXCLUDED = "excluded"


class Searched(Value):
    """What one store answers: by which methods, in what share of its documents, how many hits. `unreadable`: why it does not answer."""

    store: str
    methods: tuple[str, ...] = ()
    coverage: float = 0.0
    hits: int = 0
    unreadable: str = ""

    @property
    def verdict(self) -> Verdict:
        """Excluded only where the whole store was looked through, by hash and by likeness."""
        if self.hits:
            return Verdict.FOUND
        whole = not self.unreadable and self.coverage >= 1.0 and {"hash", "likeness"} <= set(self.methods)
        return Verdict.EXCLUDED if whole else Verdict.NOT_EXCLUDED

    @property
    def summary(self) -> str:
        if self.unreadable:
            return f"{self.store}: not excluded, it cannot be read ({self.unreadable})"
        how = f"{math.floor(self.coverage * 1000) / 10:g} % looked at, by {' and '.join(self.methods) or 'no method'}"
        return f"{self.store}: {f'{self.hits} found' if self.hits else self.verdict}, {how}"


class HuntResult(Value):
    """Where it lies, as far as anybody can tell. `more`: hits that are not listed here."""

    evidence: str
    searched: tuple[Searched, ...]
    found: tuple[Found, ...] = ()
    more: int = 0

    @property
    def verdict(self) -> Verdict:
        verdicts = {one.verdict for one in self.searched} or {Verdict.NOT_EXCLUDED}
        return next((one for one in (Verdict.FOUND, Verdict.NOT_EXCLUDED) if one in verdicts), Verdict.EXCLUDED)

    @property
    def not_excluded(self) -> tuple[str, ...]:
        """The stores of which nobody can say that it is not there as well: also those in which something was found, in part."""
        return tuple(one.store for one in self.searched if one.verdict is Verdict.NOT_EXCLUDED or one.coverage < 1.0)

    @property
    def tenants(self) -> tuple[str, ...]:
        return tuple(sorted({one.tenant for one in self.found if one.tenant}))

    @property
    def summary(self) -> str:
        return "; ".join(one.summary for one in self.searched) or "there is no store to search"


class Search(System):
    """The search over stores, and the evidence store that says what is looked for."""

    def __init__(self, index: SearchIndex, store: EvidenceStore) -> None:
        self._index, self._store = index, store

    @action("search.stores")
    async def stores(self, order: StoresOf, call: Call) -> Stores:
        """Every store there is, whether it can be searched or not."""
        rows = (await self._index.look(call, order))["stores"]
        return Stores(stores=tuple(Store(**{name: row[name] for name in Store.model_fields}) for row in rows))

    @action("search.hunt")
    async def hunt(self, order: Hunt, call: Call) -> HuntResult:
        """Look in every store, side by side. Raises `Refused` when the evidence is not there; a store that does not answer is not excluded."""
        try:
            content = (await self._store.read(call, order.evidence)).decode()
        except UnicodeDecodeError:
            raise Refused(f"the evidence {order.evidence[:16]}… is no text, so that nothing can be like it") from None
        names = order.stores or (await self.stores(StoresOf(), call)).names
        answers = await asyncio.gather(*(self._in(call, order, name, content) for name in names))
        found = [one for _, hits in answers for one in hits]
        found.sort(key=lambda one: (one.by != "hash", -one.likeness, one.store, one.id))
        most = order.numbers.most_listed
        return HuntResult(
            evidence=order.evidence,
            searched=tuple(searched for searched, _ in answers),
            found=tuple(found[:most]),
            more=max(0, len(found) - most),
        )

    async def _in(self, call: Call, order: Hunt, store: str, content: str) -> tuple[Searched, Sequence[Found]]:
        """One store. Looked at twice, when the first look breaks off; what then does not answer is a value."""
        numbers, why = order.numbers, ""
        for _ in range(2):
            try:
                said = await self._index.hunt(call, store, content, numbers.likeness, numbers.window)
                hits = [Found(store=store, **{name: hit[name] for name in Found.model_fields if name != "store"}) for hit in said["hits"]]
                coverage = said["coverage"] if math.isfinite(said["coverage"]) else 0.0
                return Searched(store=store, methods=tuple(said["methods"]), coverage=coverage, hits=len(hits)), hits
            except Refused as no:
                return Searched(store=store, unreadable=_why(no)), ()
            except Exception as broke:
                why = _why(broke)
        return Searched(store=store, unreadable=why), ()


def _why(broke: Exception) -> str:
    """Why a store does not answer. An answer may repeat what was asked: nothing of it is kept but the kind of the error and its status."""
    said = redact(str(getattr(broke, "message", "") or type(broke).__name__))
    status = next((word for word in said.split() if word.isdigit() and len(word) == 3), "")
    return f"{type(broke).__name__}{f' {status}' if status else ''}"
