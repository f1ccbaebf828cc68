"""Severity as a decision function (spec §3, over the matrix of seed §0.1). Values only: no I/O, no clocks.

Compare `TABLE` with the spec's table row by row. Three conventions hold it together: what is *unknown* is None or
UNKNOWN and never the same as none; every ordered enum is declared from least to worst; and rule U, the seed's "if
you're unsure, page as SEV-2", answers each doubt that no A or B rule has settled.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from itertools import pairwise
from math import fsum
from types import MappingProxyType
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field


class Severity(IntEnum):
    """SEV-1 … SEV-5, P0 … P4 (seed §0.1). Worse is smaller."""

    SEV1 = 1
    SEV2 = 2
    SEV3 = 3
    SEV4 = 4
    SEV5 = 5

    @property
    def label(self) -> str:
        return f"SEV-{self.value}"

    @property
    def priority(self) -> str:
        return f"P{self.value - 1}"

    @classmethod
    def parse(cls, text: str | int) -> "Severity":
        """Read `SEV-2`, `sev2`, `2` or 2, and the seed's non-breaking hyphen too."""
        found = re.fullmatch(r"(?:sev[-\u2010\u2011\u2013 ]?)?([1-5])", str(text).strip(), re.IGNORECASE)
        if found is None:
            raise ValueError(f"{text!r} is not a severity; say SEV-1 to SEV-5")
        return cls(int(found[1]))


SEV1, SEV2, SEV3, SEV4, SEV5 = Severity


def worst(first: Severity, *others: Severity) -> Severity:
    """Return the most severe of them."""
    return min((first, *others))


class _Ordered(StrEnum):
    """Members are declared from least to worst; UNKNOWN stands first and outside that order."""

    def at_least(self, other: str) -> bool:
        order = [str(member) for member in type(self)]
        return self.name != "UNKNOWN" and order.index(self) >= order.index(other)


class Suspicion(_Ordered):
    """How sure we are that something bad is so."""

    UNKNOWN, NONE, SUSPECTED, CONFIRMED = "UNKNOWN", "NONE", "SUSPECTED", "CONFIRMED"


class DataLoss(_Ordered):
    """Whether committed data is lost."""

    UNKNOWN, NONE, POSSIBLE, CONFIRMED = "UNKNOWN", "NONE", "POSSIBLE", "CONFIRMED"


class Injection(_Ordered):
    """How far a prompt injection came; ATTEMPT means it was blocked (spec §1 G16)."""

    UNKNOWN, NONE, ATTEMPT, SIDE_EFFECT, EXFIL = "UNKNOWN", "NONE", "ATTEMPT", "SIDE_EFFECT", "EXFIL"


class Scope(_Ordered):
    """What is impaired, at its widest."""

    UNKNOWN, COSMETIC, COMPONENT = "UNKNOWN", "COSMETIC", "COMPONENT"
    FEATURE, CORE, PLATFORM = "FEATURE", "CORE", "PLATFORM"


class Slo(_Ordered):
    """Whether the objective is, or will be, breached."""

    UNKNOWN, NO, MAYBE, LIKELY, INEVITABLE, ACTIVE = "UNKNOWN", "NO", "MAYBE", "LIKELY", "INEVITABLE", "ACTIVE"


class Workaround(_Ordered):
    UNKNOWN, YES, NO = "UNKNOWN", "YES", "NO"


class Quality(_Ordered):
    """How good the estimate of the blast radius is (spec §2.2)."""

    UNKNOWN, LOW, MED, HIGH = "UNKNOWN", "LOW", "MED", "HIGH"


Ratio = Annotated[float, Field(ge=0, le=1)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]
Some = Annotated[int, Field(ge=1)]
YesNo = bool | None


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Cve(_Value):
    """What is known of a vulnerability or a malicious package in our runtime path."""

    high: bool = False
    exploited: YesNo = False
    reachable: YesNo = False
    malicious_pkg_executed: YesNo = False
    production_secrets: YesNo = False  # on the host where it ran


class Facts(_Value):
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


