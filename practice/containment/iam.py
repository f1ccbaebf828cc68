"""Who has which role in a project now: bindings, and the only condition that this platform knows, an instant before which they count."""

from __future__ import annotations

import re

from practice.containment.model import JSON, Policy
from practice.world.clock import from_rfc3339

BEFORE = re.compile(r'request\.time < timestamp\("([^"]+)"\)')
AND = " && "


def understood(expression: str) -> bool:
    """Whether it is made of such instants alone, each in parentheses or not."""
    parts = [part.strip() for part in expression.split(AND)]
    return all(BEFORE.fullmatch(part) or BEFORE.fullmatch(part.removeprefix("(").removesuffix(")")) for part in parts)


def counts(binding: JSON, real: float) -> bool:
    """Whether a binding gives its role at this instant (real Unix seconds)."""
    expression = (binding.get("condition") or {}).get("expression", "")
    return all(real < from_rfc3339(instant) for instant in BEFORE.findall(expression))


def members(policy: Policy, role: str, real: float) -> set[str]:
    return {member for one in policy.bindings if one["role"] == role and counts(one, real) for member in one["members"]}
