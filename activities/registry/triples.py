"""The triple that serves: model, prompt and guard chain, moved as a unit (spec §9.7; A.7 M3, M4).

A registry knows no triple: it has an alias (MLflow) or a label (Langfuse) on each of three entries. They are written one after the other, the
guard chain first; what breaks off half-way is finished by the next attempt, or put back by the undo. Proven by which versions answer.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal, Protocol, Self

from pydantic import Field

from activities.action import Call, NotYet, Refused, Risk, Role
from activities.kit.setting import Change, Reading, Resource, Restore, Setting, SettingValue
from activities.kit.setting.write import SOON
from activities.kit.words.shell import Command, Var, curl
from activities.kit.words.urls import path, query
from activities.models.routes import spread
from activities.product.app_plane import AppPlane
from activities.registry.release_plane import ReleasePlane

PARTS = ("guard", "prompt", "model")  # in the order in which they are written: a new prompt never meets an older guard chain alone
ALIAS = "production"  # of what serves; in Langfuse it is a label
ANSWERS = 40  # new sessions that are asked to prove which triple serves
INTENDED = 0.99  # the share of them that it must answer (A.7 M3)

MLFLOW, LANGFUSE = Var("MLFLOW_URL"), Var("LANGFUSE_URL")
LANGFUSE_AUTH = ("Authorization: Basic ", Var("LANGFUSE_TOKEN"))


def _by_mlflow(name: str, version: int | None) -> Command:
    alias = path("api", "2.0", "mlflow", "registered-models", "alias")
    auth = ("Authorization: Bearer ", Var("MLFLOW_TOKEN"))
    if version is None:
        return curl("GET", (MLFLOW, alias + query({"name": name, "alias": ALIAS})), auth)
    return curl("POST", (MLFLOW, alias), auth, body={"name": name, "alias": ALIAS, "version": str(version)})


def _by_langfuse(name: str, version: int | None) -> Command:
    prompt = path("api", "public", "v2", "prompts", name)
    if version is None:
        return curl("GET", (LANGFUSE, prompt + query({"label": ALIAS})), LANGFUSE_AUTH)
    return curl("PATCH", (LANGFUSE, prompt + path("versions", version)), LANGFUSE_AUTH, body={"newLabels": [ALIAS]})


# How a person reads what serves (None) or lets a version serve without us, for each registry.
BY_HAND: Mapping[str, Callable[[str, int | None], Command]] = MappingProxyType({"mlflow": _by_mlflow, "langfuse": _by_langfuse})


class TripleOf(Resource):
    """The triple of a route, and the registry that it is kept in: a person's commands depend on it."""

    route: str
    store: Literal["mlflow", "langfuse"] = "mlflow"

    def __str__(self) -> str:
        return f"the triple of {self.route}"

    def target(self) -> str:
        return f"route/{self.route}/triple"

    def name(self, part: str) -> str:
        """What a part is called in the registry: `chat-prompt`."""
        return f"{self.route}-{part}"

    def read_by_hand(self) -> tuple[str, ...]:
        return tuple(BY_HAND[self.store](self.name(part), None) for part in PARTS)

    def write_by_hand(self, value: "Triple", prior: "Triple | None" = None) -> tuple[str, ...]:
        changed = [part for part in PARTS if prior is None or getattr(prior, part) != getattr(value, part)]
        return tuple(BY_HAND[self.store](self.name(part), getattr(value, part)) for part in changed or PARTS)


