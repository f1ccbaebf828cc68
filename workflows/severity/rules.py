"""The rules of severity (spec §3, over the matrix of seed §0.1): compare `TABLE` with the spec's table row by row."""

from collections.abc import Callable
from math import fsum
from typing import Literal, NamedTuple

from activities.organisation.severity_policy import SeverityPolicy
from workflows.incident import SEV1, SEV2, SEV3, SEV4, SEV5, Severity
from workflows.severity.facts import Cve, DataLoss, Facts, Injection, Scope, Slo, Suspicion, Workaround

Basis = Literal["seed", "dflt"]
DEFAULT = SeverityPolicy()


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


def _many_tenants(f: Facts, p: SeverityPolicy) -> bool:
    return _reaches(f.tenant_ratio, p.many_tenants_ratio) or _reaches(f.tenant_count, p.many_tenants)


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
    "isolation_failure", "data_exposure", "data_loss", "injection", "privileged_secret", "physical_or_safety_harm", "unavailable",
    "tenant_tier1", "provider_down", "db_failover", "tool_registry_down", "backlog", "orchestrator_degraded",
)  # fmt: skip


def unknown_hints(f: Facts) -> list[str]:
    named = [name for name in _HINTS if getattr(f, name) in (None, "UNKNOWN")]
    return named + (["cve.malicious_pkg_executed"] if f.cve.malicious_pkg_executed is None else [])


def _cve_open(c: Cve) -> bool:
    return None in (c.exploited, c.reachable) and c.exploited is not False and c.reachable is not False


class Rule(NamedTuple):
    """One line of the spec's table; `because` may quote the facts (f) and the policy (p)."""

    rule: str
    severity: Severity
    basis: Basis
    when: Callable[[Facts, SeverityPolicy], bool]
    because: str
    availability: bool = False  # silent inside planned maintenance (edge case f); A1 and A2 never are