class SeverityPolicy(_Value):
    """Every number in the decision: [seed] where it says so, [dflt] otherwise."""

    outage_ratio: Ratio = 0.50  # seed §0.1
    degraded_ratio: Ratio = 0.05  # seed §2.1
    window_s: Amount = 300  # seed §2.1
    many_regions: Some = 2  # seed §0.1
    many_tenants_ratio: Ratio = 0.25
    many_tenants: Some = 50
    many_users_ratio: Ratio = 0.10
    tier1_tenants: Some = 1
    min_samples: Some = 200
    spend_multiple: Amount = 3  # seed §2.6
    spend_floor_usd_per_h: Amount = 50
    confidence_floor: Ratio = 0.6
    doubt_discount: Ratio = 0.5  # what a fired U leaves of the confidence
    observe_at: Severity = SEV4  # evidence exists and none of it fires: observe
    synthetic_limit_s: Amount = 300
    blind_limit_s: Amount = 300
    sev3_patience: timedelta = timedelta(hours=4)
    sev2_patience: timedelta = timedelta(minutes=60)
    reclassify_severe: timedelta = timedelta(minutes=10)
    reclassify_other: timedelta = timedelta(minutes=30)
    quiet: timedelta = timedelta(minutes=30)
    flap_changes: Some = 2
    flap_window: timedelta = timedelta(minutes=30)


Basis = Literal["seed", "dflt"]
DEFAULT = SeverityPolicy()


class FiredRule(_Value):
    """One rule that holds, and why in a sentence."""

    rule: str  # A1 … E1, U, or edge-b … edge-m: the letter of the spec's edge case
    severity: Severity
    because: str
    basis: Basis


class Classification(_Value):
    """The most severe rule that fires, with every rule that fired, worst first."""

    severity: Severity
    rules: tuple[FiredRule, ...] = Field(min_length=1)
    confidence: Ratio


def _over(value: float | None, limit: float) -> bool:
    return value is not None and value > limit


def _reaches(value: float | None, limit: float) -> bool:
    return value is not None and value >= limit


def _serving(f: Facts, p: SeverityPolicy, *, thin: bool = False) -> list[float]:
    """Return the error ratios of regions that serve traffic, on samples that are enough (or, if asked, too few)."""
    serving = {name: ratio for name, ratio in f.err_ratio.items() if name not in f.drained_regions}
    return [r for name, r in serving.items() if (f.sample_count.get(name, p.min_samples) < p.min_samples) is thin]


def _global_ratio(f: Facts, p: SeverityPolicy) -> float:
    """Weigh regions by requests where all are counted, so that thin ones add up; else take the mean of solid ones."""
    serving = [name for name in f.err_ratio if name not in f.drained_regions]
    requests = sum(f.sample_count.get(name, 0) for name in serving)
    if serving and all(name in f.sample_count for name in serving):
        enough = requests >= p.min_samples and requests > 0
        return fsum(f.err_ratio[name] * f.sample_count[name] for name in serving) / requests if enough else 0.0
    solid = _serving(f, p)
    return fsum(solid) / len(solid) if solid else 0.0


def _degraded(f: Facts, p: SeverityPolicy) -> int:
    return sum(ratio > p.degraded_ratio for ratio in _serving(f, p))


def _lasting(f: Facts, p: SeverityPolicy) -> bool:
    return _reaches(f.duration_s, p.window_s)


def _major_regions(f: Facts, p: SeverityPolicy) -> int:
    """Count what was measured, or what was said; a cosmetic fault seen in many regions is still cosmetic."""
    said = 0 if f.scope is Scope.COSMETIC else f.regions_major or 0
    return max(said, _degraded(f, p) if _lasting(f, p) else 0)


def _failing(f: Facts, p: SeverityPolicy) -> bool:
    return _degraded(f, p) > 0 or _global_ratio(f, p) > p.degraded_ratio


def _blip(f: Facts, p: SeverityPolicy) -> bool:
    return _failing(f, p) and f.duration_s is not None and not _lasting(f, p)


def _thin(f: Facts, p: SeverityPolicy) -> bool:
    return max(_serving(f, p, thin=True), default=0) > p.degraded_ratio


