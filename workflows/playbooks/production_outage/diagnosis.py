"""The cause that the evidence speaks for most (spec §9.1). Pure: the same evidence gives the same answer."""

from collections.abc import Container
from dataclasses import dataclass, replace

from activities.feeds.feeds import Feed
from activities.platform.change_feed import Change
from workflows.playbooks.production_outage.findings import SuspectedChange, TriageFindings, listed, rank
from workflows.playbooks.production_outage.hypotheses import (
    Cause,
    Hypothesis,
    by_artefact,
    by_change,
    by_data,
    by_dependency,
    by_load,
    by_region,
)

LEAST = 0.4  # confidence below which we say that we do not know


@dataclass(frozen=True)
class Diagnosis:
    """The likeliest cause. `which` names the change, feed, region or dependency; `missing` what could not be found out."""

    cause: Cause = Cause.UNKNOWN
    which: str = ""
    confidence: float = 0.0
    reasons: tuple[str, ...] = ()
    change: Change | None = None
    feed: Feed | None = None
    others: tuple[Hypothesis, ...] = ()
    suspects: tuple[SuspectedChange, ...] = ()
    missing: tuple[str, ...] = ()

    def in_words(self) -> str:
        what = self.cause.value.lower() + (f" {self.which}" if self.which else "")
        said = "the cause is unknown" if self.cause is Cause.UNKNOWN else f"the cause is probably {what} ({self.confidence:.0%})"
        return f"{said}: {'; '.join(self.reasons) or 'nothing is conspicuous'}"

    def without(self, ruled_out: Container[tuple[Cause, str]]) -> "Diagnosis":
        """The best hypothesis that is not ruled out; when none is left, the cause is unknown."""
        known = self.cause is not Cause.UNKNOWN
        if known and (self.cause, self.which) not in ruled_out:
            return self
        for other in self.others if known else ():
            if (other.cause, other.which) not in ruled_out and other.score >= LEAST:
                return self._as(other, other.score)
        return replace(self, cause=Cause.UNKNOWN, which="", change=None, feed=None)

    def _as(self, found: Hypothesis, confidence: float) -> "Diagnosis":
        return replace(
            self,
            cause=found.cause,
            which=found.which,
            confidence=confidence,
            reasons=tuple(found.reasons),
            change=found.change,
            feed=found.feed,
        )


def diagnose(findings: TriageFindings) -> Diagnosis:
    """The cause that the evidence speaks for most, with its rivals. UNKNOWN when it does not amount to much."""
    suspects = rank(findings)
    hypotheses = [
        *by_artefact(findings, suspects),
        *by_region(findings, suspects),
        by_load(findings),
        *by_dependency(findings),
        by_data(findings, suspects),
    ]
    elsewhere = max(found.score for found in hypotheses)
    hypotheses += [by_change(findings, suspect, elsewhere) for suspect in suspects]
    ranked = sorted((h for h in hypotheses if h.score > 0), key=lambda h: (-h.score, list(Cause).index(h.cause), h.which))
    nothing = Diagnosis(suspects=suspects, missing=_missing(findings))
    if not ranked:
        return nothing
    best, rival = ranked[0], ranked[1].score if len(ranked) > 1 else 0.0
    confidence = round(best.score * (1 - 0.5 * (rival / best.score) ** 2), 4)
    if confidence >= LEAST:
        return replace(nothing, others=tuple(ranked[1:6]))._as(best, confidence)
    reasons = (f"likeliest: {best.cause.value.lower()} {best.which}".strip(), *best.reasons)
    return replace(nothing, confidence=confidence, reasons=reasons, others=tuple(ranked[:6]))


def _missing(findings: TriageFindings) -> tuple[str, ...]:
    """What could not be found out, in words."""
    onset, health, changes, found = findings.onset, findings.health, findings.changes, []
    if onset is None or onset.blind:
        found.append("no fresh metrics say how it began")
    if health is None:
        found.append("nobody looked from inside and outside")
    elif not health.believed:
        found.append(f"only {health.answered} of {health.wanted} vantage points got an answer")
    if changes is None:
        found.append("the change feed was not read")
    elif changes.gaps:
        found.append(f"the change feed cannot see {listed(changes.gaps)}")
    names = {"dependencies": "dependencies", "capacity": "capacity", "gate": "write gate", "feeds": "feeds"}
    return (*found, *(f"{said} unknown" for name, said in names.items() if getattr(findings, name) is None))
