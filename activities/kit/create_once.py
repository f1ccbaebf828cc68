"""What must exist exactly once: a page, a ticket, a room, a post, a mail, a snapshot, a ruleset.

A system declares how ours is found by our key, how it is made, how it is fetched by the id that making it returned, and what is wrong with
what it shows. Looking before making, finding again after an unknown outcome, adopting and proving by reading back are derived.

A vendor with an idempotency key (`keyed`) may be sent the same thing twice. With all others an unknown outcome is followed by a look, and
before a later attempt makes anything, by a second look after `shows_within`: a listing may lag behind what was made.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Generic, TypeVar

from activities.action import Call, Effect, Limits, NotYet, Order, Patience, Refused, Risk, Role, System
from activities.kit.clock import Clock, RealClock
from activities.kit.fence import attempts, refuse_when_late
from activities.kit.pulse import beating
from activities.kit.verbs import arguments, derive

SOON = timedelta(seconds=1)

O = TypeVar("O", bound=Order)
X = TypeVar("X")
Find = Callable[[], Awaitable[X | None]]


@dataclass(frozen=True)
class There(Generic[X]):
    """It exists, once: as it was read back, and whether it was there already."""

    found: X
    adopted: bool


class CreateOnce(System, Generic[O, X]):
    """One kind of thing. `X` is what the vendor shows of it.

    With `name` it is a verb of its own (`create`); without, another system uses it by `once`.
    """

    keyed: ClassVar[bool] = False
    shows_within: ClassVar[timedelta] = timedelta(0)  # real time after which a listing surely has what was made
    clock: Clock = RealClock()

    def __init_subclass__(
        cls, *, name: str = "", risk: Risk | Callable[[Any, Limits], Risk] = Risk.C0, asks: tuple[Role, ...] = (Role.OPS_LEAD,),
        patience: Patience | None = None,
    ) -> None:  # fmt: skip
        super().__init_subclass__()
        if name:
            order = arguments(cls, CreateOnce)[0]
            derive(cls, "create", CreateOnce._create, name, order, Effect, risk=risk, asks=asks, patience=patience, writes=True)

    # ---- what a system declares ----

    async def find(self, call: Call, order: O) -> X | None:
        """Ours, by our key. None only when it surely is not there; raises when that cannot be told (a listing that was cut short)."""
        raise NotImplementedError

    async def make(self, call: Call, order: O) -> Any:
        """Make it. Returns its id as the vendor gave it, or None when it gives none."""
        raise NotImplementedError

    async def fetch(self, call: Call, order: O, id: Any) -> X | None:
        """What was just made, by the id that `make` returned. By our key, where there is no id."""
        return await self.find(call, order)

    def missing(self, order: O, found: X) -> str:
        """What is wrong with what is there, in words; empty when it shows what was ordered."""
        return ""

    async def describe(self, call: Call, order: O, there: There[X]) -> Effect:
        """The effect; by default the order's own sentence."""
        return Effect(target=order.target(), summary=order.effect(), proven_by=self.proof(order, there.found), adopted=there.adopted)

    def proof(self, order: O, found: X) -> str:
        """Where it was seen."""
        return "read back"

    # ---- what is derived ----

    async def create(self, order: O, call: Call) -> Effect:
        """Make it, once."""
        raise NotImplementedError

    async def _create(self, order: O, call: Call) -> Effect:
        """There, once, and read back. Raises `Refused` when the vendor says no, `NotYet` when it took it and does not show it."""
        return await self.describe(call, order, await self.once(call, order))

    async def once(self, call: Call, order: O) -> There[X]:
        """Find it, or make it and read it back."""
        found = await self._ours(call, order)
        if found is not None:
            return self._checked(order, found, adopted=True)
        refuse_when_late()
        try:
            id = await self.make(call, order)
        except (Refused, NotYet):
            raise
        except Exception:
            found = await self.find(call, order)
            if found is None:
                raise
            return self._checked(order, found, adopted=False)
        made = await self.fetch(call, order, id)
        if made is None:
            raise NotYet(f"accepted, but {order.target()} does not show it", after=SOON)
        return self._checked(order, made, adopted=False)

    async def _ours(self, call: Call, order: O) -> X | None:
        found = await self.find(call, order)
        if found is None and not self.keyed and self.shows_within and attempts(call) > 1:
            async with beating():
                await self.clock.sleep(self.shows_within)
            found = await self.find(call, order)
        return found

    def _checked(self, order: O, found: X, *, adopted: bool) -> There[X]:
        if wrong := self.missing(order, found):
            raise NotYet(f"accepted, but {wrong}", after=SOON)
        return There(found, adopted)


class _Named(Order):
    name: str

    def target(self) -> str:
        return self.name


class _Inline(CreateOnce[_Named, X]):
    def __init__(self, find: Find[X], make: Callable[[], Awaitable[Any]], fetch: Callable[[Any], Awaitable[X | None]] | None) -> None:
        self._find, self._make, self._fetch = find, make, fetch

    async def find(self, call: Call, order: _Named) -> X | None:
        return await self._find()

    async def make(self, call: Call, order: _Named) -> Any:
        return await self._make()

    async def fetch(self, call: Call, order: _Named, id: Any) -> X | None:
        return await (self._fetch(id) if self._fetch else self._find())


async def once(
    call: Call, what: str, find: Find[X], make: Callable[[], Awaitable[Any]], fetch: Callable[[Any], Awaitable[X | None]] | None = None
) -> There[X]:
    """A thing that needs no class of its own: `what` it is, and how it is found, made and, by the id that `make` returned, fetched."""
    return await _Inline(find, make, fetch).once(call, _Named(name=what))
