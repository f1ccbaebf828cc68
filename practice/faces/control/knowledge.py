"""`/practice`, continued: the hands on knowledge. What is poisoned, stale, misfiled; and the cache that answers are kept in."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field

from practice.http.face import Ask, Call, Face, Reply
from practice.knowledge import faults
from practice.knowledge.library import Document, Domain, Knowledge

FACE = Face("practice", authorised=lambda headers: True, control=True)

Kind = Literal[
    "poisoned",
    "instructed",
    "stale",
    "misfiled",
    "garbled",
    "writer",
    "in_process",
    "origin_wrong",
    "split_paths",
    "no_archive",
    "storm",
    "untraced",
    "new_source",
]
assert get_args(Kind) == faults.KINDS  # noqa: S101 - a new fault is named in both


class Break(Ask):
    """What goes wrong, in which domain, and with which of its documents (the first, unless it is named)."""

    kind: Kind
    domain: str = "billing"
    document: str = ""
    rate: float = Field(0.5, ge=0, le=1)


class Attach(Ask):
    """The address of a Valkey that answers are cached in from now on; empty: they are not."""

    address: str


@FACE.writes("knowledge.break", "/practice/knowledge-faults")
def break_knowledge(call: Call) -> Reply:
    """Spoil what answers are made from, or how they are kept."""
    wanted, knowledge = call.ask(Break), call.state.part(Knowledge)
    domain = knowledge.domains.get(wanted.domain)
    if domain is None:
        raise call.refuse(404, f"there is no domain {wanted.domain}: there are {', '.join(knowledge.domains)}")
    document = domain.documents.get(wanted.document or next(iter(domain.documents)))
    if document is None:
        raise call.refuse(404, f"{domain.name} has no document {wanted.document}")
    faults.break_(knowledge, wanted.kind, domain, document, wanted.rate, call.now)
    call.did(f"knowledge/{domain.name}", None, wanted.model_dump())
    return Reply({"broken": wanted.kind, "document": document.id})


@FACE.writes("knowledge.mend", "/practice/knowledge-faults", "DELETE")
def mend_knowledge(call: Call) -> Reply:
    """End the causes. What they have spoilt stays spoilt."""
    faults.mend(call.state.part(Knowledge))
    call.did("knowledge", None, "mended")
    return Reply({"mended": True})


@FACE.writes("caches.attach", "/practice/caches")
def attach(call: Call) -> Reply:
    """Keep answers in this Valkey from now on."""
    knowledge, wanted = call.state.part(Knowledge), call.ask(Attach)
    before, knowledge.cache = knowledge.cache, wanted.address
    call.did("caches", before, wanted.address)
    return Reply({"address": wanted.address})


@FACE.reads("knowledge", "/practice/knowledge")
def look(call: Call) -> Reply:
    """All domains, with the words of their documents."""
    knowledge = call.state.part(Knowledge)
    return Reply({"cache": knowledge.cache, "domains": {name: _told(one) for name, one in knowledge.domains.items()}})


def _told(domain: Domain) -> dict[str, object]:
    def document(one: Document) -> dict[str, object]:
        return {"real": one.real, "origin": one.origin, "text": one.text, "indexed": domain.live.texts.get(one.id), "hash": one.hash}

    settings = {
        name: vars(getattr(domain, name)) for name in ("cag", "namespace", "coalescing", "serving", "freshness", "quarantine", "alias")
    }
    return {"documents": {name: document(one) for name, one in domain.documents.items()}, "builds": list(domain.builds), **settings}
