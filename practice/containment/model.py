"""The state of containment: who is cut off, who has access to a project, what is logged, which disks were copied. Time moves the copies."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import Field

from practice.world.state import State

JSON = dict[str, Any]
PROJECT, REALM = "acme", "acme-staff"
FORENSICS = "10.250.0.0/28"
GROUP = "networking.k8s.io"
NETWORK_POLICIES = "networkpolicies"
ADMIN = "roles/resourcemanager.projectIamAdmin"
ASSETS = ("api", "orchestrator", "main", "vault")
"""What can be cut off: the services, their database, and the store of documents."""
COPIED_IN = 180.0  # world seconds until a copy of a disk is ready, unless a drill says otherwise
MOST_ENTRIES = 400


@dataclass
class Isolation:
    """Whether an asset is cut off from everything but forensics."""

    isolated: bool = False


@dataclass
class Asset:
    """`leaky`: what lets it speak takes the rule and does nothing. `dark`: nobody can try connections there."""

    name: str
    isolation: Isolation = field(default_factory=Isolation)
    leaky: bool = False
    dark: bool = False
    walled: bool = False  # forensics do not get in either


@dataclass
class Level:
    """What is logged of accesses to data, and for how many days."""

    data_access: bool = False
    retention_days: Annotated[int, Field(ge=1, le=3650)] = 30


@dataclass
class Entry:
    """A line of an audit log. `kind`: `test` was made by us, `read` by whoever reads data, `setting` by whoever changes a setting."""

    id: str
    kind: str
    at: float = field(compare=False)
    log: str = ""
    body: JSON = field(default_factory=dict)


@dataclass
class Log:
    """A scope's log. `deaf`: nothing that is made arrives. `entries`: oldest first."""

    level: Level = field(default_factory=Level)
    entries: list[Entry] = field(default_factory=list)
    deaf: bool = False


@dataclass
class Policy:
    """A project's IAM policy, as Google keeps it. `writes` makes its etag."""

    bindings: list[JSON]
    audit: list[JSON] = field(default_factory=list)
    writes: int = 0

    @property
    def etag(self) -> str:
        return f"BwX{self.writes:05d}="


@dataclass
class Group:
    """A group of Keycloak: who is in it, by user id."""

    id: str
    name: str
    members: list[str] = field(default_factory=list)
    attributes: dict[str, list[str]] = field(default_factory=dict)


@dataclass
class Disk:
    """`zone`: its zone, or its region where it is kept in two zones at once (`regional`)."""

    name: str
    zone: str
    asset: str
    regional: bool = False
    gigabytes: int = 200

    @property
    def place(self) -> str:
        return f"{'regions' if self.regional else 'zones'}/{self.zone}"


@dataclass
class Snapshot:
    """`stuck`: it never becomes ready. `failed`: it broke."""

    name: str
    disk: str
    place: str
    number: int
    labels: dict[str, str]
    begun: float = field(compare=False)
    failed: bool = False


@dataclass
class Containment:
    """All of it. `policies`: region → namespace/name → NetworkPolicy; `unenforced`: regions whose network plugin does nothing of them."""

    assets: dict[str, Asset] = field(default_factory=lambda: {name: Asset(name) for name in ASSETS})
    policies: dict[str, dict[str, JSON]] = field(default_factory=dict)
    policy_writes: int = 0
    unenforced: list[str] = field(default_factory=list)
    projects: dict[str, Policy] = field(default_factory=dict)
    logs: dict[str, Log] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    disks: list[Disk] = field(default_factory=list)
    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    requests: dict[str, str] = field(default_factory=dict)  # requestId → the snapshot that it began
    copied_in: float = COPIED_IN
    away: list[str] = field(default_factory=list)  # zones whose disks nobody can list
    reads: int = 0


def containment(state: State) -> Containment:
    return state.part(Containment)
