"""What is wrong with the answers of a domain, told apart by hashes alone (A.11 T1, Annex B 2.11). Pure: the decisions stay in the playbook."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from activities.caches.orders import CacheCensus
from activities.metrics.curves import CurveReading
from activities.organisation.numbers import CachePoisoning
from activities.retriever.library import Answers, AnswerSeen, Cited, DocumentSeen, Library
from workflows.severity.facts import Facts, Injection, Scope, Suspicion


class Verdict(StrEnum):
    """The gravest first."""

    MISKEYED = "mis-keyed"  # an answer that was made for another tenant
    POISONED = "poisoned"  # a version that its origin never published
    STALE = "stale"  # one that its origin published before
    ORIGIN = "wrong at the source of truth"  # what the origin shows, said as it stands there, and wrong
    SYNTHESIS = "synthesis"  # the document is right, and the answer does not say what stands in it: not grounding's fault (§2.7)
    UNKNOWN = "unknown"
    WELL = "well"


@dataclass(frozen=True)
class Found:
    """What was found of a domain. `bad`: document → the version that is wrong. `crossed`: (made for, answered to)."""

    domain: str
    library: Library
    answers: Answers
    census: CacheCensus | None  # None: there is no cache that we can look into
    origin_load: float | None
    curve: CurveReading | None
    bad: dict[Verdict, dict[str, str]] = field(default_factory=dict)
    crossed: tuple[tuple[str, str], ...] = ()
    instructions: bool = False
    unexplained: int = 0
    newcomers: tuple[str, ...] = ()  # sources that are new and that much is cited from: suspect, whatever they say

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        seen = {*self.bad} | ({Verdict.MISKEYED} if self.crossed or self.misfiled else set())
        if not seen and (self.unexplained or (self.curve is not None and self.about_us)):
            seen = {Verdict.UNKNOWN}
        return tuple(one for one in Verdict if one in seen) or (Verdict.WELL,)

    @property
    def misfiled(self) -> int:
        """Entries of the cache that are kept under another tenant's key."""
        return self.census.misfiled if self.census is not None else 0

    @property
    def about_us(self) -> bool:
        """Whether the curve shows a symptom of this domain."""
        return self.curve is not None and any(one.labels.get("domain", self.domain) == self.domain for one in self.curve.ill)

    @property
    def grounding(self) -> bool:
        """Whether anything is wrong that sources, index or cache can mend."""
        return bool({*self.verdicts} - {Verdict.SYNTHESIS, Verdict.WELL})

    def documents(self, *verdicts: Verdict) -> dict[str, str]:
        """The documents that are wrong in one of these ways, with the version that is."""
        return {name: version for verdict in verdicts for name, version in self.bad.get(verdict, {}).items()}

    def known(self, names: Sequence[str]) -> tuple[DocumentSeen, ...]:
        return tuple(one for name in names if (one := self.library.of(name)) is not None)

    def share(self, source: str) -> float:
        return next((one.share_of_top for one in self.library.sources if one.name == source), 0.0)

    def facts(self) -> Facts:
        """As the severity function reads it: another tenant's answer is an isolation failure, poison that was answered is a side effect."""
        crossing = Suspicion.CONFIRMED if self.crossed else Suspicion.SUSPECTED if self.misfiled else Suspicion.NONE
        malicious = Injection.SIDE_EFFECT if Verdict.POISONED in self.bad else Injection.NONE
        hit = {one.tenant for one in self.answers.wrong}
        return Facts(scope=Scope.FEATURE, isolation_failure=crossing, injection=malicious, tenant_count=len(hit) or None)

    def in_words(self) -> str:
        """For the timeline and the questions: names and counts, never a word of an answer."""
        said = [f"{self.domain}: {', '.join(self.verdicts)}; {self.answers.summary}"]
        said += [f"{verdict}: {', '.join(names)}" for verdict, names in self.bad.items()]
        said += [f"{len(self.crossed)} answers made for another tenant"] if self.crossed else []
        said += [f"{self.misfiled} entries under another tenant's key"] if self.misfiled else []
        said += [f"{name} is new here and is {self.share(name):.0%} of what is cited" for name in self.newcomers]
        said += [f"{self.library.stale:.0%} of the documents are too old"] if self.library.stale else []
        return "; ".join(said)


def judged(
    domain: str, library: Library, answers: Answers, census: CacheCensus | None, load: float | None, curve: CurveReading | None,
    numbers: CachePoisoning, pinned: Mapping[str, str], now: datetime,
) -> Found:  # fmt: skip
    """Which of the ways to be wrong this is. Every wrong answer is explained by a version, by a tenant, or stays unexplained.

    `pinned`: the versions that we have pinned ourselves, whatever their origin shows.
    """
    bad: dict[Verdict, dict[str, str]] = {}
    crossed, unexplained = [], 0
    for one in answers.wrong:
        if one.misfiled:
            crossed.append((one.made_for, one.tenant))
            continue
        ways = [(_way(library.of(cited.id), cited, one), cited) for cited in one.documents]
        unexplained += not ways
        for way, cited in ways:
            bad.setdefault(way, {})[cited.id] = cited.hash
    for document in library.documents:
        for version in (document.hash, document.index_hash):  # what was fetched is in the next index
            if version not in (None, document.truth_hash, pinned.get(document.id)) and not document.quarantined:
                bad.setdefault(Verdict.STALE if version in document.published else Verdict.POISONED, {})[document.id] = version or ""
    if library.stale >= numbers.stale:
        bad.setdefault(Verdict.STALE, {})
    newcomers = [one.name for one in library.sources if one.share_of_top > numbers.dominates and now - one.added_at < numbers.new_for]
    ordered = {verdict: dict(sorted(bad[verdict].items())) for verdict in Verdict if verdict in bad}
    gives_orders = any(one.instructions for one in answers.answers)
    return Found(
        domain, library, answers, census, load, curve, ordered, tuple(dict.fromkeys(crossed)), gives_orders, unexplained, tuple(newcomers)
    )


def _way(document: DocumentSeen | None, cited: Cited, answer: AnswerSeen) -> Verdict:
    if document is None:
        return Verdict.POISONED
    if cited.hash == document.truth_hash:
        return Verdict.ORIGIN if answer.supported else Verdict.SYNTHESIS
    return Verdict.STALE if cited.hash in document.published else Verdict.POISONED