def _many_tenants(f: Facts, p: SeverityPolicy) -> bool:
    return _reaches(f.tenant_ratio, p.many_tenants_ratio) or _reaches(f.tenant_count, p.many_tenants)


def _major_impact(f: Facts, p: SeverityPolicy) -> bool:
    return f.scope.at_least(Scope.CORE) or _major_regions(f, p) > 0 or f.unavailable is True


def _excused(f: Facts) -> bool:
    """Say whether D1 holds: users get by, one component, no objective at risk."""
    return f.workaround is Workaround.YES and f.scope is Scope.COMPONENT and f.slo is Slo.NO


def _impaired(f: Facts) -> bool:
    reach = _over(f.tenant_ratio, 0) or _over(f.tenant_count, 0) or _over(f.user_ratio, 0)
    return f.scope is not Scope.COSMETIC and not _excused(f) and (f.scope.at_least(Scope.COMPONENT) or reach)


def _runaway(f: Facts, p: SeverityPolicy) -> bool:
    return _over(f.spend_multiple, p.spend_multiple)


def _provider_lost(f: Facts) -> bool:
    return f.provider_down is True and not f.provider_spend_cap


def _size_unknown(f: Facts, p: SeverityPolicy) -> bool:
    measured = _serving(f, p) or f.regions_major is not None or f.slo is not Slo.UNKNOWN
    return not measured and f.tenant_ratio is None and f.tenant_count is None and f.user_ratio is None


_HINTS = (
    "isolation_failure", "data_exposure", "data_loss", "injection", "privileged_secret", "physical_or_safety_harm",
    "unavailable", "tenant_tier1", "provider_down", "db_failover", "tool_registry_down", "backlog",
    "orchestrator_degraded",
)  # fmt: skip


def _unsaid(f: Facts) -> list[str]:
    named = [name for name in _HINTS if getattr(f, name) in (None, "UNKNOWN")]
    return named + (["cve.malicious_pkg_executed"] if f.cve.malicious_pkg_executed is None else [])


def _cve_open(c: Cve) -> bool:
    return None in (c.exploited, c.reachable) and c.exploited is not False and c.reachable is not False


class Row(NamedTuple):
    """One line of the spec's table; `because` may quote the facts (f) and the policy (p)."""

    rule: str
    severity: Severity
    basis: Basis
    when: Callable[[Facts, SeverityPolicy], bool]
    because: str
    availability: bool = False  # silent inside planned maintenance (edge case f); A1 and A2 never are


_S, _AVAIL = Suspicion, True

