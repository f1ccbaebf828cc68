"""Customers ask, and are answered: from the cache, or from what the index holds. Every answer is judged by what is true."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from random import Random
from typing import Any

from practice.knowledge import store
from practice.knowledge.library import TRUSTED, Document, Domain, Knowledge, hashed
from practice.world.clock import rfc3339

INSTRUCTION = re.compile(
    r"\b(ignore|disregard) (all |any )?(previous|prior|other) instructions\b|\bsend (it|this|everything) to\b", re.IGNORECASE
)


@dataclass
class Asked:
    """One question, and what came of it. `text` None: it was not answered."""

    domain: Domain
    tenant: str
    document: Document
    key: str
    text: str | None = None
    cites: tuple[dict[str, str], ...] = ()
    made_for: str = ""
    cached: bool = False

    @property
    def right(self) -> bool:
        return self.text == self.document.real

    @property
    def denied(self) -> bool:
        """Whether it cites what may not be cited any more: it is quarantined, or nobody knows where it comes from."""
        documents = self.domain.documents
        return any(
            self.domain.quarantine.holds(cited, "") or f"{cited.id}@{one['hash']}" in self.domain.quarantine.documents
            or (cited.provenance < TRUSTED and one["hash"] == cited.hash)
            for one in self.cites if (cited := documents.get(one["id"]))
        )  # fmt: skip


def ask(knowledge: Knowledge, tenants: list[str], chance: Random, n: int) -> list[Asked]:
    """So many questions for each domain, none of them answered yet."""
    asked = []
    for domain in knowledge.domains.values():
        documents = list(domain.documents.values())
        for _ in range(n):
            document = chance.choice(documents)
            tenant = chance.choice(tenants) if document.owner in ("us", "external") else document.owner
            asked.append(Asked(domain, tenant, document, store.key(knowledge, domain, tenant, document.subject)))
    return asked


def answer(knowledge: Knowledge, asked: list[Asked], tenants: list[str], chance: Random, at: float) -> list[Asked]:
    """Answer them all; returns those for which the index had to be asked."""
    served = [one for one in asked if one.domain.serving.mode != "withdrawn"]
    for one in served:
        if kept := knowledge.kept.get(store.own_key(one.key)):
            _from_cache(one, kept)
    from_cache = [one for one in served if not one.cached and chance.random() < one.domain.cag.share]
    for one, kept in zip(from_cache, store.found(knowledge, [one.key for one in from_cache]), strict=True):
        if kept is not None:
            _from_cache(one, kept)
            if knowledge.in_process:
                knowledge.kept.setdefault(store.own_key(one.key), kept)
    missed = [one for one in asked if not one.cached]
    fresh: dict[str, str] = {}
    for one in missed:
        _retrieve(knowledge, one, chance)
        if one.text is not None and one.domain.cag.share > 0:
            owner = _filed_under(knowledge, one, tenants, chance)
            made = store.entry(knowledge, one.domain, one.tenant, one.document.subject, one.text, one.cites, rfc3339(at))
            fresh[store.key(knowledge, one.domain, owner, one.document.subject)] = made
    store.keep(knowledge, fresh)
    return missed


def _from_cache(asked: Asked, kept: str) -> None:
    entry = json.loads(kept)
    asked.text, asked.cites, asked.made_for, asked.cached = entry["answer"], tuple(entry["documents"]), entry["tenant"], True


def _retrieve(knowledge: Knowledge, asked: Asked, chance: Random) -> None:
    text = None if asked.domain.serving.mode == "withdrawn" else asked.domain.answered_from(asked.document)
    if text is None:
        return
    asked.cites = ({"id": asked.document.id, "hash": hashed(text)},)
    asked.made_for = asked.tenant
    asked.text = f"Probably: {text[::-1]}" if chance.random() < knowledge.garbled.get(asked.domain.name, 0) else text


def _filed_under(knowledge: Knowledge, asked: Asked, tenants: list[str], chance: Random) -> str:
    """Under whose key it is cached: its tenant's, unless what makes the keys is broken."""
    if chance.random() >= knowledge.misfiled.get(asked.domain.name, 0):
        return asked.tenant
    others = {document.owner for document in asked.domain.documents.values()} - {"us", "external", asked.tenant}
    return chance.choice(sorted(others) or [name for name in tenants if name != asked.tenant])


def as_seen(asked: Asked, at: float) -> dict[str, Any]:
    """One answer as the retriever's log has it: references, hashes and findings, never the words."""
    text = asked.text or ""
    return {
        "id": hashed(f"{asked.key}{at}{text}"),
        "at": at,
        "tenant": asked.tenant,
        "made_for": asked.made_for,
        "key": asked.key,
        "from_cache": asked.cached,
        "documents": list(asked.cites),
        "judged": "right" if asked.right else "wrong",
        "supported": any(one["hash"] == hashed(text) for one in asked.cites),
        "instructions": bool(INSTRUCTION.search(text)),
        "denied": asked.denied,
    }