_S, _AVAIL = Suspicion, True
# fmt: off
TABLE: tuple[Rule, ...] = (
    Rule("A1", SEV1, "seed", lambda f, p: f.isolation_failure is _S.CONFIRMED, "tenant isolation failure is confirmed"),
    Rule("A2", SEV1, "seed", lambda f, p: f.data_exposure is _S.CONFIRMED, "data exposure is confirmed"),
    Rule("A2", SEV1, "dflt", lambda f, p: _S.SUSPECTED in (f.data_exposure, f.isolation_failure) and f.corroborated,
        "suspected exposure is corroborated"),
    Rule("A2", SEV1, "dflt", lambda f, p: f.data_exposure is _S.SUSPECTED and f.active_adversary is True,
        "exposure is suspected and an adversary is active"),
    Rule("A2", SEV1, "dflt", lambda f, p: f.data_exposure is _S.SUSPECTED and f.active_adversary is None,
        "exposure is suspected and an active adversary cannot be ruled out"),
    Rule("A3", SEV1, "seed", lambda f, p: _global_ratio(f, p) > p.outage_ratio and _lasting(f, p),
        "global 5xx is above {p.outage_ratio:.0%} for {p.window_s:g} s", _AVAIL),
    Rule("A3", SEV1, "seed", lambda f, p: f.unavailable is True, "the platform is unavailable", _AVAIL),
    Rule("A4", SEV1, "seed", lambda f, p: _major_regions(f, p) >= p.many_regions,
        "at least {p.many_regions} regions are in major degradation", _AVAIL),
    Rule("A4", SEV1, "seed", lambda f, p: f.regions_total == 1 and max(_serving(f, p), default=0) > p.outage_ratio and _lasting(f, p),
        "the only region is down", _AVAIL),
    Rule("A5", SEV1, "dflt", lambda f, p: _many_tenants(f, p) and (
        f.scope.at_least(Scope.CORE) or _major_regions(f, p) > 0 or f.unavailable is True), "many tenants have major impact", _AVAIL),
    Rule("A6", SEV1, "dflt", lambda f, p: f.data_loss is DataLoss.CONFIRMED, "committed data is lost"),
    Rule("A6", SEV1, "dflt", lambda f, p: f.injection is Injection.EXFIL, "a prompt injection carried data out"),
    Rule("A6", SEV1, "dflt", lambda f, p: f.cve.malicious_pkg_executed is True and f.cve.production_secrets is True,
        "a malicious package ran beside production secrets"),
    Rule("A6", SEV1, "dflt", lambda f, p: f.physical_or_safety_harm is True, "people may come to harm"),

    Rule("B1", SEV2, "seed", lambda f, p: _major_regions(f, p) >= 1,
        "a region has 5xx above {p.degraded_ratio:.0%} for {p.window_s:g} s", _AVAIL),
    Rule("B1", SEV2, "seed", lambda f, p: _global_ratio(f, p) > p.degraded_ratio and _lasting(f, p),
        "5xx is above {p.degraded_ratio:.0%} for {p.window_s:g} s over all regions", _AVAIL),
    Rule("B1", SEV2, "dflt", lambda f, p: _reaches(f.user_ratio, p.many_users_ratio) and f.scope is not Scope.COSMETIC,
        "{f.user_ratio:.0%} of users are affected", _AVAIL),
    Rule("B1", SEV2, "seed", lambda f, p: f.slo.at_least(Slo.LIKELY), "an SLO breach is {f.slo}", _AVAIL),
    Rule("B2", SEV2, "seed", lambda f, p: _provider_lost(f) and f.fallback_adequate is False,
        "the LLM provider is down and the fallback is not adequate"),
    Rule("B2", SEV2, "seed", lambda f, p: f.db_failover is True, "the database is failing over", _AVAIL),
    Rule("B2", SEV2, "seed", lambda f, p: _runaway(f, p) and _over(f.spend_usd_per_h, p.spend_floor_usd_per_h),
        "spend is {f.spend_multiple:g}× its baseline and above the floor"),
    Rule("B3", SEV2, "dflt", lambda f, p: _S.SUSPECTED in (f.isolation_failure, f.data_exposure),
        "isolation failure or data exposure is suspected"),
    Rule("B3", SEV2, "dflt", lambda f, p: f.privileged_secret.at_least(_S.SUSPECTED),
        "compromise of a privileged secret is {f.privileged_secret}"),
    Rule("B3", SEV2, "dflt", lambda f, p: f.cve.exploited is True and f.cve.reachable is True, "a vulnerability is exploited and reachable"),
    Rule("B3", SEV2, "dflt", lambda f, p: f.cve.malicious_pkg_executed is True, "a malicious package ran"),
    Rule("B3", SEV2, "dflt", lambda f, p: f.injection is Injection.SIDE_EFFECT, "a prompt injection had a side effect"),
    Rule("B3", SEV2, "dflt", lambda f, p: f.data_loss is DataLoss.POSSIBLE, "data loss is possible"),
    Rule("B4", SEV2, "dflt", lambda f, p: _reaches(f.tier1_tenants_down, p.tier1_tenants) or f.tenant_tier1 is True,
        "a tier-1 tenant is fully down", _AVAIL),
    Rule("edge-b", SEV2, "dflt", lambda f, p: f.synthetic_only and _reaches(f.duration_s, p.synthetic_limit_s),
        "synthetics have failed for {f.duration_s:g} s", _AVAIL),
    Rule("edge-k", SEV2, "dflt", lambda f, p: _over(f.monitoring_blind_s, p.blind_limit_s),
        "monitoring of a SEV-1 surface is blind for {f.monitoring_blind_s:g} s"),
    Rule("edge-l", SEV2, "dflt", lambda f, p: f.orchestrator_degraded is True, "the incident orchestrator itself is degraded"),

    Rule("C1", SEV3, "seed", lambda f, p: _impaired(f), "a feature, a component or a tenant is impaired", _AVAIL),
    Rule("C1", SEV3, "dflt", _blip, "5xx is above {p.degraded_ratio:.0%}, not yet for {p.window_s:g} s", _AVAIL),
    Rule("C1", SEV3, "seed", lambda f, p: f.tool_registry_down is True, "the tool registry is down", _AVAIL),
    Rule("C1", SEV3, "seed", lambda f, p: f.backlog is True, "a queue is backed up", _AVAIL),
    Rule("C1", SEV3, "seed", lambda f, p: f.injection is Injection.ATTEMPT, "a prompt injection was attempted and blocked"),
    Rule("C1", SEV3, "seed", lambda f, p: _provider_lost(f) and f.fallback_adequate is True,
        "the LLM provider is down and the fallback is adequate"),
    Rule("C1", SEV3, "dflt", lambda f, p: f.cve.high and f.cve.reachable is not False, "a high vulnerability is, or may be, reachable"),
    Rule("C1", SEV3, "dflt", _runaway, "spend is {f.spend_multiple:g}× its baseline"),
    Rule("edge-b", SEV3, "dflt", lambda f, p: f.synthetic_only, "only synthetics fail; no real traffic agrees", _AVAIL),
    Rule("edge-h", SEV3, "dflt", lambda f, p: f.near_miss, "a near miss: no impact, but a post-mortem"),
    Rule("edge-m", SEV3, "dflt", lambda f, p: f.provider_spend_cap,
        "the provider refuses us at our own spend cap: cost (2.6), not an outage"),

    Rule("D1", SEV4, "seed", lambda f, p: _excused(f), "one component has a defect and a workaround exists"),
    Rule("E1", SEV5, "seed", lambda f, p: f.scope is Scope.COSMETIC, "it is cosmetic"),

    Rule("U", SEV2, "seed", lambda f, p: f.contradictory, "the evidence contradicts itself"),
    Rule("U", SEV2, "seed", lambda f, p: f.stale, "the data is stale"),
    Rule("U", SEV2, "dflt", lambda f, p: f.confidence is None or f.confidence < p.confidence_floor,
        "confidence is unknown or below {p.confidence_floor:g}"),
    Rule("U", SEV2, "seed", lambda f, p: bool(unknown_hints(f)), "{unsaid}: unknown, which is not none"),
    Rule("U", SEV2, "seed", lambda f, p: _cve_open(f.cve), "whether the vulnerability is exploited and reachable is unknown"),
    Rule("U", SEV2, "seed", lambda f, p: _provider_lost(f) and f.fallback_adequate is None, "whether the fallback is adequate is unknown"),
    Rule("U", SEV2, "seed", lambda f, p: _runaway(f, p) and f.spend_usd_per_h is None, "spend runs away and its size is unknown"),
    Rule("U", SEV2, "seed", lambda f, p: f.duration_s is None and (f.synthetic_only or _failing(f, p)),
        "how long it has lasted is unknown", _AVAIL),
    Rule("U", SEV2, "seed", lambda f, p: f.scope.at_least(Scope.CORE) and _size_unknown(f, p),
        "{f.scope} is impaired and how widely is unknown", _AVAIL),
    Rule("U", SEV2, "seed", lambda f, p: f.scope is Scope.UNKNOWN and _many_tenants(f, p),
        "many tenants are affected and how badly is unknown", _AVAIL),
    Rule("U", SEV2, "dflt", lambda f, p: f.customer_reported and (
        _blip(f, p) or max(_serving(f, p, thin=True), default=0) > p.degraded_ratio),
        "customers report it and the sample is too small to judge", _AVAIL),
)
# fmt: on
