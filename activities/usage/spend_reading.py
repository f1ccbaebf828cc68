"""What the meters say of spending, as values. Unknown is a value: None."""

import math
from datetime import datetime

from activities.values import Value


class Line(Value):
    """What one agent of a tenant spends with one model and key."""

    tenant: str
    agent: str
    model: str
    key: str
    usd_per_hour: float
    tokens_per_minute: float


class Offender(Value):
    """One agent of one tenant: what it spends, what is usual of it, and by which keys."""

    tenant: str
    agent: str
    usd_per_hour: float
    tokens_per_minute: float
    usual: float | None
    keys: tuple[str, ...]

    @property
    def multiple(self) -> float | None:
        """Of what is usual; None: nobody knows."""
        return self.usd_per_hour / self.usual if self.usual else None

    @property
    def excess(self) -> float:
        """USD per hour above what is usual."""
        return self.usd_per_hour - (self.usual or 0.0)

    def __str__(self) -> str:
        usual = f"×{self.multiple:.1f} of its usual {self.usual:g}" if self.multiple is not None else "nobody knows what is usual"
        return f"{self.agent} of {self.tenant} spends {self.usd_per_hour:.2f} USD per hour ({usual})"


class KeyUse(Value):
    """Tokens per minute with one key: by our own meter and by the provider's. None: that meter says nothing."""

    key: str
    provider: str
    own: float | None
    provider_meter: float | None

    @property
    def gap(self) -> float | None:
        """How much more the provider counts than we do, as a share of ours. None: nobody can say."""
        if self.own is None or self.provider_meter is None:
            return None
        return (self.provider_meter - self.own) / self.own if self.own > 0 else (math.inf if self.provider_meter > 0 else 0.0)


class PsuUse(Value):
    """What of a tenant's daily cap is used. None: unknown."""

    tenant: str
    used: float | None
    cap: float | None

    @property
    def share(self) -> float | None:
        return self.used / self.cap if self.used is not None and self.cap else None


class UserCount(Value):
    """Active users of a tenant, now and a week ago. None: unknown."""

    tenant: str
    now: float | None
    last_week: float | None

    @property
    def ratio(self) -> float | None:
        return self.now / self.last_week if self.now is not None and self.last_week else None


class TraceUse(Value):
    """One of the traces that spend most."""

    trace: str
    tenant: str
    agent: str  # its id
    usd_per_hour: float


class SpendReading(Value):
    """What was read. `blind`: no meter of ours says anything of now; `broken`: meters that say what cannot be, by name."""

    service: str
    lines: tuple[Line, ...]
    offenders: tuple[Offender, ...]  # those that spend most above what is usual first
    keys: tuple[KeyUse, ...]
    psu: tuple[PsuUse, ...]
    users: tuple[UserCount, ...]
    traces: tuple[TraceUse, ...]
    usual: float | None  # USD per hour of everything
    usual_by_tenant: dict[str, float] = {}  # the same of each tenant of whom it is known
    attributed: float | None  # the share of the spending that has a tenant, an agent, a key and a trace
    broken: tuple[str, ...]
    at: datetime

    @property
    def blind(self) -> bool:
        return not self.lines

    @property
    def usd_per_hour(self) -> float | None:
        return None if self.blind else sum(line.usd_per_hour for line in self.lines)

    @property
    def tokens_per_minute(self) -> float | None:
        return None if self.blind else sum(line.tokens_per_minute for line in self.lines)

    @property
    def multiple(self) -> float | None:
        return self.usd_per_hour / self.usual if self.usd_per_hour is not None and self.usual else None

    @property
    def projected_24h(self) -> float | None:
        """USD of the next 24 hours at this rate."""
        return None if self.usd_per_hour is None else 24 * self.usd_per_hour

    def of(self, tenant: str, agent: str) -> Offender | None:
        return next((one for one in self.offenders if (one.tenant, one.agent) == (tenant, agent)), None)
