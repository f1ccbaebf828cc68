"""A setting of our own product as a REST resource, declared from its model.

It is read with its etag, its epoch and who wrote it last. It is written whole, under the etag that was read and, where it has epochs, under a
higher epoch. The same write again is fine and changes nothing. What a change does to the world is one function.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from typing import Any, Generic, TypeVar, cast, get_type_hints

from pydantic import BaseModel, Field, TypeAdapter, create_model

from practice.http.face import Ask, AskT, Call, Face, Reply, RouteModels
from practice.http.own_api import conflict
from practice.services.fleet import Change
from practice.world.state import JSON, Version
from practice.world.versions import fingerprint

NOBODY = "somebody"  # who wrote without saying who they are
ShownT = TypeVar("ShownT", bound=BaseModel)


def _no_service(call: Call) -> list[str]:
    return []


class Resource(Generic[ShownT]):
    """One resource of a face. `read` is what it holds now; a model with a method `settable` says which part of that people set.

    Resources whose name is the same share their versions. `services`: in whose change feed a write is entered, if in any.
    """

    def __init__(
        self,
        face: Face,
        name: str,
        path: str,
        shown: type[ShownT],
        read: Callable[[Call], ShownT],
        *,
        epochs: bool = True,
        services: Callable[[Call], list[str]] = _no_service,
    ) -> None:
        self.face, self.name, self.path = face, name, path
        self.read, self.epochs, self.services = read, epochs, services
        versions: dict[str, Any] = {"etag": (str, ...), "changed_by": (str, ...)}
        if epochs:
            versions["epoch"] = (int, ...)
        self.shown = create_model(f"{shown.__name__}Read", __base__=shown, __doc__=shown.__doc__, **versions)
        face.reads(f"{name}.get", path, models=RouteModels(shows=self.shown))(self.reply)

    def takes(self, asked: type[AskT], change: Callable[[Call, AskT], None], name: str = "put", part: str = "") -> Resource[ShownT]:
        """Let it be written by PUT (under `part` of its path). `change` does it to the world, and refuses what means nothing there."""
        epoch: dict[str, Any] = {"epoch": (int, Field(ge=0))} if self.epochs else {}
        body = create_model(f"{asked.__name__}Write", __base__=asked, __doc__=asked.__doc__, **epoch)
        models = RouteModels(asks=body, shows=self.shown, headers={"If-Match": True}, refuses=(409, 412, 428))

        def write(call: Call) -> Reply:
            self._write(call, call.ask(body), change)
            return self.reply(call)

        write.__doc__ = change.__doc__ or asked.__doc__
        self.face.writes(f"{self.name}.{name}", self.path + part, "PUT", models=models)(write)
        return self

    def setting(self, call: Call) -> str:
        """What it is called in the effect log and the change feed: `services/api/regions`."""
        return self.path.partition("/v1/")[2].format(**call.path)

    def version(self, call: Call) -> Version:
        return call.state.versions.get(self.setting(call)) or Version()

    def body(self, call: Call, shown: ShownT | None = None) -> JSON:
        """As it is read, with its versions. `changed_by` is empty where nobody wrote since the beginning."""
        shown, held = shown or self.read(call), self.version(call)
        epoch = {"epoch": held.epoch} if self.epochs else {}
        return {"etag": self._etag(call, shown), **epoch, **shown.model_dump(mode="json"), "changed_by": held.by}

    def reply(self, call: Call) -> Reply:
        """As it is read now."""
        body = self.body(call)
        return Reply(body, headers={"ETag": f'"{body["etag"]}"'})

    def _etag(self, call: Call, shown: ShownT) -> str:
        held = self.version(call)
        return fingerprint([self.setting(call), settable(shown), held.epoch, held.writes])

    def _write(self, call: Call, wanted: AskT, change: Callable[[Call, AskT], None]) -> None:
        shown, given = self.read(call), call.headers.get("if-match")
        before, asked = settable(shown), [type(wanted).__name__, wanted.model_dump(mode="json")]
        if given is None:
            raise call.refuse(428, "If-Match is required")
        fresh = given.removeprefix("W/").strip('"') == self._etag(call, shown)
        if self.epochs and self._done(call, asked):
            call.did(self.setting(call), before, before)
            return
        if self.epochs and not fresh:
            raise self._stale(call)
        change(call, wanted)
        after = settable(self.read(call))
        if not fresh and before != after:  # without epochs: only a write that changes nothing may have read an older version
            raise self._stale(call)
        self._written(call, asked, before, after)

    def _done(self, call: Call, asked: list[Any]) -> bool:
        """Whether this very write was done before. Raises what keeps it from being done now."""
        held, epoch = self.version(call), asked[1]["epoch"]
        if epoch == held.epoch and asked == held.asked:
            return True
        if epoch <= held.epoch:
            why = "it was used for another write" if epoch == held.epoch else "yours is older"
            raise conflict("stale_epoch", f"{self.setting(call)} is at epoch {held.epoch}{self._by_whom(call)}: {why}")
        return False

    def _stale(self, call: Call) -> Exception:
        return call.refuse(412, f"the etag is stale: {self.setting(call)} was changed{self._by_whom(call)}; read again")

    def _by_whom(self, call: Call) -> str:
        by = self.version(call).by
        return f" by {by}" if by else ""

    def _written(self, call: Call, asked: list[Any], before: JSON, after: JSON) -> None:
        """Note a write: in the effect log, for whoever reads the setting, and in the change feed.

        One that is broken off half-way leaves its epoch free, so that the same request can finish it.
        """
        setting = self.setting(call)
        call.did(setting, before, after)
        held = call.state.versions.setdefault(setting, Version())
        if self.epochs and not call.cut_short:
            held.epoch, held.asked = asked[1]["epoch"], asked
        if before == after:
            return
        held.by = call.headers.get("x-actor") or call.headers.get("x-incident-id") or NOBODY
        held.writes += 1
        if services := self.services(call):
            what = f"{setting}: " + ", ".join(
                f"{key} {before.get(key)} → {value}" for key, value in after.items() if before.get(key) != value
            )
            number = f"chg-{1000 + call.world.number()}"
            call.state.fleet.changes.append(Change(number, "config", call.now, held.by, services, what, details={"setting": setting}))


def settable(shown: BaseModel) -> JSON:
    """The part of a resource that people set: what its versions and the effect log are about."""
    part = getattr(shown, "settable", None)
    return cast("JSON", part() if part else shown.model_dump(mode="json"))


def held(
    face: Face,
    name: str,
    path: str,
    model: type,
    find: Callable[[Call], object],
    attribute: str,
    *,
    epochs: bool = True,
    services: Callable[[Call], list[str]] = _no_service,
) -> Resource[Ask]:
    """A resource that is a dataclass at an attribute of something in the world: the declaration is all there is to it."""
    shape = model_of(model)
    adapter: TypeAdapter[Any] = TypeAdapter(model)

    def read(call: Call) -> Ask:
        return shape.model_validate(adapter.dump_python(getattr(find(call), attribute)))

    def change(call: Call, wanted: Ask) -> None:
        setattr(find(call), attribute, adapter.validate_python(wanted.model_dump(include=set(shape.model_fields))))

    change.__doc__ = model.__doc__
    return Resource(face, name, path, shape, read, epochs=epochs, services=services).takes(shape, change)


def model_of(dataclass: type) -> type[Ask]:
    """A dataclass as the body of a request: all of its fields, none of its defaults."""
    hints = get_type_hints(dataclass, include_extras=True)
    fields: Mapping[str, Any] = {
        name: (model_of(hint) if isinstance(hint, type) and is_dataclass(hint) else hint, ...) for name, hint in hints.items()
    }
    return create_model(dataclass.__name__, __base__=Ask, __doc__=dataclass.__doc__, **fields)
