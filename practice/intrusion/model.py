"""Data sets, who has read which of them, footholds, claims; and the intruder, who goes on until every way in is shut."""

from __future__ import annotations

from dataclasses import dataclass, field

KINDS = ("identity", "key", "oauth", "mail_rule", "ci", "schedule", "agent")
"""The classes of what an intruder leaves behind: each is looked through, or it is said that it was not."""
PROCESSOR, CONTROLLER = "processor", "controller"


@dataclass
class DataSet:
    """What is known of one data set. `subjects`: persons by country or state; `shared_with`: vendors that have a copy; `hashes`: of records."""

    name: str
    classes: list[str]
    role: str
    subjects: dict[str, int]
    tenants: list[str]
    encrypted: bool = False
    key_exposed: bool = False
    shared_with: list[str] = field(default_factory=list)
    readers: list[str] = field(default_factory=list)  # identities that may read it
    hashes: list[str] = field(default_factory=list)


@dataclass
class Identity:
    """Who reads data sets. `credential`: by which it signs in, as the inventory calls it; `usual`: the 99th percentile of its rows an hour."""

    id: str
    credential: str
    asset: str
    usual: float
    per_step: float = 0.0
    owner: str = ""


@dataclass
class Read:
    """Rows that one identity has read of one data set, from one asset, in one step."""

    identity: str
    data_set: str
    asset: str
    at: float
    rows: int
    tenant: str
    subjects: dict[str, int]


@dataclass
class Holding:
    """Whether a foothold works. What is switched off is kept as it is: it is evidence."""

    enabled: bool = True


@dataclass
class Foothold:
    """What an intruder has left behind. `opens`: somebody comes in by it; `makes`: while it works, what is switched off comes back."""

    id: str
    kind: str
    name: str
    made: float
    opens: bool = True
    makes: bool = False
    reads_chat: bool = False
    hidden_until: float = 0.0  # nobody sees it before
    state: Holding = field(default_factory=Holding)
    gone_at: float | None = None
    returned: bool = False
    sticks: bool = False  # it reads switched off, and lets somebody in all the same


@dataclass
class Claim:
    """What somebody says in public that they have: hashes of the records that they show."""

    id: str
    where: str
    samples: list[str]


@dataclass
class Dials:
    """What people cannot see. `unchecked`: classes that nobody can look through; `log_begins`: what is older has rolled away; `unread`: data sets
    that cannot be compared; `gap`: the log has holes; `sluggish`: the intruder takes so many seconds to come back."""

    unchecked: list[str] = field(default_factory=list)
    log_begins: float | None = None
    gap: bool = False
    unread: list[str] = field(default_factory=list)
    sluggish: float = 60.0


@dataclass
class Intruder:
    """`identity`: whom it has become; `rows`: that it reads in one step; `host`: to which they leave."""

    identity: str
    rows: int
    since: float
    host: str = "drop.invalid"
    out_since: float | None = None


@dataclass
class Intrusion:
    """Everything of it that a write can change."""

    sets: dict[str, DataSet] = field(default_factory=dict)
    identities: dict[str, Identity] = field(default_factory=dict)
    reads: list[Read] = field(default_factory=list)
    footholds: dict[str, Foothold] = field(default_factory=dict)
    claims: dict[str, Claim] = field(default_factory=dict)
    contracts: dict[str, int | None] = field(default_factory=dict)  # tenant → hours that its contract gives
    intruder: Intruder | None = None
    dials: Dials = field(default_factory=Dials)
    made: int = 0
    born: float = 0.0
