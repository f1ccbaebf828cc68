"""What is known, where it comes from, and how customers were answered lately. References and hashes; no content."""

from __future__ import annotations

from random import Random
from typing import Any

from pydantic import Field

from practice.faces.retriever.base import FACE, domain_of, knowledge_of
from practice.http.face import Call, Query, Reply, RouteModels, Shown
from practice.knowledge import answering
from practice.knowledge.library import Document, Domain, hashed
from practice.world.versions import fingerprint


class Cited(Shown):
    id: str
    hash: str


class DocumentShown(Shown):
    """`hash`: as it is fetched; `index_hash`: as the index in use has it; `truth_hash`: as its origin shows it now, by two paths."""

    id: str
    source: str
    owner: str
    hash: str
    index_hash: str | None
    truth_hash: str | None
    other_path_hash: str | None
    published: list[str]
    fetched_at: str
    published_at: str
    provenance: float
    quarantined: bool


class SourceShown(Shown):
    name: str
    origin: str
    owner: str
    last_refreshed: str
    syncing: bool
    share_of_top: float
    added_at: str


class DomainShown(Shown):
    """A domain. `last_good`: per document whose origin has changed, the newest version that it published before."""

    name: str
    documents: list[DocumentShown]
    sources: list[SourceShown]
    builds: list[str]
    index: str
    stale: float
    last_good: dict[str, str]


class AnswerShown(Shown):
    """How a customer was answered. `made_for`: for whom that answer was made. `supported`: it says what it cites. `key`: of the cache."""

    id: str
    at: str
    tenant: str
    made_for: str
    key: str
    from_cache: bool
    documents: list[Cited]
    judged: str
    supported: bool
    instructions: bool
    denied: bool


class Answers(Shown):
    answers: list[AnswerShown]


class Latest(Query):
    limit: int = Field(50, ge=1, le=200)


class Chunk(Shown):
    """A document with its words, the headers that it was fetched with, and its embedding by its hash."""

    id: str
    text: str
    indexed: str | None
    headers: dict[str, str]
    embedding: str


class Export(Shown):
    chunks: list[Chunk]


class Recipients(Shown):
    """Whom wrong answers were given to, by their addresses. None: nobody has kept that."""

    addresses: list[str] | None


class Names(Shown):
    domains: list[str]


@FACE.reads("domains.list", "/retriever/v1/domains", models=RouteModels(shows=Names))
def list_domains(call: Call) -> Reply:
    """Every domain there is."""
    return Reply(Names(domains=sorted(knowledge_of(call).domains)).model_dump())


@FACE.reads("domains.get", "/retriever/v1/domains/{domain}", models=RouteModels(shows=DomainShown))
def get_domain(call: Call) -> Reply:
    """What a domain knows: each document as it was fetched, as it is indexed, and as its origin shows it by two paths."""
    knowledge, domain = knowledge_of(call), domain_of(call)
    tops = domain.shares(knowledge.recent.get(domain.name, []))
    sources = [
        SourceShown(
            name=one.name, origin=one.origin, owner=one.owner, last_refreshed=call.world.clock.stamp(one.last_refreshed), syncing=one.syncing,
            share_of_top=tops[one.name], added_at=call.world.clock.stamp(one.added),
        )
        for one in domain.sources.values()
    ]  # fmt: skip
    old = [one for one in domain.documents.values() if call.now - one.fetched_at > domain.freshness.max_age_seconds]
    shown = DomainShown(
        name=domain.name, documents=[_document(call, domain, one) for one in domain.documents.values()], sources=sources,
        builds=list(domain.builds), index=domain.alias.index, stale=len(old) / len(domain.documents),
        last_good={} if knowledge.no_archive else {one.id: hashed(one.archive[-1]) for one in domain.documents.values() if one.archive},
    )  # fmt: skip
    return Reply(shown.model_dump())


def _document(call: Call, domain: Domain, one: Document) -> DocumentShown:
    indexed = domain.live.texts.get(one.id)
    return DocumentShown(
        id=one.id, source=one.source, owner=one.owner, hash=one.hash, index_hash=None if indexed is None else hashed(indexed),
        truth_hash=hashed(one.origin), other_path_hash=hashed(one.other_path), published=[hashed(text) for text in one.archive],
        fetched_at=call.world.clock.stamp(one.fetched_at), published_at=call.world.clock.stamp(one.published_at),
        provenance=one.provenance, quarantined=indexed is not None and domain.quarantine.holds(one, indexed),
    )  # fmt: skip


@FACE.reads("answers.list", "/retriever/v1/domains/{domain}/answers", models=RouteModels(query=Latest, shows=Answers))
def list_answers(call: Call) -> Reply:
    """The latest answers of a domain, newest first, with what a judge said of them."""
    limit, domain = call.asked(Latest).limit, domain_of(call)
    rows = knowledge_of(call).recent.get(domain.name) or _usual(call, domain, limit)
    shown = [AnswerShown(**{**row, "at": call.world.clock.stamp(row["at"])}) for row in reversed(rows[-limit:])]
    return Reply(Answers(answers=shown).model_dump())


def _usual(call: Call, domain: Domain, n: int) -> list[dict[str, Any]]:
    """What was answered while nothing was wrong and nobody counted: the same again."""
    chance, tenants = Random(fingerprint([domain.name, call.now // 60])), sorted(call.state.tenants)
    asked = [one for one in answering.ask(knowledge_of(call), tenants, chance, n) if one.domain is domain]
    for one in asked:
        one.text, one.made_for = one.document.real, one.tenant
        one.cites = ({"id": one.document.id, "hash": hashed(one.document.real)},)
    return [answering.as_seen(one, call.now) for one in asked]


@FACE.reads("domains.export", "/retriever/v1/domains/{domain}/export", models=RouteModels(shows=Export))
def export(call: Call) -> Reply:
    """Everything that a domain answers from, whole: for evidence, before anything of it is changed."""
    domain = domain_of(call)
    chunks = [
        Chunk(
            id=one.id, text=one.text, indexed=domain.live.texts.get(one.id), embedding=hashed(f"embedding of {one.text}"),
            headers={"etag": one.hash, "date": call.world.clock.stamp(one.fetched_at), "source": domain.sources[one.source].origin},
        )
        for one in domain.documents.values()
    ]  # fmt: skip
    return Reply(Export(chunks=chunks).model_dump())


@FACE.reads("answers.recipients", "/retriever/v1/domains/{domain}/recipients", models=RouteModels(shows=Recipients))
def recipients(call: Call) -> Reply:
    """Whom wrong answers about a domain were given to, as far as that is known."""
    knowledge, domain = knowledge_of(call), domain_of(call)
    wronged = None if knowledge.untraced else [call.state.tenants[name].contact for name in knowledge.wronged.get(domain.name, [])]
    return Reply(Recipients(addresses=wronged).model_dump())
