"""What is known of an incident, as the severity function reads it (spec §3, inputs). *Unknown* is None or UNKNOWN, and never the same as none."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from activities.organisation.numbers import Amount, Ratio
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

    high: bool = Field(False, description="A vulnerability is high or critical")
    exploited: YesNo = Field(False, description="It is exploited")
    reachable: YesNo = Field(False, description="It can be reached in our runtime path")
    malicious_pkg_executed: YesNo = Field(False, description="A malicious package ran")
    production_secrets: YesNo = Field(False, description="… on a host with production secrets")


class Facts(Value):
    """What is true now (spec §3 inputs). A hint nobody gave is `none`; None or UNKNOWN says we looked and cannot tell.

    The descriptions are the help of `incident severity`.
    """

    # confidentiality and integrity
    isolation_failure: Suspicion = Field(Suspicion.NONE, description="Data of one tenant reached another")
    data_exposure: Suspicion = Field(Suspicion.NONE, description="Data was seen by somebody who must not")
    corroborated: bool = Field(False, description="One matching sample of real data was seen")
    active_adversary: YesNo = Field(False, description="Somebody is in there now")
    data_loss: DataLoss = Field(DataLoss.NONE, description="Committed data is lost")
    injection: Injection = Field(Injection.NONE, description="How far a prompt injection came")
    privileged_secret: Suspicion = Field(Suspicion.NONE, description="A privileged secret is compromised")
    cve: Cve = Cve()
    physical_or_safety_harm: YesNo = Field(False, description="People may come to harm")
    # availability, measured on real traffic
    err_ratio: dict[str, Ratio] = Field({}, description="Share of 5xx in a region")
    sample_count: dict[str, Count] = Field({}, description="Requests behind that share")  # a region left out is taken as enough
    duration_s: Amount | None = Field(None, description="How long it has lasted")
    unavailable: YesNo = Field(False, description="The platform as a whole is down")
    regions_major: Count | None = Field(None, description="Regions in major degradation")  # drained ones not counted
    regions_total: Count | None = Field(None, description="Regions there are")
    drained_regions: frozenset[str] = Field(frozenset(), description="A region without traffic, because we drained it")
    synthetic_only: bool = Field(False, description="Only probes fail; real traffic does not agree")
    planned_maintenance: bool = Field(False, description="It is planned, and now is inside its window")
    # reach
    scope: Scope = Field(Scope.UNKNOWN, description="What is impaired, at its widest")
    workaround: Workaround = Field(Workaround.UNKNOWN, description="Users can get by")
    slo: Slo = Field(Slo.UNKNOWN, description="The objective is, or will be, breached")
    tenant_ratio: Ratio | None = Field(None, description="Share of tenants affected")
    tenant_count: Count | None = Field(None, description="Tenants affected")
    user_ratio: Ratio | None = Field(None, description="Share of users affected")
    tier1_tenants_down: Count | None = Field(None, description="Tier-1 tenants that are fully down")
    tenant_tier1: YesNo = Field(False, description="A tenant that is fully down is tier 1, or most of revenue")
    customer_reported: bool = Field(False, description="Customers report it")
    # what is broken
    provider_down: YesNo = Field(False, description="An LLM provider is down")
    fallback_adequate: YesNo = Field(None, description="Its fallback is adequate")
    provider_spend_cap: bool = Field(False, description="It refuses us because our own spend cap is hit")
    vendor_status_green: YesNo = Field(None, description="Its status page is green (no rule reads that)")
    db_failover: YesNo = Field(False, description="The database is failing over")
    tool_registry_down: YesNo = Field(False, description="The tool registry is down")
    backlog: YesNo = Field(False, description="A queue is backed up")
    spend_multiple: Amount | None = Field(None, description="Spend, as a multiple of its baseline")
    spend_usd_per_h: Amount | None = Field(None, description="Spend, dollars an hour")
    near_miss: bool = Field(False, description="A fault was found before it had impact")
    monitoring_blind_s: Amount | None = Field(None, description="How long a SEV-1 surface has been without data")
    orchestrator_degraded: YesNo = Field(False, description="What runs the incidents is itself degraded")
    # the evidence itself
    confidence: Ratio | None = Field(1.0, description="How sure the evidence is")
    stale: bool = Field(False, description="The data is stale")
    contradictory: bool = Field(False, description="The evidence contradicts itself")
