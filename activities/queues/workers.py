"""Workers: where they work, what they are doing, and one of them started anew (A.8 M6, M7; spec §9.8, Mitigation 6 and 7)."""

import json
import math
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Self

from activities.action import Call, Effect, NotYet, Order, Refused, Risk, Role, System, action
from activities.evidence.store import EvidenceStore
from activities.kit.clock import Clock
from activities.kit.operation import At, Operation, Progress
from activities.kit.rest import RestSetting
from activities.kit.setting import Change, Restore, SettingValue
from activities.kit.setting.write import SOON
from activities.kit.words.shell import address, command, curl, pipe
from activities.kit.words.urls import path
from activities.organisation.numbers import EvidenceHold
from activities.queues.control import BASE, TOKEN, Broker, JobsResource, QueueControl
from activities.queues.holding import ASKS, seen

STATES = {"unheard": At.UNHEARD, "running": At.RUNNING, "done": At.DONE, "failed": At.FAILED}


class AllotmentOf(JobsResource, path="allotment", called="where the workers work"):
    def target(self) -> str:
        return "workers/allotment"


class Allotment(SettingValue, effect="let the workers work for {self}", back="let the workers work for {self} again"):
    """Shares of the workers by queue: absolute, and all queues."""

    shares: dict[str, float]

    def __str__(self) -> str:
        return " / ".join(f"{name} {share:.0%}" for name, share in self.shares.items())

    def same(self, other: Self) -> bool:
        names = {*self.shares, *other.shares}
        return all(math.isclose(self.shares.get(name, 0.0), other.shares.get(name, 0.0), abs_tol=1e-6) for name in names)

    def lent(self, to: Sequence[str], by: Sequence[str], share: float) -> Self:
        """So much of what these have is lent to those, in equal parts."""
        given = sum(self.shares.get(name, 0.0) * share for name in by)
        changed = {
            name: one * (1 - share) if name in by else one + (given / len(to) if name in to else 0.0) for name, one in self.shares.items()
        }
        rounded = {name: round(one, 6) for name, one in changed.items()}
        first = next(iter(to))
        return self.model_copy(update={"shares": {**rounded, first: round(rounded[first] + 1 - sum(rounded.values()), 6)}})


class Allotments(
    RestSetting[AllotmentOf, Allotment], read="queues.allotment", change="queues.rebalance", restore="queues.balance_back", risk=Risk.C1,
    asks=ASKS,
):  # fmt: skip
    """Workers that are lent to what is critical."""

    def __init__(self, control: QueueControl) -> None:
        self.rest, self._control = control, control

    async def check(self, call: Call, order: Change[AllotmentOf, Allotment] | Restore[AllotmentOf, Allotment], to: Allotment) -> None:
        if isinstance(order, Change):
            now = (await self.look_at(call, order.of)).value
            work = await seen(self._control, call)
            robbed = [
                one.name for one in work.queues if not one.deferrable and to.shares.get(one.name, 0.0) < now.shares.get(one.name, 0.0)
            ]
            if robbed:
                raise Refused(f"{', '.join(robbed)} would have fewer workers: only what is deferrable lends them")

    async def shown(self, call: Call, of: AllotmentOf, value: Allotment) -> str:
        work = await seen(self._control, call)
        return ", ".join(f"{one.name} has {one.workers}" for one in work.queues if one.workers is not None)


LENT = Allotments.measure("workers lent")


class StacksOf(Order, target="workers/{workers}", effect="keep what {workers} are doing, thread by thread, as evidence"):
    """Before anything of them is restarted (A.8 M7)."""

    undone = "nothing to undo: it only looks; what is kept stays"

    incident_id: str
    workers: tuple[str, ...]
    broker: Broker = "queue control"
    held_for: timedelta = EvidenceHold().held_for  # real time

    def by_hand(self) -> tuple[str, ...]:
        if self.broker != "queue control":
            return (pipe(command("celery", "-A", "workers", "inspect", "active"), command("tee", "stacks.txt"), command("sha256sum")),)
        lines = (
            curl("GET", address(BASE, path("v1", "workers", one, "stacks")), ("Authorization: Bearer ", TOKEN)) for one in self.workers
        )
        return tuple(pipe(line, command("tee", "-a", "stacks.txt"), command("sha256sum")) for line in lines)


