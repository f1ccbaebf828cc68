"""Endpoints with their siblings, canary tenants, sessions, a CDN; and the leaks, each of which ends by its own remedy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import Field

DATABASE, POOL, CACHE, CDN, SESSIONS = "missing_where", "pooled", "cache_key", "cdn", "sessions"
KINDS = (DATABASE, POOL, CACHE, CDN, SESSIONS)
MOST_ACCESSES = 400  # of the access log that is kept
SESSION_WINDOW = 120.0  # seconds before an identity mix-up began in which sessions were issued wrongly


@dataclass
class Admission:
    """The share of an endpoint's requests that is let through: 1 all, 0 denied."""

    admitted: Annotated[float, Field(ge=0, le=1)] = 1.0


@dataclass
class Offline:
    """Whether a surface of the product is taken off the load balancer."""

    offline: bool = False


@dataclass
class Bypass:
    """Whether requests for a path go past the CDN, straight to the origin."""

    on: bool = False


@dataclass
class Generation:
    """The generation in the CDN's keys of a path: under another one, nothing that was kept before is found."""

    number: Annotated[int, Field(ge=1)] = 1


@dataclass
class Endpoint:
    """One way to a tenant's data. `code`: what it shares with its siblings. `domain`: of the cache of answers that it uses."""

    name: str
    surface: str
    code: str
    writes: bool = False
    pooled: bool = False
    domain: str = ""
    cdn: bool = False
    notes: dict[str, str] = field(default_factory=lambda: {"team": "documents"})  # annotations of its HTTPRoute; one is its owner's own
    admission: Admission = field(default_factory=Admission)
    bypass: Bypass = field(default_factory=Bypass)
    generation: Generation = field(default_factory=Generation)


@dataclass
class Canary:
    """A tenant that only probes: it owns an object at every endpoint."""

    name: str
    region: str

    def owns(self, endpoint: str) -> str:
        return f"{self.name}.{endpoint}"


@dataclass
class Leak:
    """One way in which data crosses tenants. `kept`: the generation of the cache or the CDN that holds what must not be found."""

    kind: str
    endpoints: list[str]
    since: float
    kept: int = 0


@dataclass
class Access:
    """One read that crossed: who read what of whom. No content."""

    viewer: str
    owner: str
    object: str
    field_class: str
    at: float
    endpoint: str
    region: str


@dataclass
class Fix:
    """What was shipped. `breaks`: tenants do not read their own data by it. `still`: endpoints that it has forgotten."""

    build: str = "api-0"
    service: bool = False
    database: bool = False
    breaks: bool = False
    still: list[str] = field(default_factory=list)


@dataclass
class AuthSession:
    """`mixed`: it was issued to somebody else than who uses it."""

    id: str
    user: str
    tenant: str
    issued: float
    service_account: bool = False
    mixed: bool = False


@dataclass
class Revocation:
    """One bulk revocation, under its key. It goes through its sessions a part at a time."""

    id: str
    key: str
    asked: dict[str, Any]
    looks: int = 0
    revoked: int = 0
    left: int = 0


@dataclass
class Auth:
    """Sessions of users. `not_before`: what was issued to a tenant, or a user of it, before that is dead."""

    sessions: dict[str, AuthSession] = field(default_factory=dict)
    not_before: dict[str, float] = field(default_factory=dict)  # tenant, or tenant/user → world seconds
    revocations: dict[str, Revocation] = field(default_factory=dict)

    def alive(self, session: AuthSession) -> bool:
        if session.service_account:
            return True
        bars = (self.not_before.get(session.tenant, 0.0), self.not_before.get(f"{session.tenant}/{session.user}", 0.0))
        return session.issued >= max(bars)


@dataclass
class Dials:
    """What people cannot see: `unlogged`: the access log has gaps; `two_homes`: a tenant in two regions; `unreadable`: a policy; and so on."""

    unlogged: bool = False
    two_homes: str = ""
    unreadable: bool = False
    tests_away: bool = False
    layer_unknown: bool = False


@dataclass
class Tenancy:
    """Everything of it that a write can change."""

    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    surfaces: dict[str, Offline] = field(default_factory=dict)
    canaries: dict[str, Canary] = field(default_factory=dict)
    leaks: list[Leak] = field(default_factory=list)
    accesses: list[Access] = field(default_factory=list)
    fix: Fix = field(default_factory=Fix)
    dials: Dials = field(default_factory=Dials)
    pool: dict[str, str] = field(default_factory=dict)  # region → whose session variable a pooled connection has kept
    auth: Auth = field(default_factory=Auth)
