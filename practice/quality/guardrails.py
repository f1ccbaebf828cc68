"""The guardrails: they judge content by what it asks for, in whatever words; and how strict they are."""

from __future__ import annotations

import re
from dataclasses import dataclass

THRESHOLDS = {"usual": 0.6, "strict": 0.35}
RULES: tuple[tuple[str, str, float], ...] = (
    (
        "override",
        r"\b(ignore|disregard|forget|override|bypass)\b.{0,40}\b(instruction|rule|prompt|polic|guideline|above|previous|system)",
        0.55,
    ),
    ("impersonation", r"\b(you are now|act as|pretend to be|new persona|system prompt|developer mode)\b", 0.4),
    (
        "exfiltration",
        r"\b(send|post|forward|upload|email|mail|leak|exfiltrate)\b.{0,60}(https?://|@|\bto\b.{0,20}\b(address|url|server|webhook))",
        0.45,
    ),
    ("secrets", r"\b(api[ _-]?key|password|credential|token|secret|private key)s?\b", 0.25),
    ("tool", r"\b(call|invoke|run|execute|use)\b.{0,30}\b(tool|function|command|shell|sql|delete|transfer|payment)", 0.3),
    ("markup", r"!\[[^\]]*\]\(https?://|<(script|img|iframe)\b", 0.4),
)
"""Rule, what it looks for, and how much that weighs."""


@dataclass
class Posture:
    """How strict the guardrails are, whether high-risk tools may be called, and whether chat says that it is not guarded as usual."""

    strictness: str = "usual"
    high_risk_tools: str = "open"
    banner: bool = False

    def imposed(self) -> dict[str, object]:
        """How they are held: a recovery puts it back as it was."""
        return {"guardrails": [self.strictness, self.high_risk_tools, self.banner]} if self != Posture() else {}


@dataclass(frozen=True)
class Found:
    """What a judgement says. `score`: 0 to 1, how likely it is an attack; `rule`: the one that weighs most, empty where none is met."""

    score: float
    rule: str
    action: str


def judged(content: str, strictness: str) -> Found:
    """Judge a text by what it asks for."""
    text = " ".join(content.casefold().split())
    met = [(name, weight) for name, pattern, weight in RULES if re.search(pattern, text)]
    quiet = 1.0
    for _, weight in met:
        quiet *= 1 - weight
    score = round(1 - quiet, 4)
    rule = max(met, key=lambda one: one[1])[0] if met else ""
    return Found(score, rule, "block" if score >= THRESHOLDS[strictness] else "allow")
