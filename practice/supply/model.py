"""Packages and their versions, advisories, artefacts, installs, hosts, blocklists, and runs of the pipeline that builds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import Field

PROXY, CI = "proxy", "ci"
PLACES = (PROXY, CI)
"""Where a version can be blocked: at the proxy that every install goes through, and in the gate of the pipeline."""
PYPI = "PyPI"


@dataclass
class Published:
    """One version of a package, as the proxy has it."""

    version: str
    at: float = field(compare=False)
    yanked: bool = False


@dataclass
class Package:
    name: str
    versions: list[Published]
    ecosystem: str = PYPI

    def named(self, version: str) -> Published | None:
        return next((one for one in self.versions if one.version == version), None)


@dataclass
class Advisory:
    """An advisory as its database tells it (`record`, in OSV's form), and what is true of it (`bad`): the two may differ."""

    record: dict[str, Any]
    package: str
    bad: list[str]
    malicious: bool = False
    kev_due: str = ""  # in CISA's catalogue, with this due date
    epss: float | None = None
    iocs: list[str] = field(default_factory=list)
    reviewed: str = ""  # the fixed version as GitHub's reviewers say it, where they say another one

    @property
    def id(self) -> str:
        return str(self.record["id"])

    @property
    def cve(self) -> str:
        return next((one for one in self.record.get("aliases", []) if one.startswith("CVE-")), "")

    @property
    def ghsa(self) -> str:
        return next((one for one in [self.id, *self.record.get("aliases", [])] if one.startswith("GHSA-")), "")

    @property
    def withdrawn(self) -> bool:
        return "withdrawn" in self.record


@dataclass
class Artefact:
    """One build. `components`: what is really in it; the rest is what is wrong with what is told of it."""

    digest: str
    service: str
    components: dict[str, str]  # package → version
    builder: str = "builder-1"
    direct: list[str] = field(default_factory=list)  # packages that the service itself names
    attested: bool = True
    forged: bool = False  # the bill of material is not the one that was attested
    unlisted: list[str] = field(default_factory=list)  # packages that the bill of material leaves out
    partial: bool = False  # the bill of material says itself that it is not whole
    unseen: list[str] = field(default_factory=list)  # packages that the scan of layers does not find


@dataclass
class Install:
    """A package came to a host. `ran`: whether its code was run there: by an install hook, or at start-up. None: nobody knows."""

    host: str
    package: str
    version: str
    at: float = field(compare=False)
    ran: bool | None


@dataclass
class Isolation:
    """Whether a host is cut off from the network, but for its console."""

    isolated: bool = False


@dataclass
class Snapshot:
    """A copy of a host's disk. It takes a while."""

    id: str
    key: str
    looks: int = 0


@dataclass
class Host:
    """A machine that installs packages. `kind`: ci, dev or prod; `secrets`: names of the secrets that can be read there."""

    name: str
    kind: str
    secrets: list[str] = field(default_factory=list)
    releases: list[str] = field(default_factory=list)  # of our own product that were built there
    isolation: Isolation = field(default_factory=Isolation)
    leaky: bool = False  # its isolation is shown, and not enforced
    snapshots: dict[str, Snapshot] = field(default_factory=dict)


@dataclass
class Blocked:
    """Versions of a package that are refused."""

    versions: Annotated[list[Annotated[str, Field(min_length=1, max_length=100)]], Field(max_length=200)] = field(default_factory=list)


@dataclass
class Bots:
    """What changes the dependencies of a repository without a person."""

    security_updates: bool = True
    auto_merge: bool = True


@dataclass
class Run:
    """One run of the pipeline. `inputs`: as it was dispatched."""

    id: int
    key: str
    repository: str
    workflow: str
    inputs: dict[str, str]
    at: float
    looks: int = 0
    conclusion: str = ""
    digest: str = ""
    why: str = ""


@dataclass
class Dials:
    """What is true of the vulnerability, and what nobody can see."""

    exploited: bool | None = False
    reachable: bool | None = True
    loaded: bool | None = True
    gaps: list[str] = field(default_factory=list)  # whose installs are not recorded
    leaky: list[str] = field(default_factory=list)  # places that show a block and do not enforce it
    scanner_away: bool = False  # the scan of layers
    breaks: float = 0.0  # the error rate of what is built with the fix
    restarts: bool = False  # after the fix an old instance is started again, beside what serves


@dataclass
class Supply:
    packages: dict[str, Package] = field(default_factory=dict)
    advisories: dict[str, Advisory] = field(default_factory=dict)
    locks: dict[str, dict[str, str]] = field(default_factory=dict)  # service → package → version
    artefacts: dict[str, Artefact] = field(default_factory=dict)  # by digest
    installs: list[Install] = field(default_factory=list)
    hosts: dict[str, Host] = field(default_factory=dict)
    blocked: dict[str, Blocked] = field(default_factory=dict)  # place/ecosystem/package
    bots: dict[str, Bots] = field(default_factory=dict)  # by repository
    runs: dict[int, Run] = field(default_factory=dict)
    patched: list[str] = field(default_factory=list)  # flags behind which the vulnerable code stands, by service
    dials: Dials = field(default_factory=Dials)
    stray: dict[str, list[str]] = field(default_factory=dict)  # service → digests of instances beside what serves

    def blocks(self, place: str, package: str, version: str, *, enforced: bool = True) -> bool:
        """Whether a version is refused there."""
        held = self.blocked.get(f"{place}/{PYPI}/{package}")
        return held is not None and version in held.versions and not (enforced and place in self.dials.leaky)

    def bad(self, artefact: Artefact) -> list[Advisory]:
        """The advisories that truly concern a build."""
        return [one for one in self.advisories.values() if artefact.components.get(one.package) in one.bad and not one.withdrawn]
