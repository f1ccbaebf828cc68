"""Settings of our own REST contract: read with an etag (and an epoch, where there is one), written by PUT under both."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar, Generic, cast

from typing_extensions import TypeVar

from activities.action import Call, Order
from activities.kit.http import HttpClient
from activities.kit.setting import Reading, Resource, Setting, SettingValue
from activities.kit.words.shell import Command, Var, address, curl, field_of, keep
from activities.kit.words.urls import path, query
from activities.values import Value, filled

Json = dict[str, Any]


class RestClient:
    """A system that keeps the contract. A stale etag or epoch raises `Conflict`, what is not there `Refused`."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def get(self, call: Call, path: str, **asked: Any) -> Json:
        said: Json = (await self._http.read(call, path, **asked)).json()
        return said

    async def look(self, call: Call, order: "RestLook") -> Json:
        """What an order wants to see."""
        return await self.get(call, order.path, **order.asked())

    async def put(self, call: Call, path: str, etag: str, body: Json) -> None:
        """Write it, if it still has this etag."""
        await self._http.write(call, "PUT", path, headers={"If-Match": etag}, json=body)


class RestLook(Order):
    """What a REST contract shows, for us and by hand. Declared with the class: `path`, a template; `asks`: the fields of the query."""

    base: ClassVar[Var]
    token: ClassVar[Var]
    _path: ClassVar[str] = ""
    _asks: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, *, target: str = "", effect: str = "", path: str = "", asks: tuple[str, ...] = ()) -> None:
        super().__init_subclass__(target=target, effect=effect)
        cls._path, cls._asks = path or cls._path, asks or cls._asks

    @property
    def path(self) -> str:
        return path("v1", *_parts(self._path, self))

    def asked(self) -> Json:
        """The query."""
        asked = {name: getattr(self, name) for name in self._asks}
        return {name: f"{value.total_seconds():g}" if isinstance(value, timedelta) else value for name, value in asked.items()}

    def command(self) -> Command:
        """The same, by curl."""
        return curl("GET", address(self.base, self.path, query(self.asked())), ("Authorization: Bearer ", self.token))

    def by_hand(self) -> tuple[str, ...]:
        return (self.command(),)


class RestResource(Resource):
    """A resource of a REST contract. Declared with the class: its `path` below the version and how people call it, as templates."""

    base: ClassVar[Var]
    token: ClassVar[Var]
    epochs: ClassVar[bool] = True
    _path: ClassVar[str] = ""
    _called: ClassVar[str] = ""

    def __init_subclass__(cls, *, path: str = "", called: str = "") -> None:
        super().__init_subclass__()
        cls._path, cls._called = path or cls._path, called or cls._called

    def __str__(self) -> str:
        return filled(self._called, self)

    def parts(self) -> tuple[str, ...]:
        """The parts of its path: `("services", "api", "gateway")`."""
        return _parts(self._path, self)

    @property
    def path(self) -> str:
        return path("v1", *self.parts())

    def target(self) -> str:
        return "/".join(self.parts())

    def body(self, value: Any) -> Json:
        sent: Json = value.model_dump(mode="json", exclude=set(value.volatile))
        return sent

    def read_by_hand(self) -> tuple[str, ...]:
        return (self._curl("GET"),)

    def write_by_hand(self, value: Any, prior: Any = None) -> tuple[str, ...]:
        return self.put_by_hand(self.body(value))

    def put_by_hand(self, body: Json, *below: str) -> tuple[str, ...]:
        """Read the version, then write this body; `below`: further parts of the path that is written to."""
        epoch = {"epoch": Var("EPOCH", number=True)} if self.epochs else {}
        read = [keep("STATE", self._curl("GET")), keep("ETAG", field_of("STATE", "etag"))]
        if self.epochs:
            read.append(keep("EPOCH", field_of("STATE", "epoch", plus_one=True)))
        return (*read, self._curl("PUT", *below, body={**epoch, **body}))

    def _curl(self, method: str, *below: str, body: Json | None = None) -> Command:
        fence = () if body is None else (("If-Match: ", Var("ETAG")), ("X-Actor: ", Var("USER")))
        url = address(self.base, self.path + (path(*below) if below else ""))
        return curl(method, url, ("Authorization: Bearer ", self.token), *fence, body=body)


def _parts(template: str, of: Value) -> tuple[str, ...]:
    return tuple(filled(part, of) for part in template.split("/"))


T = TypeVar("T", bound=RestResource)
V = TypeVar("V", bound=SettingValue)
R = TypeVar("R", bound=Reading[Any], default=Reading[Any])


class RestSetting(Setting[T, V, R], Generic[T, V, R]):
    """A setting of such a resource. A subclass proves it."""

    rest: RestClient

    async def look_at(self, call: Call, of: T) -> R:
        return self.understood(of, await self.rest.get(call, of.path))

    async def write(self, call: Call, of: T, wanted: V, over: R, epoch: int) -> None:
        await self.rest.put(call, of.path, over.version, {**({"epoch": epoch} if of.epochs else {}), **of.body(wanted)})

    def understood(self, of: T, said: Mapping[str, Any]) -> R:
        """The reading that an answer is: the fields of the value, the versions, and the facts that the reading has besides."""
        value = {name: said[name] for name in self.value.model_fields if name in said}
        facts = {name: said[name] for name in self.reading.model_fields if name in said and name not in Reading.model_fields}
        whose = {"version": said["etag"], "epoch": said.get("epoch"), "changed_by": said.get("changed_by", "")}
        return cast("R", self.reading(value=self.value(**value), **whose, **facts))
