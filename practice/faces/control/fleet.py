"""`/practice`, continued: the hands on the services. What is deployed, what changes, what breaks."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal

from pydantic import Field

from practice.http.face import Ask, Call, Face, Reply
from practice.services.deploying import change, deploy
from practice.services.fleet import DEPENDENCIES, EVERY_SERVICE, Service, ServiceFault

FACE = Face("practice", authorised=lambda headers: True, control=True)

Kind = Literal["deploy", "config", "flag", "migration", "iam", "prompt", "model", "scheduler", "vendor"]


class Deploy(Ask):
    """A new revision, and what is wrong with it."""

    service: str
    error_rate: float = Field(0.0, ge=0, le=1)
    latency_factor: float = Field(1.0, gt=0)
    kind: Kind = "deploy"
    what: str = ""
    actor: str = "ci"
    schema_min: int = Field(1, ge=1)
    schema_max: int = Field(9, ge=1)
    secrets: dict[str, int] | None = None
    image_present: bool = True
    reversible: bool = True


class Changed(Ask):
    """An entry for the change feed."""

    services: list[str]
    kind: Kind
    what: str
    actor: str = "lee"
    reversible: bool = True
    details: dict[str, Any] = Field(default_factory=dict)


class Gaps(Ask):
    """The kinds of change that the feed cannot see from now on."""

    gaps: list[Kind]


class SetServiceFault(Ask):
    """A fault to come, in world seconds from now."""

    service: str
    kind: Literal["region", "load", "dependency", "integrity", "flag"]
    rate: float = Field(0.5, ge=0, le=1)
    region: str = ""
    dependency: Literal["", "load_balancer", "dns", "certificate", "database", "cache"] = ""
    flag: str = ""
    factor: float = Field(4.0, ge=0)
    after_seconds: float = Field(0, ge=0)
    for_seconds: float | None = Field(None, gt=0)


class SpoilFeed(Ask):
    """Whether the generator makes bad versions from now on, and what share of requests they break."""

    bad: bool
    error_rate: float = Field(0.5, ge=0, le=1)


@FACE.writes("deploys", "/practice/deploys")
def deployed(call: Call) -> Reply:
    """Roll a new revision out, as a push to the default branch does."""
    wanted = call.ask(Deploy)
    _service(call, wanted.service)
    rest = wanted.model_dump(exclude={"service"})
    revision = deploy(call.world, wanted.service, **rest)
    call.did(f"services/{wanted.service}", None, revision.name)
    return Reply({"revision": asdict(revision), "change": asdict(call.state.fleet.changes[-1])})


@FACE.writes("changes", "/practice/changes")
def changed(call: Call) -> Reply:
    """Somebody changed something, and it is innocent."""
    wanted = call.ask(Changed)
    for name in wanted.services:
        _service(call, name)
    entry = change(
        call.world, wanted.services, wanted.kind, wanted.what, actor=wanted.actor, reversible=wanted.reversible, details=wanted.details
    )
    call.did("changes", None, entry.id)
    return Reply({"change": asdict(entry)})


@FACE.writes("changes.gaps", "/practice/changes/gaps")
def gaps(call: Call) -> Reply:
    before, call.state.fleet.gaps = call.state.fleet.gaps, list(call.ask(Gaps).gaps)
    call.did("changes/gaps", before, call.state.fleet.gaps)
    return Reply({"gaps": call.state.fleet.gaps})


@FACE.writes("service_faults.set", "/practice/service-faults")
def set_fault(call: Call) -> Reply:
    """Break a service in a way that no revision of it is to blame for. A flag that nobody knows yet is there, and on, from now on."""
    wanted = call.ask(SetServiceFault)
    if wanted.service != EVERY_SERVICE:
        service = _service(call, wanted.service)
        if wanted.region and wanted.region not in service.places:
            raise call.refuse(404, f"{service.name} does not run in {wanted.region}")
    if wanted.kind == "dependency" and not wanted.dependency:
        raise call.refuse(422, f"which dependency? There are {', '.join(DEPENDENCIES)}")
    if wanted.kind == "flag":
        if not wanted.flag:
            raise call.refuse(422, "which flag?")
        call.state.flags.setdefault(wanted.flag, True)
    since = call.now + wanted.after_seconds
    until = None if wanted.for_seconds is None else since + wanted.for_seconds
    rest = wanted.model_dump(exclude={"after_seconds", "for_seconds"})
    call.state.fleet.faults.append(ServiceFault(since=since, until=until, **rest))
    call.did(f"service-faults/{wanted.service}", None, wanted.model_dump())
    return _faults(call)


@FACE.writes("service_faults.clear", "/practice/service-faults", "DELETE")
def clear_faults(call: Call) -> Reply:
    return _clear(call, None)


@FACE.writes("service_faults.clear_one", "/practice/service-faults/{service}", "DELETE")
def clear_faults_of(call: Call) -> Reply:
    return _clear(call, call.path["service"])


def _clear(call: Call, service: str | None) -> Reply:
    fleet = call.state.fleet
    before = [fault.kind for fault in fleet.faults]
    fleet.faults = [f for f in fleet.faults if service and f.service != service]
    call.did(f"service-faults/{service or '*'}", before, [fault.kind for fault in fleet.faults])
    return _faults(call)


def _faults(call: Call) -> Reply:
    return Reply({"faults": call.world.snapshot()["fleet"]["faults"]})


@FACE.writes("feeds.spoil", "/practice/feeds/{feed}")
def spoil(call: Call) -> Reply:
    """Break the generator of an artefact, or mend it. It makes its next version at once; a bad one only if it is not paused.

    Whoever mends it has it make one good version, as a proof, even while it is paused.
    """
    feed = call.state.fleet.feeds.get(call.path["feed"])
    if feed is None:
        raise call.refuse(404, f"there is no feed {call.path['feed']}")
    wanted, before = call.ask(SpoilFeed), asdict(feed)
    if wanted.bad:
        feed.error_rate = wanted.error_rate
        if not feed.is_bad(feed.version + 1):
            feed.bad_from, feed.good_from = feed.version + 1, None
    else:
        feed.good_from = feed.version + 1
    if feed.running or not wanted.bad:
        feed.make(call.now)
    call.did(f"feeds/{feed.name}", before, asdict(feed))
    return Reply({**asdict(feed), "read": feed.read, "last_good": feed.last_good})


def _service(call: Call, name: str) -> Service:
    service = call.state.fleet.services.get(name)
    if service is None:
        raise call.refuse(404, f"there is no service {name}")
    return service
