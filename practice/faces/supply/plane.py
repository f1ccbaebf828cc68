"""`/supply`: the inventory of what we build. Artefacts that run, bills of material, scans of layers, runtime modules, installs, hosts."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from practice.http.face import Ask, Call, Query, Refusal, Reply, RouteModels, Shown
from practice.http.own_api import own_api
from practice.http.resource import held
from practice.supply.cast import ENDPOINT, FLAG, supply
from practice.supply.model import PLACES, PYPI, Artefact, Blocked, Host, Isolation, Snapshot, Supply
from practice.supply.simulation import running
from practice.world.clock import from_rfc3339

FACE = own_api(
    "supply",
    "What we build and what is in it: artefacts, bills of material with their attestations, scans, runtime modules, installs, hosts, and the "
    "blocklists of the artefact proxy and of the pipeline.",
)
OF = "/supply/v1"
LOOKS = 2
Instant = Annotated[float, BeforeValidator(from_rfc3339), WithJsonSchema({"type": "string", "format": "date-time"})]


class ArtefactShown(Shown):
    """A build that runs. `revisions`: under these names; `regions`: there; `instances`: so many."""

    digest: str
    revisions: list[str]
    regions: list[str]
    instances: int


class Artefacts(Shown):
    """`complete`: every place that runs instances of the service was asked."""

    artefacts: list[ArtefactShown]
    complete: bool


class Attestation(Shown):
    """What a builder has signed of a bill of material: for which artefact it is, and its hash."""

    subject: str
    sha256: str
    builder: str


class Sbom(Shown):
    """`document`: the CycloneDX document as text, byte for byte. `attestation`: null where nobody has signed it."""

    document: str
    attestation: Attestation | None


class Part(Shown):
    name: str
    version: str


class Scan(Shown):
    """What a scanner found in the layers of an image. `complete`: it could read all of them."""

    ecosystem: str
    parts: list[Part]
    complete: bool


class Runtime(Shown):
    """Modules that the running instances say they have loaded. `asked` and `answered`: instances."""

    parts: list[Part]
    asked: int
    answered: int


class Reach(Shown):
    """Whether the code of a package can be reached from outside, by what, and behind which flag; whether it is exploited. Null: nobody knows."""

    reachable: bool | None
    endpoint: str
    flag: str
    exploited: bool | None


class OfPackage(Query):
    package: str


class InstallShown(Shown):
    """`ran`: whether code of the package was run there; null: nobody knows."""

    host: str
    version: str
    at: datetime
    ran: bool | None


class Installs(Shown):
    """`gaps`: hosts and caches whose installs are not recorded for the whole time."""

    installs: list[InstallShown]
    gaps: list[str]


class InstallsOf(Query):
    ecosystem: str
    package: str
    since: Instant


class HostShown(Shown):
    """`secrets`: names of the secrets that can be read there; `releases`: of our own product that were built there."""

    name: str
    kind: Literal["ci", "dev", "prod"]
    secrets: list[str]
    releases: list[str]


class VersionShown(Shown):
    version: str
    published_at: datetime
    yanked: bool


class Versions(Shown):
    versions: list[VersionShown]


class Lock(Shown):
    """The lockfile that the next build takes."""

    parts: list[Part]


class TryInstall(Ask):
    """One version that is asked for, as an install does."""

    version: str = Field(min_length=1, max_length=100)


class Tried(Shown):
    """Whether it was refused, and by which rule."""

    refused: bool
    rule: str


class Reached(Shown):
    """Whether anything but its console reaches the host."""

    reached: bool


class SnapshotShown(Shown):
    id: str
    state: Literal["creating", "ready"]


class SnapshotList(Shown):
    snapshots: list[SnapshotShown]


class ByKey(Query):
    key: str


class ExploitTried(Shown):
    """Whether a harmless sample of the attack was refused, and by what."""

    refused: bool
    by: str


def _there(call: Call) -> Supply:
    return supply(call.state, call.now)


def _service(call: Call) -> str:
    name = call.path["service"]
    if name not in call.state.fleet.services:
        raise call.refuse(404, f"there is no service {name}")
    return name


def _artefact(call: Call) -> Artefact:
    found = _there(call).artefacts.get(call.path["digest"])
    if found is None:
        raise call.refuse(404, f"there is no artefact {call.path['digest']}")
    return found


def _host(call: Call) -> Host:
    found = _there(call).hosts.get(call.path["host"])
    if found is None:
        raise call.refuse(404, f"there is no host {call.path['host']}")
    return found


@FACE.reads("artefacts", OF + "/services/{service}/artefacts", models=RouteModels(shows=Artefacts))
def artefacts(call: Call) -> Reply:
    """Every build that runs for a service now, strays too."""
    there, name = _there(call), _service(call)
    service = call.state.fleet.services[name]
    shown = []
    for one, many in running(call.state, there, name):
        named = [revision.name for revision in service.revisions.values() if revision.digest == one.digest]
        regions = [region for region in service.places if set(service.serving(region)) & set(named)]
        shown.append(ArtefactShown(digest=one.digest, revisions=named, regions=regions, instances=many))
    return Reply(Artefacts(artefacts=shown, complete=True).model_dump())


@FACE.reads("sbom", OF + "/artefacts/{digest}/sbom", models=RouteModels(shows=Sbom))
def sbom(call: Call) -> Reply:
    """The bill of material of a build, with what its builder has signed of it."""
    one = _artefact(call)
    document = json.dumps(_document(one, {n: v for n, v in one.components.items() if n not in one.unlisted}), sort_keys=True)
    signed = document if not one.forged else json.dumps(_document(one, one.components), sort_keys=True) + " "
    attested = Attestation(subject=one.digest, sha256=hashlib.sha256(signed.encode()).hexdigest(), builder=one.builder)
    return Reply(Sbom(document=document, attestation=attested if one.attested else None).model_dump())


def _document(one: Artefact, parts: dict[str, str]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
        "metadata": {"component": {"type": "application", "name": one.service, "bom-ref": "root"}},
        "components": [
            {"type": "library", "name": name, "version": version, "purl": f"pkg:pypi/{name}@{version}", "bom-ref": name}
            for name, version in sorted(parts.items())
        ],
        "dependencies": [{"ref": "root", "dependsOn": [name for name in one.direct if name in parts]}, *({"ref": name} for name in sorted(parts))],
    }  # fmt: skip
    if one.partial:
        made["compositions"] = [{"aggregate": "incomplete", "assemblies": ["root"]}]
    return made


@FACE.reads("layers", OF + "/artefacts/{digest}/layers", models=RouteModels(shows=Scan))
def layers(call: Call) -> Reply:
    """What another scanner has found in the layers of the image."""
    one, there = _artefact(call), _there(call)
    if there.dials.scanner_away:
        raise call.refuse(503, "the scanner does not answer")
    parts = [Part(name=name, version=version) for name, version in one.components.items() if name not in one.unseen]
    return Reply(Scan(ecosystem=PYPI, parts=parts, complete=True).model_dump())


@FACE.reads("runtime", OF + "/artefacts/{digest}/runtime", models=RouteModels(shows=Runtime))
def runtime(call: Call) -> Reply:
    """What the running instances of a build say they have loaded."""
    one, there = _artefact(call), _there(call)
    many = sum(n for found, n in running(call.state, there, one.service) if found is one)
    loaded = [Part(name=name, version=version) for name, version in one.components.items() if there.dials.loaded or name not in one.direct]
    silent = there.dials.loaded is None
    return Reply(Runtime(parts=[] if silent else loaded, asked=many, answered=0 if silent else many).model_dump())


@FACE.reads("reach", OF + "/services/{service}/reach", models=RouteModels(query=OfPackage, shows=Reach))
def reach(call: Call) -> Reply:
    """What is known of whether the package's code can be reached, and whether it is exploited."""
    _service(call)
    dials = _there(call).dials
    return Reply(Reach(reachable=dials.reachable, endpoint=ENDPOINT, flag=FLAG, exploited=dials.exploited).model_dump())


