"""`/practice`, continued: the hands on the supply chain. What becomes known, what is wrong with what is told, and what nobody can see."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal, get_args

from pydantic import Field

from practice.faces.control.face import FACE
from practice.http.face import Ask, Call, Reply
from practice.services.admission import refusal
from practice.services.cluster import REGISTRY
from practice.supply.cast import supply
from practice.supply.faults import KINDS, begin

Kind = Literal["vulnerable", "malicious", "superseded"]
assert get_args(Kind) == KINDS  # noqa: S101 - a new fault is named in both


class BreakSupply(Ask):
    """What becomes known, or happens."""

    kind: Kind


class TurnSupply(Ask):
    """What is true of the vulnerability, and what people cannot see; what is left out stays as it is."""

    exploited: bool | None = False
    reachable: bool | None = True
    loaded: bool | None = True
    gaps: list[str] = Field(default_factory=list)
    leaky: list[str] = Field(default_factory=list)
    scanner_away: bool = False
    breaks: float = 0.0
    stray: dict[str, list[str]] = Field(default_factory=dict)


class EditAdvisory(Ask):
    """Change what the database tells of an advisory: its fixed version, its range, that it is withdrawn; and what others know of it."""

    id: str
    events: list[dict[str, str]] | None = None
    versions: list[str] | None = None
    withdrawn: bool = False
    kev_due: str | None = None


class EditArtefact(Ask):
    """What is wrong with what is told of a build; of every build of a service, where no digest is named."""

    service: str
    digest: str = ""
    attested: bool | None = None
    forged: bool | None = None
    partial: bool | None = None
    unlisted: list[str] | None = None
    unseen: list[str] | None = None


class LeakyHost(Ask):
    host: str
    leaky: bool = True


@FACE.writes("supply.break", "/practice/supply-faults")
def break_supply(call: Call) -> Reply:
    """Let it become known."""
    made = begin(call.world, call.ask(BreakSupply).kind)
    call.did("supply", None, made.id)
    return Reply({"advisory": made.id, "package": made.package})


@FACE.writes("supply.turn", "/practice/supply-dials")
def turn(call: Call) -> Reply:
    """Say how it is, and take away what people could see."""
    there, wanted = supply(call.state, call.now), call.ask(TurnSupply).model_dump(exclude_unset=True)
    for service, digests in wanted.pop("stray", {}).items():
        there.stray[service] = [one for one in digests if _started(call, service, one)]
    for name, value in wanted.items():
        setattr(there.dials, name, value)
    call.did("supply/dials", None, asdict(there.dials))
    return Reply(asdict(there.dials))


def _started(call: Call, service: str, digest: str) -> bool:
    """Whether a pod of this build comes up beside what serves: not where the admission of every region refuses it."""
    pod = {"kind": "Pod", "spec": {"containers": [{"name": service, "image": f"{REGISTRY}/{service}@{digest}"}]}}
    return not all(refusal(call.state, region, "pods", "", "CREATE", pod) for region in call.state.fleet.services[service].places)


@FACE.writes("supply.advisory", "/practice/supply-advisories")
def edit_advisory(call: Call) -> Reply:
    """What is told of an advisory from now on."""
    wanted, there = call.ask(EditAdvisory), supply(call.state, call.now)
    one = there.advisories.get(wanted.id)
    if one is None:
        raise call.refuse(404, f"there is no advisory {wanted.id}")
    affected: dict[str, Any] = one.record["affected"][0]
    if wanted.events is not None:
        affected["ranges"] = [{"type": "ECOSYSTEM", "events": wanted.events}] if wanted.events else []
    if wanted.versions is not None:
        affected["versions"] = wanted.versions
    if wanted.withdrawn:
        one.record["withdrawn"] = f"{call.stamp()[:19]}Z"
    one.kev_due = one.kev_due if wanted.kev_due is None else wanted.kev_due
    call.did(f"supply/advisories/{one.id}", None, one.record)
    return Reply(one.record)


@FACE.writes("supply.artefact", "/practice/supply-artefacts")
def edit_artefacts(call: Call) -> Reply:
    """What is told of builds from now on."""
    told = call.ask(EditArtefact).model_dump(exclude_none=True)
    service, digest, there = told.pop("service"), told.pop("digest"), supply(call.state, call.now)
    found = [one for one in there.artefacts.values() if one.service == service and digest in ("", one.digest)]
    for one in found:
        for name, value in told.items():
            setattr(one, name, value)
    call.did(f"supply/artefacts/{service}", None, told)
    return Reply({"artefacts": len(found)})


@FACE.writes("supply.host", "/practice/supply-hosts")
def edit_host(call: Call) -> Reply:
    """Let the isolation of a host be shown and not enforced."""
    wanted, there = call.ask(LeakyHost), supply(call.state, call.now)
    if wanted.host not in there.hosts:
        raise call.refuse(404, f"there is no host {wanted.host}")
    there.hosts[wanted.host].leaky = wanted.leaky
    call.did(f"supply/hosts/{wanted.host}", None, wanted.leaky)
    return Reply({"leaky": wanted.leaky})


@FACE.reads("supply", "/practice/supply")
def look(call: Call) -> Reply:
    """All of it."""
    return Reply(asdict(supply(call.state, call.now)))
