"""The spec's edge cases of severity (§3), by name."""

from typing import Any

import pytest

from tests.incident.severity.judged import FULL, ONE_BAD, RUNAWAY, TWO_BAD, P, judged, rules
from workflows.incident import SEV1, SEV2, SEV3, SEV5
from workflows.severity.rules import TABLE


def test_edge_a_twelve_failed_requests_are_observed_unless_a_customer_reports_it() -> None:
    few = {"err_ratio": {"eu": 1.0}, "sample_count": {"eu": 12}, **FULL}
    alone, reported = judged(**few), judged(**few, customer_reported=True)
    assert (alone.severity, rules(alone)) == (P.observe_at, {"U"})
    assert alone.confidence < P.confidence_floor  # which spec §2.3 calls `observe`
    assert (reported.severity, rules(reported)) == (SEV2, {"U"})


def test_edge_a_thin_regions_add_up_to_one_that_counts() -> None:
    thin = {name: P.min_samples - 1 for name in ("eu", "us")}
    assert judged(err_ratio=dict.fromkeys(thin, 1.0), sample_count=thin, **FULL).severity is SEV1


def test_edge_b_failing_synthetics_are_sev_3_and_after_five_minutes_sev_2() -> None:
    assert judged(synthetic_only=True, duration_s=P.synthetic_limit_s - 1).severity is SEV3
    assert judged(synthetic_only=True, duration_s=P.synthetic_limit_s).severity is SEV2
    assert judged(synthetic_only=True).severity is SEV2  # for how long is unknown
    assert judged(synthetic_only=True, **ONE_BAD).rules[0].rule == "B1"


def test_edge_c_a_cosmetic_fault_in_every_region_is_sev_5() -> None:
    assert judged(scope="COSMETIC", regions_major=3, regions_total=3, user_ratio=1.0, tenant_ratio=1.0).severity is SEV5
    assert judged(scope="COSMETIC", **TWO_BAD).severity is SEV1  # measured errors are not cosmetic


def test_edge_d_one_tenant_that_is_most_of_revenue_is_tier_1() -> None:
    found = judged(tenant_count=1, tenant_tier1=True)
    assert (found.severity, found.rules[0].rule) == (SEV2, "B4")


def test_edge_e_a_region_we_drained_is_not_impacted() -> None:
    facts = {"err_ratio": {"eu": 1.0, "us": 0.0}, "sample_count": {"eu": 4000, "us": 4000}, **FULL}
    assert judged(**facts).severity is SEV2
    assert judged(**facts, drained_regions=["eu"]).severity == P.observe_at


SILENCED: list[dict[str, Any]] = [
    TWO_BAD,
    {**ONE_BAD, "duration_s": 1},
    {"err_ratio": {"eu": 1.0}},
    {"unavailable": True},
    {"scope": "CORE"},
    {"scope": "CORE", "tenant_ratio": 1.0, "user_ratio": 1.0, "slo": "ACTIVE", "tier1_tenants_down": 9},
    {"db_failover": True, "tool_registry_down": True, "backlog": True},
    {"synthetic_only": True, "duration_s": 1},
    {"synthetic_only": True, "duration_s": P.synthetic_limit_s},
]


def test_edge_f_planned_maintenance_silences_availability_and_never_a1_or_a2() -> None:
    for facts in SILENCED:
        assert judged(**facts).severity < P.observe_at
        assert judged(**facts, planned_maintenance=True).severity == P.observe_at
    for facts in ({"isolation_failure": "CONFIRMED"}, {"data_exposure": "CONFIRMED"}, {"data_exposure": "SUSPECTED", "corroborated": True}):
        assert judged(**facts, planned_maintenance=True).severity is SEV1
    assert {row.rule for row in TABLE if row.availability}.isdisjoint({"A1", "A2", "A6", "B3"})


@pytest.mark.parametrize("green", [True, False, None])
def test_edge_g_a_green_vendor_page_is_no_evidence(green: bool | None) -> None:
    for facts in ({}, {"provider_down": True, "fallback_adequate": False}, {"scope": "FEATURE"}):
        assert judged(**facts, vendor_status_green=green) == judged(**facts)


def test_edge_h_a_near_miss_is_sev_3_with_a_post_mortem() -> None:
    found = judged(near_miss=True)
    assert found.severity is SEV3
    assert "post-mortem" in found.rules[0].because


def test_edge_j_an_outsiders_claim_is_suspicion_until_one_real_sample_matches() -> None:
    assert judged(data_exposure="SUSPECTED").severity is SEV2
    assert judged(data_exposure="SUSPECTED", corroborated=True).severity is SEV1


def test_edge_k_blind_monitoring_is_sev_2() -> None:
    found = judged(monitoring_blind_s=P.blind_limit_s + 1, scope="COSMETIC")
    assert (found.severity, found.rules[0].rule) == (SEV2, "edge-k")


def test_edge_l_a_degraded_orchestrator_is_sev_2() -> None:
    found = judged(orchestrator_degraded=True, scope="COSMETIC")
    assert (found.severity, found.rules[0].rule) == (SEV2, "edge-l")


def test_edge_m_a_spend_cap_is_not_a_provider_outage() -> None:
    found = judged(provider_down=True, fallback_adequate=False, provider_spend_cap=True)
    assert (found.severity, rules(found)) == (SEV3, {"edge-m"})
    assert judged(provider_spend_cap=True, **RUNAWAY, spend_usd_per_h=1e4).rules[0].rule == "B2"
