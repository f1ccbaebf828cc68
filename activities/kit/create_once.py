"""What must exist exactly once: a page, a ticket, a room, a post, a mail, a snapshot, a ruleset.

A system declares how ours is found by our key, made, fetched by its id, and what is wrong with what it shows. A vendor with an idempotency key
(`keyed`) may be sent the same thing twice. With all others an unknown outcome is followed by a look, and before a later attempt makes
anything, by a second look after `shows_within`: a listing may lag behind what was made.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar

from activities.action import Call, Effect, NotYet, Order, Patience, Refused, Risk, RiskOf, Role, System
from activities.kit.clock import Clock, RealClock
from activities.kit.fence import attempts, refuse_when_late
from activities.kit.pulse import beating
from activities.kit.verbs import arguments, derive

SOON = timedelta(seconds=1)

O = TypeVar("O", bound=Order)
X = TypeVar("X")


@dataclass(frozen=True)
class There(Generic[X]):
    """It exists, once: as it was read back, and whether it was there already."""

    found: X
    adopted: bool


async def once(
    call: Call,
    what: str,
    find: Callable[[], Awaitable[X | None]],
    make: Callable[[], Awaitable[Any]],
    fetch: Callable[[Any], Awaitable[X | None]] | None = None,
    *,
    missing: Callable[[X], str] = lambda _: "",
    look_later: Callable[[], Awaitable[None]] | None = None,
) -> There[X]:
    """Find a thing, or make it and read it back, by the id that `make` returned where there is `fetch`. `what`: what it is, for people.

    `look_later`: how a later attempt waits, before it looks again and makes anything. Raises `Refused` when the vendor says no, `NotYet`
    when it took it and does not show it.
    """
    found = await find()
    if found is None and look_later is not None and attempts(call) > 1:
        await look_later()
        found = await find()
    adopted = found is not None
    if found is None:
        refuse_when_late()
        try:
            id = await make()
        except (Refused, NotYet):
            raise
        except Exception:
            found = await find()
            if found is None:
                raise
        else:
            found = await (fetch(id) if fetch else find())
    if found is None:
        raise NotYet(f"accepted, but {what} does not show it", after=SOON)
    if wrong := missing(found):
        raise NotYet(f"accepted, but {wrong}", after=SOON)
    return There(found, adopted)


class CreateOnce(System, Generic[O, X]):
    """One kind of thing. `X` is what the vendor shows of it.

    With `name` it is a verb of its own (`create`); without, another system uses it by `once`.
    """

    keyed: ClassVar[bool] = False
    shows_within: ClassVar[timedelta] = timedelta(0)  # real time after which a listing surely has what was made
    clock: Clock = RealClock()

    def __init_subclass__(
        cls, *, name: str = "", risk: RiskOf = Risk.C0, asks: tuple[Role, ...] = (Role.OPS_LEAD,), patience: Patience | None = None,
        on_suspicion: bool = False, contains: bool = False,
    ) -> None:  # fmt: skip
        super().__init_subclass__()
        if name:
            order = arguments(cls, CreateOnce)[0]
            declared = {"asks": asks, "patience": patience, "on_suspicion": on_suspicion, "contains": contains}
            derive(cls, "create", CreateOnce.create, name, order, Effect, risk=risk, writes=True, **declared)

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
        return order.done("read back", adopted=there.adopted)

    # ---- what is derived ----

    async def create(self, order: O, call: Call) -> Effect:
        """There, once, and read back. Raises `Refused` when the vendor says no, `NotYet` when it took it and does not show it."""
        return await self.describe(call, order, await self.once(call, order))

    async def once(self, call: Call, order: O) -> There[X]:
        find, make, fetch = (partial(step, call, order) for step in (self.find, self.make, self.fetch))
        later = self._wait if self.shows_within and not self.keyed else None
        return await once(call, order.target(), find, make, fetch, missing=partial(self.missing, order), look_later=later)

    async def _wait(self) -> None:
        async with beating():
            await self.clock.sleep(self.shows_within)
