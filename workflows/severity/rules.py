"""The rules of severity (spec §3, over the matrix of seed §0.1): compare `TABLE` with the spec's table row by row."""

from collections.abc import Callable
from math import fsum
from typing import Literal, NamedTuple

from activities.organisation.numbers import SeverityPolicy
from workflows.incident import SEV1, SEV2, SEV3, SEV4, SEV5, Severity
from workflows.severity.facts import Cve, DataLoss, Facts, Injection, Scope, Slo, Suspicion, Workaround

Basis = Literal["seed", "dflt"]
DEFAULT = SeverityPolicy()


def _over(value: float | None, limit: float) -> bool:
    return value is not None and value > limit


def _reaches(value: float | None, limit: float) -> bool:
    return value is not None and value >= limit


class Measured:
    """What the facts come to, in numbers. Regions count that serve traffic; those with too few samples only where that is said."""

    def __init__(self, f: Facts, p: SeverityPolicy) -> None:
        serving = {name: ratio for name, ratio in f.err_ratio.items() if name not in f.drained_regions}
        thin = {name for name in serving if f.sample_count.get(name, p.min_samples) < p.min_samples}
        solid = [ratio for name, ratio in serving.items() if name not in thin]
        self.ratio = fsum(solid) / len(solid) if solid else 0.0  # over all regions
        if serving and all(name in f.sample_count for name in serving):  # weighed by requests, so that thin regions add up
            requests = sum(f.sample_count[name] for name in serving)
            failed = fsum(ratio * f.sample_count[name] for name, ratio in serving.items())
            self.ratio = failed / requests if requests >= p.min_samples and requests > 0 else 0.0
        self.worst = max(solid, default=0.0)
        self.worst_thin = max((serving[name] for name in thin), default=0.0)
        self.lasting = _reaches(f.duration_s, p.window_s)
        degraded = sum(ratio > p.degraded_ratio for ratio in solid)
        said = 0 if f.scope is Scope.COSMETIC else f.regions_major or 0  # a cosmetic fault seen in many regions is still cosmetic
        self.major_regions = max(said, degraded if self.lasting else 0)
        self.failing = degraded > 0 or self.ratio > p.degraded_ratio
        self.blip = self.failing and f.duration_s is not None and not self.lasting
        counted = [n for name, n in f.sample_count.items() if name not in f.drained_regions]
        self.few = bool(counted) and sum(counted) < p.min_samples  # a handful of requests says little of anybody
        self.tenants_hit = _reaches(f.tenant_ratio, p.many_tenants_ratio) or _reaches(f.tenant_count, p.many_tenants)
        self.many_tenants = self.tenants_hit and not self.few
        reach = (f.tenant_ratio, f.tenant_count, f.user_ratio)
        self.unmeasured = not solid and f.regions_major is None and f.slo is Slo.UNKNOWN and reach == (None, None, None)
        self.excused = f.workaround is Workaround.YES and f.scope is Scope.COMPONENT and f.slo is Slo.NO  # users get by (D1)
        impaired = f.scope.at_least(Scope.COMPONENT) or any(_over(affected, 0) for affected in reach)
        self.impaired = impaired and f.scope is not Scope.COSMETIC and not self.excused
        self.runaway = _over(f.spend_multiple, p.spend_multiple)
        self.provider_lost = f.provider_down is True and not f.provider_spend_cap


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
    """One line of the spec's table; `because` may quote the facts (f) and the policy (p); m: what is measured."""

    rule: str
    severity: Severity
    basis: Basis
    when: Callable[[Facts, SeverityPolicy, Measured], bool]
    because: str
    availability: bool = False  # silent inside planned maintenance (edge case f); A1 and A2 never are


