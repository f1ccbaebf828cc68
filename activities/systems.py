"""What a system says of itself, once: wiring, doctor, the settings example and the list of capabilities are derived from it.

A folder of `activities/` has classes of verbs. What they are made of stands in the types of their constructors: `Feeds(plane: ControlPlane,
prometheus: Prometheus)`. The `SYSTEM` in a folder's `system.py` declares its clients. A *client* speaks to one product: its settings, how it
is opened, and one harmless look at it. Where several products can do the same, a *port* names them, and one line of `organisation.toml`
chooses: `[policy.systems] flags = "flagd"`. A printed command uses the same settings as variables of the shell: `$UNLEASH_URL` stands for
`INCIDENT_UNLEASH_URL`.

Only the worker and `incident doctor` read these files. Workflows import a system's orders and verbs, and never open a client.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast, get_type_hints

import httpx
from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo

from activities.action import Call, Refused, System
from activities.deploys.google_auth import ADC, GoogleAuth
from activities.kit.http import Bearer, HttpClient
from activities.organisation.catalogue import Catalogue, Deployed

PREFIX = "INCIDENT_"
REFERENCE = "env:NAME, file:/path or gsm:projects/…/versions/7"  # how a secret is named

C = TypeVar("C")
T = TypeVar("T")


class ClientSettings(BaseModel):
    """The settings of one client; `INCIDENT_<NAME>` in the environment. The worker reads those of all clients as one object."""


def setting(default: str = "", about: str = "", *, needed: bool = False, example: str = "", practice: str = "") -> Any:
    """A setting. `needed`: without it the client is not configured. `practice`: its value on the practice platform, which is at `{url}`."""
    examples = [example] if example else None
    return Field(default=default, description=about, examples=examples, json_schema_extra={"needed": needed, "practice": practice})


def secret(about: str = "", *, needed: bool = True) -> Any:
    """A reference to a secret, never the secret."""
    return Field(default="", description=about, json_schema_extra={"needed": needed, "secret": True, "practice": "{token}"})


def noted(of: FieldInfo, name: str) -> Any:
    """What `setting` and `secret` said of a field."""
    return of.json_schema_extra.get(name) if isinstance(of.json_schema_extra, dict) else None


@dataclass(frozen=True)
class Seen:
    """What a look at a product showed. `may_write`: None where that cannot be told without writing."""

    said: str
    may_write: bool | None = None


class Unused(Exception):
    """Nothing of this organisation needs the product; the message says why."""


@dataclass(frozen=True)
class Look:
    """What a probe may know. `settings`: those of all clients."""

    call: Call
    catalogue: Catalogue
    settings: Any

    def on(self, platform: str) -> list[Deployed]:
        found = [service for service in self.catalogue.services.values() if service.platform == platform]
        if not found:
            raise Unused("no service runs there")
        return found


@dataclass(frozen=True)
class ClientInfo(Generic[C]):
    """One product that systems are reached through.

    `probe` reads once, changes nothing, and raises what the client raises. `connect`: how it is opened, where it takes more than one connection.
    """

    name: str
    kind: type[C]
    settings: type[ClientSettings]
    probe: Callable[[C, Look], Awaitable[Seen]]
    connect: Callable[["Opening"], C] | None = None
    required: bool = False  # the worker does not start without it
    optional: bool = False  # what stands on it does without it

    def missing(self, settings: BaseModel) -> str:
        """Which setting it lacks, in a sentence; empty when it lacks none."""
        for name, of in self.settings.model_fields.items():
            if noted(of, "needed") and not getattr(settings, name):
                return f"{PREFIX}{name.upper()} is not set" + (f": it takes a reference, {REFERENCE}" if noted(of, "secret") else "")
        return ""

    def open(self, opening: "Opening") -> C:
        if self.connect is not None:
            return self.connect(opening)
        address = next(name for name in self.settings.model_fields if name.endswith("_url"))
        return cast(Any, self.kind)(opening.http(address.removesuffix("_url")))  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Port(Generic[C]):
    """Products of which one is chosen; the first, where nothing is said. `kind`: the protocol that all of them speak."""

    name: str
    kind: type[C]
    clients: tuple[ClientInfo[Any], ...]


Product = ClientInfo[Any] | Port[Any]


class SystemInfo:
    """The clients of a folder of `activities/`. `built`: its classes of verbs that take something else than clients."""

    def __init__(self, *clients: Product, built: Mapping[type[System], Callable[["Build"], System]] | None = None) -> None:
        self.clients = clients
        self.built = built or {}


@dataclass(frozen=True)
class Opening:
    """How a client opens its connections. Where it is not configured every request is refused, with the sentence that says why."""

    build: "Build"
    missing: str

    @property
    def settings(self) -> Any:
        return self.build.settings

    def http(
        self, name: str, *, token: str = "", scheme: str = "Bearer ", region: str = "", auth: httpx.Auth | None = None, **headers: str
    ) -> HttpClient:
        """A connection to `<name>_url` with `<name>_token` (or `token`), if there is such a setting, or with `auth`. It is closed with the worker."""
        token = token or f"{name}_token"
        if auth is None and scheme != "Bearer " and not self.missing:
            headers["Authorization"] = scheme + self.secret(token)
        elif auth is None and (reference := getattr(self.settings, token, "")) and not self.missing:
            auth = GoogleAuth() if reference == ADC else Bearer(lambda: self.secret(token))
        url = "http://not.configured" if self.missing else getattr(self.settings, f"{name}_url").replace("{region}", region)
        transport = httpx.MockTransport(self._refuse) if self.missing else self.build.transport
        timeout, named = self.settings.client_timeout, f"{PREFIX}{name.upper()}_URL"
        http = HttpClient(url, headers, timeout=timeout, transport=transport, auth=auth, setting=named)
        self.build.stack.push_async_callback(http.close)
        return http

    def secret(self, name: str) -> str:
        """A secret by the name of its setting; empty where none is set. Raises what `Build.resolve` raises when it cannot be read."""
        return self.build.resolve(getattr(self.settings, name), f"{PREFIX}{name.upper()}")

    async def _refuse(self, request: httpx.Request) -> httpx.Response:
        raise Refused(self.missing)


@dataclass
class Build:
    """Builds systems, and opens every client once, whoever asks for it.

    `settings`: those of all clients and the worker. `parts`: what the worker has one of, by type. `chosen`: the client of each port that
    one is named for; `unknown`: why nobody knows; then none is used. `transport`: how requests travel, where not by sockets.
    """

    settings: Any
    stack: AsyncExitStack
    resolve: Callable[[str, str], str]  # a reference and the setting it stands in → the secret
    systems: Iterable[SystemInfo]
    parts: Mapping[type, Any]
    chosen: Mapping[str, ClientInfo[Any]] = field(default_factory=dict)
    unknown: str = ""
    transport: httpx.AsyncBaseTransport | None = None
    _opened: dict[str, Any] = field(default_factory=dict)

    def system(self, cls: type[T]) -> T:
        """One of the classes of verbs, with everything that it takes."""
        if cls in self.parts:
            return cast("T", self.parts[cls])
        built = next((info.built[cls] for info in self.systems if cls in info.built), None)  # type: ignore[index]
        return cast("T", built(self) if built else cls(**{name: self.part(kind) for name, kind in taken(cls, self.systems).items()}))

    def part(self, kind: type[T]) -> T:
        """The client of this type, or what the worker has one of. Raises `LookupError` unless exactly one `SYSTEM` declares it."""
        if kind in self.parts:
            return cast("T", self.parts[kind])
        found = [one for info in self.systems for one in info.clients if provides(one, kind)]
        if len(found) != 1:
            raise LookupError(f"{kind}: exactly one client must be of this type, and there are: {[one.name for one in found]}")
        return cast("T", self.client(found[0]))

    def client(self, of: ClientInfo[C] | Port[C]) -> C:
        info = self.choose(of)
        if info.name not in self._opened:
            self._opened[info.name] = info.open(self.opening(of))
        return cast("C", self._opened[info.name])

    def opening(self, of: Product) -> Opening:
        """How the client opens its connections."""
        return Opening(self, self.missing(of))

    def choose(self, of: ClientInfo[C] | Port[C]) -> ClientInfo[C]:
        return self.chosen.get(of.name, of.clients[0]) if isinstance(of, Port) else of

    def missing(self, of: Product) -> str:
        """Why it is not configured, in a sentence; empty when it is."""
        why = (self.unknown if isinstance(of, Port) else "") or self.choose(of).missing(self.settings)
        return f"not configured: {why}" if why else ""


def provides(product: Product, kind: Any) -> bool:
    """Whether it is what a constructor of this type takes: that type, or one derived from it."""
    return kind in product.kind.__mro__ and kind is not object


def taken(cls: type, systems: Iterable[SystemInfo]) -> dict[str, Any]:
    """The types of what a class of verbs is made of, without what has a default. A client may be named in quotes, and imported for types only."""
    kinds = get_type_hints(cls.__init__, localns={one.kind.__name__: one.kind for info in systems for one in info.clients})  # type: ignore[misc]
    return {name: kinds[name] for name, one in inspect.signature(cls).parameters.items() if one.default is one.empty}
