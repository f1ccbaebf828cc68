"""Domains of knowledge: their sources and documents, the index that answers come from, and how answers are served.

A document exists four times. `real`: what is true, which only people know. `origin`: what its source of truth says. `text`: what was fetched
of it. And what the index in use holds (`Build.texts`), which answers quote.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

TRUSTED = 0.5  # a document whose provenance is worth less should not be cited
BUILD_SECONDS = 60.0  # so long a build or a fetch takes, unless somebody looks twice
LOOKS = 2


def hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass
class Document:
    """`owner`: `us`, `external`, or the tenant whose it is. `seen`: the origin's version at the last fetch. `archive`: what it published before."""

    id: str
    source: str
    owner: str
    subject: str
    real: str
    origin: str
    text: str
    fetched_at: float
    published_at: float
    provenance: float = 0.95
    seen: str = ""
    archive: list[str] = field(default_factory=list)
    mirror: str | None = None  # what the second path to the origin shows, where that is something else

    @property
    def hash(self) -> str:
        return hashed(self.text)

    @property
    def other_path(self) -> str:
        return self.origin if self.mirror is None else self.mirror


@dataclass
class Source:
    """`origin`: where its documents come from. It is looked at for changes every `period` seconds, while it is `syncing`."""

    name: str
    origin: str
    owner: str
    last_refreshed: float
    period: float = 300.0
    syncing: bool = True
    added: float = 0.0  # since when answers are made from it


@dataclass
class Build:
    """An index: the text of each document in it. `golden`: the share of golden queries that it answers as they must be."""

    id: str
    made_at: float
    texts: dict[str, str]
    golden: float = 1.0


@dataclass
class Operation:
    """Something that takes its time: a `build`, or a `fetch`. `says`: why it failed."""

    id: str
    key: str
    kind: str
    domain: str
    began: float
    asked: dict[str, Any]
    looks: int = 0
    state: str = "running"
    says: str = ""
    result: dict[str, Any] = field(default_factory=dict)


@dataclass
class Quarantine:
    """What is kept out of answers: documents (`id`, or `id@hash` for one version), and whole sources. Nothing of it is deleted."""

    documents: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)

    def holds(self, document: Document, text: str) -> bool:
        named = {document.id, f"{document.id}@{hashed(text)}"}
        return document.source in self.sources or not named.isdisjoint(self.documents)


@dataclass
class Cag:
    """Which share of the questions may be answered from the cache."""

    share: float = 1.0


@dataclass
class Namespace:
    """The version in the keys of the cache: another one, and nothing that was cached before is found."""

    version: int = 1


@dataclass
class Coalescing:
    """Whether questions for the same missing entry wait for one answer, and how long at most, instead of asking the origin each."""

    on: bool = False
    wait_seconds: float = 5.0


@dataclass
class Serving:
    """How a domain is served: `answering`, `stale_ok` (old answers are served while the origin is busy), or `withdrawn`; and what is said with it."""

    mode: str = "answering"
    banner: str = ""


@dataclass
class Freshness:
    """How old a source may be, and whether answers carry the date of what they cite."""

    max_age_seconds: float = 3600.0
    as_of: bool = False


@dataclass
class Alias:
    """The build that answers come from."""

    index: str


@dataclass
class Domain:
    name: str
    sources: dict[str, Source]
    documents: dict[str, Document]
    builds: dict[str, Build]
    alias: Alias
    cag: Cag = field(default_factory=Cag)
    namespace: Namespace = field(default_factory=Namespace)
    coalescing: Coalescing = field(default_factory=Coalescing)
    serving: Serving = field(default_factory=Serving)
    freshness: Freshness = field(default_factory=Freshness)
    quarantine: Quarantine = field(default_factory=Quarantine)

    @property
    def live(self) -> Build:
        return self.builds[self.alias.index]

    def about(self, subject: str, tenant: str) -> Document | None:
        """The document that answers a question of a tenant."""
        mine = (one for one in self.documents.values() if one.subject == subject and one.owner in ("us", "external", tenant))
        return next(mine, None)

    def shares(self, recent: list[dict[str, Any]]) -> dict[str, float]:
        """Which share of what the latest answers cite comes from each source. Nobody has asked: all of it from as many as there are."""
        tops = Counter(self.documents[one["id"]].source for row in recent for one in row["documents"])
        cited = sum(tops.values())
        return {name: tops[name] / cited if cited else 1 / len(self.sources) for name in self.sources}

    def answered_from(self, document: Document) -> str | None:
        """What the index in use says of it; None where it may not be cited, or is not in it."""
        text = self.live.texts.get(document.id)
        return None if text is None or self.quarantine.holds(document, text) else text


@dataclass
class Fallback:
    """Whether a route answers from the cache while its model does not, and what may be served so."""

    on: bool = False
    max_age_seconds: float = 0.0
    personal: bool = False


@dataclass
class Knowledge:
    """Everything that a write can change. `touched`: something is not as usual, so that every question counts."""

    domains: dict[str, Domain] = field(default_factory=dict)
    operations: dict[str, Operation] = field(default_factory=dict)
    fallback: Fallback = field(default_factory=Fallback)
    model: str = "aurora-large-4"
    prompt: str = "chat-v12"
    cache: str = ""  # the address of its Valkey; empty: answers are not cached
    touched: bool = False
    garbled: dict[str, float] = field(default_factory=dict)  # by domain: the share of answers that do not say what their document says
    misfiled: dict[str, float] = field(default_factory=dict)  # by domain: the share that is cached under another tenant's key
    storm: bool = False  # every miss asks the origin many times over
    writer: dict[str, str] = field(default_factory=dict)  # document → the poison that somebody writes into it again and again
    rewritten: int = 0
    in_process: bool = False  # the product keeps what it has served, whatever becomes of the cache
    kept: dict[str, str] = field(default_factory=dict)  # by tenant, domain and question: what it keeps so
    wronged: dict[str, list[str]] = field(default_factory=dict)  # by domain: the tenants who were answered wrongly
    untraced: bool = False  # nobody has kept who was answered what
    no_archive: bool = False  # nobody has kept what the origin said before
    recent: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # the latest answers of each domain, as they were judged

    def imposed(self) -> dict[str, object]:
        """How domains are served otherwise than usual: a recovery puts it back as it was. What is kept out of answers is not in it."""
        usual = (Cag(), Coalescing(), Serving(), Freshness())
        served = {name: (one.cag, one.coalescing, one.serving, one.freshness) for name, one in self.domains.items()}
        changed = {f"domain {name}": [asdict(part) for part in parts] for name, parts in served.items() if parts != usual}
        return {**changed, **({"cached answers": True} if self.fallback.on else {})}