# fmt: off
TABLE: tuple[Row, ...] = (
    Row("A1", SEV1, "seed", lambda f, p: f.isolation_failure is _S.CONFIRMED, "tenant isolation failure is confirmed"),
    Row("A2", SEV1, "seed", lambda f, p: f.data_exposure is _S.CONFIRMED, "data exposure is confirmed"),
    Row("A2", SEV1, "dflt", lambda f, p: _S.SUSPECTED in (f.data_exposure, f.isolation_failure) and f.corroborated,
        "suspected exposure is corroborated"),
    Row("A2", SEV1, "dflt", lambda f, p: f.data_exposure is _S.SUSPECTED and f.active_adversary is True,
        "exposure is suspected and an adversary is active"),
    Row("A2", SEV1, "dflt", lambda f, p: f.data_exposure is _S.SUSPECTED and f.active_adversary is None,
        "exposure is suspected and an active adversary cannot be ruled out"),
    Row("A3", SEV1, "seed", lambda f, p: _global_ratio(f, p) > p.outage_ratio and _lasting(f, p),
        "global 5xx is above {p.outage_ratio:.0%} for {p.window_s:g} s", _AVAIL),
    Row("A3", SEV1, "seed", lambda f, p: f.unavailable is True, "the platform is unavailable", _AVAIL),
    Row("A4", SEV1, "seed", lambda f, p: _major_regions(f, p) >= p.many_regions,
        "at least {p.many_regions} regions are in major degradation", _AVAIL),
    Row("A4", SEV1, "seed", lambda f, p: f.regions_total == 1 and max(_serving(f, p), default=0) > p.outage_ratio and _lasting(f, p),
        "the only region is down", _AVAIL),
    Row("A5", SEV1, "dflt", lambda f, p: _many_tenants(f, p) and _major_impact(f, p), "many tenants have major impact", _AVAIL),
    Row("A6", SEV1, "dflt", lambda f, p: f.data_loss is DataLoss.CONFIRMED, "committed data is lost"),
    Row("A6", SEV1, "dflt", lambda f, p: f.injection is Injection.EXFIL, "a prompt injection carried data out"),
    Row("A6", SEV1, "dflt", lambda f, p: f.cve.malicious_pkg_executed is True and f.cve.production_secrets is True,
        "a malicious package ran beside production secrets"),
    Row("A6", SEV1, "dflt", lambda f, p: f.physical_or_safety_harm is True, "people may come to harm"),

    Row("B1", SEV2, "seed", lambda f, p: _major_regions(f, p) >= 1,
        "a region has 5xx above {p.degraded_ratio:.0%} for {p.window_s:g} s", _AVAIL),
    Row("B1", SEV2, "seed", lambda f, p: _global_ratio(f, p) > p.degraded_ratio and _lasting(f, p),
        "5xx is above {p.degraded_ratio:.0%} for {p.window_s:g} s over all regions", _AVAIL),
    Row("B1", SEV2, "dflt", lambda f, p: _reaches(f.user_ratio, p.many_users_ratio) and f.scope is not Scope.COSMETIC,
        "{f.user_ratio:.0%} of users are affected", _AVAIL),
    Row("B1", SEV2, "seed", lambda f, p: f.slo.at_least(Slo.LIKELY), "an SLO breach is {f.slo}", _AVAIL),
    Row("B2", SEV2, "seed", lambda f, p: _provider_lost(f) and f.fallback_adequate is False,
        "the LLM provider is down and the fallback is not adequate"),
    Row("B2", SEV2, "seed", lambda f, p: f.db_failover is True, "the database is failing over", _AVAIL),
    Row("B2", SEV2, "seed", lambda f, p: _runaway(f, p) and _over(f.spend_usd_per_h, p.spend_floor_usd_per_h),
        "spend is {f.spend_multiple:g}× its baseline and above the floor"),
    Row("B3", SEV2, "dflt", lambda f, p: _S.SUSPECTED in (f.isolation_failure, f.data_exposure),
        "isolation failure or data exposure is suspected"),
    Row("B3", SEV2, "dflt", lambda f, p: f.privileged_secret.at_least(_S.SUSPECTED),
        "compromise of a privileged secret is {f.privileged_secret}"),
    Row("B3", SEV2, "dflt", lambda f, p: f.cve.exploited is True and f.cve.reachable is True, "a vulnerability is exploited and reachable"),
    Row("B3", SEV2, "dflt", lambda f, p: f.cve.malicious_pkg_executed is True, "a malicious package ran"),
    Row("B3", SEV2, "dflt", lambda f, p: f.injection is Injection.SIDE_EFFECT, "a prompt injection had a side effect"),
    Row("B3", SEV2, "dflt", lambda f, p: f.data_loss is DataLoss.POSSIBLE, "data loss is possible"),
    Row("B4", SEV2, "dflt", lambda f, p: _reaches(f.tier1_tenants_down, p.tier1_tenants) or f.tenant_tier1 is True,
        "a tier-1 tenant is fully down", _AVAIL),
    Row("edge-b", SEV2, "dflt", lambda f, p: f.synthetic_only and _reaches(f.duration_s, p.synthetic_limit_s),
        "synthetics have failed for {f.duration_s:g} s", _AVAIL),
    Row("edge-k", SEV2, "dflt", lambda f, p: _over(f.monitoring_blind_s, p.blind_limit_s),
        "monitoring of a SEV-1 surface is blind for {f.monitoring_blind_s:g} s"),
    Row("edge-l", SEV2, "dflt", lambda f, p: f.orchestrator_degraded is True, "the incident orchestrator itself is degraded"),

    Row("C1", SEV3, "seed", lambda f, p: _impaired(f), "a feature, a component or a tenant is impaired", _AVAIL),
    Row("C1", SEV3, "dflt", _blip, "5xx is above {p.degraded_ratio:.0%}, not yet for {p.window_s:g} s", _AVAIL),
    Row("C1", SEV3, "seed", lambda f, p: f.tool_registry_down is True, "the tool registry is down", _AVAIL),
    Row("C1", SEV3, "seed", lambda f, p: f.backlog is True, "a queue is backed up", _AVAIL),
    Row("C1", SEV3, "seed", lambda f, p: f.injection is Injection.ATTEMPT, "a prompt injection was attempted and blocked"),
    Row("C1", SEV3, "seed", lambda f, p: _provider_lost(f) and f.fallback_adequate is True,
        "the LLM provider is down and the fallback is adequate"),
    Row("C1", SEV3, "dflt", lambda f, p: f.cve.high and f.cve.reachable is not False, "a high vulnerability is, or may be, reachable"),
    Row("C1", SEV3, "dflt", _runaway, "spend is {f.spend_multiple:g}× its baseline"),
    Row("edge-b", SEV3, "dflt", lambda f, p: f.synthetic_only, "only synthetics fail; no real traffic agrees", _AVAIL),
    Row("edge-h", SEV3, "dflt", lambda f, p: f.near_miss, "a near miss: no impact, a post-mortem all the same"),
    Row("edge-m", SEV3, "dflt", lambda f, p: f.provider_spend_cap,
        "the provider refuses us at our own spend cap: cost (2.6), not an outage"),

    Row("D1", SEV4, "seed", lambda f, p: _excused(f), "one component has a defect and a workaround exists"),
    Row("E1", SEV5, "seed", lambda f, p: f.scope is Scope.COSMETIC, "it is cosmetic"),

    Row("U", SEV2, "seed", lambda f, p: f.contradictory, "the evidence contradicts itself"),
    Row("U", SEV2, "seed", lambda f, p: f.stale, "the data is stale"),
    Row("U", SEV2, "dflt", lambda f, p: f.confidence is None or f.confidence < p.confidence_floor,
        "confidence is unknown or below {p.confidence_floor:g}"),
    Row("U", SEV2, "seed", lambda f, p: bool(_unsaid(f)), "{unsaid}: unknown, which is not none"),
    Row("U", SEV2, "seed", lambda f, p: _cve_open(f.cve), "whether the vulnerability is exploited and reachable is unknown"),
    Row("U", SEV2, "seed", lambda f, p: _provider_lost(f) and f.fallback_adequate is None, "whether the fallback is adequate is unknown"),
    Row("U", SEV2, "seed", lambda f, p: _runaway(f, p) and f.spend_usd_per_h is None, "spend runs away and its size is unknown"),
    Row("U", SEV2, "seed", lambda f, p: f.duration_s is None and (f.synthetic_only or _failing(f, p)),
        "how long it has lasted is unknown", _AVAIL),
    Row("U", SEV2, "seed", lambda f, p: f.scope.at_least(Scope.CORE) and _size_unknown(f, p),
        "{f.scope} is impaired and how widely is unknown", _AVAIL),
    Row("U", SEV2, "seed", lambda f, p: f.scope is Scope.UNKNOWN and _many_tenants(f, p),
        "many tenants are affected and how badly is unknown", _AVAIL),
    Row("U", SEV2, "dflt", lambda f, p: f.customer_reported and (_blip(f, p) or _thin(f, p)),
        "customers report it and the sample is too small to judge", _AVAIL),
)
# fmt: on


