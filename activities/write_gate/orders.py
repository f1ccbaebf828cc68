"""The words of the write gate: whether writes are taken, whether that is safe, and how it is closed and opened. Shares are 0 to 1."""

from collections.abc import Sequence
from enum import StrEnum
from itertools import pairwise
from typing import ClassVar, Self

from activities.action import Imposition, Order
from activities.kit.versioned import Versioned, part_of, percents, put_by_hand, read_by_hand
from activities.organisation.numbers import MitigationSettings

REFUSED_AS = "read_only"  # the agreed error of a refused write


class WriteSafety(StrEnum):
    """Whether writes may go on (A.1 T4). Unknown is a value; after ten minutes it counts as unsafe."""

    SAFE = "SAFE"
    UNSAFE = "UNSAFE"
    UNKNOWN = "UNKNOWN"


class GateOf(Order):
    """Read whether writes are taken, and whether what is written fits together."""

    service: str

    def target(self) -> str:
        return f"service/{self.service}/write-gate"

    def effect(self) -> str:
        return f"read the write gate and the schema of {self.service}"

    def by_hand(self) -> tuple[str, ...]:
        return tuple(read_by_hand(part_of(self.service, part)) for part in ("write-gate", "schema"))


class Gate(Versioned):
    """The share of writes that is let through, and the state of the data. None where nobody could say.

    Integrity errors are counted twice: by the database itself, per minute, and by the metrics, in the last five minutes.
    """

    service: str
    admitted: float
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


class ReadOnly(Imposition):
    """Take no writes any more, in every region. `regions`: where it is tried."""

    volatile: ClassVar[frozenset[str]] = frozenset({"prior", "epoch"})

    service: str
    regions: tuple[str, ...]
    why: str = ""
    mitigation: MitigationSettings = MitigationSettings()
    prior: Gate | None = None
    epoch: int = 0

    def target(self) -> str:
        return f"service/{self.service}/write-gate"

    def effect(self) -> str:
        return f"{self.service} takes no writes: each is refused with {REFUSED_AS} and Retry-After" + (f": {self.why}" if self.why else "")

    def inverse(self) -> str:
        return f"take writes again in steps of {percents(self.mitigation.writes_return)}, while nothing more breaks"

    def by_hand(self) -> tuple[str, ...]:
        """Read the version, then write, by curl."""
        return _by_hand(self.service, 0.0)

    def look(self) -> Order:
        return GateOf(service=self.service)

    def met(self, now: Gate) -> bool:
        return now.admitted <= 0

    def given(self, prior: Gate) -> Self:
        """The same, with the gate before, to be written under the epoch after it."""
        return self.model_copy(update={"prior": prior, "epoch": prior.epoch + 1})

    def undo(self) -> "Reopen":
        if self.prior is None:
            raise ValueError("this order does not carry the gate before; give it the gate first")
        return Reopen(
            service=self.service,
            regions=self.regions,
            admitted=self.prior.admitted,
            shares=self.mitigation.writes_return,
            mitigation=self.mitigation,
        )

    def undo_steps(self, shares: Sequence[float]) -> tuple[Order, ...]:
        """Writes come back 1, 10, 100 % (policy) at a time, whatever the shares of others."""
        whole = self.undo()
        return tuple(
            whole.model_copy(update={"admitted": to, "left": since, "shares": (1.0,)}) for since, to in pairwise((0.0, *whole.steps()))
        )


class Reopen(Order):
    """Take writes again, in steps; each is proven and watched before the next."""

    service: str
    regions: tuple[str, ...]
    admitted: float = 1.0
    left: float = 0.0
    shares: tuple[float, ...] = (1.0,)
    mitigation: MitigationSettings = MitigationSettings()

    def target(self) -> str:
        return f"service/{self.service}/write-gate"

    def effect(self) -> str:
        span = f"{self.mitigation.return_pause.total_seconds() / 60:g} min"
        each = " at each step" if len(self.shares) > 1 else ""
        if self.admitted <= 0:
            return f"leave {self.service} read-only, as it was before"
        return f"{self.service} takes {percents(self.steps())} of the writes again, watched for {span}{each}"

    def inverse(self) -> str:
        return f"let {self.service} take {self.left:.0%} of the writes again"

    def by_hand(self) -> tuple[str, ...]:
        return tuple(
            line
            for share in self.steps()
            for line in (
                f"# {share:.0%} of the writes; then look at the integrity errors: {read_by_hand(part_of(self.service, 'schema'))}",
                *_by_hand(self.service, share),
            )
        )

    def steps(self) -> tuple[float, ...]:
        """The share of writes of every step."""
        return tuple(dict.fromkeys(round(share * self.admitted, 6) for share in self.shares))


def _by_hand(service: str, share: float) -> tuple[str, ...]:
    return put_by_hand(part_of(service, "write-gate"), {"epoch": "$EPOCH", "admitted": share})
