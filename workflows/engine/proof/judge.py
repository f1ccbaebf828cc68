"""What a reading of the metrics says about customers: it has ended, it goes on, or nobody can say. By the symptoms that a card names.

Pure. Unknown is neither: it ends no impact, and it begins none. Where nobody knows what is usual, latency and traffic are not judged, and the
sentence says so.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from activities.metrics.counting import beyond_chance, fewer_than_chance
from activities.metrics.orders import ServiceHealth
from activities.organisation.numbers import Impact
from activities.values import Symptom

WORTH_SAYING = 1.2  # times the usual 99th percentile: from here on it stands in the sentence


class Finding(StrEnum):
    ENDED = "ended"  # proven: no impact
    IMPACT = "impact"  # proven, beyond chance
    UNKNOWN = "unknown"
    NOT_JUDGED = "not judged"  # nobody knows what is usual


@dataclass(frozen=True)
class Verdict:
    """What was found, and the sentence for people."""

    finding: Finding
    why: str

    @property
    def ended(self) -> bool:
        return self.finding is Finding.ENDED

    @property
    def impact(self) -> bool:
        return self.finding is Finding.IMPACT


def judge(proof: Sequence[Symptom], health: ServiceHealth, numbers: Impact) -> Verdict:
    """Whether customers are affected. One proven symptom is enough; that none is left must be known of each."""
    if health.blind:
        return Verdict(Finding.UNKNOWN, in_words(health))
    found = {symptom: _JUDGES[symptom](health, numbers) for symptom in proof}
    for finding in (Finding.IMPACT, Finding.UNKNOWN):
        if named := [symptom.value for symptom, one in found.items() if one is finding]:
            return Verdict(finding, f"{in_words(health)} ({finding.value}: {', '.join(named)})")
    unjudged = [symptom.value for symptom, one in found.items() if one is Finding.NOT_JUDGED]
    said = f" (not judged, because nobody knows what is usual: {', '.join(unjudged)})" if unjudged else ""
    return Verdict(Finding.ENDED, in_words(health) + said)


def better(proof: Sequence[Symptom], before: ServiceHealth, now: ServiceHealth, numbers: Impact) -> bool:
    """Whether what was impact has ended, or dropped by enough. 0 → 0 is no improvement, and unknown is never better."""
    if now.blind or not judge(proof, before, numbers).impact:
        return False
    if judge(proof, now, numbers).ended:
        return True
    left, unserved = 1 - numbers.improvement, [symptom for symptom in proof if symptom is not Symptom.LATENCY]
    if judge(unserved, before, numbers).impact:
        was, lost = _unserved(proof, before, numbers), _unserved(proof, now, numbers)
        return was is not None and lost is not None and lost <= was * left and not _slower(proof, before, now, numbers)
    slow_before, slow = _slowness(before), _slowness(now)
    if slow_before is None or slow is None or judge(unserved, now, numbers).impact:
        return False
    return slow - 1 <= (slow_before - 1) * left


def worse(proof: Sequence[Symptom], before: ServiceHealth, now: ServiceHealth, numbers: Impact) -> bool:
    """Whether it is clearly worse, beyond chance. Unknown is not: what is undone then is undone blindly."""
    if now.blind or before.blind or not judge(proof, now, numbers).impact:
        return False
    lost_before, lost = _unserved(proof, before, numbers), _unserved(proof, now, numbers)
    if lost_before is not None and lost is not None:
        most = max(lost_before + numbers.worsening * min(lost_before, 1 - lost_before), numbers.error_ratio)
        expected = max(now.requests, now.usual_requests or 0.0)
        if beyond_chance(lost * expected, expected, most):
            return True
    return _slower(proof, before, now, numbers)


def in_words(health: ServiceHealth) -> str:
    """How a service does, in a few words."""
    if health.blind:
        return "no data: blind"
    said = [f"{health.requests:.0f} requests came, usual are {health.usual_requests:.0f}"] if _lost(health, WORTH_SAYING - 1) else []
    if health.error_ratio is None:
        return "; ".join([*said, "none was served"])
    said.insert(0, f"{health.error_ratio:.2%} of {health.served:.0f} requests fail")
    if health.turned_away_ratio > 0:
        said.append(f"{health.turned_away_ratio:.2%} of {health.requests:.0f} are turned away")
    slow = _slowness(health)
    if slow is not None and slow > WORTH_SAYING:
        said.append(f"p99 is {health.p99_seconds:.2f} s, usual is {health.usual_p99_seconds:.2f} s")
    return "; ".join(said)


def _errors(health: ServiceHealth, numbers: Impact) -> Finding:
    if health.error_ratio is None:
        return Finding.UNKNOWN
    if health.error_ratio <= numbers.error_ratio:
        return Finding.ENDED
    return Finding.IMPACT if beyond_chance(health.error_ratio * health.served, health.served, numbers.error_ratio) else Finding.UNKNOWN


def _latency(health: ServiceHealth, numbers: Impact) -> Finding:
    if not health.usual_p99_seconds:
        return Finding.NOT_JUDGED
    if (slow := _slowness(health)) is None:
        return Finding.UNKNOWN
    if slow <= numbers.latency_ratio:
        return Finding.ENDED
    return Finding.IMPACT if health.served >= numbers.least_requests else Finding.UNKNOWN


def _lost_traffic(health: ServiceHealth, numbers: Impact) -> Finding:
    if health.usual_requests is None or health.usual_requests < numbers.least_requests:
        return Finding.NOT_JUDGED
    if not _lost(health, numbers.lost_ratio):
        return Finding.ENDED
    few = fewer_than_chance(health.requests, (1 - numbers.lost_ratio) * health.usual_requests)
    return Finding.IMPACT if few else Finding.UNKNOWN


def _turned_away(health: ServiceHealth, numbers: Impact) -> Finding:
    if health.turned_away_ratio <= numbers.turned_away_ratio:
        return Finding.ENDED
    turned = health.turned_away_ratio * health.requests
    return Finding.IMPACT if beyond_chance(turned, health.requests, numbers.turned_away_ratio) else Finding.UNKNOWN


_JUDGES: dict[Symptom, Callable[[ServiceHealth, Impact], Finding]] = {
    Symptom.ERRORS: _errors, Symptom.LATENCY: _latency, Symptom.LOST_TRAFFIC: _lost_traffic, Symptom.TURNED_AWAY: _turned_away,
}  # fmt: skip


def _lost(health: ServiceHealth, ratio: float) -> bool:
    """Whether so great a part of the usual traffic does not come."""
    return health.usual_requests is not None and health.requests < (1 - ratio) * health.usual_requests


def _slowness(health: ServiceHealth) -> float | None:
    """The 99th percentile, as a multiple of the usual one."""
    return health.p99_seconds / health.usual_p99_seconds if health.p99_seconds is not None and health.usual_p99_seconds else None


def _slower(proof: Sequence[Symptom], before: ServiceHealth, now: ServiceHealth, numbers: Impact) -> bool:
    was, slow = _slowness(before), _slowness(now)
    if Symptom.LATENCY not in proof or was is None or slow is None or now.served < numbers.least_requests:
        return False
    return slow > numbers.latency_ratio and slow > was * (1 + numbers.worsening)


def _unserved(proof: Sequence[Symptom], health: ServiceHealth, numbers: Impact) -> float | None:
    """The part of the requests that customers made, or would have made, and that nobody answered well. None: unknown."""
    if health.blind:
        return None
    failed = health.error_ratio if Symptom.ERRORS in proof else 0.0
    turned = health.turned_away_ratio if Symptom.TURNED_AWAY in proof else 0.0
    if failed is None and health.served > 0:
        return None
    came = 1.0
    if Symptom.LOST_TRAFFIC in proof and _lost(health, numbers.lost_ratio) and health.usual_requests:
        came = health.requests / health.usual_requests
    return 1 - came * (1 - turned) * (1 - (failed or 0.0))
