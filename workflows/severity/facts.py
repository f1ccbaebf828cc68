"""What is known of an incident, as the severity function reads it (spec §3, inputs). *Unknown* is None or UNKNOWN, and never the same as none."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from activities.organisation.severity_policy import Amount, Ratio
from activities.values import Value


class _Ordered(StrEnum):
    """Members are declared from least to worst; UNKNOWN is first and outside that order."""

    def at_least(self, other: str) -> bool:
        order = [str(member) for member in type(self)]
        return self.name != "UNKNOWN" and order.index(self) >= order.index(other)


class Suspicion(_Ordered):  # how sure we are that something bad is so
    UNKNOWN, NONE, SUSPECTED, CONFIRMED = "UNKNOWN", "NONE", "SUSPECTED", "CONFIRMED"


class DataLoss(_Ordered):  # whether committed data is lost
    UNKNOWN, NONE, POSSIBLE, CONFIRMED = "UNKNOWN", "NONE", "POSSIBLE", "CONFIRMED"


class Injection(_Ordered):  # how far a prompt injection came; ATTEMPT means it was blocked (spec §1 G16)
    UNKNOWN, NONE, ATTEMPT, SIDE_EFFECT, EXFIL = "UNKNOWN", "NONE", "ATTEMPT", "SIDE_EFFECT", "EXFIL"


class Scope(_Ordered):  # what is impaired, at its widest
    UNKNOWN, COSMETIC, COMPONENT, FEATURE, CORE, PLATFORM = "UNKNOWN", "COSMETIC", "COMPONENT", "FEATURE", "CORE", "PLATFORM"


class Slo(_Ordered):  # whether the objective is, or will be, breached
    UNKNOWN, NO, MAYBE, LIKELY, INEVITABLE, ACTIVE = "UNKNOWN", "NO", "MAYBE", "LIKELY", "INEVITABLE", "ACTIVE"


class Workaround(_Ordered):
    UNKNOWN, YES, NO = "UNKNOWN", "YES", "NO"


class Quality(_Ordered):  # of the estimate of the blast radius (spec §2.2)
    UNKNOWN, LOW, MED, HIGH = "UNKNOWN", "LOW", "MED", "HIGH"


Count = Annotated[int, Field(ge=0)]
YesNo = bool | None


class Cve(Value):
    """What is known of a vulnerability or a malicious package in our runtime path."""

    high: bool = False
    exploited: YesNo = False
    reachable: YesNo = False
    malicious_pkg_executed: YesNo = False
    production_secrets: YesNo = False  # on the host where it ran


class Facts(Value):
    """What is true now (spec §3 inputs). A hint nobody gave is `none`; None or UNKNOWN says we looked and cannot tell."""

    # confidentiality and integrity
    isolation_failure: Suspicion = Suspicion.NONE
    data_exposure: Suspicion = Suspicion.NONE
    corroborated: bool = False  # one matching sample of real data is enough
    active_adversary: YesNo = False
    data_loss: DataLoss = DataLoss.NONE
    injection: Injection = Injection.NONE
    privileged_secret: Suspicion = Suspicion.NONE
    cve: Cve = Cve()
    physical_or_safety_harm: YesNo = False
    # availability, measured on real traffic
    err_ratio: dict[str, Ratio] = {}  # 5xx by region
    sample_count: dict[str, Count] = {}  # requests behind each ratio; a region left out is taken as enough
    duration_s: Amount | None = None
    unavailable: YesNo = False  # the platform as a whole
    regions_major: Count | None = None  # regions said to be in major degradation, drained ones not counted
    regions_total: Count | None = None
    drained_regions: frozenset[str] = frozenset()  # by us, so without traffic
    synthetic_only: bool = False  # probes fail and no real-traffic signal agrees
    planned_maintenance: bool = False  # and now is inside its window
    # reach
    scope: Scope = Scope.UNKNOWN
    workaround: Workaround = Workaround.UNKNOWN
    slo: Slo = Slo.UNKNOWN
    tenant_ratio: Ratio | None = None
    tenant_count: Count | None = None
    user_ratio: Ratio | None = None
    tier1_tenants_down: Count | None = None
    tenant_tier1: YesNo = False  # a tenant that is fully down is tier 1, or most of revenue
    customer_reported: bool = False
    # what is broken
    provider_down: YesNo = False
    fallback_adequate: YesNo = None
    provider_spend_cap: bool = False  # it refuses us because our own spend cap is hit
    vendor_status_green: YesNo = None  # read by no rule: it is not evidence of health
    db_failover: YesNo = False
    tool_registry_down: YesNo = False
    backlog: YesNo = False
    spend_multiple: Amount | None = None  # of the baseline
    spend_usd_per_h: Amount | None = None  # dollars, as the name says
    near_miss: bool = False  # a fault was found before it had impact
    monitoring_blind_s: Amount | None = None  # on a SEV-1 surface
    orchestrator_degraded: YesNo = False  # ours, that runs the incidents
    # the evidence itself
    confidence: Ratio | None = 1.0
    stale: bool = False
    contradictory: bool = False
