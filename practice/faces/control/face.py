"""`/practice`: the hands of whoever runs the drill. No credentials, and no injected fault reaches it."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from practice.http.face import Ask, Call, Face, Refusal, Reply
from practice.llm.faults import KINDS, ProviderFault
from practice.world.injected_faults import InjectedFault

FACE = Face("practice", authorised=lambda headers: True, control=True)


class SetProviderFault(Ask):
    """A fault to come, in world seconds from now."""

    provider: str
    kind: str
    rate: float = Field(0.6, ge=0, le=1)
    after_seconds: float = Field(0, ge=0)
    for_seconds: float | None = Field(None, gt=0)
    period_seconds: float = Field(120, gt=0)


class SetInjectedFault(Ask):
    route: str
    mode: Literal[
        "fail", "latency", "commit_then_drop", "nothing_changed", "stale_read", "partial", "throttle", "hang"
    ]  # fmt: skip
    times: int | None = Field(None, ge=1)
    status: int = Field(503, ge=400, le=599)
    seconds: float = Field(1.0, ge=0)
    retry_after: int = Field(1, ge=0)


class EditWorld(Ask):
    """Attributes to change, by provider, by tenant and by service."""

    providers: dict[str, dict[str, Any]] = Field(default_factory=dict)
    tenants: dict[str, dict[str, Any]] = Field(default_factory=dict)
    services: dict[str, dict[str, Any]] = Field(default_factory=dict)


class Blind(Ask):
    """Whether the metrics store takes no new samples."""

    on: bool


@FACE.reads("world", "/practice/world")
def world(call: Call) -> Reply:
    return Reply(call.world.snapshot())


@FACE.writes("world.edit", "/practice/world")
def edit_world(call: Call) -> Reply:
    """Edit attributes; each must exist and keep its type. All or nothing."""
    edit = call.ask(EditWorld)
    before: dict[str, Any] = {}
    for kind, changes, things in (
        ("providers", edit.providers, call.state.providers),
        ("tenants", edit.tenants, call.state.tenants),
        ("services", edit.services, call.state.fleet.services),
    ):
        for name, attributes in changes.items():
            if name not in things:
                raise call.refuse(404, f"there is no {name} among the {kind}")
            thing = things[name]
            before[name] = {key: repr(getattr(thing, key, None)) for key in attributes}
            things[name] = _edited(call, thing, attributes)
    call.did("world", before, {**edit.providers, **edit.tenants, **edit.services})
    return Reply(call.world.snapshot())


def _edited(call: Call, thing: Any, attributes: dict[str, Any]) -> Any:
    known = {f.name for f in fields(thing)} - {"name"}
    changed: dict[str, Any] = {}
    for key, value in attributes.items():
        if key not in known:
            raise call.refuse(422, f"unknown attribute {key}; there are {', '.join(sorted(known))}")
        changed[key] = _changed(call, getattr(thing, key), value)
    edited = replace(thing, **changed)
    try:
        TypeAdapter(type(thing)).validate_python({f.name: getattr(edited, f.name) for f in fields(edited)})
    except ValidationError as error:
        raise call.refuse(422, str(error.errors()[0]["msg"])) from error
    return edited


def _changed(call: Call, old: Any, value: Any) -> Any:
    """A new value; of a record, and of records by name, only what is named changes."""
    if not isinstance(value, dict):
        return value
    if is_dataclass(old):
        return _edited(call, old, value)
    if isinstance(old, dict) and any(is_dataclass(one) for one in old.values()):
        unknown = [name for name in value if name not in old]
        if unknown:
            raise call.refuse(404, f"there is no {unknown[0]}; there are {', '.join(old)}")
        return {name: _changed(call, one, value[name]) if name in value else one for name, one in old.items()}
    return value


@FACE.reads("effects", "/practice/effects")
def effects(call: Call) -> Reply:
    """The effect log; `?face=`, `?route=`, `?key=` and `?incident=` narrow it."""
    entries = call.world.effects.entries
    for name in ("face", "route", "key", "incident"):
        if call.one(name):
            entries = [e for e in entries if e[name] == call.one(name)]
    return Reply({"effects": entries})


@FACE.reads("requests", "/practice/requests")
def requests(call: Call) -> Reply:
    """Every request that reached a face, whatever became of it."""
    wanted = call.one("route", "*")
    return Reply({"requests": [r for r in call.world.requests if fnmatchcase(r["route"], wanted)]})


@FACE.reads("routes", "/practice/routes")
def routes(call: Call) -> Reply:
    return Reply({"routes": [_route(route) for route in _all_routes()]})


def _route(route: Any) -> dict[str, Any]:
    return {"name": route.name, "method": route.method, "path": route.path, "writes": route.writes}


def _all_routes() -> list[Any]:
    from practice.http.app import FACES  # noqa: PLC0415 - the application knows the faces, this one is among them

    return [route for face in FACES if not face.control for route in face.routes]


@FACE.reads("inbox", "/practice/inbox/{person}")
def inbox(call: Call) -> Reply:
    person = call.state.people.get(call.path["person"])
    if person is None:
        raise call.refuse(404, f"nobody here is called {call.path['person']}")
    return Reply({"person": person.name, "inbox": person.inbox})


@FACE.reads("clock", "/practice/clock")
def clock(call: Call) -> Reply:
    return Reply(call.world.clock_face())


@FACE.writes("provider_faults.set", "/practice/provider-faults")
def set_fault(call: Call) -> Reply:
    wanted = call.ask(SetProviderFault)
    if wanted.provider not in call.state.providers:
        raise call.refuse(404, f"there is no provider {wanted.provider}")
    if wanted.kind not in KINDS:
        raise call.refuse(422, f"unknown kind {wanted.kind}; there are {', '.join(KINDS)}")
    since = call.now + wanted.after_seconds
    until = None if wanted.for_seconds is None else since + wanted.for_seconds
    fault = ProviderFault(wanted.provider, wanted.kind, wanted.rate, since, until, wanted.period_seconds)
    call.state.provider_faults.append(fault)
    call.did(f"provider-faults/{fault.provider}", None, wanted.model_dump())
    return Reply({"provider_faults": call.world.snapshot()["provider_faults"]})


@FACE.writes("provider_faults.clear", "/practice/provider-faults", "DELETE")
def clear_faults(call: Call) -> Reply:
    return _clear(call, None)


@FACE.writes("provider_faults.clear_one", "/practice/provider-faults/{provider}", "DELETE")
def clear_faults_of(call: Call) -> Reply:
    return _clear(call, call.path["provider"])


def _clear(call: Call, provider: str | None) -> Reply:
    before = [fault.kind for fault in call.state.provider_faults]
    call.state.provider_faults = [f for f in call.state.provider_faults if provider and f.provider != provider]
    call.did(f"provider-faults/{provider or '*'}", before, [fault.kind for fault in call.state.provider_faults])
    return Reply({"provider_faults": call.world.snapshot()["provider_faults"]})


@FACE.writes("blind", "/practice/blind")
def blind(call: Call) -> Reply:
    before, call.state.blind = call.state.blind, call.ask(Blind).on
    call.did("metrics", before, call.state.blind)
    return Reply({"blind": call.state.blind})


@FACE.reads("injected_faults", "/practice/injected-faults")
def injected_faults(call: Call) -> Reply:
    return Reply({"injected_faults": call.world.injected_faults.as_json()})


@FACE.writes("injected_faults.set", "/practice/injected-faults")
def inject_fault(call: Call) -> Reply:
    wanted = call.ask(SetInjectedFault)
    if not any(fnmatchcase(route.name, wanted.route) for route in _all_routes()):
        raise Refusal(Reply({"error": f"no route is called {wanted.route}; see GET /practice/routes"}, 422))
    call.world.injected_faults.set(InjectedFault(**wanted.model_dump()))
    call.did(f"injected-faults/{wanted.route}", None, wanted.mode)
    return Reply({"injected_faults": call.world.injected_faults.as_json()})


@FACE.writes("injected_faults.remove", "/practice/injected-faults", "DELETE")
def remove_injected_faults(call: Call) -> Reply:
    before = call.world.injected_faults.as_json()
    call.world.injected_faults.remove_all()
    call.did("injected_faults", before, [])
    return Reply({"injected_faults": []})
