"""Who can take over from a provider: live probes, candidates, and the tenants that permit it (spec §9.2).

Shares and ratios are 0 to 1. Loads are requests per second.
"""

from datetime import datetime

from activities.action import Order, Value
from activities.kit.rest import Json
from activities.kit.words import shell, urls
from activities.models.logs import SLOW_MS, ErrorClass
from activities.models.routes import AUTH, GATEWAY, GatewayLook

# Who is degraded first when a provider cannot carry everybody (spec §9.2: shed by tier).
SHED_FIRST = ("starter", "business", "enterprise", "sovereign")


class Probe(Order, target="provider/{provider}", effect="send {times} real completions to {provider} from {vantage}"):
    provider: str
    route: str
    times: int = 3
    vantage: str = "second-network"

    def by_hand(self) -> tuple[str, ...]:
        url, prompt = shell.address(GATEWAY, urls.path("v1", "chat", "completions")), {"role": "user", "content": "ping"}
        body = {"model": self.route, "messages": [prompt]}
        return (shell.curl("POST", url, AUTH, f"X-Provider: {self.provider}", f"X-Vantage: {self.vantage}", body=body),)


class Probed(Value):
    """How a provider answered just now: `n` probes, by what they met."""

    provider: str
    n: int
    by_class: dict[ErrorClass, int] = {}
    latency_p95_ms: float | None = None
    baseline_ms: float | None = None
    at: datetime

    @property
    def ok(self) -> bool:
        """True when every probe was answered, and not slowly by the seed's rule: above max(5 s, 2 × baseline). No probe is not ok."""
        slow = self.latency_p95_ms is not None and self.latency_p95_ms > max(SLOW_MS, 2 * (self.baseline_ms or 0.0))
        return 0 < self.n == self.by_class.get(ErrorClass.OK, 0) and not slow

    @property
    def spend_capped(self) -> bool:
        return self.by_class.get(ErrorClass.SPEND_CAP, 0) > 0


class Needs(Value):
    """What the route's prompts cannot do without."""

    tools: bool = True
    json_mode: bool = False
    context_tokens: int = 16_000
    modality: tuple[str, ...] = ("text",)


class Survey(GatewayLook, effect="probe every provider but {primary} for route {route}", path="providers"):
    route: str
    primary: str
    needs: Needs = Needs()
    times: int = 3


class Candidate(Value):
    """A provider that might take over. `movable_rps` is the primary's load of tenants that permit it; `free_rps` what it can still take."""

    id: str
    evaluated: bool
    prompt_profile: str
    parity: float
    price_ratio: float
    capacity_rps: float
    free_rps: float
    movable_rps: float
    capabilities_ok: bool
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


def candidate(row: Json, primary: Json, needs: Needs, movable_rps: float, seen: Probed) -> Candidate:
    """A provider as the gateway says it (`row`), beside the primary."""
    quota, can = row["quota"], row["capabilities"]
    room = min(row["capacity_rps"], quota["rpm"] / 60, quota["contracted_rpm"] / 60) - quota["used"] / 60
    able = (
        (can["tools"] or not needs.tools)
        and (can["json_mode"] or not needs.json_mode)
        and can["context_tokens"] >= needs.context_tokens
        and set(needs.modality) <= set(can["modality"])
    )
    return Candidate(
        id=row["name"],
        prompt_profile=row["prompt_profile"] or "",
        **{name: row[name] for name in ("evaluated", "parity", "price_ratio", "capacity_rps")},
        free_rps=max(0.0, room),
        movable_rps=movable_rps,
        capabilities_ok=able,
        shared_with_primary=tuple(sorted(set(row["shared_tags"]) & set(primary["shared_tags"]))),
        probe=seen,
    )


class Candidates(Value):
    """Every provider but the primary, as it was at `at`."""

    found: tuple[Candidate, ...]
    at: datetime

    def best(self, *, headroom: float) -> Candidate | None:
        """The one to fail over to: healthy and large enough; no shared dependency first, then parity."""
        able = [c for c in self.found if c.healthy and c.carries(headroom) >= 1]
        return min(able, key=lambda c: (len(c.shared_with_primary), -c.parity, c.id), default=None)

    def fallback(self, *, headroom: float) -> Candidate | None:
        """The best one; where nobody can carry everybody, the healthy one that carries most: it takes tenants by priority tier (A.2 M3)."""
        small = [c for c in self.found if c.healthy and 0 < c.carries(headroom) < 1]
        return self.best(headroom=headroom) or max(small, key=lambda c: (c.carries(headroom), c.parity), default=None)

    def of(self, id: str) -> Candidate | None:
        return next((candidate for candidate in self.found if candidate.id == id), None)


class Split(GatewayLook, path="tenants"):
    """Ask which tenants permit another provider (INV-13). `to` may be empty when there is none: then nobody can move."""

    route: str
    primary: str
    to: str

    def effect(self) -> str:
        return f"sort the tenants of route {self.route} by whether they permit {self.to or 'another provider (there is none)'}"


class TenantSplit(Value):
    """Who may move, and who must be degraded instead, with the reason for each of those."""

    movable: tuple[str, ...]
    stuck: tuple[str, ...]
    reasons: dict[str, str] = {}
    tiers: dict[str, str] = {}
    rps: dict[str, float] = {}
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
