"""Severity as a decision function (spec §3, over the matrix of seed §0.1). Values only: no I/O, no clocks.

Compare `TABLE` with the spec's table row by row. Three conventions hold it together:
a fact that is *unknown* is None or UNKNOWN, never the same as none; each ordered enum is declared least to worst;
and U, the rule of thumb "if you're unsure, page as SEV-2", answers every doubt that a rule cannot settle.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field


class Severity(IntEnum):
    """SEV-1 … SEV-5, P0 … P4 (seed §0.1). Worse is smaller."""

    SEV1 = 1
    SEV2 = 2
    SEV3 = 3
    SEV4 = 4
    SEV5 = 5

    @property
    def label(self) -> str:
        """As people say it: `SEV-2`."""
        return f"SEV-{self.value}"

    @property
    def priority(self) -> str:
        """As the ticket says it: `P1`."""
        return f"P{self.value - 1}"

    @classmethod
    def parse(cls, text: "str | int") -> "Severity":
        """Read `SEV-2`, `sev2`, `2` or 2; the seed's non-breaking hyphen too."""
        found = re.fullmatch(r"(?:sev[-\u2010\u2011\u2013 ]?)?([1-5])", str(text).strip(), re.IGNORECASE | re.ASCII)
        if isinstance(text, bool) or found is None:
            raise ValueError(f"{text!r} is no severity; say SEV-1 to SEV-5")
        return cls(int(found[1]))


SEV1, SEV2, SEV3, SEV4, SEV5 = Severity


def worst(first: Severity, *others: Severity) -> Severity:
    """Pick the most severe one."""
    return min(first, *others) if others else first


class _Ordered(StrEnum):
    """Members stand from least to worst; UNKNOWN comes first and is outside the order."""

    def at_least(self, other: Self) -> bool:
        members = list(type(self))
        return self.value != "UNKNOWN" and members.index(self) >= members.index(other)


Suspicion = _Ordered("Suspicion", ["UNKNOWN", "NONE", "SUSPECTED", "CONFIRMED"])
