"""How many workers run (A.8 M6; spec §8 S-SCALE). More only help while what the jobs stand on has room: it is looked at again before each write."""

import json
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from activities.action import Call, Limits, Refused, Risk, Role
from activities.kit.rest import RestClient, RestResource, RestSetting
from activities.kit.setting import Change, Reading, Restore, SettingValue
from activities.kit.words.shell import Command, command
from activities.queues.control import BASE, TOKEN, QueueControl
from activities.queues.holding import seen

Scaler = Literal["pool control", "pool on kubernetes", "pool on cloud run"]


def by_platform(scaler: Scaler, name: str, workers: int | None) -> tuple[Command, ...]:
    """What a person types there; where it runs stands in the settings."""
    if scaler == "pool on kubernetes":
        look = command("kubectl", "get", f"hpa/{name}")
        bounds = json.dumps({"spec": {"minReplicas": workers}})
        return (look,) if workers is None else (command("kubectl", "patch", f"hpa/{name}", "--type=merge", f"--patch={bounds}"), look)
    look = command("gcloud", "run", "services", "describe", name)
    return (look,) if workers is None else (command("gcloud", "run", "services", "update", name, f"--min={workers}"), look)


class PoolControl(RestClient):
    """How many workers are wanted: by our own contract."""


class PoolOf(RestResource, path="pool", called="the workers of {pool}"):
    base, token, epochs = BASE, TOKEN, False

    pool: str
    scaler: Scaler = "pool control"

    def target(self) -> str:
        return f"pool/{self.pool}"

    def read_by_hand(self) -> tuple[str, ...]:
        return super().read_by_hand() if self.scaler == "pool control" else by_platform(self.scaler, self.pool, None)

    def write_by_hand(self, value: "Size", prior: object = None) -> tuple[str, ...]:
        if self.scaler == "pool control":
            return super().write_by_hand(value, prior)
        return by_platform(self.scaler, self.pool, value.workers)


class Size(SettingValue, says="{workers} workers", effect="run {self} for {of.pool}", back="run {self} for {of.pool} again"):
    """Workers that are wanted. The rest are the facts by which it was decided: `most` that may run, `fullest` of what the jobs stand on,
    `connections` of the database that are free, and how many one worker takes."""

    volatile: ClassVar[frozenset[str]] = frozenset({"most", "fullest", "connections", "each"})

    workers: int = Field(ge=0)
    most: int | None = None
    fullest: float | None = None
    connections: int | None = None
    each: int = 2

    def same(self, other: Self) -> bool:
        return self.workers == other.workers

    def both(self, other: Self) -> Self:
        return self if self.workers >= other.workers else other


class PoolSeen(Reading[Size]):
    """As it is: the most that may run, and how many do. None: nobody can say."""

    most: int | None = None
    running: int | None = None


def _risk(order: Change[PoolOf, Size] | Restore[PoolOf, Size], limits: Limits) -> Risk:
    """Unasked within the bounds, where somebody can say that there is room."""
    size = order.wanted if isinstance(order, Change) else order.left
    known = size.most is not None and size.fullest is not None and size.connections is not None
    return Risk.C1 if isinstance(order, Restore) or (known and size.workers <= (size.most or 0)) else Risk.C2


class WorkerPools(
    RestSetting[PoolOf, Size, PoolSeen], read="pools.read", change="pools.scale", restore="pools.scale_back", risk=_risk,
    asks=(Role.OPS_LEAD, Role.INCIDENT_COMMANDER),
):  # fmt: skip
    """Worker pools. Scaling into something that is full is refused, whoever asks."""

    def __init__(self, pools: PoolControl, control: QueueControl) -> None:
        self.rest, self._control = pools, control

    def understood(self, of: PoolOf, said: Any) -> PoolSeen:
        size = Size(workers=said["workers"])
        return PoolSeen(value=size, version=said["etag"], changed_by=said.get("changed_by", ""), most=said["most"], running=said["running"])

    async def check(self, call: Call, order: Change[PoolOf, Size] | Restore[PoolOf, Size], to: Size) -> None:
        now = await self.look_at(call, order.of)
        if isinstance(order, Restore) or to.workers <= now.value.workers:
            return
        if now.most is not None and to.workers > now.most:
            raise Refused(f"{to.workers} workers are more than the {now.most} that may run; the most must be raised first")
        work = await seen(self._control, call)
        full = work.fullest
        if full is not None and full[1] >= order.numbers.saturation:
            raise Refused(f"the {full[0]} is {full[1]:.0%} full: more workers would push the trouble there, and make it worse")
        more = (to.workers - now.value.workers) * to.each
        if work.db_connections_free is not None and more > work.db_connections_free:
            raise Refused(
                f"{more} more connections are needed, and the database has {work.db_connections_free} free; its most is never raised"
            )

    async def shown(self, call: Call, of: PoolOf, value: Size) -> str:
        """How many run: what has not been started yet is looked at by whoever waits for it."""
        now = await self.look_at(call, of)
        return f"{'nobody knows how many' if now.running is None else now.running} of {value.workers} run"


SCALED_POOL = WorkerPools.measure("workers scaled")
