"""Our own meter of model calls by trace (docs/api/usage.json): where calls pass, not where agents run."""

from datetime import datetime, timedelta
from typing import Any

from activities.action import Call
from activities.kit.rest import RestClient
from activities.values import Value

MOST = 500  # traces of one look


class Trace(Value):
    """What one trace has used. Rates are those of the last quarter of a minute (policy time)."""

    trace: str
    parent: str
    tenant: str
    agent: str
    key: str
    calls: int
    failed_calls: int
    tokens: float
    usd: float
    tokens_per_minute: float
    usd_per_hour: float
    last_call_at: datetime | None


class Metered(Value):
    """Traces, those that spend most first, and up to when calls were counted. `total`: how many there are, shown or not."""

    traces: tuple[Trace, ...]
    total: int
    observed_at: datetime

    def stale(self, call: Call, fresh: timedelta) -> bool:
        """Whether it says nothing of now. `fresh` is policy time."""
        return (call.at - self.observed_at) * call.pace > fresh

    @property
    def complete(self) -> bool:
        return len(self.traces) >= self.total


class UsageMeter(RestClient):
    """The meter by trace."""

    async def traces(self, call: Call, **whose: Any) -> Metered:
        """Those of a `tenant`, an `agent` (its id), or `under` a trace; all of them without."""
        return Metered.model_validate(await self.get(call, "/v1/traces", limit=MOST, **whose))
