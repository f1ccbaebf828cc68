"""What a system says of itself, once: wiring, doctor, the settings example and the list of capabilities are derived from it.

Each folder of `activities/` has a `system.py` with a `SYSTEM`: its classes of verbs, how each is built, and the clients that they stand on.
A *client* speaks to one product: its settings, how it is opened, and one harmless look at it. Where several products can do the same, a
*port* names them, and one line of `organisation.toml` chooses: `[policy.systems] flags = "flagd"`. A printed command uses the same settings as
variables of the shell: `$UNLEASH_URL` stands for `INCIDENT_UNLEASH_URL`.

Only the worker and `incident doctor` read these files. Workflows import a system's orders and verbs, and never load a client.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

import httpx
from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo

from activities.action import Call, Refused, System
from activities.deploys.google_auth import ADC, GoogleAuth
from activities.kit.clock import Clock, RealClock
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
        """The services that run there. Raises `Unused` when there are none."""
        found = [service for service in self.catalogue.services.values() if service.platform == platform]
        if not found:
            raise Unused("no service runs there")
        return found


@dataclass(frozen=True)
class ClientInfo(Generic[C]):
    """One product that systems are reached through. `probe` reads once, changes nothing, and raises what the client raises."""

    name: str
    settings: type[ClientSettings]
    connect: Callable[["Opening"], C]
    probe: Callable[[C, Look], Awaitable[Seen]]
    required: bool = False  # the worker does not start without it
    optional: bool = False  # what stands on it does without it

    def missing(self, settings: BaseModel) -> str:
        """Which setting it lacks, in a sentence; empty when it lacks none."""
        for name, of in self.settings.model_fields.items():
            if noted(of, "needed") and not getattr(settings, name):
                return f"{PREFIX}{name.upper()} is not set" + (f": it takes a reference, {REFERENCE}" if noted(of, "secret") else "")
        return ""


@dataclass(frozen=True)
class Port(Generic[C]):
    """Products of which one is chosen; the first, where nothing is said."""

    name: str
    clients: tuple[ClientInfo[Any], ...]


@dataclass(frozen=True)
class SystemInfo:
    """A folder of `activities/`: its classes of verbs, how each is built, and the clients that they stand on."""

    verbs: Mapping[type[System], Callable[["Build"], System]]
    clients: tuple[ClientInfo[Any] | Port[Any], ...] = ()


@dataclass(frozen=True)
class Opening:
    """How a client opens its connections. Where it is not configured every request is refused, with the sentence that says why."""

    build: "Build"
    missing: str

    @property
    def settings(self) -> Any:
        """Those of all clients."""
        return self.build.settings

    def http(self, name: str, *, token: str = "", scheme: str = "Bearer ", region: str = "", **headers: str) -> HttpClient:
        """A connection to `<name>_url` with `<name>_token` (or `token`), if there is such a setting. It is closed with the worker."""
        token, auth = token or f"{name}_token", None
        if self.missing:
            return self._opened(HttpClient("http://not.configured", {}, transport=httpx.MockTransport(self._refuse)))
        if scheme != "Bearer ":
            headers["Authorization"] = scheme + self.secret(token)
        elif reference := getattr(self.settings, token, ""):
            auth = GoogleAuth() if reference == ADC else Bearer(lambda: self.secret(token))
        url = getattr(self.settings, f"{name}_url").replace("{region}", region)
        return self._opened(HttpClient(url, headers, timeout=self.settings.client_timeout, transport=self.build.transport, auth=auth))

    def secret(self, name: str) -> str:
        """A secret by the name of its setting; empty where none is set. Raises what `Build.resolve` raises when it cannot be read."""
        return self.build.resolve(getattr(self.settings, name), f"{PREFIX}{name.upper()}")

    def _opened(self, http: HttpClient) -> HttpClient:
        self.build.stack.push_async_callback(http.close)
        return http

    async def _refuse(self, request: httpx.Request) -> httpx.Response:
        raise Refused(self.missing)


@dataclass
class Build:
    """Opens every client once, whoever asks for it.

    `settings`: those of all clients and the worker. `parts`: what the worker has one of. `unknown`: why nobody knows which client of a port
    was chosen; then none is used. `transport`: how requests travel, where not by sockets.
    """

    settings: Any
    stack: AsyncExitStack
    resolve: Callable[[str, str], str]  # a reference and the setting it stands in → the secret
    chosen: Mapping[str, ClientInfo[Any]] = field(default_factory=dict)  # by port
    unknown: str = ""
    parts: Mapping[type, Any] = field(default_factory=dict)
    clock: Clock = field(default_factory=RealClock)
    transport: httpx.AsyncBaseTransport | None = None
    _opened: dict[str, Any] = field(default_factory=dict)

    def client(self, of: ClientInfo[C] | Port[C]) -> C:
        """The client; of a port the chosen one."""
        info = self.choose(of)
        if info.name not in self._opened:
            self._opened[info.name] = info.connect(Opening(self, self.missing(of)))
        return cast("C", self._opened[info.name])

    def choose(self, of: ClientInfo[C] | Port[C]) -> ClientInfo[C]:
        """Of a port the chosen client."""
        return self.chosen.get(of.name, of.clients[0]) if isinstance(of, Port) else of

    def missing(self, of: ClientInfo[Any] | Port[Any]) -> str:
        """Why it is not configured, in a sentence; empty when it is."""
        why = (self.unknown if isinstance(of, Port) else "") or self.choose(of).missing(self.settings)
        return f"not configured: {why}" if why else ""

    def part(self, kind: type[T]) -> T:
        """The worker's own ledger, organisation or Temporal client."""
        return cast("T", self.parts[kind])
