"""Outbound calls, really made or really refused, and the rules that refuse them."""

from __future__ import annotations

from dataclasses import dataclass, field

from practice.world.state import State

PROXY, CDN, CLIENT = "proxy", "cdn", "client"
SOURCES = (PROXY, CDN, CLIENT)
"""Where outbound calls are seen: the proxy sees workloads, the CDN and the clients see what is rendered."""
RENDER = "render"
MADE, REFUSED = "made", "refused"
MOST_ROWS = 5_000
ALLOWED = ("api.aurora.example", "api.borealis.example", "api.cumulus.example", "tickets.example.com", "search.example.com")


@dataclass(frozen=True)
class Origin:
    """Who calls what. `render`: a client fetches what an answer on a surface points to; it never passes the proxy."""

    workload: str
    host: str
    kind: str = "tool"  # tool | fetch | render
    tenant: str = ""
    session: str = ""
    tool: str = ""
    surface: str = ""


@dataclass
class Row:
    """Calls of one kind, and what became of them. `source`: who saw them; `rule`: what refused them."""

    origin: Origin
    source: str
    outcome: str
    rule: str
    first_at: float = field(compare=False)  # two worlds of one seed begin at different instants
    last_at: float = field(compare=False)
    n: int = 0


@dataclass
class Flow:
    """Calls that come again and again, so many a minute, between two instants."""

    origin: Origin
    per_minute: float
    since: float
    until: float | None = None
    due: float = 0.0


@dataclass
class Outbound:
    """`denied`: `host/evil.example` or `tool/browser` → the id of its rule. `enforced`: whether the proxy does what its rules say."""

    denied: dict[str, str] = field(default_factory=dict)
    enforced: bool = True
    allowed: list[str] = field(default_factory=lambda: list(ALLOWED))
    auto_render: dict[str, bool] = field(default_factory=lambda: {"chat": True, "mail": True, "dashboard": True})
    honoured: bool = True  # whether clients do what `auto_render` says
    unreadable: list[str] = field(default_factory=list)  # of SOURCES
    rows: dict[tuple[Origin, str, str], Row] = field(default_factory=dict)
    flows: list[Flow] = field(default_factory=list)
    rules: int = 0

    def deny(self, what: str, denied: bool) -> None:
        """Set or take away a rule. A new one has a new id."""
        if denied and what not in self.denied:
            self.rules += 1
            self.denied[what] = f"eg-{self.rules}"
        if not denied:
            self.denied.pop(what, None)

    def listed(self, host: str) -> bool:
        return _within(host, self.allowed)

    def rule(self, origin: Origin) -> str:
        """The rule that refuses it; empty when it is let out."""
        if origin.kind == RENDER:
            return "auto-render off" if self.honoured and not self.auto_render.get(origin.surface, True) else ""
        if not self.enforced:
            return ""
        hosts = [name.removeprefix("host/") for name in self.denied if name.startswith("host/")]
        by_host = next((self.denied[f"host/{name}"] for name in hosts if _within(origin.host, [name])), "")
        return by_host or self.denied.get(f"tool/{origin.tool}", "")

    def call(self, origin: Origin, at: float, n: int = 1) -> bool:
        """So many calls go out, or are refused. Returns whether they went out. Anything in the world that calls outside does it by this."""
        rule = self.rule(origin)
        outcome, source = REFUSED if rule else MADE, CLIENT if origin.kind == RENDER else PROXY
        row = self.rows.get((origin, source, outcome))
        if row is None:
            if len(self.rows) >= MOST_ROWS:
                del self.rows[min(self.rows, key=lambda key: self.rows[key].last_at)]
            row = self.rows[origin, source, outcome] = Row(origin, source, outcome, rule, at, at)
        row.n, row.last_at, row.rule = row.n + n, at, rule
        return not rule


def outbound(state: State) -> Outbound:
    return state.part(Outbound)


def _within(host: str, names: list[str]) -> bool:
    """Whether a host is one of these, or below one of them."""
    return any(host == name or host.endswith(f".{name}") for name in names)
