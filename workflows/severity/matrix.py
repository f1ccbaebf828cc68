"""The severity matrix and its rule of thumb (seed §0.1), word for word: what people read. What decides is `rules.py`."""

from typing import NamedTuple

from workflows.incident import Severity


class Row(NamedTuple):
    """One line of the matrix, cell by cell."""

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