class Triple(
    SettingValue, says="model {model}, prompt {prompt}, guard chain {guard}", effect="let {self} answer {of.route}, as one unit",
    back="let {self} answer {of.route} again",
):  # fmt: skip
    """Versions of a model, a prompt and a guard chain, which are released together."""

    model: int = Field(ge=1)
    prompt: int = Field(ge=1)
    guard: int = Field(ge=1)

    @property
    def short(self) -> str:
        """As the platform writes it: `6/12/3`."""
        return "/".join(map(str, (self.model, self.prompt, self.guard)))

    @classmethod
    def read(cls, short: str) -> Self:
        """Raises `Refused` for what is no triple."""
        numbers = short.split("/")
        if len(numbers) != 3 or not all(one.isascii() and one.isdigit() and int(one) for one in numbers):
            raise Refused(f"{short[:40]} is no triple of versions: MODEL/PROMPT/GUARD")
        model, prompt, guard = map(int, numbers)
        return cls(model=model, prompt=prompt, guard=guard)

    def between(self, before: Self, now: Self) -> bool:
        """Each part is the new one, or still the one before."""
        return all(getattr(now, part) in (getattr(self, part), getattr(before, part)) for part in PARTS)

    def only_guard(self, other: Self) -> bool:
        """Whether nothing but the guard chain differs."""
        return self.guard != other.guard and (self.model, self.prompt) == (other.model, other.prompt)


class TripleStore(Protocol):
    """Where versions are kept: the port. One client is chosen in `organisation.toml`, `[policy.systems]`."""

    async def version(self, call: Call, name: str, alias: str) -> int:
        """The version that an alias means. Raises `Refused` where there is none: absence is no proof of anything."""

    async def move(self, call: Call, name: str, alias: str, version: int) -> None:
        """Let an alias mean this version. Raises `Refused` when there is no such version."""


Order = Change[TripleOf, Triple] | Restore[TripleOf, Triple]


class Triples(
    Setting[TripleOf, Triple], read="registry.read", change="registry.roll_back", restore="registry.return", risk=Risk.C2,
    asks=(Role.AI_ML_LEAD, Role.INCIDENT_COMMANDER),
):  # fmt: skip
    """The triple that serves a route. It is moved only to what was blessed and is not on the blocklist."""

    def __init__(self, store: TripleStore, plane: ReleasePlane, app: AppPlane) -> None:
        self._store, self._plane, self._app = store, plane, app

    async def look_at(self, call: Call, of: TripleOf) -> Reading[Triple]:
        found = await asyncio.gather(*(self._store.version(call, of.name(part), ALIAS) for part in PARTS))
        return Reading[Triple](value=Triple(**dict(zip(PARTS, found, strict=True))))

    async def check(self, call: Call, order: Order, to: Triple) -> None:
        """Raises `Refused` for what must not serve: it was never blessed, or it re-opens a way in for injected instructions (INV-5)."""
        known = await self._plane.releases(call, order.of.route)
        if any(one.triple == to.short and one.blocklisted for one in known.releases):
            raise Refused(f"{to} is on the blocklist of injections: nothing lets it serve again")
        if isinstance(order, Restore) and to.same(order.goal):
            return  # what served before
        if to.short not in {one.triple for one in known.releases if one.blessed_at is not None and not one.blocklisted}:
            raise Refused(f"{to} was never blessed as a whole: only what passed its evals together may serve")

    async def write(self, call: Call, of: TripleOf, wanted: Triple, over: Reading[Triple], epoch: int) -> None:
        for part in PARTS:
            if getattr(over.value, part) != getattr(wanted, part):
                await self._store.move(call, of.name(part), ALIAS, getattr(wanted, part))

    async def shown(self, call: Call, of: TripleOf, value: Triple) -> str:
        """Begin new sessions as several tenants. Raises `NotYet` while too many of them are answered by another triple."""
        tenants = (await self._plane.offers(call, of.route)).tenants
        said = await asyncio.gather(*(self._app.chat(call, tenant) for tenant in spread(tenants, ANSWERS if tenants else 0)))
        by = Counter(found for answer in said if (found := answer.headers.get("x-triple", "")))
        if not by:
            raise NotYet("accepted, but no answer says which triple gave it", after=SOON)
        if by[value.short] < INTENDED * by.total():
            others = ", ".join(f"{n} by {name}" for name, n in by.most_common() if name != value.short)
            raise NotYet(f"accepted, but of {by.total()} new sessions {others} were still answered", after=SOON)
        return f"{by[value.short]} of {by.total()} new sessions were answered by {value.short}"


ROLLED_BACK = Triples.measure("rolled back", own_end=True)
