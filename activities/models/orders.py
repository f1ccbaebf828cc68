"""The words of model routing: what is asked of the gateway and its ModelSelector (spec §9.2), and what they say of themselves.

Windows and leases are policy time. Shares and ratios are 0 to 1. Loads are requests per second.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar

from activities.action import Order, Value
from activities.kit.words import shell, urls
from activities.models.canary_core import CanaryPolicy, Evidence, Verdict
from activities.models.routes import EVERYBODY, GATEWAY, TOKEN, asked

SLOW_MS = 5_000.0  # the seed's own number: an answer that takes longer is a bad one


class ErrorClass(StrEnum):
    """What a call met (spec §9.2). They must be kept apart: only some of them are an outage of the provider."""

    OK = "OK"
    OVERLOAD = "OVERLOAD"
    RATE_LIMIT = "RATE_LIMIT"
    SPEND_CAP = "SPEND_CAP"
    AUTH = "AUTH"
    BAD_REQUEST = "BAD_REQUEST"
    TIMEOUT = "TIMEOUT"
    CONTENT_FILTER = "CONTENT_FILTER"
    UNCLASSIFIED = "UNCLASSIFIED"


# ---- what the gateway's log says ----


class Log(Order):
    """Read the gateway's own log of calls to providers."""

    route: str
    window: timedelta

    def target(self) -> str:
        """The route whose calls are read."""
        return f"route/{self.route}"

    def effect(self) -> str:
        return f"read the last {_span(self.window)} of calls on route {self.route}"

    def by_hand(self) -> tuple[str, ...]:
        return (asked(urls.path("v1", "calls"), _within(self.route, self.window)),)


class CallLine(Value):
    """Calls to one model of one provider in one region. Latencies in milliseconds; None where nothing was measured."""

    provider: str
    model: str
    region: str
    n: int
    by_class: dict[ErrorClass, int] = {}
    ttft_p95_ms: float | None = None
    latency_p95_ms: float | None = None
    baseline_ms: float | None = None
    timeout_ratio: float | None = None


class Calls(Value):
    """The gateway's log over a window."""

    lines: tuple[CallLine, ...]
    inflight_runs: int = 0
    breaker: dict[str, str] = {}
    retry_share: float = 0.0
    at: datetime

    def n(self, provider: str) -> int:
        """How many calls went to the provider."""
        return sum(line.n for line in self._of(provider))

    def share(self, provider: str, *classes: ErrorClass) -> float:
        """The share of the provider's calls that met one of the classes; 0 where there were no calls (ask `n` too)."""
        met = sum(line.by_class.get(c, 0) for line in self._of(provider) for c in classes)
        return met / self.n(provider) if self.n(provider) else 0.0

    def failed_share(self, provider: str) -> float:
        """The share of the provider's calls that were anything but OK; 0 where there were no calls."""
        return 1 - self.share(provider, ErrorClass.OK) if self.n(provider) else 0.0

    def classified_share(self) -> float:
        """The share of all failures whose class is known; 1 where nothing failed."""
        failed = sum(line.n - line.by_class.get(ErrorClass.OK, 0) for line in self.lines)
        unknown = sum(line.by_class.get(ErrorClass.UNCLASSIFIED, 0) for line in self.lines)
        return 1 - unknown / failed if failed else 1.0

    def dominant(self, provider: str) -> ErrorClass:
        """The class that most of the provider's failures have; OK where none failed."""
        met = {c: sum(line.by_class.get(c, 0) for line in self._of(provider)) for c in ErrorClass if c is not ErrorClass.OK}
        worst = max(met, key=lambda c: met[c])
        return worst if met[worst] else ErrorClass.OK

    def slow(self, provider: str) -> bool:
        """True when a model's 95th percentile is above max(5 s, 2 × its baseline) in some region."""
        return any(line.n and is_slow(line.latency_p95_ms, line.baseline_ms) for line in self._of(provider))

    def _of(self, provider: str) -> tuple[CallLine, ...]:
        return tuple(line for line in self.lines if line.provider == provider)


def is_slow(latency_ms: float | None, baseline_ms: float | None) -> bool:
    """The seed's rule for slow, in milliseconds: above max(5 s, 2 × baseline). Not measured is not slow."""
    return latency_ms is not None and latency_ms > max(SLOW_MS, 2 * (baseline_ms or 0.0))


# ---- live probes ----


class Probe(Order):
    """Ask a provider something real, from outside our own network, now."""

    provider: str
    route: str
    times: int = 3
    vantage: str = "second-network"

    def target(self) -> str:
        return f"provider/{self.provider}"

    def effect(self) -> str:
        return f"send {self.times} real completions to {self.provider} from {self.vantage}"

    def by_hand(self) -> tuple[str, ...]:
        """One such completion, by curl."""
        url, prompt = shell.address(GATEWAY, urls.path("v1", "chat", "completions")), {"role": "user", "content": "ping"}
        body = {"model": self.route, "messages": [prompt]}
        return (shell.curl("POST", url, TOKEN, f"X-Provider: {self.provider}", f"X-Vantage: {self.vantage}", body=body),)