def _fires(facts: Facts, policy: SeverityPolicy) -> list[Row]:
    return [row for row in TABLE if row.when(facts, policy)]


def impact_unknown(facts: Facts, policy: SeverityPolicy = DEFAULT) -> bool:
    """Say whether nothing tells the impact: no scope, no rule, and no measurement that customers do not dispute."""
    named = any(row.rule != "U" for row in _fires(facts, policy))
    return facts.scope is Scope.UNKNOWN and not named and (facts.customer_reported or not facts.err_ratio)


def classify(facts: Facts, policy: SeverityPolicy = DEFAULT) -> Classification:
    """Return the most severe rule that fires; always returns, and always names a rule (spec §3)."""
    fired = [
        FiredRule(
            rule=row.rule,
            severity=row.severity,
            because=row.because.format(f=facts, p=policy, unsaid=", ".join(_unsaid(facts))),
            basis=row.basis,
        )
        for row in _fires(facts, policy)
        if not (row.availability and facts.planned_maintenance)
    ]
    if impact_unknown(facts, policy):
        fired.append(FiredRule(rule="U", severity=SEV2, because="the impact is unknown", basis="seed"))
    if any(rule.rule != "U" and rule.severity <= SEV2 for rule in fired):
        fired = [rule for rule in fired if rule.rule != "U"]
    if not fired:
        why = "planned maintenance explains it" if facts.planned_maintenance else "no measurement that counts fires a rule"
        fired = [FiredRule(rule="U", severity=policy.observe_at, because=f"{why}: observe", basis="dflt")]
    doubt = policy.doubt_discount if any(rule.rule == "U" for rule in fired) else 1.0
    ranked = tuple(sorted(fired, key=lambda rule: rule.severity))
    return Classification(severity=ranked[0].severity, rules=ranked, confidence=(facts.confidence or 0.0) * doubt)


