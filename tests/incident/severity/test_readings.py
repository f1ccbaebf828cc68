"""Readings that are made anyway are judged: with how many requests stand behind them, and for how long they have said so."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.metrics.telemetry import BlastRadius, EstimateQuality, ServiceHealth
from tests.incident.severity.judged import FULL, P, judged, just_over
from workflows.incident import SEV1, SEV2, SEV3
from workflows.severity.adjustment import LoweringRequest, Observation, SeverityHistory, may_lower
from workflows.severity.classify import classify
from workflows.severity.facts import Facts, Quality
from workflows.severity.readings import facts_of

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LONG = timedelta(seconds=P.window_s)


def health(error_ratio: float | None, requests: float = 4000, blind: bool = False) -> ServiceHealth:
    return ServiceHealth(error_ratio=error_ratio, degraded_ratio=0.0, requests=requests, p99_seconds=0.4, blind=blind, at=NOON)


def radius(share: float, requests: float, tenants: int = 20) -> BlastRadius:
    names = tuple(f"tenant-{n}" for n in range(tenants))
    by = {"eu": requests / 2, "us": requests / 2}
    shares = dict.fromkeys(by, share)
    return BlastRadius(
        tenants=names, tenant_ratio=1.0, error_ratio_by_region=shares, requests_by_region=by, quality=EstimateQuality.HIGH, at=NOON
    )


@pytest.mark.parametrize(
    ("seen", "lasted", "severity"),
    [
        (health(just_over(P.outage_ratio)), LONG, SEV1),
        (health(just_over(P.outage_ratio)), LONG - MINUTE, SEV3),
        (health(just_over(P.outage_ratio), requests=P.min_samples - 1), LONG, SEV3),
        (health(just_over(P.degraded_ratio)), LONG, SEV2),
        (health(0.0), LONG, SEV3),
        (radius(1.0, 9), LONG, SEV3),
        (radius(1.0, 2 * P.min_samples), LONG, SEV1),
        (radius(just_over(P.degraded_ratio), 2 * P.min_samples - 2), LONG, SEV2),
    ],
)
def test_a_reading_says_as_much_as_there_are_requests_behind_it(seen: Any, lasted: timedelta, severity: int) -> None:
    assert classify(facts_of(seen, lasted)).severity == severity


def test_a_blind_reading_says_nothing() -> None:
    assert facts_of(health(None, blind=True), LONG).err_ratio == {}


NINE: dict[str, Any] = {"err_ratio": {"eu": 1.0}, "sample_count": {"eu": 9}, "scope": "CORE", **FULL}


@pytest.mark.parametrize("reach", [{"tenant_ratio": 1.0}, {"tenant_count": P.many_tenants}, {}])
def test_nine_failing_requests_make_no_sev_1_however_many_tenants_sent_them(reach: dict[str, Any]) -> None:
    assert judged(**NINE, **reach).severity > SEV1
    assert judged(**{**NINE, "sample_count": {"eu": P.min_samples}}, **reach, tenant_tier1=False, regions_total=1).severity == SEV1


def test_a_drained_region_adds_no_requests() -> None:
    few = {**NINE, "sample_count": {"eu": 9, "us": 5000}, "tenant_ratio": 1.0}
    assert judged(**few).severity == SEV1
    assert judged(**few, drained_regions=["us"]).severity > SEV1


# -- for how long ---------------------------------------------------------------------------------------------------------------------


def seen(minutes_ago: int, share: float | None, *, whole: bool = False, quality: Quality = Quality.UNKNOWN) -> Observation:
    facts = Facts(scope="FEATURE", err_ratio={} if share is None else {"eu": share})
    return Observation(at=NOON - minutes_ago * MINUTE, facts=facts, whole=whole, quality=quality)


@pytest.mark.parametrize(
    ("told", "minutes"),
    [
        ([], 40),  # nothing has said otherwise: since it began
        ([(9, 0.3), (4, 0.3)], 40),
        ([(9, 0.0)], 2),  # well nine minutes ago: of what came then, only the window of this reading is known
        ([(9, 0.0), (4, 0.3)], 6),
        ([(9, 0.3), (4, 0.0), (1, 0.3)], 3),
        ([(9, 0.0), (4, None)], 2),  # what was not read is neither well nor failing
    ],
)
def test_it_has_lasted_since_the_first_reading_that_failed_after_the_last_one_that_was_well(told: Any, minutes: int) -> None:
    history = SeverityHistory(NOON, [seen(*one) for one in told])
    assert history.lasted(NOON, NOON - 40 * MINUTE, 2 * MINUTE, P.degraded_ratio) == minutes * MINUTE


def lowering(observations: list[Observation]) -> bool:
    history = SeverityHistory(NOON - 90 * MINUTE, observations)
    wanted = LoweringRequest(
        current=SEV2, to=SEV3, at=NOON, by_commander=True, mitigation_verified=True, comms_updated=True, radius_quality=history.quality
    )
    return may_lower(wanted, history).allowed


def test_only_a_reading_of_whom_it_hits_shows_that_it_is_quiet_and_any_reading_shows_that_it_is_not() -> None:
    whole = [seen(m, 0.0, whole=True, quality=Quality.HIGH) for m in (40, 30, 20, 10, 0)]
    assert lowering(whole)
    assert not lowering([seen(m, 0.0) for m in (40, 30, 20, 10, 0)]), "of the errors alone"
    assert not lowering([*whole[:1], *(seen(m, 0.0) for m in range(39, 0, -1)), whole[-1]]), "nobody looked at the radius in between"
    bad = seen(5, 0.3).model_copy(update={"facts": Facts.model_validate({"err_ratio": {"eu": 0.3}, **FULL})})
    assert not lowering([*whole, bad])


def test_the_newest_estimate_counts_and_not_a_reading_that_estimates_nothing() -> None:
    assert SeverityHistory(NOON, [seen(9, 0.0, whole=True, quality=Quality.MED), seen(1, 0.0)]).quality is Quality.MED
    assert SeverityHistory(NOON).quality is Quality.UNKNOWN
