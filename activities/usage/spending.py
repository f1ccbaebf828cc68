"""What one run, agent, key, tenant or everybody uses just now, by the meter that counts it."""

from datetime import timedelta

from activities.action import Call
from activities.kit.words import promql
from activities.metrics.prometheus import Prometheus
from activities.usage.usage_meter import UsageMeter
from activities.values import Value

JUST_NOW = timedelta(seconds=45)  # policy time: three samples
FRESH = timedelta(seconds=90)  # an older meter says nothing of now


class Spent(Value):
    tokens_per_minute: float
    usd_per_hour: float

    def __str__(self) -> str:
        return f"{self.usd_per_hour:.2f} USD per hour, {self.tokens_per_minute:.0f} tokens per minute"


async def spent(prometheus: Prometheus, meter: UsageMeter, call: Call, scope: str, name: str) -> Spent | None:
    """What it uses just now. None: no meter says; a meter that stands still, or that runs backwards, says nothing."""
    if scope in ("run", "agent"):
        seen = await meter.traces(call, **({"under": name} if scope == "run" else {"agent": name}))
        if seen.stale(call, FRESH) or not seen.complete:
            return None
        used = Spent(
            tokens_per_minute=sum(one.tokens_per_minute for one in seen.traces), usd_per_hour=sum(one.usd_per_hour for one in seen.traces)
        )
    else:
        labels = {"key": {"key": name}, "tenant": {"tenant": name}, "all": {}}.get(scope)
        if labels is None:
            return None
        tokens, usd = [
            await prometheus.number(call, promql.total(promql.rate(promql.selector(metric, **labels), JUST_NOW)))
            for metric in ("llm_tokens_total", "llm_spend_usd_total")
        ]
        if tokens is None or usd is None:
            return None
        used = Spent(tokens_per_minute=tokens * 60, usd_per_hour=usd * 3600)
    return used if used.tokens_per_minute >= 0 and used.usd_per_hour >= 0 else None
