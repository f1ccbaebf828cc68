"""Builds and fetches: begun once under a key, looked at until they are done."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from practice.faces.retriever.base import FACE, domain_of, knowledge_of
from practice.faces.retriever.settings import Name
from practice.http.face import Ask, Call, Query, Reply, RouteModels, Shown
from practice.knowledge import operations
from practice.knowledge.library import Operation


class Build(Ask):
    """Build an index beside the one in use, of everything that is not in quarantine, and put the golden queries to it."""

    key: Name


class Fetch(Ask):
    """Fetch documents from their origin once more, by two paths. `pins`: the version that each must have (document → hash)."""

    key: Name
    documents: list[Name] = Field(min_length=1, max_length=1000)
    pins: dict[str, str]


class Fetched(Shown):
    id: str
    hash: str
    other_path: str


class OperationShown(Shown):
    """How far it is: `running`, `done`, `failed`. Of a build: its name, and the share of golden queries that it answers well."""

    id: str
    kind: str
    state: str
    says: str
    build: str | None = None
    golden: float | None = None
    documents: int | None = None
    fetched: list[Fetched] = []


class Operations(Shown):
    operations: list[OperationShown]


class ByKey(Query):
    key: str


@FACE.writes("builds.start", "/retriever/v1/domains/{domain}/builds", models=RouteModels(asks=Build, shows=OperationShown))
def build(call: Call) -> Reply:
    """Begin a build. The same key again is the same build."""
    return _begun(call, "build", call.ask(Build).key, {})


@FACE.writes("fetches.start", "/retriever/v1/domains/{domain}/fetches", models=RouteModels(asks=Fetch, shows=OperationShown))
def fetch(call: Call) -> Reply:
    """Begin a fetch. The same key again is the same fetch; all documents are replaced, or none."""
    wanted, domain = call.ask(Fetch), domain_of(call)
    if unknown := sorted({*wanted.documents, *wanted.pins} - domain.documents.keys()):
        raise call.invalid(f"{domain.name} does not have {', '.join(unknown)}")
    return _begun(call, "fetch", wanted.key, {"documents": wanted.documents, "pins": wanted.pins})


def _begun(call: Call, kind: str, key: str, asked: dict[str, Any]) -> Reply:
    knowledge, domain = knowledge_of(call), domain_of(call)
    before = len(knowledge.operations)
    begun = operations.begin(knowledge, kind, domain.name, key, asked, call.now)
    call.did(f"domains/{domain.name}/{kind}", before, len(knowledge.operations))
    return Reply(_shown(begun).model_dump())


@FACE.reads("operations.list", "/retriever/v1/operations", models=RouteModels(query=ByKey, shows=Operations))
def find(call: Call) -> Reply:
    """Those that were begun under a key."""
    key = call.asked(ByKey).key
    found = [one for one in knowledge_of(call).operations.values() if one.key == key]
    return Reply(Operations(operations=[_shown(one) for one in found]).model_dump())


@FACE.reads("operations.get", "/retriever/v1/operations/{operation}", models=RouteModels(shows=OperationShown))
def get(call: Call) -> Reply:
    """How far one is."""
    knowledge = knowledge_of(call)
    found = knowledge.operations.get(call.path["operation"])
    if found is None:
        raise call.refuse(404, f"there is no operation {call.path['operation']}")
    operations.looked_at(knowledge, found, call.now)
    return Reply(_shown(found).model_dump())


def _shown(one: Operation) -> OperationShown:
    return OperationShown.model_validate({"id": one.id, "kind": one.kind, "state": one.state, "says": one.says, **one.result})
