"""What the guardrails make of a text: they judge what it asks for, in whatever words, and never a marker of ours."""

from __future__ import annotations

from dataclasses import dataclass

from practice.library.likeness import said

BLOCKS = {"usual": 1.01, "strict": 0.5}
"""From which score on a text is kept from the model. The usual chain only flags; the strict one blocks."""
FLAGGED, SURE = 0.7, 0.9
RULES: tuple[tuple[str, tuple[frozenset[str], ...], float], ...] = (
    ("override", (frozenset({"ignore"}), frozenset({"previous", "instruction"})), 0.6),
    ("exfiltration", (frozenset({"send"}), frozenset({"customer", "list", "secret", "file"})), 0.6),
    ("secrets", (frozenset({"secret"}),), 0.3),
    ("persistence", (frozenset({"remember", "memory", "keep"}), frozenset({"every", "task", "later"})), 0.4),
    ("tool", (frozenset({"call", "use", "run"}), frozenset({"tool", "function"})), 0.3),
)
"""Rule; what a text must say, one word of each; how much that weighs."""
LOOKALIKES = str.maketrans("аеорсухіѕԁ013457$@", "aeopcyxisdoieastsa")


@dataclass(frozen=True)
class Judged:
    """`score`: 0 to 1, how likely it is an attack; `rule`: what weighed most."""

    score: float
    rule: str
    blocked: bool


def judged(text: str, strictness: str = "usual") -> Judged:
    """Judge a text. The strict chain also looks behind letters that only look like others, and behind spaced or hyphenated words."""
    words = {*said(text)}
    if strictness == "strict":
        plain = text.translate(LOOKALIKES)
        words |= {*said(plain), *said(_joined(plain))}
    quiet, best, rule = 1.0, 0.0, ""
    for name, wanted, weight in RULES:
        if all(words & one for one in wanted):
            quiet *= 1 - weight
            if weight > best:
                best, rule = weight, name
    score = round(1 - quiet, 4)
    return Judged(score, rule, score >= BLOCKS[strictness])


def _joined(text: str) -> str:
    """Words whose letters were set apart are words again: two spaces part words there."""
    return " ".join(part.replace(" ", "").replace("-", "").replace("_", "") for part in text.split("  "))