_S, _AVAIL = Suspicion, True
# fmt: off
TABLE: tuple[Rule, ...] = (
    Rule("A1", SEV1, "seed", lambda f, p, m: f.isolation_failure is _S.CONFIRMED, "tenant isolation failure is confirmed"),
    Rule("A2", SEV1, "seed", lambda f, p, m: f.data_exposure is _S.CONFIRMED, "data exposure is confirmed"),
    Rule("A2", SEV1, "dflt", lambda f, p, m: _S.SUSPECTED in (f.data_exposure, f.isolation_failure) and f.corroborated,
        "suspected exposure is corroborated"),
    Rule("A2", SEV1, "dflt", lambda f, p, m: f.data_exposure is _S.SUSPECTED and f.active_adversary is True,
        "exposure is suspected and an adversary is active"),
    Rule("A2", SEV1, "dflt", lambda f, p, m: f.data_exposure is _S.SUSPECTED and f.active_adversary is None,
        "exposure is suspected and an active adversary cannot be ruled out"),
    Rule("A3", SEV1, "seed", lambda f, p, m: m.ratio > p.outage_ratio and m.lasting,
        "global 5xx is above {p.outage_ratio:.0%} for {p.window_s:g} s", _AVAIL),
    Rule("A3", SEV1, "seed", lambda f, p, m: f.unavailable is True, "the platform is unavailable", _AVAIL),
    Rule("A4", SEV1, "seed", lambda f, p, m: m.major_regions >= p.many_regions,
        "at least {p.many_regions} regions are in major degradation", _AVAIL),
    Rule("A4", SEV1, "seed", lambda f, p, m: f.regions_total == 1 and m.worst > p.outage_ratio and m.lasting,
        "the only region is down", _AVAIL),
    Rule("A5", SEV1, "dflt", lambda f, p, m: m.many_tenants and (
        f.scope.at_least(Scope.CORE) or m.major_regions > 0 or f.unavailable is True), "many tenants have major impact", _AVAIL),
    Rule("A6", SEV1, "dflt", lambda f, p, m: f.data_loss is DataLoss.CONFIRMED, "committed data is lost"),
    Rule("A6", SEV1, "dflt", lambda f, p, m: f.injection is Injection.EXFIL, "a prompt injection carried data out"),
    Rule("A6", SEV1, "dflt", lambda f, p, m: f.cve.malicious_pkg_executed is True and f.cve.production_secrets is True,
        "a malicious package ran beside production secrets"),
    Rule("A6", SEV1, "dflt", lambda f, p, m: f.physical_or_safety_harm is True, "people may come to harm"),

    Rule("B1", SEV2, "seed", lambda f, p, m: m.major_regions >= 1,
        "a region has 5xx above {p.degraded_ratio:.0%} for {p.window_s:g} s", _AVAIL),
    Rule("B1", SEV2, "seed", lambda f, p, m: m.ratio > p.degraded_ratio and m.lasting,
        "5xx is above {p.degraded_ratio:.0%} for {p.window_s:g} s over all regions", _AVAIL),
    Rule("B1", SEV2, "dflt", lambda f, p, m: _reaches(f.user_ratio, p.many_users_ratio) and f.scope is not Scope.COSMETIC,
        "{f.user_ratio:.0%} of users are affected", _AVAIL),
    Rule("B1", SEV2, "seed", lambda f, p, m: f.slo.at_least(Slo.LIKELY), "an SLO breach is {f.slo}", _AVAIL),
    Rule("B2", SEV2, "seed", lambda f, p, m: m.provider_lost and f.fallback_adequate is False,
        "the LLM provider is down and the fallback is not adequate"),
    Rule("B2", SEV2, "seed", lambda f, p, m: f.db_failover is True, "the database is failing over", _AVAIL),
    Rule("B2", SEV2, "seed", lambda f, p, m: m.runaway and _over(f.spend_usd_per_h, p.spend_floor_usd_per_h),
        "spend is {f.spend_multiple:g}× its baseline and above the floor"),
    Rule("B3", SEV2, "dflt", lambda f, p, m: _S.SUSPECTED in (f.isolation_failure, f.data_exposure),
        "isolation failure or data exposure is suspected"),
    Rule("B3", SEV2, "dflt", lambda f, p, m: f.privileged_secret.at_least(_S.SUSPECTED),
        "compromise of a privileged secret is {f.privileged_secret}"),
    Rule("B3", SEV2, "dflt", lambda f, p, m: f.cve.exploited is True and f.cve.reachable is True, "a vulnerability is exploited and reachable"),
    Rule("B3", SEV2, "dflt", lambda f, p, m: f.cve.malicious_pkg_executed is True, "a malicious package ran"),
    Rule("B3", SEV2, "dflt", lambda f, p, m: f.injection is Injection.SIDE_EFFECT, "a prompt injection had a side effect"),
    Rule("B3", SEV2, "dflt", lambda f, p, m: f.data_loss is DataLoss.POSSIBLE, "data loss is possible"),
    Rule("B4", SEV2, "dflt", lambda f, p, m: _reaches(f.tier1_tenants_down, p.tier1_tenants) or f.tenant_tier1 is True,
        "a tier-1 tenant is fully down", _AVAIL),
    Rule("edge-b", SEV2, "dflt", lambda f, p, m: f.synthetic_only and _reaches(f.duration_s, p.synthetic_limit_s),
        "synthetics have failed for {f.duration_s:g} s", _AVAIL),
    Rule("edge-k", SEV2, "dflt", lambda f, p, m: _over(f.monitoring_blind_s, p.blind_limit_s),
        "monitoring of a SEV-1 surface is blind for {f.monitoring_blind_s:g} s"),
    Rule("edge-l", SEV2, "dflt", lambda f, p, m: f.orchestrator_degraded is True, "the incident orchestrator itself is degraded"),

    Rule("C1", SEV3, "seed", lambda f, p, m: m.impaired, "a feature, a component or a tenant is impaired", _AVAIL),
    Rule("C1", SEV3, "dflt", lambda f, p, m: m.blip, "5xx is above {p.degraded_ratio:.0%}, not yet for {p.window_s:g} s", _AVAIL),
    Rule("C1", SEV3, "seed", lambda f, p, m: f.tool_registry_down is True, "the tool registry is down", _AVAIL),
    Rule("C1", SEV3, "seed", lambda f, p, m: f.backlog is True, "a queue is backed up", _AVAIL),
    Rule("C1", SEV3, "seed", lambda f, p, m: f.injection is Injection.ATTEMPT, "a prompt injection was attempted and blocked"),
    Rule("C1", SEV3, "seed", lambda f, p, m: m.provider_lost and f.fallback_adequate is True,
        "the LLM provider is down and the fallback is adequate"),
    Rule("C1", SEV3, "dflt", lambda f, p, m: f.cve.high and f.cve.reachable is not False, "a high vulnerability is, or may be, reachable"),
    Rule("C1", SEV3, "dflt", lambda f, p, m: m.runaway, "spend is {f.spend_multiple:g}× its baseline"),
    Rule("edge-b", SEV3, "dflt", lambda f, p, m: f.synthetic_only, "only synthetics fail; no real traffic agrees", _AVAIL),
    Rule("edge-h", SEV3, "dflt", lambda f, p, m: f.near_miss, "a near miss: no impact, but a post-mortem"),
    Rule("edge-m", SEV3, "dflt", lambda f, p, m: f.provider_spend_cap,
        "the provider refuses us at our own spend cap: cost (2.6), not an outage"),

    Rule("D1", SEV4, "seed", lambda f, p, m: m.excused, "one component has a defect and a workaround exists"),
    Rule("E1", SEV5, "seed", lambda f, p, m: f.scope is Scope.COSMETIC, "it is cosmetic"),

    Rule("U", SEV2, "seed", lambda f, p, m: f.contradictory, "the evidence contradicts itself"),
    Rule("U", SEV2, "seed", lambda f, p, m: f.stale, "the data is stale"),
    Rule("U", SEV2, "dflt", lambda f, p, m: f.confidence is None or f.confidence < p.confidence_floor,
        "confidence is unknown or below {p.confidence_floor:g}"),
    Rule("U", SEV2, "seed", lambda f, p, m: bool(unknown_hints(f)), "{unsaid}: unknown, which is not none"),
    Rule("U", SEV2, "seed", lambda f, p, m: _cve_open(f.cve), "whether the vulnerability is exploited and reachable is unknown"),
    Rule("U", SEV2, "seed", lambda f, p, m: m.provider_lost and f.fallback_adequate is None, "whether the fallback is adequate is unknown"),
    Rule("U", SEV2, "seed", lambda f, p, m: m.runaway and f.spend_usd_per_h is None, "spend runs away and its size is unknown"),
    Rule("U", SEV2, "seed", lambda f, p, m: f.duration_s is None and (f.synthetic_only or m.failing),
        "how long it has lasted is unknown", _AVAIL),
    Rule("U", SEV2, "seed", lambda f, p, m: f.scope.at_least(Scope.CORE) and m.unmeasured,
        "{f.scope} is impaired and how widely is unknown", _AVAIL),
    Rule("U", SEV2, "seed", lambda f, p, m: f.scope is Scope.UNKNOWN and m.tenants_hit,
        "many tenants are affected and how badly is unknown", _AVAIL),
    Rule("U", SEV2, "dflt", lambda f, p, m: f.customer_reported and (
        m.blip or m.worst_thin > p.degraded_ratio),
        "customers report it and the sample is too small to judge", _AVAIL),
)
# fmt: on
