"""Writes are stopped when they are not safe, beside everything else that is done (spec §9.1, A.1 T4 and M5)."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from temporalio import workflow

from activities.kit.setting import Change
from activities.organisation.catalogue import Deployed
from activities.write_gate.write_gate import READ_ONLY, WriteGate, WriteGateOf, WriteGates, Writes, WriteSafety, read_only
from workflows.engine.verbs import Verbs
from workflows.errors import HandOver


class WriteGuard:
    """`known`: what triage has read of the write gate."""

    def __init__(self, verbs: Verbs, service: Deployed, known: Callable[[], WriteGate | None]) -> None:
        self._verbs = verbs
        self._numbers = verbs.policy.production_outage
        self._service = service
        self._known = known
        self._read_again: WriteGate | None = None
        self._rereads = 0
        self._data_suspected = False
        self._decided = False

    @property
    def gate(self) -> WriteGate | None:
        return self._read_again if self._rereads else self._known()

    def surveyed(self) -> None:
        """Triage has read it anew."""
        self._rereads = 0

    @property
    def unsafe(self) -> bool:
        """Whether what is written now may be inconsistent, and writes still go on (A.1 T4)."""
        unsafe = self.gate is not None and self.gate.safety is WriteSafety.UNSAFE
        return unsafe and not self._verbs.in_force(READ_ONLY)

    @asynccontextmanager
    async def active(self) -> AsyncIterator[None]:
        """While the block lasts: ask for read-only, or set it, as soon as writes are not safe."""
        guard = asyncio.create_task(self._guard())
        try:
            yield
        except (Exception, asyncio.CancelledError):
            await _stopped(guard)
            raise
        if self._verbs.in_force(READ_ONLY):
            await guard  # what was begun comes to its end
        else:
            await _stopped(guard)  # a question that is still open is withdrawn
            if not guard.cancelled():
                guard.result()  # what broke the guard is not lost

    async def before_repair(self) -> None:
        """Data is repaired only once it is decided whether writes go on (spec §9.1, Order)."""
        self._data_suspected = True
        await workflow.wait_condition(lambda: self._decided)

    async def _guard(self) -> None:
        """Unsafe, or unknown for ten minutes, which counts as unsafe (A.1 T4). A *no* is final: it is asked once."""
        verbs = self._verbs
        unknown_until = verbs.state.declared_at + verbs.policy.paced(self._numbers.unknown_is_unsafe_after)
        try:
            while not (self.unsafe or self._data_suspected):
                if await self._unknown() and workflow.now() >= unknown_until:
                    break
            await verbs.impose(READ_ONLY, self._read_only(), authorised=True)
        except HandOver as by_hand:
            verbs.note(f"read-only: {by_hand}", "by hand")
        finally:
            self._decided = True

    async def _unknown(self) -> bool:
        """Wait until writes are known to be unsafe, or read the gate again after a while. True: nobody can say whether they are safe."""
        verbs = self._verbs
        every = None if verbs.state.rehearsing else verbs.policy.paced(self._numbers.writes_looked_at)
        try:
            await workflow.wait_condition(
                lambda: self.unsafe or self._data_suspected, timeout=every, timeout_summary="whether writes are safe"
            )
        except TimeoutError:
            self._read_again = await verbs.try_to_read(WriteGates.read, WriteGates.look(WriteGateOf(service=self._service.name)))
            self._rereads += 1
        return self.gate is None or self.gate.safety is WriteSafety.UNKNOWN

    def _read_only(self) -> Change[WriteGateOf, Writes]:
        why = "; ".join(self.gate.why_unsafe() if self.gate else ()) or "nobody can say whether writes are safe"
        return read_only(self._service.name, self._service.regions, why, self._verbs.policy.mitigation)


async def _stopped(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
