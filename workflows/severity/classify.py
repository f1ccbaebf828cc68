"""Severity as a decision function: the most severe rule that fires (spec §3). Values only: no I/O, no clocks."""

from typing import NamedTuple

from pydantic import Field

from activities.organisation.numbers import Ratio, SeverityPolicy
from activities.values import Value
from workflows.incident import SEV2, Severity
from workflows.severity.facts import Facts, Scope
from workflows.severity.rules import DEFAULT, TABLE, Basis, Measured, unknown_hints


class Row(NamedTuple):
    """One line of the seed's matrix (§0.1), cell by cell and word for word: what people read. What decides is `TABLE`."""

    severity: Severity
    name: str
    impact: str
    scope: str
    slo: str
    examples: str


HEADINGS = ("SEV", "Customer impact", "Scope", "SLO breach", "Examples")
MATRIX: tuple[Row, ...] = (
    Row(Severity.SEV1, "SEV‑1 (P0)", "Broad outage/data exposure", "Multi‑region or many tenants", "Active/inevitable",
        "API 5xx > 50%, tenant isolation failure, data breach"),
    Row(Severity.SEV2, "SEV‑2 (P1)", "Major degradation", "Single region / many users", "Likely",
        "LLM provider outage, DB failover, cost runaway"),
    Row(Severity.SEV3, "SEV‑3 (P2)", "Partial impairment", "Specific feature or tenant", "Maybe",
        "Tool registry down, queue backlog, prompt injection attempt"),
    Row(Severity.SEV4, "SEV‑4 (P3)", "Minor defect", "Workaround exists", "No", "Single component bug"),
    Row(Severity.SEV5, "SEV‑5 (P4)", "Cosmetic", "None", "No", "UI glitch, docs typo"),
)  # fmt: skip
RULE_OF_THUMB = "If you’re unsure, **page as SEV‑2** and adjust after triage."


class FiredRule(Value):
    """One rule that holds, and why in a sentence."""

    rule: str  # A1 … E1, U, or edge-b … edge-m: the letter of the spec's edge case
    severity: Severity
    because: str
    basis: Basis


class Classification(Value):
    """The most severe rule that fires, with every rule that fired, worst first."""

    severity: Severity
    rules: tuple[FiredRule, ...] = Field(min_length=1)
    confidence: Ratio


def classify(facts: Facts, policy: SeverityPolicy = DEFAULT) -> Classification:
    """Return the most severe rule that fires; always returns, and always names a rule (spec §3)."""
    measured, unsaid = Measured(facts, policy), ", ".join(unknown_hints(facts))
    fired = [
        FiredRule(rule=row.rule, severity=row.severity, because=row.because.format(f=facts, p=policy, unsaid=unsaid), basis=row.basis)
        for row in TABLE
        if row.when(facts, policy, measured) and not (row.availability and facts.planned_maintenance)
    ]
    if impact_unknown(facts, policy):
        fired.append(FiredRule(rule="U", severity=SEV2, because="the impact is unknown", basis="seed"))
    if any(rule.rule != "U" and rule.severity <= SEV2 for rule in fired):
        fired = [rule for rule in fired if rule.rule != "U"]
    if not fired:
        why = "planned maintenance explains it" if facts.planned_maintenance else "no measurement that counts fires a rule"
        fired = [FiredRule(rule="U", severity=Severity(policy.observe_at), because=f"{why}: observe", basis="dflt")]
    doubt = policy.doubt_discount if any(rule.rule == "U" for rule in fired) else 1.0
    ranked = tuple(sorted(fired, key=lambda rule: rule.severity))
    return Classification(severity=ranked[0].severity, rules=ranked, confidence=(facts.confidence or 0.0) * doubt)


def impact_unknown(facts: Facts, policy: SeverityPolicy = DEFAULT) -> bool:
    """Say whether nothing tells the impact: no scope, no rule, and no measurement that customers do not dispute."""
    measured = Measured(facts, policy)
    named = any(row.rule != "U" and row.when(facts, policy, measured) for row in TABLE)
    return facts.scope is Scope.UNKNOWN and not named and (facts.customer_reported or not facts.err_ratio)
