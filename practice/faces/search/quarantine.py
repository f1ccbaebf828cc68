"""`/search`, continued: documents that are kept out of what agents retrieve. They stay where they are."""

from __future__ import annotations

from pydantic import Field

from practice.faces.search.base import FACE, store_of
from practice.http.face import Ask, Call, Reply, RouteModels, Shown
from practice.http.resource import Resource
from practice.injection.attacks import injections

EVERYWHERE, TOOLS = "everywhere", "tools"


class KeptOut(Ask):
    """Documents that no agent retrieves (`documents`), and those that only sessions with tools do not (`from_tools`)."""

    documents: list[str] = Field(max_length=1000)
    from_tools: list[str] = Field(max_length=1000)


class Retrieved(Shown):
    """Whether an agent whose session has tools is given a document. `tenant`: whose it is; empty: the platform's own."""

    id: str
    tenant: str
    retrieved: bool


def _kept_out(call: Call) -> KeptOut:
    store_of(call)
    found = injections(call.state).kept_out.get(call.path["store"], {})
    named = {how: sorted(id for id, what in found.items() if what == how) for how in (EVERYWHERE, TOOLS)}
    return KeptOut(documents=named[EVERYWHERE], from_tools=named[TOOLS])


def _keep_out(call: Call, wanted: KeptOut) -> None:
    """Keep documents out of what agents retrieve. Nothing is deleted."""
    known = {one.id for one in store_of(call).documents}
    if unknown := {*wanted.documents, *wanted.from_tools} - known:
        raise call.invalid(f"there is no document {sorted(unknown)[0][:60]!r} in {call.path['store']}")
    found = {**dict.fromkeys(wanted.from_tools, TOOLS), **dict.fromkeys(wanted.documents, EVERYWHERE)}
    injections(call.state).kept_out[call.path["store"]] = found


Resource(FACE, "quarantine", "/search/v1/stores/{store}/quarantine", KeptOut, _kept_out).takes(KeptOut, _keep_out)


@FACE.reads("documents.retrieve", "/search/v1/stores/{store}/documents/{id}/retrieval", models=RouteModels(shows=Retrieved))
def retrieve(call: Call) -> Reply:
    """Ask for a document as an agent would. Its text is not shown."""
    found = next((one for one in store_of(call).documents if one.id == call.path["id"]), None)
    if found is None:
        raise call.refuse(404, f"there is no such document in {call.path['store']}")
    out = injections(call.state).kept_out.get(call.path["store"], {})
    return Reply({"id": found.id, "tenant": found.tenant, "retrieved": found.id not in out})
