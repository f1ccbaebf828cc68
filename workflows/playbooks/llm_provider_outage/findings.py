"""What triage has found of a route and its providers, and how it is said. Pure: the decisions stay in the playbook."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from activities.metrics.telemetry import BlastRadius
from activities.models.candidates import SHED_FIRST, Candidate, Probed, TenantSplit
from activities.models.logs import Calls, ErrorClass
from workflows.severity.facts import Facts, Scope, Slo
from workflows.severity.readings import samples

# Errors that are no outage of the provider: which playbook they are for, and why (spec §11).
ANOTHER_PLAYBOOK = {
    ErrorClass.SPEND_CAP: ("cost_runaway", "our spend cap is reached, the provider is well: §2.6 cost runaway"),
    ErrorClass.AUTH: ("secret_compromise", "our key is refused: §2.10 secret compromise"),
    ErrorClass.BAD_REQUEST: ("model_drift", "our requests are refused as malformed: §2.7, roll the prompt back"),
    ErrorClass.CONTENT_FILTER: ("prompt_injection", "the provider's content filter refuses: §2.3 prompt injection"),
}


@dataclass(frozen=True)
class Seen:
    """What was found of a route and its providers."""

    calls: Calls
    probed: Probed
    radius: BlastRadius
    fallback: Candidate | None
    tenants: TenantSplit
    served: tuple[str, ...]  # whom the fallback provider takes
    no_room: tuple[str, ...]

    @property
    def degraded(self) -> tuple[str, ...]:
        return self.tenants.stuck + self.no_room

    def facts(self, window: timedelta) -> Facts:
        """What triage found, as the severity function reads it. A fallback that some tenants cannot use is not adequate.

        `window` is what the calls were counted over.
        """
        return Facts(
            provider_down=not self.probed.ok,
            fallback_adequate=self.fallback is not None and not self.degraded,
            provider_spend_cap=self.probed.spend_capped,
            err_ratio=self.radius.error_ratio_by_region,
            sample_count=samples(self.radius),
            duration_s=window.total_seconds(),
            regions_total=len(self.radius.error_ratio_by_region) or None,
            scope=Scope.FEATURE,
            tenant_ratio=self.radius.tenant_ratio,
            tenant_count=len(self.radius.tenants),
            slo=Slo.LIKELY,
        )


def tiers(tenants: TenantSplit, moving: Sequence[str]) -> tuple[str, ...]:
    """How many tenants of each tier move, as a question says it."""
    counted = {tier: sum(tenants.tiers.get(t) == tier for t in moving) for tier in reversed(SHED_FIRST)}
    return ("tenants: " + ", ".join(f"{n} {tier}" for tier, n in counted.items() if n),) if any(counted.values()) else ()


def reasons(tenants: TenantSplit, no_room: Sequence[str], by: Candidate | None) -> tuple[str, ...]:
    """Why the others are degraded, as a question says it."""
    permission = "; ".join(sorted({tenants.reasons.get(t, "not permitted") for t in tenants.stuck}))[:200]
    room = (f"{', '.join(no_room)}: {by.id} has room for {by.free_rps:g} requests/s only",) if by and no_room else ()
    return ((f"{', '.join(tenants.stuck)}: {permission}",) if tenants.stuck else ()) + room


def lowest_tier(split: TenantSplit, among: Sequence[str]) -> tuple[str, ...]:
    """The tenants to degrade first so that the rest may be served."""
    for tier in SHED_FIRST:
        found = tuple(t for t in among if split.tiers.get(t) == tier)
        if found and len(found) < len(among):
            return found
    return tuple(among)
