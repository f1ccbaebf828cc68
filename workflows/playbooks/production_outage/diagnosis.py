"""The cause that the evidence speaks for most (spec §9.1). Pure: the same evidence gives the same answer."""

from activities.action import Value
from activities.feeds.feeds import Feed
from activities.platform.change_feed import Change
from workflows.playbooks.production_outage.findings import SuspectedChange, TriageFindings, listed, rank
from workflows.playbooks.production_outage.hypotheses import (
    Cause,
    Hypothesis,
    artefact_evidence,
    change_evidence,
    data_evidence,
    dependency_evidence,
    load_evidence,
    region_evidence,
)

LEAST = 0.4  # confidence below which we say that we do not know


class Diagnosis(Value):
    """The likeliest cause. `which` names the change, feed, region or dependency; `missing` what could not be found out."""

    cause: Cause
    which: str
    confidence: float
    reasons: tuple[str, ...]
    change: Change | None = None
    feed: Feed | None = None
    others: tuple[Hypothesis, ...] = ()
    suspects: tuple[SuspectedChange, ...] = ()
    missing: tuple[str, ...] = ()

    def in_words(self) -> str:
        what = self.cause.value.lower() + (f" {self.which}" if self.which else "")
        said = "the cause is unknown" if self.cause is Cause.UNKNOWN else f"the cause is probably {what} ({self.confidence:.0%})"
        return f"{said}: {'; '.join(self.reasons) or 'nothing is conspicuous'}"


def diagnose(findings: TriageFindings) -> Diagnosis:
    """The cause that the evidence speaks for most, with its rivals. UNKNOWN when it does not amount to much."""
    suspects = rank(findings)
    all_evidence = [
        *artefact_evidence(findings, suspects),
        *region_evidence(findings, suspects),
        load_evidence(findings),
        *dependency_evidence(findings),
        data_evidence(findings, suspects),
    ]
    elsewhere = max((evidence.score for evidence in all_evidence), default=0.0)
    all_evidence += [change_evidence(findings, suspect, elsewhere) for suspect in suspects]
    ranked = sorted(
        (evidence for evidence in all_evidence if evidence.score > 0), key=lambda c: (-c.score, list(Cause).index(c.cause), c.which)
    )
    missing = _missing(findings)
    if not ranked:
        return Diagnosis(cause=Cause.UNKNOWN, which="", confidence=0.0, reasons=(), suspects=suspects, missing=missing)
    best, rival = ranked[0], ranked[1].score if len(ranked) > 1 else 0.0
    confidence = round(best.score * (1 - 0.5 * (rival / best.score) ** 2), 4)
    others = tuple(evidence.hypothesis for evidence in ranked if evidence is not best)[:5]
    if confidence < LEAST:
        reasons = (f"likeliest: {best.cause.value.lower()} {best.which}".strip(), *best.reasons)
        return Diagnosis(
            cause=Cause.UNKNOWN, which="", confidence=confidence, reasons=reasons, others=(best.hypothesis, *others), suspects=suspects,
            missing=missing,
        )  # fmt: skip
    return Diagnosis(
        cause=best.cause, which=best.which, confidence=confidence, reasons=tuple(best.reasons), change=best.change, feed=best.feed,
        others=others, suspects=suspects, missing=missing,
    )  # fmt: skip


def _missing(findings: TriageFindings) -> tuple[str, ...]:
    """What could not be found out, in words."""
    found = []
    if findings.onset is None or findings.onset.blind:
        found.append("no fresh metrics say how it began")
    if findings.health is None:
        found.append("nobody looked from inside and outside")
    elif not findings.health.believed:
        found.append(f"only {findings.health.answered} of {findings.health.wanted} vantage points got an answer")
    if findings.changes is None:
        found.append("the change feed was not read")
    elif findings.changes.gaps:
        found.append(f"the change feed cannot see {listed(findings.changes.gaps)}")
    unread = (
        ("dependencies", findings.dependencies),
        ("capacity", findings.capacity),
        ("write gate", findings.gate),
        ("feeds", findings.feeds),
    )
    found.extend(f"{name} unknown" for name, value in unread if value is None)
    return tuple(found)
