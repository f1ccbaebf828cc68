"""`/search`: in which stores a text lies, or one that says the same."""

from __future__ import annotations

from pydantic import Field

from practice.faces.search.base import FACE, store_of
from practice.http.face import Ask, Call, Query, Reply, RouteModels, Shown
from practice.library.library import Document, library
from practice.library.likeness import likeness

PAGE = 50


class StoreShown(Shown):
    """A store. `coverage`: the share of its documents that a search reaches; one that is not readable answers no search."""

    name: str
    readable: bool
    documents: int
    coverage: float


class Stores(Shown):
    stores: list[StoreShown]


class Wanted(Ask):
    """What is looked for. `likeness`: from where on a document counts as saying the same; `window`: how far back, in seconds."""

    content: str = Field(min_length=1, max_length=100_000)
    likeness: float = Field(gt=0, le=1)
    window: float = Field(gt=0, le=366 * 86400)


class Place(Query):
    """The place that the page before told."""

    cursor: int = Field(0, ge=0)


class Hit(Shown):
    """A document. `by`: `hash` when the very text is in it, else `likeness`. `tenant`: whose it is; empty: the platform's own."""

    id: str
    sha256: str
    by: str
    likeness: float
    tenant: str
    session: str


class Hunted(Shown):
    """What was found, how it was looked for, and in what share of the documents."""

    methods: list[str]
    coverage: float
    hits: list[Hit]
    next: int | None


@FACE.reads("stores.list", "/search/v1/stores", models=RouteModels(shows=Stores))
def stores(call: Call) -> Reply:
    """Every store that there is, whether it can be searched or not."""
    found = library(call.state).stores.items()
    shown = [StoreShown(name=name, readable=one.readable, documents=len(one.documents), coverage=one.coverage) for name, one in found]
    return Reply(Stores(stores=shown).model_dump())


@FACE.reads(
    "stores.hunt", "/search/v1/stores/{store}/hunts", "POST",
    models=RouteModels(asks=Wanted, query=Place, shows=Hunted, refuses=(422,)),
)  # fmt: skip
def hunt(call: Call) -> Reply:
    """Look for a text in one store, in pages. Nothing is kept of it."""
    wanted, cursor, store = call.ask(Wanted), call.asked(Place).cursor, store_of(call)
    if not store.readable:
        raise call.refuse(403, f"{call.path['store']} does not let us search")
    since = call.now - wanted.window
    looked = (_hit(one, wanted) for one in store.reached() if one.at is None or one.at >= since)
    hits = [one for one in looked if one is not None]
    more = cursor + PAGE if len(hits) > cursor + PAGE else None
    found = Hunted(methods=["hash", "likeness"], coverage=store.coverage, hits=hits[cursor : cursor + PAGE], next=more)
    return Reply(found.model_dump())


def _hit(one: Document, wanted: Wanted) -> Hit | None:
    same = wanted.content in one.text
    like = 1.0 if same else round(likeness(one.text, wanted.content), 4)
    if not same and like < wanted.likeness:
        return None
    by = "hash" if same else "likeness"
    return Hit(id=one.id, sha256=one.sha256, by=by, likeness=like, tenant=one.tenant, session=one.session)
