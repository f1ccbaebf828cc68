"""What a reading of the metrics says about customers, as tables: ended, impact, or unknown; better, worse, or neither."""

from datetime import UTC, datetime
from typing import Any

import pytest

from activities.metrics.orders import ServiceHealth
from activities.organisation.numbers import Impact
from activities.values import Symptom
from workflows.engine.proof.judge import Finding, better, in_words, judge, worse

ALL, NUMBERS = tuple(Symptom), Impact()
AT = datetime(2026, 11, 23, 10, tzinfo=UTC)


def health(errors: float | None = 0.0, n: float = 1000, **more: Any) -> ServiceHealth:
    usual = {"p99_seconds": 0.9, "usual_p99_seconds": 0.9, "usual_requests": 1000.0}
    return ServiceHealth(**{"error_ratio": errors, "degraded_ratio": 0.0, "requests": n, "blind": False, "at": AT, **usual, **more})


WELL, SLOW, BLIND = health(), health(p99_seconds=4.3), health(None, 0, blind=True)
LOST, REFUSED, FAILING = health(n=200), health(turned_away_ratio=0.4), health(0.4)


@pytest.mark.parametrize(
    ("seen", "finding", "says"),
    [
        (WELL, Finding.ENDED, "0.00% of 1000 requests fail"),
        (FAILING, Finding.IMPACT, "(impact: errors)"),
        (
            health(1 / 24, 24, usual_requests=None),
            Finding.UNKNOWN,
            "(unknown: errors)",
        ),  # one of 24 is chance, and no proof of health either
        (SLOW, Finding.IMPACT, "p99 is 4.30 s, usual is 0.90 s (impact: latency)"),
        (health(p99_seconds=None), Finding.UNKNOWN, "(unknown: latency)"),
        (health(p99_seconds=4.3, n=20, usual_requests=None), Finding.UNKNOWN, "(unknown: latency)"),  # too few to say
        (LOST, Finding.IMPACT, "200 requests came, usual are 1000 (impact: lost traffic)"),
        (health(None, 0), Finding.IMPACT, "0 requests came, usual are 1000; none was served (impact: lost traffic)"),
        (health(None, 0, usual_requests=None), Finding.UNKNOWN, "none was served"),
        (REFUSED, Finding.IMPACT, "40.00% of 1000 are turned away (impact: turned away)"),
        (BLIND, Finding.UNKNOWN, "no data: blind"),
        (health(usual_requests=None), Finding.ENDED, "(not judged, because nobody knows what is usual: lost traffic)"),
        (health(usual_p99_seconds=None), Finding.ENDED, "nobody knows what is usual: latency"),
        (health(usual_requests=20.0, n=3), Finding.ENDED, "nobody knows what is usual: lost traffic"),  # a service at night
    ],
)
def test_one_proven_symptom_is_impact_and_its_end_must_be_known_of_each(seen: ServiceHealth, finding: Finding, says: str) -> None:
    verdict = judge(ALL, seen, NUMBERS)
    assert verdict.finding is finding, verdict
    assert says in verdict.why


@pytest.mark.parametrize("seen", [SLOW, LOST, REFUSED])
def test_only_what_the_card_names_counts(seen: ServiceHealth) -> None:
    assert judge((Symptom.ERRORS,), seen, NUMBERS).ended


@pytest.mark.parametrize(
    ("before", "now", "helped"),
    [
        (SLOW, SLOW, False),  # 0.00 % before and after: no improvement
        (
            health(0.0004, p99_seconds=4.3),
            health(0.0001, p99_seconds=4.3),
            False,
        ),  # nor are fewer errors, where errors were not the trouble
        (SLOW, health(p99_seconds=2.0), True),
        (SLOW, health(0.4, p99_seconds=0.9), False),  # quick errors
        (FAILING, health(0.19), True),
        (FAILING, health(0.3), False),
        (FAILING, health(0.0, turned_away_ratio=0.4), False),  # turned away instead of failed
        (FAILING, health(0.0, n=100), False),  # nobody comes any more
        (LOST, health(n=900), True),
        (REFUSED, WELL, True),
        (WELL, WELL, False),  # 0 → 0
        (FAILING, BLIND, False),
        (BLIND, WELL, False),
    ],
)
def test_better_is_less_of_what_was_the_impact(before: ServiceHealth, now: ServiceHealth, helped: bool) -> None:
    assert better(ALL, before, now, NUMBERS) is helped


@pytest.mark.parametrize(
    ("before", "now", "harmed"),
    [
        (health(0.1), health(0.6), True),
        (health(0.7), health(0.9), True),  # of what still went well, most is gone
        (health(0.4), health(0.45), False),
        (SLOW, health(0.3, p99_seconds=0.5), True),
        (SLOW, health(p99_seconds=8.0), True),
        (SLOW, health(p99_seconds=5.0), False),
        (FAILING, health(0.4, turned_away_ratio=0.7), True),
        (FAILING, health(0.4, n=200), True),
        (FAILING, BLIND, False),
        (WELL, health(2 / 1000), False),
    ],
)
def test_clearly_worse_is_beyond_chance(before: ServiceHealth, now: ServiceHealth, harmed: bool) -> None:
    assert worse(ALL, before, now, NUMBERS) is harmed


def test_a_sentence_names_what_is_not_usual_and_nothing_else() -> None:
    assert in_words(WELL) == "0.00% of 1000 requests fail"
    assert in_words(REFUSED) == "0.00% of 600 requests fail; 40.00% of 1000 are turned away"
