"""The write gate's values: whether writes are taken, and whether that is safe. Shares are 0 to 1."""

import math
from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Self

from activities.kit.setting import Reading, SettingValue
from activities.kit.words.shell import comment
from activities.organisation.numbers import MitigationSettings
from activities.platform.control_plane import PartOf, PlatformResource

REFUSED_AS = "read_only"  # the agreed error of a refused write


class WriteSafety(StrEnum):
    """Whether writes may go on (A.1 T4). Unknown is a value; after ten minutes it counts as unsafe."""

    SAFE = "SAFE"
    UNSAFE = "UNSAFE"
    UNKNOWN = "UNKNOWN"


class WriteGateOf(PlatformResource, path="services/{service}/write-gate", called="the write gate of {service}"):
    """The write gate of a service. `regions`: where writes are tried, to prove it."""

    service: str
    regions: tuple[str, ...] = ()

    def read_by_hand(self) -> tuple[str, ...]:
        return (*super().read_by_hand(), *PartOf(service=self.service, part="schema").by_hand())

    def watch_by_hand(self, value: "Writes") -> tuple[str, ...]:
        return (comment("look at the integrity errors:"), *PartOf(service=self.service, part="schema").by_hand())


class Writes(SettingValue):
    """The share of writes that is let through."""

    admitted: float

    def __str__(self) -> str:
        return f"{self.admitted * 100:g} % of the writes"

    def same(self, other: Self) -> bool:
        return math.isclose(self.admitted, other.admitted, abs_tol=1e-6)

    def met(self, now: Self) -> bool:
        return now.admitted <= 0

    def effect(self, of: WriteGateOf) -> str:
        return f"{of.service} takes no writes: each is refused with {REFUSED_AS} and Retry-After"

    def back(self, of: WriteGateOf) -> str:
        return f"{of.service} takes {self} again" if self.admitted > 0 else f"leave {of.service} read-only, as it was before"

    def pause(self, numbers: MitigationSettings) -> timedelta:
        return numbers.return_pause

    def way_back(self, before: Self, numbers: MitigationSettings, shares: Sequence[float] | None) -> tuple[Self, ...]:
        """1, 10, 100 % (policy), whatever the shares of others."""
        steps = dict.fromkeys(round(share * before.admitted, 6) for share in numbers.writes_return)
        return tuple(self.model_copy(update={"admitted": share}) for share in steps)


NO_WRITES = Writes(admitted=0.0)


class WriteGate(Reading[Writes]):
    """The gate, and the state of the data. None where nobody could say.

    Integrity errors are counted twice: by the database itself, per minute, and by the metrics, in the last five minutes.
    """

    schema_version: int | None = None
    migrating: bool | None = None
    integrity_errors_per_minute: float | None = None
    integrity_errors_seen: float | None = None

    @property
    def safety(self) -> WriteSafety:
        """SAFE when both counts say so and no migration is half done; UNSAFE when either says otherwise."""
        if self.why_unsafe():
            return WriteSafety.UNSAFE
        known = self.integrity_errors_per_minute is not None and self.integrity_errors_seen is not None and self.migrating is not None
        return WriteSafety.SAFE if known else WriteSafety.UNKNOWN

    def why_unsafe(self) -> tuple[str, ...]:
        """What speaks against writing on."""
        found = []
        if self.integrity_errors_per_minute:
            found.append(f"the database counts {self.integrity_errors_per_minute:g} integrity errors per minute")
        if self.integrity_errors_seen and self.integrity_errors_seen >= 1:
            found.append(f"the metrics count {self.integrity_errors_seen:.0f} integrity errors in the last 5 min")
        if self.migrating:
            found.append(f"a migration of schema {self.schema_version} is under way: old and new rows stand side by side")
        return tuple(found)
