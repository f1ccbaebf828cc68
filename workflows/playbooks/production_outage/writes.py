"""Writes are stopped when they are not safe, beside everything else that is done (spec §9.1, A.1 T4 and M5)."""

from typing import Self

from activities.organisation.catalogue import Deployed
from activities.write_gate.write_gate import READ_ONLY, WriteGate, WriteGateOf, WriteGates, WriteSafety, read_only
from workflows.engine.verbs import Verbs
from workflows.errors import HandOver
from workflows.people.background import beside


class WriteGuard:
    def __init__(self, verbs: Verbs, service: Deployed) -> None:
        self._verbs, self._service, self._numbers = verbs, service, verbs.policy.production_outage
        self.gate: WriteGate | None = None  # as it was read last; None: unknown
        self._data_suspected = self._decided = self._declined = False
        self._every = None if verbs.rehearsing else verbs.policy.paced(self._numbers.writes_looked_at)

    @property
    def unsafe(self) -> bool:
        """Whether what is written now may be inconsistent, and writes still go on (A.1 T4)."""
        unsafe = self.gate is not None and self.gate.safety is WriteSafety.UNSAFE
        return unsafe and not self._verbs.in_force(READ_ONLY)

    def guarded(self) -> Self:
        """While the block lasts: ask for read-only, or set it, as soon as writes are not safe. No generator, for the reason that `Beside` has."""
        return self

    async def __aenter__(self) -> None:
        self._data_suspected = self._decided = False
        self._guarding = beside(self._guard())
        self._task = await self._guarding.__aenter__()

    async def __aexit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if kind is None and not self._task.done():
            await self._still_unsafe()
        if kind is None and self._verbs.in_force(READ_ONLY):
            await self._task  # what was begun comes to its end; a question that is still open is withdrawn
        await self._guarding.__aexit__(kind, *error)
        if kind is None and not self._task.cancelled():
            self._task.result()  # what broke the guard is not lost

    async def _still_unsafe(self) -> None:
        """The symptom has ended. Whether writes go on is still to be decided, for so long as they are not safe."""
        while self.unsafe:
            await self._read()
            if not self.unsafe or await self._verbs.waited(self._task.done, self._every, "whether writes are safe again"):
                return

    async def _read(self) -> None:
        self.gate = await self._verbs.try_to_read(WriteGates.read, WriteGates.look(WriteGateOf(service=self._service.name)))

    async def decided(self) -> None:
        """Data is repaired only once it is decided whether writes go on (spec §9.1, Order)."""
        self._data_suspected = True
        await self._verbs.waited(lambda: self._decided)

    async def _guard(self) -> None:
        """Unsafe, or unknown for ten minutes, which counts as unsafe (A.1 T4). A *no* is final: it is asked once."""
        verbs = self._verbs
        unknown_until = verbs.declared_at + verbs.policy.paced(self._numbers.unknown_is_unsafe_after)
        try:
            while not (self.unsafe or self._data_suspected):
                if not await verbs.waited(lambda: self.unsafe or self._data_suspected, self._every, "whether writes are safe"):
                    await self._read()
                unknown = self.gate is None or self.gate.safety is WriteSafety.UNKNOWN
                if unknown and verbs.clock() >= unknown_until:
                    break
            why = "; ".join(self.gate.why_unsafe() if self.gate else ()) or "nobody can say whether writes are safe"
            order = read_only(self._service.name, self._service.regions, why, verbs.policy.mitigation)
            if not self._declined:
                self._declined = (await verbs.impose(READ_ONLY, order, authorised=True)).declined
        except HandOver as by_hand:
            verbs.note(f"read-only: {by_hand}", "by hand")
        finally:
            self._decided = True