def hold_or_raise(current: Severity, found: Classification) -> Severity:
    """Return what automation may set: the worse of the two, never less (spec §2.9 INV-10)."""
    return worst(current, found.severity)


_SUMMED = ("user_ratio", "tenant_ratio", "tenant_count", "tier1_tenants_down", "spend_usd_per_h")  # overlap is unknown
_RELIEF = ("fallback_adequate", "provider_spend_cap", "planned_maintenance", "confidence")  # only if both say so


def _union(one: Facts, other: Facts) -> Facts:
    def joined(name: str) -> object:
        a, b = getattr(one, name), getattr(other, name)
        if a is None or b is None:
            return a if b is None else b
        if isinstance(a, _Ordered):
            return max(a, b, key=list(type(a)).index)
        if isinstance(a, Cve):
            return {key: value or getattr(b, key) for key, value in a}
        if isinstance(a, dict):
            return {key: max(a.get(key, 0), b.get(key, 0)) for key in a | b}
        if isinstance(a, frozenset):
            return a & b
        if name in _SUMMED:
            return min(1, a + b) if name.endswith("_ratio") else a + b
        return min(a, b) if name in _RELIEF else max(a, b)

    return Facts.model_validate({name: joined(name) for name in Facts.model_fields})


def correlate(one: Facts, other: Facts, policy: SeverityPolicy = DEFAULT) -> Classification:
    """Classify two incidents that share a change or a host as their union, losing no rule of either (edge case i)."""
    all_three = [classify(facts, policy) for facts in (one, other, _union(one, other))]
    rules = {(rule.rule, rule.because): rule for found in all_three for rule in found.rules}
    ranked = tuple(sorted(rules.values(), key=lambda rule: rule.severity))
    return Classification(severity=ranked[0].severity, rules=ranked, confidence=min(found.confidence for found in all_three))


class Proposal(_Value):
    """A severity put to the commander, and why."""

    severity: Severity
    because: str


def raise_if_not_mitigated(
    severity: Severity, since: datetime, now: datetime, growing_radius: bool, policy: SeverityPolicy = DEFAULT
) -> Proposal | None:
    """Propose to raise what has gone unmitigated since then for too long (spec §3, escalation)."""
    if severity is SEV3 and now - since > policy.sev3_patience:
        return Proposal(severity=SEV2, because=f"SEV-3 for more than {policy.sev3_patience}")
    if severity is SEV2 and growing_radius and now - since > policy.sev2_patience:
        return Proposal(severity=SEV1, because=f"SEV-2 for more than {policy.sev2_patience}, and its radius grows")
    return None


def reclassify_within(severity: Severity, policy: SeverityPolicy = DEFAULT) -> timedelta:
    """Return the longest time until facts are classified again (spec §3, escalation)."""
    return policy.reclassify_severe if severity <= SEV2 else policy.reclassify_other


