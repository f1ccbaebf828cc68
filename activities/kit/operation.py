"""Something that is started once and takes its time: a rollout, a promotion, a rebuild, an eval run, a drain, an export.

Starting once, polling with a heartbeat that carries where we are, going on after a crash, verifying and telling *unknown* are derived.
"""

from datetime import timedelta
from enum import StrEnum
from functools import partial
from typing import ClassVar, Generic, TypeVar

from pydantic import JsonValue
from temporalio import activity

from activities.action import Call, Effect, NotYet, Order, Patience, Refused, Risk, RiskOf, Role, System, Value
from activities.kit.clock import Clock, RealClock
from activities.kit.create_once import SOON, once
from activities.kit.fence import by_now, refuse_when_late
from activities.kit.pulse import beating
from activities.kit.verbs import arguments, derive

O = TypeVar("O", bound=Order)


class At(StrEnum):
    """How far an operation is. Unknown is a value: it is neither done nor failed. Unheard: it surely has not begun, because nobody heard it."""

    UNHEARD = "unheard"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Progress(Value):
    """How far it is, and what the system says of it."""

    at: At
    says: str = ""
    after: dict[str, JsonValue] = {}


class Operation(System, Generic[O]):
    """One kind of operation. Its id is what the system calls a run of it."""

    looks_every: ClassVar[timedelta] = timedelta(seconds=2)  # real time between two looks
    unknown_for: ClassVar[int] = 5  # so many looks in a row that say nothing end the attempt
    shows_within: ClassVar[timedelta] = timedelta(0)  # real time after which a listing surely has what was started
    clock: Clock = RealClock()

    def __init_subclass__(
        cls, *, name: str = "", risk: RiskOf = Risk.C2, asks: tuple[Role, ...] = (Role.OPS_LEAD,), patience: Patience = Patience.WATCH,
        on_suspicion: bool = False, contains: bool = False,
    ) -> None:  # fmt: skip
        """`on_suspicion`, `contains`: as in `Action`."""
        super().__init_subclass__()
        if name:
            order, told = arguments(cls, Operation)[0], {"on_suspicion": on_suspicion, "contains": contains}
            derive(cls, "run", Operation.run, name, order, Effect, risk=risk, asks=asks, patience=patience, writes=True, **told)

    # ---- what a system declares ----

    async def precondition(self, call: Call, order: O) -> None:
        """Just before it is started: raises `Refused` when it must not be, `NotYet` when it may be later."""

    async def find(self, call: Call, order: O) -> str | None:
        """The id of the run with our key (`call.key`), whatever became of it. None only when there surely is none."""
        raise NotImplementedError

    async def start(self, call: Call, order: O) -> str:
        """Start it under our key. Returns the id of the run. What was not heard is started again by the same call."""
        raise NotImplementedError

    async def status(self, call: Call, order: O, id: str) -> Progress:
        """How far a run is."""
        raise NotImplementedError

    async def verify(self, call: Call, order: O, id: str) -> str:
        """See what it brought about, and say where. Raises `NotYet` until it shows."""
        raise NotImplementedError

    # ---- what is derived ----

    async def run(self, order: O, call: Call) -> Effect:
        """Started once, done, and verified. Raises `Refused` when it failed, `NotYet` when nobody can say how far it is."""
        told = activity.info().heartbeat_details if activity.in_activity() else ()
        known = [one for one in told[:1] if isinstance(one, str)]  # what cannot be read says nothing: it is looked for by its key
        async with beating(lambda: tuple(known[:1])):
            id, adopted = (known[0], True) if known else await self._begun(call, order)
            known[:] = [id]
            done = await self._done(call, order, id)
            seen = await self.verify(by_now(call), order, id)
        summary = order.effect() + (f"; {done.says}" if done.says else "")
        return order.done(seen, summary, adopted=adopted, after={"id": id, **done.after})

    async def _begun(self, call: Call, order: O) -> tuple[str, bool]:

        async def start() -> str:
            await self.precondition(by_now(call), order)
            refuse_when_late()
            return await self.start(call, order)

        async def started(id: str) -> str:
            return id

        later = partial(self.clock.sleep, self.shows_within) if self.shows_within else None
        there = await once(call, order.target(), partial(self.find, call, order), start, started, look_later=later)
        return there.found, there.adopted

    async def _done(self, call: Call, order: O, id: str) -> Progress:
        unknown = 0
        while True:
            now = await self.status(call, order, id)
            if now.at is At.DONE:
                return now
            if now.at is At.FAILED:
                raise Refused(f"{order.effect()} has failed: {now.says or 'the system does not say why'}")
            unknown = unknown + 1 if now.at is At.UNKNOWN else 0
            if unknown >= self.unknown_for:
                raise NotYet(f"nobody can say how far it is: {now.says or 'no answer'}", after=SOON)
            if now.at is At.UNHEARD:
                refuse_when_late()
                await self.start(call, order)
            await self.clock.sleep(self.looks_every)