class Probed(Value):
    """How a provider answered just now. `quota_headroom` is the free share of what we contracted; None where unknown."""

    provider: str
    n: int
    ok_n: int
    by_class: dict[ErrorClass, int] = {}
    latency_p95_ms: float | None = None
    baseline_ms: float | None = None
    quota_headroom: float | None = None
    spend_capped: bool = False
    at: datetime

    @property
    def ok(self) -> bool:
        """True when every probe was answered and none was slow. No probe is not ok."""
        return 0 < self.n == self.ok_n and not is_slow(self.latency_p95_ms, self.baseline_ms)


class Needs(Value):
    """What the route's prompts cannot do without."""

    tools: bool = True
    json_mode: bool = False
    context_tokens: int = 16_000
    modality: tuple[str, ...] = ("text",)


class Survey(Order):
    """Look for a provider that can take over from the primary, by live probes."""

    route: str
    primary: str
    needs: Needs = Needs()
    times: int = 3

    def target(self) -> str:
        """The route that needs another provider."""
        return f"route/{self.route}"

    def effect(self) -> str:
        return f"probe every provider but {self.primary} for route {self.route}"

    def by_hand(self) -> tuple[str, ...]:
        """The providers with their attributes, by curl."""
        return (asked(urls.path("v1", "providers")),)


class Candidate(Value):
    """A provider that might take over. `movable_rps` is the primary's load of tenants that permit it; `free_rps` what it can still take."""

    id: str
    model: str
    regions: tuple[str, ...]
    evaluated: bool
    prompt_profile: str
    parity: float
    price_ratio: float
    capacity_rps: float
    free_rps: float
    movable_rps: float
    capabilities_ok: bool
    quota_headroom: float | None
    shared_with_primary: tuple[str, ...]
    probe: Probed

    @property
    def healthy(self) -> bool:
        """Evaluated, with a prompt profile and the needed capabilities, and answering now. Never-evaluated models are never used."""
        return self.evaluated and bool(self.prompt_profile) and self.capabilities_ok and self.probe.ok

    def carries(self, headroom: float) -> float:
        """The share of the movable load that it can take with `headroom` to spare, 0 to 1."""
        wanted = headroom * self.movable_rps
        return 1.0 if wanted <= 0 else max(0.0, min(1.0, self.free_rps / wanted))


class Candidates(Value):
    """Every provider but the primary, as it was at `at`."""

    found: tuple[Candidate, ...]
    primary_load_rps: float
    at: datetime

    def best(self, *, headroom: float) -> Candidate | None:
        """The one to fail over to: healthy and large enough; no shared dependency first, then parity."""
        return next(iter(self._ranked(headroom)), None)

    def next_after(self, id: str, headroom: float) -> Candidate | None:
        """The one to try when `id` did not hold: the next of the same ranking."""
        ranked = self._ranked(headroom)
        names = [candidate.id for candidate in ranked]
        return next(iter(ranked[names.index(id) + 1 :] if id in names else ranked), None)

    def fallback(self, *, headroom: float) -> Candidate | None:
        """The best one; where nobody can carry everybody, the healthy one that carries most: it takes tenants by priority tier (A.2 M3)."""
        small = [c for c in self.found if c.healthy and 0 < c.carries(headroom) < 1]
        return self.best(headroom=headroom) or max(small, key=lambda c: (c.carries(headroom), c.parity), default=None)

    def of(self, id: str) -> Candidate | None:
        return next((candidate for candidate in self.found if candidate.id == id), None)

    def _ranked(self, headroom: float) -> list[Candidate]:
        able = [c for c in self.found if c.healthy and c.carries(headroom) >= 1]
        return sorted(able, key=lambda c: (len(c.shared_with_primary), -c.parity, c.id))


# Who is degraded first when a provider cannot carry everybody (spec §9.2: shed by tier).
SHED_FIRST = ("starter", "business", "enterprise", "sovereign")


class Split(Order):
    """Ask which tenants permit another provider (INV-13). `to` may be empty when there is none: then nobody can move."""

    route: str
    primary: str
    to: str

    def target(self) -> str:
        """The route whose tenants are asked about."""
        return f"route/{self.route}"

    def effect(self) -> str:
        return f"sort the tenants of route {self.route} by whether they permit {self.to or 'another provider (there is none)'}"

    def by_hand(self) -> tuple[str, ...]:
        """The tenants with what they allow, by curl."""
        return (asked(urls.path("v1", "tenants")),)


