"""Severity never hides a doubt: what holds for any facts."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from activities.organisation.numbers import SeverityPolicy
from tests.incident.severity.judged import P, judged, just_over
from workflows.incident import SEV2, SEV5
from workflows.severity.adjustment import Observation
from workflows.severity.classify import classify, impact_unknown
from workflows.severity.facts import Facts

HINTS: dict[str, tuple[Any, Any]] = {
    **dict.fromkeys(("isolation_failure", "data_exposure", "privileged_secret", "data_loss", "injection"), ("NONE", "UNKNOWN")),
    **dict.fromkeys(("physical_or_safety_harm", "unavailable", "tenant_tier1", "provider_down", "db_failover"), (False, None)),
    **dict.fromkeys(("tool_registry_down", "backlog", "orchestrator_degraded"), (False, None)),
    "cve": ({"malicious_pkg_executed": False}, {"malicious_pkg_executed": None}),
    "confidence": (1.0, None),
}

RATIOS = [0.0, 0.01, just_over(P.degraded_ratio), P.many_users_ratio, P.many_tenants_ratio, just_over(P.outage_ratio), 1.0]
AMOUNTS = [0.0, 1.0, 4.0, P.spend_floor_usd_per_h, P.window_s - 1, P.window_s, P.window_s + 1, 1e6]
COUNTS = [0, 1, 2, 3, P.many_tenants, 500]
SUSPICION = ["NONE", "SUSPECTED", "CONFIRMED"]

# From better to worse. What is unknown, and what only qualifies other facts, stands in no order.
ORDER: dict[str, list[Any]] = {
    "isolation_failure": SUSPICION,
    "data_exposure": SUSPICION,
    "privileged_secret": SUSPICION,
    "data_loss": ["NONE", "POSSIBLE", "CONFIRMED"],
    "injection": ["NONE", "ATTEMPT", "SIDE_EFFECT", "EXFIL"],
    "scope": ["COSMETIC", "COMPONENT", "FEATURE", "CORE", "PLATFORM"],
    "slo": ["NO", "MAYBE", "LIKELY", "INEVITABLE", "ACTIVE"],
    "workaround": ["YES", "NO"],
    "fallback_adequate": [True, False],
    "confidence": RATIOS[::-1],
    **{name: RATIOS for name in ("tenant_ratio", "user_ratio")},
    **{name: AMOUNTS for name in ("duration_s", "spend_multiple", "spend_usd_per_h", "monitoring_blind_s")},
    **{name: COUNTS for name in ("tenant_count", "tier1_tenants_down", "regions_major")},
    **{name: [False, True] for name in ("corroborated", "active_adversary", "physical_or_safety_harm", "unavailable", "synthetic_only")},
    **{name: [False, True] for name in ("tenant_tier1", "customer_reported", "provider_down", "db_failover", "tool_registry_down")},
    **{name: [False, True] for name in ("backlog", "near_miss", "orchestrator_degraded", "stale", "contradictory")},
}
CVE = ("high", "exploited", "reachable", "malicious_pkg_executed", "production_secrets")
UNORDERED = {"planned_maintenance", "provider_spend_cap", "vendor_status_green", "regions_total", "sample_count", "drained_regions"}
ENUMS = {"isolation_failure", "data_exposure", "privileged_secret", "data_loss", "injection", "scope", "slo", "workaround"}
NEVER_UNKNOWN = {"corroborated", "synthetic_only", "customer_reported", "near_miss", "stale", "contradictory"}


def with_unknown(name: str) -> st.SearchStrategy[Any]:
    extra = ["UNKNOWN"] if name in ENUMS else [] if name in NEVER_UNKNOWN else [None]
    return st.sampled_from(ORDER[name] + extra)


REGION = st.sampled_from(["eu", "us", "ap"])
ANY_FACTS = st.fixed_dictionaries(
    {},
    optional={
        **{name: with_unknown(name) for name in ORDER},
        "cve": st.fixed_dictionaries({}, optional={n: st.sampled_from([False, True] if n == "high" else [False, True, None]) for n in CVE}),
        "err_ratio": st.dictionaries(REGION, st.sampled_from(RATIOS), max_size=3),
        "sample_count": st.dictionaries(REGION, st.sampled_from([0, 12, P.min_samples, 5000]), max_size=3),
        "drained_regions": st.lists(REGION, max_size=2),
        "regions_total": st.sampled_from([None, 1, 3]),
        "planned_maintenance": st.booleans(),
        "provider_spend_cap": st.booleans(),
        "vendor_status_green": st.sampled_from([None, False, True]),
    },
)
# Sparse facts meet the rules one at a time; a full house would nearly always be SEV-1.
SOME_FACTS = st.tuples(ANY_FACTS, st.sets(st.sampled_from(sorted(Facts.model_fields)), max_size=6)).map(
    lambda pair: {name: value for name, value in pair[0].items() if name in pair[1]}
)
modest = settings(max_examples=150, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


def test_every_field_has_a_place_in_the_properties() -> None:
    assert set(ORDER) | UNORDERED | {"cve", "err_ratio"} == set(Facts.model_fields)


@modest
@given(ANY_FACTS | SOME_FACTS)
def test_total_and_explained(facts: dict[str, Any]) -> None:
    found = judged(**facts)
    assert found.severity is min(rule.severity for rule in found.rules)
    assert all(rule.because and "{" not in rule.because and "None" not in rule.because for rule in found.rules)


@settings(modest, max_examples=250)
@given(SOME_FACTS, st.data())
def test_making_a_fact_worse_never_lowers_severity(facts: dict[str, Any], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([*ORDER, "cve", "err_ratio"]))
    steps: list[Any] = ORDER.get(name, [])
    if name == "cve":
        key = data.draw(st.sampled_from(CVE))
        steps = [{**facts.get("cve", {}), key: value} for value in (False, True)]
    if name == "err_ratio":
        region = data.draw(REGION)
        steps = [{**facts.get("err_ratio", {}), region: value} for value in RATIOS]
    worse = data.draw(st.integers(1, len(steps) - 1))
    less, more = ({**facts, name: steps[i]} for i in (data.draw(st.integers(0, worse - 1)), worse))
    never_lower(Facts.model_validate(less), Facts.model_validate(more))


def never_lower(less: Facts, more: Facts) -> None:
    """An unknown impact is outside the order: naming the impact may suggest less, which only the commander applies."""
    before, after = classify(less), classify(more)
    resolved = impact_unknown(less) and not impact_unknown(more)
    assert after.severity <= before.severity or resolved, (before, after)
    if not less.planned_maintenance:
        known = [min((r.severity for r in found.rules if r.rule != "U"), default=6) for found in (before, after)]
        assert known[1] <= known[0], (before, after)


@pytest.mark.parametrize("name", ORDER)
def test_each_order_is_monotone_by_itself_under_every_known_scope(name: str) -> None:
    for scope in ("COSMETIC", "COMPONENT", "FEATURE", "CORE", "PLATFORM"):
        facts = [Facts.model_validate({"scope": scope, "workaround": "YES", "slo": "NO", name: step}) for step in ORDER[name]]
        found = [classify(f).severity for f in facts]
        assert found == sorted(found, reverse=True)


@modest
@given(SOME_FACTS, st.randoms(use_true_random=False))
def test_the_order_of_inputs_is_irrelevant(facts: dict[str, Any], random: Any) -> None:
    def shuffled(given_facts: dict[str, Any]) -> dict[str, Any]:
        items = list(given_facts.items())
        random.shuffle(items)
        return {key: shuffled(value) if isinstance(value, dict) else value for key, value in items}

    assert judged(**shuffled(facts)) == judged(**facts)


@pytest.mark.parametrize("name", HINTS)
def test_unknown_is_not_none(name: str) -> None:
    none, unknown = HINTS[name]
    assert judged(scope="COSMETIC", **{name: none}).severity is SEV5
    doubted = judged(scope="COSMETIC", **{name: unknown})
    assert (doubted.severity, doubted.rules[0].rule) == (SEV2, "U")
    assert name in doubted.rules[0].because


@pytest.mark.parametrize(
    ("unknown", "known"),
    [
        ({"scope": "CORE"}, {"scope": "CORE", "user_ratio": 0.0}),
        ({"scope": "COMPONENT", "workaround": "YES"}, {"scope": "COMPONENT", "workaround": "YES", "slo": "NO"}),
        ({"scope": "COMPONENT", "slo": "NO"}, {"scope": "COMPONENT", "slo": "NO", "workaround": "YES"}),
        ({"err_ratio": {"eu": 0.4}}, {"err_ratio": {"eu": 0.4}, "duration_s": 1}),
        ({"provider_down": True}, {"provider_down": True, "fallback_adequate": True}),
    ],
)
def test_resolving_an_unknown_may_suggest_less(unknown: dict[str, Any], known: dict[str, Any]) -> None:
    assert judged(**unknown).severity < judged(**known).severity


def test_no_default_reads_the_clock_or_the_world() -> None:
    models: list[type[BaseModel]] = [Facts, SeverityPolicy, Observation]
    assert all(field.default_factory is None for model in models for field in model.model_fields.values())
