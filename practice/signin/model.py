"""Requests at the edge, counted; the rules of the edge; and what sign-in itself asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Annotated, NamedTuple

from pydantic import Field

OFFICES = tuple(f"203.0.113.{n}" for n in range(10, 18))  # whole companies behind one address each
ATTACKERS = tuple(f"198.51.100.{n}" for n in range(1, 7))
THIEF = "198.51.100.66"
PARTNERS = 100  # the priority of the rule that lets partners in, whatever comes after it
LAST = 2_147_483_647  # of the rule that lets in whatever no other rule has met
SLOT = 15.0  # seconds
KEPT = 80  # slots
ALLOW, DENY = "allow", "deny(403)"
OK, FAILED, DENIED = "ok", "failed", "denied"


@dataclass
class Rule:
    """One rule of the edge. `key`: the fingerprint of a credential; empty: any. `preview`: it is only noted what it would do."""

    priority: int
    action: str = DENY
    addresses: list[str] = field(default_factory=list)
    key: str = ""
    preview: bool = False
    description: str = ""
    foreign: str = ""  # an expression that somebody else wrote

    def meets(self, address: str, key: str) -> bool:
        if self.foreign:
            return False
        inside = not self.addresses or any(within(address, one) for one in self.addresses)
        return inside and self.key in ("", key)


class Seen(NamedTuple):
    """Requests of one kind in one slot of time since the world began. `rule`: that decided; `would`: the first in preview; 0: none."""

    slot: int
    address: str
    key: str
    outcome: str
    rule: int
    would: int


@dataclass
class Operation:
    """Something that Cloud Armor does after it has answered. `error`: what came of it."""

    name: str
    kind: str
    target: str
    looks: int = 0
    error: str = ""


@dataclass
class Dials:
    """What the drill turns. `shared`: users who come by an address of the attack as well; `by_edge`: the thief comes by the edge."""

    shared: bool = False
    by_edge: bool = False
    unlogged: bool = False  # the edge keeps no log
    no_events: list[str] = field(default_factory=list)  # realms of Keycloak that keep no events
    hollow: bool = False  # Keycloak's flow with a second factor asks for none
    idle: bool = False  # rules are taken, and decide nothing
    gives_up: bool = False  # operations end with an error


@dataclass
class Factor:
    """Whether the sign-in of a tenant asks for a second factor."""

    asked: bool = False


@dataclass
class Limits:
    """Attempts in a minute that sign-in takes, for an account and from an address; None: as many as anybody likes."""

    per_account: Annotated[int, Field(ge=1)] | None = None
    per_address: Annotated[int, Field(ge=1)] | None = None


@dataclass
class TenantSignIn:
    """`flow`: by which Keycloak signs in; it is the same setting as `factor`."""

    factor: Factor = field(default_factory=Factor)
    limits: Limits = field(default_factory=Limits)
    flow: str = "browser"


@dataclass
class Account:
    """What is known of an account: where it was tried from, and whether it must choose another password."""

    tenant: str
    good: dict[str, int] = field(default_factory=dict)  # address → sign-ins
    failed: dict[str, int] = field(default_factory=dict)
    last_at: float = field(default=0.0, compare=False)
    must_reset: bool = False
    actions: list[str] = field(default_factory=list)  # of Keycloak, besides


def _usual_rules() -> dict[int, Rule]:
    partners = Rule(PARTNERS, ALLOW, [f"{OFFICES[0]}/32", "192.0.2.0/28"], description="partners")
    return {PARTNERS: partners, LAST: Rule(LAST, ALLOW, description="default rule")}


@dataclass
class SignIn:
    """Everything of it that a write can change."""

    rules: dict[int, Rule] = field(default_factory=_usual_rules)
    seen: dict[Seen, int] = field(default_factory=dict)
    changes: int = 1  # of the rules, counted
    operations: dict[str, Operation] = field(default_factory=dict)
    tenants: dict[str, TenantSignIn] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)  # id: tenant.user
    dials: Dials = field(default_factory=Dials)
    born: float = field(default=0.0, compare=False)  # two worlds of one seed begin at different instants
    known: dict[tuple[str, str, int, bool], tuple[bool, int, int]] = field(default_factory=dict, compare=False)  # decided already

    def of(self, tenant: str) -> TenantSignIn:
        return self.tenants.setdefault(tenant, TenantSignIn())

    def opens(self, account: str, tenant: str) -> bool:
        """Whether a password that fits gets somebody in who knows nothing else."""
        there, known = self.of(tenant), self.accounts.get(account)
        return not (there.factor.asked or there.limits.per_account or (known and known.must_reset))

    def changed(self) -> None:
        self.changes += 1
        self.known = {}

    def decided(self, address: str, key: str = "") -> tuple[bool, int, int]:
        """Whether it is let in, the rule that decided, and the one in preview that would have denied it (0: none)."""
        asked = (address, key, self.changes, self.dials.idle)
        if asked not in self.known:
            self.known[asked] = self._decide(address, key)
        return self.known[asked]

    def _decide(self, address: str, key: str) -> tuple[bool, int, int]:
        would = 0
        for rule in sorted(self.rules.values(), key=lambda one: one.priority):
            if not rule.meets(address, key) or (self.dials.idle and rule.action == DENY):
                continue
            if rule.preview:
                would = would or (rule.priority if rule.action == DENY else 0)
                continue
            return rule.action == ALLOW, rule.priority, would
        return True, LAST, would

    def come(self, address: str, at: float, n: int, key: str = "", *, good: bool) -> bool:
        """So many requests arrive. Returns whether they were let in. Whatever signs in by the edge does it by this."""
        let_in, rule, would = self.decided(address, key)
        outcome = DENIED if not let_in else OK if good else FAILED
        row = Seen(self.slot(at), address, key, outcome, rule, would)
        self.seen[row] = self.seen.get(row, 0) + n
        return let_in

    def slot(self, at: float) -> int:
        self.born = self.born or at
        return int((at - self.born) // SLOT)

    def forget(self, at: float) -> None:
        oldest = self.slot(at) - KEPT
        for row in [row for row in self.seen if row.slot < oldest]:
            del self.seen[row]


@lru_cache(4096)
def within(address: str, network: str) -> bool:
    return ip_address(address) in ip_network(network, strict=False)