class JobsCopy(
    Order, target="queue/{queue}/copy", effect="keep a copy of {count} jobs of {queue} as evidence, with their ids",
):  # fmt: skip
    """Before anything of them is parked. `before_age`: those at least so old; otherwise those of these ids."""

    undone = "nothing to undo: it only reads the queue; what is kept stays"

    incident_id: str
    queue: str
    ids: tuple[str, ...] = ()
    before_age: timedelta | None = None
    count: int = 0
    held_for: timedelta = EvidenceHold().held_for  # real time

    def by_hand(self) -> tuple[str, ...]:
        said = curl("GET", address(BASE, path("v1", "queues", self.queue, "jobs"), "limit=10000"), ("Authorization: Bearer ", TOKEN))
        return (pipe(said, command("tee", "jobs.json"), command("sha256sum")),)


class QueueEvidence(System):
    """What workers do and what waits, kept before it is changed. What is in a job goes to the evidence store, and nowhere else."""

    def __init__(self, control: QueueControl, store: EvidenceStore) -> None:
        self._control, self._store = control, store

    @action("evidence.stacks", writes=True)
    async def stacks(self, order: StacksOf, call: Call) -> Effect:
        """Kept once, and read back."""
        raw = [await self._control.get(call, path("v1", "workers", one, "stacks")) for one in order.workers]
        return await self._kept(call, order, "workers/stacks", raw, order.held_for)

    @action("evidence.jobs", writes=True)
    async def jobs(self, order: JobsCopy, call: Call) -> Effect:
        """A copy of what is meant, kept once, and read back."""
        rows = (await self._control.get(call, path("v1", "queues", order.queue, "jobs"), limit=10_000))["jobs"]
        old = order.before_age
        meant = [row for row in rows if row["id"] in order.ids or (old and (row["age_seconds"] or 0.0) >= old.total_seconds())]
        return await self._kept(call, order, f"queues/{order.queue}", meant, order.held_for)

    async def _kept(self, call: Call, order: Order, name: str, rows: list[Any], held_for: timedelta) -> Effect:
        kept = await self._store.keep(call, name, json.dumps(rows, sort_keys=True).encode(), held_until=call.at + held_for)
        return order.done(
            "the store shows what was written, with the same hash", f"{len(rows)} kept; {kept.summary}", adopted=kept.adopted,
            after={"count": len(rows), **kept.model_dump(mode="json", exclude={"adopted"})},
        )  # fmt: skip


class RestartWorker(Order, target="worker/{worker}", effect="end {worker} and start it anew; what it holds is delivered again"):
    """One worker that makes no progress. `stacks`: where what it was doing was kept before (sha256). `generation`: the one that is ended."""

    undone = "nothing to undo: the next generation works; what it held is delivered again under the same id"

    worker: str
    generation: int
    stacks: str
    broker: Broker = "queue control"

    def by_hand(self) -> tuple[str, ...]:
        if self.broker != "queue control":
            return (command("celery", "-A", "workers", "control", "shutdown", "-d", self.worker),)
        to = address(BASE, path("v1", "workers", self.worker, "restarts"))
        return (curl("POST", to, ("Authorization: Bearer ", TOKEN), body={"key": "by-hand"}),)


class Restarts(Operation[RestartWorker], name="queues.restart", risk=Risk.C2, asks=(Role.OPS_LEAD, Role.INCIDENT_COMMANDER)):
    """Restarts of one worker each, known by their generation."""

    def __init__(self, control: QueueControl, clock: Clock) -> None:
        self._control, self.clock = control, clock

    async def precondition(self, call: Call, order: RestartWorker) -> None:
        if not order.stacks:
            raise Refused("no worker is restarted before what it is doing was kept: nobody could say afterwards why it stood still")
        now = next((one for one in (await seen(self._control, call)).workers if one.name == order.worker), None)
        if now is not None and now.generation > order.generation:
            raise Refused(f"{order.worker} is at generation {now.generation} already: it was restarted since")

    async def find(self, call: Call, order: RestartWorker) -> str | None:
        found = (await self._control.get(call, "/v1/restarts", key=call.key))["restarts"]
        return str(found[0]["id"]) if found else None

    async def start(self, call: Call, order: RestartWorker) -> str:
        return str((await self._control.restart(call, order.worker))["id"])

    async def status(self, call: Call, order: RestartWorker, id: str) -> Progress:
        now = await self._control.get(call, path("v1", "restarts", id))
        return Progress(at=STATES.get(now["state"], At.UNKNOWN), says=f"generation {now['generation']}")

    async def verify(self, call: Call, order: RestartWorker, id: str) -> str:
        now = next((one for one in (await seen(self._control, call)).workers if one.name == order.worker), None)
        if now is None or not now.answered or now.generation <= order.generation:
            raise NotYet(f"{order.worker} has not come back yet", after=SOON)
        return f"{order.worker} answers, at generation {now.generation}"
