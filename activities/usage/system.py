"""The meter of model calls by trace."""

from activities.systems import ClientInfo, ClientSettings, Look, Seen, SystemInfo, secret, setting
from activities.usage.usage_meter import UsageMeter


class UsageSettings(ClientSettings):
    usage_url: str = setting(
        about="the meter of model calls by trace", needed=True, example="https://usage.example.com", practice="{url}/usage"
    )
    usage_token: str = secret()


async def _probe(meter: UsageMeter, look: Look) -> Seen:
    seen = await meter.traces(look.call)
    return Seen(f"has metered {seen.total} traces, the last time at {seen.observed_at:%H:%M:%S} UTC")


SYSTEM = SystemInfo(ClientInfo("usage meter", UsageMeter, UsageSettings, _probe))
