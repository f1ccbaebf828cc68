"""What all faces are made of: a call, its reply, a refusal, and routes that one mechanism runs (`endpoint.py`)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from practice.world.state import JSON, State
from practice.world.world import World

TOKEN = "practice-token"  # noqa: S105 - the token of a practice platform is no secret


class Ask(BaseModel):
    """A request body. Strict: nothing unknown, nothing converted."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Shown(BaseModel):
    """What an answer holds, and nothing else."""

    model_config = ConfigDict(extra="forbid")


class Query(BaseModel):
    """The parameters of a query. Text is converted; nothing unknown is taken."""

    model_config = ConfigDict(extra="forbid")


AskT = TypeVar("AskT", bound=Ask)
QueryT = TypeVar("QueryT", bound=Query)
T = TypeVar("T")


@dataclass
class Reply:
    """What goes back: JSON, text, bytes, or lines as they come."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    text: str | None = None
    content: bytes | None = None
    stream: AsyncIterator[str] | None = None  # of JSON lines


class Refusal(Exception):
    """The face says no, in its vendor's form."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status, reply.body)
        self.reply = reply


@dataclass
class Call:
    """One request, and the state that its handler reads and changes."""

    face: Face
    route: FaceRoute
    world: World
    state: State
    now: float
    headers: Mapping[str, str]
    path: Mapping[str, str]
    query: Mapping[str, Sequence[str]]
    body: Any = None
    partial: bool = False
    cut_short: bool = False  # a list was done in part
    effect: tuple[str, Any, Any] | None = None

    def ask(self, shape: type[AskT]) -> AskT:
        """The body as `shape`; refused as the vendor refuses it."""
        try:
            return shape.model_validate({} if self.body is None else self.body)
        except ValidationError as error:
            raise self.invalid(*_problems(error, "body")) from error

    def asked(self, shape: type[QueryT]) -> QueryT:
        """The query as `shape`; refused with 400."""
        if twice := [name for name, values in self.query.items() if len(values) > 1]:
            raise self.refuse(400, f"given more than once: {', '.join(twice)}")
        try:
            return shape.model_validate({name: values[0] for name, values in self.query.items()})
        except ValidationError as error:
            raise self.refuse(400, "; ".join(_problems(error, "query"))) from error

    def invalid(self, *problems: str) -> Refusal:
        """The body is understood, and means nothing here."""
        return Refusal(self.face.invalid(list(problems)))

    def one(self, name: str, default: str = "") -> str:
        """A query parameter's first value."""
        values = self.query.get(name)
        return values[0] if values else default

    def at(self, **path: str) -> Call:
        """The same call about something else of its kind."""
        return replace(self, path={**self.path, **path})

    def refuse(self, status: int, message: str) -> Refusal:
        return Refusal(self.face.refused(status, message))

    def did(self, target: str, before: Any, after: Any) -> None:
        """Say what this write did; the mechanism puts it into the effect log."""
        self.effect = (target, before, after)

    def each(self, things: Sequence[T]) -> Iterator[T]:
        """Walk through a list that is to be written; under the injected fault `partial` only its first half is."""
        done = things[: (len(things) + 1) // 2] if self.partial else things
        self.cut_short = self.cut_short or len(done) < len(things)
        yield from done

    def may(self, route: str) -> bool:
        """Whether a route of this face lets us in: it does unless 403 was injected there."""
        return not self.world.injected_faults.denied(f"{self.face.name}.{route}")

    def stamp(self) -> str:
        return self.world.clock.stamp(self.now)

    def real(self) -> float:
        return self.world.clock.to_real(self.now)


Handler = Callable[[Call], Reply]


@dataclass(frozen=True)
class RouteModels:
    """What a route takes and gives. Its OpenAPI operation is made of this."""

    asks: type[BaseModel] | None = None
    shows: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    headers: Mapping[str, bool] = field(default_factory=dict)  # name → required
    refuses: Sequence[int] = ()  # besides what every route of its kind answers


@dataclass(frozen=True)
class FaceRoute:
    """One way to call a face; `name` is what injected faults and the effect log call it."""

    name: str
    method: str
    path: str
    handler: Handler
    writes: bool
    public: bool
    models: RouteModels = RouteModels()
    otherwise: bool = False  # takes only what no other route takes


def _problems(error: ValidationError, whole: str) -> list[str]:
    return [f"{'.'.join(map(str, e['loc'])) or whole}: {e['msg']}" for e in error.errors()]


def _bearer(headers: Mapping[str, str]) -> bool:
    return headers.get("authorization", "") == f"Bearer {TOKEN}"


def _plain_refusal(status: int, message: str) -> Reply:
    return Reply({"error": message}, status)


@dataclass
class Face:
    """One system as its users see it, with its own ways to say no."""

    name: str
    refused: Callable[[int, str], Reply] = _plain_refusal
    invalid: Callable[[list[str]], Reply] = lambda problems: Reply({"error": "invalid", "problems": problems}, 422)
    authorised: Callable[[Mapping[str, str]], bool] = _bearer
    unauthorised: Callable[[Mapping[str, str]], Reply] = lambda headers: Reply({"error": "unauthorized"}, 401)
    throttled: Callable[[], Reply] = lambda: Reply({"error": "rate limited"}, 429)
    control: bool = False  # the hands of the drill: no injected fault reaches it, and it leaves no trace in the logs
    contract: str = ""  # what the API is, where we wrote it ourselves: it has an OpenAPI document
    routes: list[FaceRoute] = field(default_factory=list)

    def reads(
        self,
        name: str,
        path: str,
        method: str = "GET",
        *,
        public: bool = False,
        models: RouteModels | None = None,
        otherwise: bool = False,
    ) -> Callable[[Handler], Handler]:
        """Declare a route that changes nothing."""
        return self._declare(name, method, path, False, public, models, otherwise)

    def writes(
        self, name: str, path: str, method: str = "POST", *, public: bool = False, models: RouteModels | None = None
    ) -> Callable[[Handler], Handler]:
        """Declare a route that changes the world: its handler calls `Call.did` once."""
        return self._declare(name, method, path, True, public, models)

    def _declare(
        self, name: str, method: str, path: str, writes: bool, public: bool, models: RouteModels | None, otherwise: bool = False
    ) -> Callable[[Handler], Handler]:
        def declare(handler: Handler) -> Handler:
            route = FaceRoute(f"{self.name}.{name}", method, path, handler, writes, public, models or RouteModels(), otherwise)
            self.routes.append(route)
            return handler

        return declare


def described(thing: JSON, *fields: str) -> JSON:
    """The named fields of a record: what the effect log shows of it."""
    return {name: thing.get(name) for name in fields}