class Observation(_Value):
    """The facts as they stood at an instant."""

    at: datetime
    facts: Facts


class Lowering(_Value):
    """Whether the severity may be lowered: what stands against it, or all that speaks for it."""

    allowed: bool
    reasons: tuple[str, ...]


def _quiet(current: Severity, history: Sequence[Observation], now: datetime, policy: SeverityPolicy) -> bool:
    """Say whether no rule of this level or worse held; a gap in the record is not quiet."""
    seen = sorted((o for o in history if o.at <= now), key=lambda o: o.at)
    before = [o for o in seen if o.at <= now - policy.quiet][-1:]
    window = before + [o for o in seen if o.at > now - policy.quiet]
    instants = [o.at for o in window] + [now]
    unbroken = all(b - a <= reclassify_within(current, policy) for a, b in pairwise(instants))
    return bool(before) and unbroken and all(classify(o.facts, policy).severity > current for o in window)


def may_lower(
    current: Severity,
    facts_history: Sequence[Observation],
    now: datetime,
    *,
    to: Severity,
    by_commander: bool,
    mitigation_verified: bool,
    radius_quality: Quality,
    comms_updated: bool,
    security_signed: bool = False,
    legal_signed: bool = False,
    exfiltration_may_continue: YesNo = None,
    changes: Sequence[datetime] = (),
    ever_fired: frozenset[str] = frozenset(),
    policy: SeverityPolicy = DEFAULT,
) -> Lowering:
    """Judge a commander's wish to lower (spec §3, de-escalation).

    `facts_history` is the whole incident's; if it was cut, `ever_fired` keeps the rules of the part that is gone.
    `changes` are the instants at which the severity changed.
    """
    fired = ever_fired.union(r.rule for o in facts_history for r in classify(o.facts, policy).rules)
    exposure = not fired.isdisjoint({"A1", "A2"})
    flapping = sum(now - policy.flap_window <= at <= now for at in changes) >= policy.flap_changes
    conditions = (
        (by_commander, "the incident commander decides it", "only the incident commander may lower"),
        (to == current + 1, "it is one level", f"{current.label} may become one level less, not {to.label}"),
        (_quiet(current, facts_history, now, policy), f"no rule of {current.label} held for {policy.quiet}",
         f"a rule of {current.label} held, or nobody looked, within {policy.quiet}"),
        (mitigation_verified, "mitigation is verified", "mitigation is not verified"),
        (radius_quality.at_least(Quality.MED), "the blast radius is known well enough", f"blast radius quality is {radius_quality}"),
        (comms_updated, "comms are updated", "comms are not updated"),
        (not exposure or to <= SEV2 or (security_signed and legal_signed), "no signature is missing",
         "A1 or A2 fired: not below SEV-2 until Security and Legal sign the scope"),
        (not exposure or to <= SEV1 or exfiltration_may_continue is False, "nothing is being carried out",
         "A1 or A2 fired: not below SEV-1 while exfiltration may continue"),
        (not flapping, "it is not flapping", f"{policy.flap_changes} changes within {policy.flap_window}: hold the higher"),
    )  # fmt: skip
    against = tuple(no for holds, _, no in conditions if not holds)
    return Lowering(allowed=not against, reasons=against or tuple(yes for _, yes, _ in conditions))


# Seed §0.1, column Examples, word for word.
EXAMPLES: Mapping[str, Severity] = MappingProxyType(
    {
        "API 5xx > 50%": SEV1,
        "tenant isolation failure": SEV1,
        "data breach": SEV1,
        "LLM provider outage": SEV2,
        "DB failover": SEV2,
        "cost runaway": SEV2,
        "Tool registry down": SEV3,
        "queue backlog": SEV3,
        "prompt injection attempt": SEV3,
        "Single component bug": SEV4,
        "UI glitch": SEV5,
        "docs typo": SEV5,
    }
)


def default_floor(example: str) -> Severity:
    """Return the matrix's severity for one of its examples; for anything else the rule of thumb, SEV-2."""
    return {text.casefold(): severity for text, severity in EXAMPLES.items()}.get(example.strip().casefold(), SEV2)
