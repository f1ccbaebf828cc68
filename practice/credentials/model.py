"""Keys as their issuers know them, versions of secrets as the store keeps them, and verifiers that believe an issuer for a while."""

from __future__ import annotations

from dataclasses import dataclass, field

IDENTITY, CLOUD, SIGNING, DATA, CI, LLM, OBSERVABILITY = (
    "identity admin", "cloud admin", "signing", "data store", "ci", "llm provider", "observability",
)  # fmt: skip
DANGERS = (IDENTITY, CLOUD, SIGNING, DATA, CI, LLM, OBSERVABILITY)
SOURCES = ("vault", "issuers", "hosts", "ci", "oauth grants", "tickets")  # where a blast set is looked for
OWN, OPENAI, GITHUB, GOOGLE = "own", "openai", "github", "google"
ENABLED, DISABLED, DESTROYED = "ENABLED", "DISABLED", "DESTROYED"


@dataclass
class Key:
    """One key at its issuer. `uses`: who was let in by it last, and when (world seconds)."""

    id: str
    issuer: str
    subject: str
    value: str
    made: float
    label: str = ""
    scopes: list[str] = field(default_factory=list)
    revoked: float | None = None
    uses: dict[str, float] = field(default_factory=dict)
    lies: bool = False  # the issuer says that it is revoked, and lets it in all the same


@dataclass
class Version:
    """One version of a secret in the store."""

    value: str
    made: float
    state: str = ENABLED
    changes: int = 1


@dataclass
class Listed:
    """A row of the inventory: where a credential is, who uses it, and how dangerous it is in wrong hands. No value."""

    id: str
    issuer: str
    key: str
    subject: str
    danger: str
    secret: str = ""  # its name in the store; empty: it is kept elsewhere
    scopes: list[str] = field(default_factory=list)
    needed: list[str] = field(default_factory=list)  # what its users really need: a replacement gets no more
    consumers: list[str] = field(default_factory=list)  # services that take it at start
    verifiers: list[str] = field(default_factory=list)
    reaches: list[str] = field(default_factory=list)  # further credentials that can be read by whoever holds it
    owner: str = ""  # a person
    customer: str = ""  # a tenant whose own secret it is
    personal_data: bool = False
    environment: str = "production"


@dataclass
class Verifier:
    """Something that checks keys, and believes what it has learnt for `caches` seconds. `known`: key → until when it is let in unasked."""

    name: str
    caches: float = 0.0
    known: dict[str, float] = field(default_factory=dict)
    stubborn: bool = False  # its cache cannot be forced to forget


@dataclass
class Dials:
    """What the drill turns: `unread`: sources that do not answer; `thief`: the credential that a stranger uses while it lasts."""

    unread: list[str] = field(default_factory=list)
    thief: str = ""
    stuffing: bool = False  # somebody tries passwords, by the thousand


@dataclass
class Credentials:
    """Everything of it that a write can change."""

    keys: dict[str, Key] = field(default_factory=dict)
    store: dict[str, dict[int, Version]] = field(default_factory=dict)  # secret → number → version
    inventory: dict[str, Listed] = field(default_factory=dict)
    verifiers: dict[str, Verifier] = field(default_factory=dict)
    dials: Dials = field(default_factory=Dials)
    born: float = 0.0

    def by_value(self, value: str) -> Key | None:
        return next((one for one in self.keys.values() if one.value == value), None)

    def lets_in(self, key: Key | None) -> bool:
        """At its issuer."""
        return key is not None and (key.revoked is None or key.lies)
