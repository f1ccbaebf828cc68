"""What a domain knows and how it answered lately: references, hashes and findings. No word of a document or an answer stands in them."""

from datetime import datetime
from typing import ClassVar

from activities.action import Call, Order, System, Value, action
from activities.kit.rest import RestLook
from activities.kit.words.promql import selector
from activities.metrics import queries
from activities.metrics.prometheus import Prometheus
from activities.retriever.plane import BASE, TOKEN, DomainLook, Retriever

OURS = ("us", "external")


class LibraryOf(
    DomainLook, effect="read the documents and sources of {domain}, and what their origins show by two paths", path="domains/{domain}"
):
    pass


class AnswersOf(
    DomainLook, effect="look at the latest {limit} answers of {domain}: what they cite, and whether they are right",
    path="domains/{domain}/answers", asks=("limit",),
):  # fmt: skip
    limit: int = 50


class DomainsOf(RestLook, target="domains", effect="list the domains of knowledge", path="domains"):
    base, token = BASE, TOKEN


class OriginLoadOf(Order, target="service/{service}/origin", effect="read how busy the origin of {service} is"):
    """How busy the origin is that every miss of the cache asks."""

    metric: ClassVar[str] = "origin_load_ratio"

    service: str

    def query(self) -> str:
        return selector(self.metric, service=self.service)

    def by_hand(self) -> tuple[str, ...]:
        return (queries.by_hand("query", query=self.query()),)


class Domains(Value):
    domains: tuple[str, ...]


class OriginLoad(Value):
    """None: nobody knows."""

    ratio: float | None


class DocumentSeen(Value):
    """A document by its hashes: as fetched, as indexed, as its origin shows it by two paths (None: it does not), as that had it before."""

    id: str
    source: str
    owner: str
    hash: str
    index_hash: str | None
    truth_hash: str | None
    other_path_hash: str | None
    published: tuple[str, ...] = ()
    fetched_at: datetime
    published_at: datetime
    provenance: float
    quarantined: bool

    @property
    def version(self) -> str:
        """This version of it, as a quarantine names it."""
        return f"{self.id}@{self.index_hash or self.hash}"

    @property
    def owned_by_a_tenant(self) -> bool:
        return self.owner not in OURS


class SourceSeen(Value):
    name: str
    origin: str
    owner: str
    last_refreshed: datetime
    syncing: bool
    share_of_top: float
    added_at: datetime


class Library(Value):
    """A domain. `stale`: the share of documents older than they may be. `last_good`: of a document, what its origin published before."""

    name: str
    documents: tuple[DocumentSeen, ...]
    sources: tuple[SourceSeen, ...]
    builds: tuple[str, ...]
    index: str
    stale: float
    last_good: dict[str, str]

    @property
    def summary(self) -> str:
        other = sum(one.index_hash != one.truth_hash for one in self.documents)
        return f"{len(self.documents)} documents, {other} not as their origin shows them, {self.stale:.0%} too old, index {self.index}"

    def of(self, id: str) -> DocumentSeen | None:
        return next((one for one in self.documents if one.id == id), None)


class Cited(Value):
    id: str
    hash: str


class AnswerSeen(Value):
    """One answer. `made_for`: the tenant that it was made for. `supported`: it says what it cites. `instructions`: what it cites gives orders."""

    id: str
    at: datetime
    tenant: str
    made_for: str
    key: str
    from_cache: bool
    documents: tuple[Cited, ...]
    judged: str
    supported: bool
    instructions: bool
    denied: bool

    @property
    def wrong(self) -> bool:
        return self.judged != "right"

    @property
    def misfiled(self) -> bool:
        return self.made_for != self.tenant


class Answers(Value):
    answers: tuple[AnswerSeen, ...]

    @property
    def wrong(self) -> tuple[AnswerSeen, ...]:
        return tuple(one for one in self.answers if one.wrong)

    @property
    def summary(self) -> str:
        cached = sum(one.from_cache for one in self.answers)
        return f"{len(self.wrong)} of {len(self.answers)} answers are wrong; {cached} came from the cache"

    def since(self, instant: datetime) -> "Answers":
        """Those that were given after an instant."""
        return Answers(answers=tuple(one for one in self.answers if one.at > instant))

    def correct(self) -> float | None:
        """The share that is right; None of no answers."""
        return 1 - len(self.wrong) / len(self.answers) if self.answers else None


class Libraries(System):
    """Looks at the retriever."""

    def __init__(self, retriever: Retriever, prometheus: Prometheus) -> None:
        self._retriever, self._prometheus = retriever, prometheus

    @action("retriever.domains")
    async def domains(self, order: DomainsOf, call: Call) -> Domains:
        """The names of all domains."""
        return Domains(domains=tuple((await self._retriever.look(call, order))["domains"]))

    @action("retriever.library")
    async def library(self, order: LibraryOf, call: Call) -> Library:
        """The documents and sources of a domain, and the versions that are known of each."""
        return Library.model_validate(await self._retriever.look(call, order))

    @action("retriever.answers")
    async def answers(self, order: AnswersOf, call: Call) -> Answers:
        """The latest answers of a domain, newest first."""
        return Answers.model_validate(await self._retriever.look(call, order))

    @action("retriever.origin_load")
    async def origin_load(self, order: OriginLoadOf, call: Call) -> OriginLoad:
        """How busy the origin is."""
        return OriginLoad(ratio=await self._prometheus.number(call, order.query()))
