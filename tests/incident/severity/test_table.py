"""Severity decides as spec §3 and seed §0.1 say: every example of the seed, and every row of the spec's table."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from activities.organisation.numbers import SeverityPolicy
from tests.incident.severity.judged import FULL, LONG_OUTAGE, ONE_BAD, RUNAWAY, TWO_BAD, P, judged, just_over, rules
from workflows.incident import SEV1, SEV2, SEV3, SEV4, SEV5, Severity, worst
from workflows.severity.classify import MATRIX
from workflows.severity.facts import Facts
from workflows.severity.rules import TABLE


def named(value: object) -> str:
    """A name that is the same in every process: a set has no order."""
    return "|".join(sorted(value)) if isinstance(value, set | frozenset) else str(value)


EXAMPLES = {example: row.severity for row in MATRIX for example in row.examples.split(", ")}
GOLDEN = json.loads((Path(__file__).parents[2] / "severity_golden" / "seed_matrix.json").read_text("utf-8"))


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
