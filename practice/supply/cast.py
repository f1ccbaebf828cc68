"""What there is when the world begins: four packages with their versions, lockfiles, two builders, a developer's machine and a host that serves."""

from __future__ import annotations

import hashlib

from practice.supply.model import Artefact, Host, Package, Published, Supply
from practice.world.state import State

DAY = 86_400.0
QUICKYAML, HTTPKIT, STARFIELD = "quickyaml", "httpkit", "starfield"
VERSIONS = {
    QUICKYAML: ("2.1.0", "2.2.0", "2.3.0", "2.3.1", "2.3.4", "2.3.5", "3.0.0"),
    HTTPKIT: ("1.7.2", "1.8.0", "1.8.1", "1.8.2"),
    STARFIELD: ("4.0.1", "4.0.2"),
}
LOCK = {QUICKYAML: "2.3.1", HTTPKIT: "1.8.0", STARFIELD: "4.0.2"}
DIRECT = (QUICKYAML, HTTPKIT)
FLAG = "batch.enabled"  # behind which the code stands that can be reached
ENDPOINT = "documents.put"


def supply(state: State, now: float) -> Supply:
    """The supply chain of a world: made when it is first asked for; every revision has its artefact."""
    there = state.part(Supply)
    if not there.packages:
        there.packages = {name: _package(name, numbers, now) for name, numbers in VERSIONS.items()}
        there.locks = {name: _lock(n) for n, name in enumerate(state.fleet.services)}
        there.hosts = {one.name: one for one in _hosts()}
    for service in state.fleet.services.values():
        for revision in service.revisions.values():
            if revision.digest not in there.artefacts:
                lock = dict(there.locks[service.name])
                there.artefacts[revision.digest] = Artefact(
                    revision.digest, service.name, lock, direct=[one for one in DIRECT if one in lock]
                )
    return there


def sha256_of(package: str, version: str) -> str:
    """The hash of a package's file."""
    return hashlib.sha256(f"{package}=={version}".encode()).hexdigest()


def _lock(nth: int) -> dict[str, str]:
    """The first service parses documents, the others do not."""
    return {name: version for name, version in LOCK.items() if nth == 0 or name != QUICKYAML}


def _package(name: str, numbers: tuple[str, ...], now: float) -> Package:
    return Package(name, [Published(number, now - DAY * 30 * (len(numbers) - n)) for n, number in enumerate(numbers)])


def _hosts() -> list[Host]:
    return [
        Host("builder-1", "ci", ["REGISTRY_PUSH", "GITHUB_DEPLOY_KEY"], ["cli-5.2.0"]),
        Host("builder-2", "ci", ["REGISTRY_PUSH"]),
        Host("laptop-ravi", "dev", ["GITHUB_TOKEN_RAVI"]),
        Host("node-eu-1", "prod", ["DATABASE_URL", "SIGNING_KEY"]),
    ]
