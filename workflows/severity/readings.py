"""What a reading of the metrics says of the severity, with how many requests stand behind it. Pure."""

from datetime import timedelta

from activities.metrics.telemetry import BlastRadius, ServiceHealth
from workflows.severity.facts import Facts, Scope

EVERYWHERE = "every region"  # where a reading does not tell regions apart
Reading = ServiceHealth | BlastRadius


def shares(seen: Reading) -> dict[str, float]:
    """The share of errors that a reading shows, by region; empty where it is blind."""
    if isinstance(seen, BlastRadius):
        return seen.error_ratio_by_region
    return {} if seen.blind or seen.error_ratio is None else {EVERYWHERE: seen.error_ratio}


def facts_of(seen: Reading, lasted: timedelta) -> Facts:
    """The facts of a reading. `lasted`: how long it has been failing, in policy time."""
    facts = Facts(err_ratio=shares(seen), sample_count=samples(seen), duration_s=lasted.total_seconds(), scope=Scope.FEATURE)
    if not isinstance(seen, BlastRadius):
        return facts
    reach = {"tenant_ratio": seen.tenant_ratio, "tenant_count": len(seen.tenants)}
    return facts.model_copy(update={**reach, "regions_total": len(seen.error_ratio_by_region) or None})


def samples(seen: Reading) -> dict[str, int]:
    """How many requests stand behind each share."""
    counted = seen.requests_by_region if isinstance(seen, BlastRadius) else dict.fromkeys(shares(seen), seen.requests)
    return {region: int(n) for region, n in counted.items()}