@FACE.reads("installs", OF + "/installs", models=RouteModels(query=InstallsOf, shows=Installs))
def installs(call: Call) -> Reply:
    """Where a package was installed since then."""
    asked, there = call.asked(InstallsOf), _there(call)
    since = call.world.clock.to_world(asked.since)
    found = [one for one in there.installs if one.package == asked.package and asked.ecosystem == PYPI and one.at >= since]
    shown = [{"host": one.host, "version": one.version, "at": call.world.clock.stamp(one.at), "ran": one.ran} for one in found]
    return Reply({"installs": shown, "gaps": there.dials.gaps})


@FACE.reads("hosts.get", OF + "/hosts/{host}", models=RouteModels(shows=HostShown))
def host(call: Call) -> Reply:
    """A machine, and what can be read there."""
    one = _host(call)
    return Reply(HostShown(name=one.name, kind=one.kind, secrets=one.secrets, releases=one.releases).model_dump())


@FACE.reads("versions", OF + "/packages/{ecosystem}/{package}/versions", models=RouteModels(shows=Versions))
def versions(call: Call) -> Reply:
    """Every version that the proxy knows of a package, oldest first."""
    found = _there(call).packages.get(call.path["package"])
    if found is None or call.path["ecosystem"] != found.ecosystem:
        raise call.refuse(404, f"there is no package {call.path['package']}")
    shown = [{"version": one.version, "published_at": call.world.clock.stamp(one.at), "yanked": one.yanked} for one in found.versions]
    return Reply({"versions": shown})


