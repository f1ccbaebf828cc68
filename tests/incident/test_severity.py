"""Severity decides as spec §3 and seed §0.1 say, and never hides a doubt."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from activities.action import Role
from activities.organisation.severity_policy import SeverityPolicy
from workflows.incident import SEV1, SEV2, SEV3, SEV4, SEV5, Severity, worst
from workflows.severity.adjustment import Lowering, LoweringRequest, Observation, SeverityHistory, may_lower, raise_if_not_mitigated
from workflows.severity.classify import Classification, classify
from workflows.severity.facts import Facts, Quality
from workflows.severity.matrix import MATRIX
from workflows.severity.rules import TABLE, impact_unknown

P = SeverityPolicy()
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def named(value: object) -> str:
    """A name that is the same in every process: a set has no order."""
    return "|".join(sorted(value)) if isinstance(value, set | frozenset) else str(value)


EXAMPLES = {example: row.severity for row in MATRIX for example in row.examples.split(", ")}
GOLDEN = json.loads((Path(__file__).parents[1] / "severity_golden" / "seed_matrix.json").read_text("utf-8"))


def judged(policy: SeverityPolicy = P, /, **facts: Any) -> Classification:
    return classify(Facts.model_validate(facts), policy)


def rules(found: Classification) -> set[str]:
    return {rule.rule for rule in found.rules}


def just_over(limit: float) -> float:
    return limit + 0.01


# --- the word itself


@pytest.mark.parametrize("text", ["SEV-2", "sev2", "2", 2, "SEV\u20112", " Sev 2 ", SEV2])
def test_a_severity_is_read_however_people_write_it(text: str | int) -> None:
    assert Severity.parse(text) is SEV2


@pytest.mark.parametrize("text", ["", "SEV-0", "SEV-6", "6", 0, "bad", "SEV-22", True, "-2"])
def test_what_is_no_severity_is_refused(text: str | int) -> None:
    with pytest.raises(ValueError, match="not a severity"):
        Severity.parse(text)


def test_labels_and_priorities_are_those_of_the_matrix() -> None:
    assert [(s.label, s.priority) for s in Severity] == [(f"SEV-{n}", f"P{n - 1}") for n in range(1, 6)]


def test_worse_is_the_smaller_number() -> None:
    assert worst(SEV3, SEV1, SEV5) is SEV1
    assert worst(SEV4) is SEV4


# --- the seed's example cells, and the spec's table


@pytest.mark.parametrize("cell", GOLDEN, ids=lambda cell: cell["example"])
def test_an_example_of_the_seed_is_classified_as_its_row_says(cell: dict[str, Any]) -> None:
    found = judged(**cell["facts"])
    assert found.severity == cell["severity"] == EXAMPLES[cell["example"]]
    assert found.rules[0].rule == cell["rule"]


def test_every_example_of_the_seed_has_a_golden_cell() -> None:
    assert {cell["example"] for cell in GOLDEN} == set(EXAMPLES)


def test_every_row_of_the_specs_table_is_there() -> None:
    wanted = {"A1", "A2", "A3", "A4", "A5", "A6", "B1", "B2", "B3", "B4", "C1", "D1", "E1", "U"}
    assert wanted == {row.rule for row in TABLE if not row.rule.startswith("edge-")}
    level = {"A": SEV1, "B": SEV2, "C": SEV3, "D": SEV4, "E": SEV5, "U": SEV2}
    assert all(row.severity is level[row.rule[0]] for row in TABLE if row.rule[0] in level)


FULL = {"duration_s": P.window_s}
LONG_OUTAGE = {"err_ratio": {"eu": just_over(P.outage_ratio)}, **FULL}
ONE_BAD = {"err_ratio": {"eu": just_over(P.degraded_ratio), "us": 0.0}, **FULL}
TWO_BAD = {"err_ratio": {"eu": just_over(P.degraded_ratio), "us": just_over(P.degraded_ratio)}, **FULL}
RUNAWAY = {"spend_multiple": just_over(P.spend_multiple)}

SPEC: list[tuple[str, int, dict[str, Any]]] = [
    ("A1", 1, {"isolation_failure": "CONFIRMED"}),
    ("A2", 1, {"data_exposure": "CONFIRMED"}),
    ("A2", 1, {"data_exposure": "SUSPECTED", "corroborated": True}),
    ("A2", 1, {"isolation_failure": "SUSPECTED", "corroborated": True}),
    ("A2", 1, {"data_exposure": "SUSPECTED", "active_adversary": True}),
    ("A2", 1, {"data_exposure": "SUSPECTED", "active_adversary": None}),
    ("A3", 1, LONG_OUTAGE),
    ("A3", 1, {"unavailable": True}),
    ("A4", 1, TWO_BAD),
    ("A4", 1, {"regions_major": P.many_regions}),
    ("A4", 1, {**LONG_OUTAGE, "regions_total": 1}),
    ("A5", 1, {"tenant_ratio": P.many_tenants_ratio, "scope": "CORE"}),
    ("A5", 1, {"tenant_count": P.many_tenants, "scope": "PLATFORM"}),
    ("A5", 1, {"tenant_count": P.many_tenants, **ONE_BAD}),
    ("A6", 1, {"data_loss": "CONFIRMED"}),
    ("A6", 1, {"injection": "EXFIL"}),
    ("A6", 1, {"cve": {"malicious_pkg_executed": True, "production_secrets": True}}),
    ("A6", 1, {"physical_or_safety_harm": True}),
    ("B1", 2, ONE_BAD),
    ("B1", 2, {"user_ratio": P.many_users_ratio}),
    ("B1", 2, {"slo": "LIKELY"}),
    ("B1", 2, {"slo": "ACTIVE"}),
    ("B2", 2, {"provider_down": True, "fallback_adequate": False}),
    ("B2", 2, {"db_failover": True}),
    ("B2", 2, {**RUNAWAY, "spend_usd_per_h": just_over(P.spend_floor_usd_per_h)}),
    ("B3", 2, {"isolation_failure": "SUSPECTED"}),
    ("B3", 2, {"data_exposure": "SUSPECTED"}),
    ("B3", 2, {"privileged_secret": "SUSPECTED"}),
    ("B3", 2, {"cve": {"exploited": True, "reachable": True}}),
    ("B3", 2, {"cve": {"malicious_pkg_executed": True}}),
    ("B3", 2, {"injection": "SIDE_EFFECT"}),
    ("B3", 2, {"data_loss": "POSSIBLE"}),
    ("B4", 2, {"tier1_tenants_down": P.tier1_tenants}),
    ("C1", 3, {"scope": "FEATURE"}),
    ("C1", 3, {"tenant_count": 1}),
    ("C1", 3, {"tool_registry_down": True}),
    ("C1", 3, {"backlog": True}),
    ("C1", 3, {"injection": "ATTEMPT"}),
    ("C1", 3, {"provider_down": True, "fallback_adequate": True}),
    ("C1", 3, {"cve": {"high": True, "reachable": True}}),
    ("C1", 3, {**RUNAWAY, "spend_usd_per_h": P.spend_floor_usd_per_h}),
    ("C1", 3, {"scope": "COMPONENT", "workaround": "NO", "slo": "NO"}),
    ("C1", 3, {**LONG_OUTAGE, "duration_s": P.window_s - 1}),
    ("D1", 4, {"scope": "COMPONENT", "workaround": "YES", "slo": "NO"}),
    ("E1", 5, {"scope": "COSMETIC"}),
    ("U", 2, {}),
    ("U", 2, {"scope": "FEATURE", "contradictory": True}),
    ("U", 2, {"scope": "FEATURE", "stale": True}),
    ("U", 2, {"scope": "FEATURE", "confidence": P.confidence_floor - 0.01}),
    ("U", 2, {"scope": "FEATURE", "provider_down": True}),
    ("U", 2, {"cve": {"high": True, "reachable": None, "exploited": None}}),
    ("U", 2, RUNAWAY),
    ("U", 2, {"err_ratio": {"eu": 1.0}}),
    ("U", 2, {"scope": "CORE"}),
    ("U", 2, {"tenant_count": P.many_tenants}),
]


@pytest.mark.parametrize(("rule", "severity", "facts"), SPEC, ids=[f"{r}-{json.dumps(f)}" for r, _, f in SPEC])
def test_a_row_of_the_specs_table(rule: str, severity: int, facts: dict[str, Any]) -> None:
    found = judged(**facts)
    assert found.severity == severity
    assert found.rules[0].severity is found.severity
    assert rule in rules(found)


@pytest.mark.parametrize(
    ("facts", "absent"),
    [
        ({**LONG_OUTAGE, "duration_s": P.window_s - 1}, {"A3", "B1"}),
        ({**FULL, "err_ratio": {"eu": P.outage_ratio}}, {"A3"}),
        ({**FULL, "err_ratio": {"eu": P.degraded_ratio}}, {"B1"}),
        ({"tenant_ratio": P.many_tenants_ratio, "scope": "FEATURE"}, {"A5"}),
        ({"user_ratio": P.many_users_ratio - 0.01}, {"B1"}),
        ({"slo": "MAYBE"}, {"B1"}),
        ({"spend_multiple": P.spend_multiple, "spend_usd_per_h": 1e6}, {"B2"}),
        ({"monitoring_blind_s": P.blind_limit_s}, {"edge-k"}),
    ],
    ids=named,
)
def test_just_short_of_a_limit_the_rule_is_silent(facts: dict[str, Any], absent: set[str]) -> None:
    assert not absent & rules(judged(**facts))


def test_an_a_or_b_rule_settles_every_doubt() -> None:
    assert rules(judged(isolation_failure="CONFIRMED", stale=True, contradictory=True, confidence=0.1)) == {"A1"}


def test_the_numbers_come_from_the_policy() -> None:
    lax = SeverityPolicy(many_users_ratio=0.9, many_tenants=10_000)
    assert judged(user_ratio=P.many_users_ratio, scope="FEATURE").severity is SEV2
    assert judged(lax, user_ratio=P.many_users_ratio, scope="FEATURE").severity is SEV3


def test_because_quotes_what_it_saw() -> None:
    assert judged(user_ratio=0.4).rules[0].because == "40% of users are affected"
    assert judged(scope="COSMETIC", data_loss="UNKNOWN").rules[0].because == "data_loss: unknown, which is not none"


def test_facts_refuse_what_they_do_not_know_and_do_not_change() -> None:
    with pytest.raises(ValidationError):
        judged(unheard_of=True)
    with pytest.raises(ValidationError):
        judged(err_ratio={"eu": 1.2})
    with pytest.raises(ValidationError):
        Facts().scope = "CORE"  # type: ignore[misc, assignment]


def test_facts_survive_json() -> None:
    facts = Facts.model_validate({**TWO_BAD, "drained_regions": ["eu"], "cve": {"high": True}})
    assert Facts.model_validate_json(facts.model_dump_json()) == facts


# --- the spec's edge cases, by name


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


# --- properties

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
modest = settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


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


# --- escalation


def test_sev_3_unmitigated_for_more_than_four_hours_is_proposed_as_sev_2() -> None:
    assert raise_if_not_mitigated(SEV3, NOON, NOON + P.sev3_patience, growing_radius=True) is None
    late = raise_if_not_mitigated(SEV3, NOON, NOON + P.sev3_patience + MINUTE, growing_radius=False)
    assert late is not None
    assert late.severity is SEV2


def test_sev_2_for_more_than_an_hour_with_a_growing_radius_is_proposed_as_sev_1() -> None:
    late = NOON + P.sev2_patience + MINUTE
    assert raise_if_not_mitigated(SEV2, NOON, late, growing_radius=False) is None
    assert raise_if_not_mitigated(SEV2, NOON, NOON + P.sev2_patience, growing_radius=True) is None
    proposal = raise_if_not_mitigated(SEV2, NOON, late, growing_radius=True)
    assert proposal is not None
    assert proposal.severity is SEV1


@pytest.mark.parametrize("severity", [SEV1, SEV4, SEV5])
def test_nothing_else_rises_with_time(severity: Severity) -> None:
    assert raise_if_not_mitigated(severity, NOON, NOON + timedelta(days=9), growing_radius=True) is None


# --- de-escalation

HEALTHY: dict[str, Any] = {"scope": "FEATURE"}


def looked(facts: dict[str, Any] = HEALTHY, *, minutes: int = 40, every: int = 10) -> list[Observation]:
    return [Observation(at=NOON - m * MINUTE, facts=Facts.model_validate(facts)) for m in range(minutes, -1, -every)]


def lowering(
    history: list[Observation] | None = None, *, current: Severity = SEV2, to: Severity = SEV3, fired: Sequence[str] = (),
    changes: Sequence[datetime] = (), **changed: Any,
) -> Lowering:  # fmt: skip
    wish: dict[str, Any] = {"by_commander": True, "mitigation_verified": True, "radius_quality": Quality.MED, "comms_updated": True}
    known = SeverityHistory(NOON - 90 * MINUTE, looked() if history is None else history, changes)
    known.fired |= set(fired)
    return may_lower(LoweringRequest(current=current, to=to, at=NOON, **{**wish, **changed}), known)


def test_the_commander_may_lower_by_one_when_all_is_quiet_verified_known_and_told() -> None:
    assert lowering().allowed
    assert f"no rule of SEV-2 held for {P.quiet}" in lowering().reasons


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"by_commander": False}, "only the incident commander may lower"),
        ({"mitigation_verified": False}, "mitigation is not verified"),
        ({"radius_quality": Quality.LOW}, "blast radius quality is LOW"),
        ({"radius_quality": Quality.UNKNOWN}, "blast radius quality is UNKNOWN"),
        ({"comms_updated": False}, "comms are not updated"),
        ({"to": SEV4}, "SEV-2 may become one level less, not SEV-4"),
        ({"to": SEV1}, "SEV-2 may become one level less, not SEV-1"),
        ({"to": SEV2}, "SEV-2 may become one level less, not SEV-2"),
    ],
)
def test_one_missing_condition_is_enough_to_hold(changed: dict[str, Any], reason: str) -> None:
    assert lowering(**changed) == Lowering(allowed=False, reasons=(reason,))


HELD = "a rule of SEV-2 held, or nobody looked, within 0:30:00"


def moved(change: Callable[[Observation], Observation]) -> list[Observation]:
    return [change(seen) for seen in looked()]


@pytest.mark.parametrize(
    "history",
    [
        [],
        looked(minutes=20),
        looked(minutes=40, every=20),
        [*looked(), Observation(at=NOON - 5 * MINUTE, facts=Facts(db_failover=True))],
        [*looked(), Observation(at=NOON - 5 * MINUTE, facts=Facts(stale=True))],
        looked({"isolation_failure": "CONFIRMED"}),
        moved(lambda seen: seen.model_copy(update={"at": seen.at - 15 * MINUTE})),
    ],
    ids=["nothing", "too short", "a gap", "a B rule", "a doubt", "an A rule", "none of late"],
)
def test_a_rule_that_held_or_a_gap_in_the_record_holds_the_level(history: list[Observation]) -> None:
    assert HELD in lowering(history).reasons
    assert not lowering(history).allowed


def test_what_held_longer_ago_does_not_count() -> None:
    assert lowering([Observation(at=NOON - 45 * MINUTE, facts=Facts(db_failover=True)), *looked()]).allowed


def test_an_exposure_stays_sev_1_while_data_may_leave_and_unknown_means_it_may() -> None:
    was = [Observation(at=NOON - 90 * MINUTE, facts=Facts.model_validate({"data_exposure": "CONFIRMED"})), *looked()]
    for may in (True, None):
        assert lowering(was, current=SEV1, to=SEV2, exfiltration_may_continue=may).reasons == (
            "A1 or A2 fired: not below SEV-1 while exfiltration may continue",
        )
    assert lowering(was, current=SEV1, to=SEV2, exfiltration_may_continue=False).allowed


def test_an_exposure_stays_sev_2_until_security_and_legal_sign() -> None:
    unsigned: dict[str, Any] = {"fired": ["A1"], "exfiltration_may_continue": False}
    for signed in ((), (Role.SECURITY_LEAD,), (Role.LEGAL,)):
        assert lowering(**unsigned, signed=frozenset(signed)).reasons == (
            "A1 or A2 fired: not below SEV-2 until Security and Legal sign the scope",
        )
    assert lowering(**unsigned, signed=frozenset({Role.SECURITY_LEAD, Role.LEGAL})).allowed


def test_flapping_holds_the_higher() -> None:
    assert lowering(changes=[NOON - 29 * MINUTE]).allowed
    assert lowering(changes=[NOON - 50 * MINUTE, NOON - 31 * MINUTE]).allowed
    assert "hold the higher" in lowering(changes=[NOON - 29 * MINUTE, NOON - 3 * MINUTE]).reasons[0]


def test_no_default_reads_the_clock_or_the_world() -> None:
    models: list[type[BaseModel]] = [Facts, SeverityPolicy, Observation]
    assert all(field.default_factory is None for model in models for field in model.model_fields.values())
