"""One queue for each dedup key: alerts of one incident are told in the order in which they came, and no incident waits for another."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from activities.ledger.inbox import AlertRecord, Delivery
from starters.alerts.cases import Case

log = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 5.0  # seconds between two tries


@dataclass
class Progress:
    """One delivery that is being brought to its incidents, and what became of its alerts so far, by dedup key."""

    delivery: Delivery
    groups: dict[str, list[Case]]
    why: str = ""  # it cannot be read
    again: bool = False  # it was counted when it came
    settled: dict[str, list[AlertRecord]] = field(default_factory=dict)

    @property
    def waits(self) -> bool:
        return self.groups.keys() != self.settled.keys()


class Turn:
    """The alerts of one delivery for one key, until an incident has been told of all of them."""

    def __init__(self, progress: Progress, key: str) -> None:
        self.progress, self.key, self.again = progress, key, progress.again
        self.tried: asyncio.Future[list[AlertRecord]] = asyncio.get_running_loop().create_future()

    @property
    def cases(self) -> list[Case]:
        return self.progress.groups[self.key]

    def waiting(self) -> list[AlertRecord]:
        return [case.record.model_copy(update={"disposition": "unreachable"}) for case in self.cases]

    def answer(self, records: list[AlertRecord]) -> None:
        """What whoever asked now is told; it may go on waiting after that."""
        if not self.tried.done():
            self.tried.set_result(records)


@dataclass
class Queue:
    turns: deque[Turn] = field(default_factory=deque)
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class Queues:
    """`serve` does one turn: True when it is done, False when it has to wait."""

    def __init__(self, serve: Callable[[Turn], Awaitable[bool]]) -> None:
        self._serve = serve
        self._queues: dict[str, Queue] = {}

    def put(self, progress: Progress, key: str) -> Turn:
        """Queue it, and try at once. What waits there already is not queued a second time."""
        queue = self._queues.setdefault(key, Queue())
        turn = next((turn for turn in queue.turns if turn.progress is progress), None)
        if turn is None:
            turn = Turn(progress, key)
            queue.turns.append(turn)
        elif turn.tried.done():
            turn.tried = asyncio.get_running_loop().create_future()
        queue.woken.set()
        if queue.task is None:
            queue.task = asyncio.create_task(self._run(key, queue))
        return turn

    def wake(self) -> None:
        """What all of them waited for is back."""
        for queue in self._queues.values():
            queue.woken.set()

    async def close(self) -> None:
        """Stop. What still waits is in the inbox."""
        tasks = [queue.task for queue in self._queues.values() if queue.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, key: str, queue: Queue) -> None:
        pause = FIRST_PAUSE
        while queue.turns:
            queue.woken.clear()
            if await self._done(queue.turns[0]):
                queue.turns.popleft()
                pause = FIRST_PAUSE
                continue
            for turn in queue.turns:
                turn.answer(turn.waiting())
            with suppress(TimeoutError):
                await asyncio.wait_for(queue.woken.wait(), pause)
            pause = min(pause * 2, LONGEST_PAUSE)
        del self._queues[key]

    async def _done(self, turn: Turn) -> bool:
        try:
            return await self._serve(turn)
        except Exception:
            log.exception("the alerts of delivery %s wait", turn.progress.delivery.id)
            return False