@FACE.reads("lock", OF + "/services/{service}/lock", models=RouteModels(shows=Lock))
def lock(call: Call) -> Reply:
    """What the lockfile of a service names."""
    parts = [Part(name=name, version=version) for name, version in _there(call).locks[_service(call)].items()]
    return Reply(Lock(parts=parts).model_dump())


def _blocklist(call: Call) -> _Held:
    place, ecosystem, package = (call.path[name] for name in ("place", "ecosystem", "package"))
    if place not in PLACES or ecosystem != PYPI:
        raise call.refuse(404, f"nothing is blocked at {place} for {ecosystem}")
    there = _there(call)
    there.blocked.setdefault(f"{place}/{ecosystem}/{package}", Blocked())
    return _Held(there, f"{place}/{ecosystem}/{package}")


class _Held:
    """The versions of one package at one place, as an attribute."""

    def __init__(self, there: Supply, key: str) -> None:
        self._there, self._key = there, key

    @property
    def blocked(self) -> Blocked:
        return self._there.blocked[self._key]

    @blocked.setter
    def blocked(self, to: Blocked) -> None:
        self._there.blocked[self._key] = to


held(FACE, "blocklist", OF + "/blocklists/{place}/{ecosystem}/{package}", Blocked, _blocklist, "blocked")


@FACE.reads(
    "blocklist.probe", OF + "/blocklists/{place}/{ecosystem}/{package}/probe", "POST", models=RouteModels(asks=TryInstall, shows=Tried)
)
def probe(call: Call) -> Reply:
    """Ask for a version as an install does there. Nothing is installed."""
    wanted, place, package = call.ask(TryInstall).version, call.path["place"], call.path["package"]
    refused = _there(call).blocks(place, package, wanted)
    return Reply(Tried(refused=refused, rule=f"blocklist/{place}/{package}" if refused else "").model_dump())


held(FACE, "isolation", OF + "/hosts/{host}/isolation", Isolation, _host, "isolation")


@FACE.reads("hosts.probe", OF + "/hosts/{host}/probe", "POST", models=RouteModels(shows=Reached))
def probe_host(call: Call) -> Reply:
    """Try a connection to the host from outside, and one from it."""
    one = _host(call)
    return Reply(Reached(reached=not one.isolation.isolated or one.leaky).model_dump())


@FACE.writes("snapshots.start", OF + "/hosts/{host}/snapshots", models=RouteModels(shows=SnapshotShown, headers={"Idempotency-Key": True}))
def snapshot(call: Call) -> Reply:
    """Begin to copy the disk of a host. The same key again is the same copy."""
    one, key = _host(call), call.headers.get("idempotency-key", "")
    if not key:
        raise call.refuse(400, "send an Idempotency-Key")
    found = one.snapshots.get(key)
    if found is None:
        found = one.snapshots[key] = Snapshot(f"snap-{one.name}-{len(one.snapshots) + 1}", key)
    call.did(f"hosts/{one.name}/snapshots", None, found.id)
    return Reply(_snapshot(found).model_dump(), 202)


@FACE.reads("snapshots.list", OF + "/hosts/{host}/snapshots", models=RouteModels(query=ByKey, shows=SnapshotList))
def snapshots(call: Call) -> Reply:
    """Those that were begun under a key."""
    key = call.asked(ByKey).key
    return Reply(SnapshotList(snapshots=[_snapshot(one) for one in _host(call).snapshots.values() if one.key == key]).model_dump())


@FACE.reads("snapshots.get", OF + "/hosts/{host}/snapshots/{snapshot}", models=RouteModels(shows=SnapshotShown))
def snapshot_now(call: Call) -> Reply:
    """How far one is."""
    found = next((one for one in _host(call).snapshots.values() if one.id == call.path["snapshot"]), None)
    if found is None:
        raise Refusal(call.refuse(404, f"there is no snapshot {call.path['snapshot']}").reply)
    found.looks += 1
    return Reply(_snapshot(found).model_dump())


def _snapshot(one: Snapshot) -> SnapshotShown:
    return SnapshotShown(id=one.id, state="ready" if one.looks >= LOOKS else "creating")


@FACE.reads("exploit.probe", OF + "/services/{service}/exploit-probe", "POST", models=RouteModels(query=OfPackage, shows=ExploitTried))
def exploit(call: Call) -> Reply:
    """Send a harmless sample of the attack from outside, and say whether it was refused before it came to the package."""
    _service(call)
    off = not call.state.flags.get(FLAG, True)
    return Reply(ExploitTried(refused=off, by=f"flag {FLAG} is off" if off else "").model_dump())