class TenantSplit(Value):
    """Who may move, and who must be degraded instead, with the reason for each of those."""

    movable: tuple[str, ...]
    stuck: tuple[str, ...]
    reasons: dict[str, str] = {}
    tiers: dict[str, str] = {}
    rps: dict[str, float] = {}
    already_degraded: tuple[str, ...] = ()
    at: datetime

    def by_priority(self, room_rps: float) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Who of the movable fits into that much room, the highest tier first; and who is crowded out."""
        left = room_rps
        carried: set[str] = set()
        for tenant in sorted(self.movable, key=lambda t: (-SHED_FIRST.index(self.tiers[t]) if self.tiers.get(t) in SHED_FIRST else 0, t)):
            left -= self.rps[tenant]
            if left < 0:  # nobody of a lower tier slips in before one of a higher
                break
            carried.add(tenant)
        return tuple(t for t in self.movable if t in carried), tuple(t for t in self.movable if t not in carried)


# ---- the data plane's own log, and the canary ----


class Served(Order):
    """Read who was really served by whom."""

    route: str
    window: timedelta

    def target(self) -> str:
        return f"route/{self.route}"

    def effect(self) -> str:
        return f"read who served route {self.route} in the last {_span(self.window)}"

    def by_hand(self) -> tuple[str, ...]:
        return (asked(urls.path("v1", "served"), _within(self.route, self.window)),)


class TenantServed(Value):
    """What one tenant got: `n` answers, `ok` of them good; by provider; by mode; quality samples and how many passed."""

    n: int
    ok: int
    by: dict[str, int] = {}
    modes: dict[str, int] = {}
    quality_n: int = 0
    quality_pass: int = 0


class ServedBy(Value):
    """The data plane's served-by log. Shares are of these tenants' answers; no answers give 0, because nothing was shown."""

    tenants: dict[str, TenantServed]
    cost_per_hour: float | None
    at: datetime

    def n(self, tenants: Iterable[str]) -> int:
        """How many answers these tenants got."""
        return sum(line.n for line in self._of(tenants))

    def share(self, provider: str, tenants: Iterable[str]) -> float:
        """Served by this provider, of all that a provider served."""
        lines = self._of(tenants)
        served = sum(sum(line.by.values()) for line in lines)
        return sum(line.by.get(provider, 0) for line in lines) / served if served else 0.0

    def mode_share(self, mode: str, tenants: Iterable[str]) -> float:
        lines = self._of(tenants)
        answered = sum(sum(line.modes.values()) for line in lines)
        return sum(line.modes.get(mode, 0) for line in lines) / answered if answered else 0.0

    def ok_share(self, tenants: Iterable[str]) -> float:
        lines = self._of(tenants)
        n = sum(line.n for line in lines)
        return sum(line.ok for line in lines) / n if n else 0.0

    def quality(self, tenants: Iterable[str]) -> float | None:
        """The share of quality samples that passed; None without samples."""
        lines = self._of(tenants)
        n = sum(line.quality_n for line in lines)
        return sum(line.quality_pass for line in lines) / n if n else None

    def _of(self, tenants: Iterable[str]) -> tuple[TenantServed, ...]:
        wanted = tuple(tenants)
        return tuple(line for tenant, line in self.tenants.items() if wanted == EVERYBODY or tenant in wanted)


class Watch(Order):
    """Watch one step of the way back to `provider`, and renew the route's lease while it goes well."""

    volatile: ClassVar[frozenset[str]] = frozenset({"epoch"})

    route: str
    provider: str
    control: str
    weight: float
    step: int
    steps: int
    epoch: int
    lease_ticks: int = 3
    policy: CanaryPolicy = CanaryPolicy()
    cost_ratio: float = 1.3
    quality_drop: float = 0.03

    def target(self) -> str:
        return f"route/{self.route}"

    def effect(self) -> str:
        share = f"{self.weight:.0%} of the traffic" if self.weight else "probes only"
        return f"watch step {self.step} of {self.steps} of the canary back to {self.provider} ({share}), renewing the lease"

    def inverse(self) -> str:
        """What happens when nobody watches."""
        return "stop watching: the lease lapses and the router returns to the safe weights by itself"

    def by_hand(self) -> tuple[str, ...]:
        """The lease, by curl, to be repeated before it lapses."""
        url = shell.address(GATEWAY, urls.path("v1", "routes", self.route, "lease"))
        lease = {"epoch": self.epoch, "seconds": self.lease_seconds}
        return (shell.curl("POST", url, TOKEN, body=lease),) if self.weight else ()

    @property
    def lease_seconds(self) -> float:
        """How long the lease is renewed for, in policy seconds."""
        return self.lease_ticks * self.policy.tick.total_seconds()


class Watched(Value):
    """How a step of the canary ended. `cost_ratio` is the cost of an answer against the control's; None where one has no traffic.

    `lapsed`: the lease ran out while nobody renewed it, and the router is back on the safe weights: the step must be taken again.
    """

    verdict: Verdict
    reason: str
    evidence: Evidence
    ticks: int
    ended_at: datetime
    control_n: int = 0
    control_bad: int = 0
    quality: float | None = None
    cost_ratio: float | None = None
    lapsed: bool = False


# ---- how orders say themselves ----


def _span(window: timedelta) -> str:
    seconds = int(window.total_seconds())
    return f"{seconds // 60} min" if seconds % 60 == 0 and seconds >= 120 else f"{seconds} s"


def _within(route: str, window: timedelta) -> str:
    return urls.query({"route": route, "window": int(window.total_seconds())})
