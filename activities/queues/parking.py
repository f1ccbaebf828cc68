"""Jobs that are taken out of a queue and kept, and put back under their ids (spec §8 S-DLQ, S-EXPIRE; A.8 M3, M8). Nothing is ever purged.

A poisoned job is parked alone. A whole queue may be parked instead of being purged. Jobs that nobody needs any more are parked as expired, on
the word of two people, after an export. All of it is undone by the same call: what is not meant any more goes back to its queue.
"""

from datetime import datetime
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, field_validator

from activities.action import Call, Limits, NotYet, Refused, Risk, Role
from activities.kit.rest import Json
from activities.kit.setting import Change, Reading, Restore, SettingValue
from activities.kit.setting.write import SOON
from activities.queues.control import Broker, QueueControl, one_queue
from activities.queues.holding import OfQueue, QueueSetting, queue
from activities.queues.numbers import QueueBacklog

Bin = Literal["poison", "whole", "expired"]
FEW = 20  # jobs that are parked by one unasked step


class ParkingOf(OfQueue, path="queues/{queue}/parked/{bin}", called="what is parked of {queue} as {bin}"):
    bin: Bin

    def body(self, value: Any) -> Json:
        sent: Json = value.model_dump(mode="json", include={"ids", "before", "everything"})
        return sent


class Parked(SettingValue):
    """Which jobs are kept out: by id, what was enqueued before an instant, or everything. None: nothing is.

    `attempts`: how often they were begun, `evidence`: where a copy was kept before. `owner`: whose jobs they are.
    """

    volatile: ClassVar[frozenset[str]] = frozenset({"attempts", "count"})

    ids: tuple[str, ...] = Field(default=(), max_length=1000)
    before: datetime | None = None
    everything: bool = False
    attempts: int = 0
    count: int | None = None
    evidence: str = ""
    owner: str = ""

    @field_validator("ids")
    @classmethod
    def sorted_ids(cls, ids: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted(set(ids)))

    @property
    def nothing(self) -> bool:
        return not (self.ids or self.before or self.everything)

    def __str__(self) -> str:
        if self.everything:
            return "everything"
        said = ", ".join(self.ids[:3]) + (f" and {len(self.ids) - 3} more" if len(self.ids) > 3 else "")
        before = f"what was enqueued before {self.before:%Y-%m-%d %H:%M:%S} UTC" if self.before else ""
        return " and ".join(filter(None, (said, before))) or "nothing"

    def same(self, other: Self) -> bool:
        return (self.ids, self.before, self.everything) == (other.ids, other.before, other.everything)

    def both(self, other: Self) -> Self | None:
        if self.before != other.before:
            return None
        ids = tuple({*self.ids, *other.ids})
        evidence = self.evidence and other.evidence  # both copies are kept: one that is missing is missing
        known = {"attempts": min(self.attempts, other.attempts), "evidence": evidence}
        return self.model_copy(update={**known, "ids": tuple(sorted(ids)), "everything": self.everything or other.everything})

    def effect(self, of: ParkingOf) -> str:
        if self.nothing:
            return f"put back into {of.queue} what was parked of it as {of.bin}, under the same ids"
        why = {"poison": f", which were begun {self.attempts} times and more", "whole": "", "expired": ", which nobody needs any more"}[
            of.bin
        ]
        copy = f"; a copy is in the evidence ({self.evidence[:12]})" if self.evidence else ""
        return f"park {self} of {of.queue}{why}, under their ids{copy}; nothing is deleted"

    def back(self, of: ParkingOf) -> str:
        if self.nothing:
            return self.effect(of)
        return f"keep {self} of {of.queue} parked as {of.bin}: what else is there goes back into the queue, under the same ids"


def _risk(order: Change[ParkingOf, Parked] | Restore[ParkingOf, Parked], limits: Limits) -> Risk:
    """A few poisoned jobs: narrow. A whole queue: broad. To let jobs expire takes two people; jobs go back only on a word."""
    if isinstance(order, Restore):
        return Risk.C2
    if order.of.bin == "expired":
        return Risk.C3
    return Risk.C1 if order.of.bin == "poison" and len(order.wanted.ids) <= FEW and not order.wanted.everything else Risk.C2


class Parkings(
    QueueSetting[ParkingOf, Parked], read="queues.parked", change="queues.park", restore="queues.requeue", risk=_risk,
    asks=(Role.INCIDENT_COMMANDER, Role.OPS_LEAD),
):  # fmt: skip
    """Jobs that are kept, proven by counting them: before, what waits; after, what waits and what is parked."""

    def __init__(self, control: QueueControl) -> None:
        self.rest, self._control = control, control

    def understood(self, of: ParkingOf, said: Any) -> Any:
        value = Parked(ids=tuple(said["ids"]), before=said["before"], everything=said["everything"])
        return Reading[Parked](value=value, version=said["etag"], changed_by=said.get("changed_by", ""))

    async def check(self, call: Call, order: Change[ParkingOf, Parked] | Restore[ParkingOf, Parked], to: Parked) -> None:
        now = await queue(self._control, call, order.of.queue)
        if isinstance(order, Restore):
            if now.idempotent is None:
                raise Refused(f"nobody knows whether jobs of {now.name} may be done twice: its owner decides whether they are replayed")
            return
        if order.of.bin == "poison" and to.attempts < QueueBacklog().poison_attempts:
            raise Refused(f"poison was begun {QueueBacklog().poison_attempts} times and more; these were begun {to.attempts} times")
        if order.of.bin != "whole" and not to.evidence and not to.nothing:
            raise Refused("nothing is parked as poison or as expired before a copy of it is in the evidence")

    async def prove(self, call: Call, order: Change[ParkingOf, Parked], now: object) -> str:
        """Those that are meant wait no more, and are parked."""
        of, wanted = order.of, order.wanted
        parked = await self._ids(call, of, bin=of.bin)
        waiting = await self._ids(call, of)
        left = set(wanted.ids) & waiting if not wanted.everything else waiting
        if left and wanted.ids:
            raise NotYet(f"accepted, but {len(left)} of them still wait in {of.queue}", after=SOON)
        missing = set(wanted.ids) - parked - waiting
        gone = f", {len(missing)} were done or given up meanwhile" if missing else ""
        return f"{len(parked)} are parked, {len(waiting)} wait in {of.queue}{gone}; none is in both" if not parked & waiting else "in both"

    async def _ids(self, call: Call, of: ParkingOf, bin: str = "") -> set[str]:
        where = f"/v1/queues/{one_queue(of.queue)}/" + ("parked" if bin else "jobs")
        asked: dict[str, Any] = {"bin": bin} if bin else {"limit": 10_000}
        return {str(row["id"]) for row in (await self._control.get(call, where, **asked))["jobs"]}


PARKED = Parkings.measure("parked", sticky=True)


def park(of: str, bin: Bin, wanted: Parked, broker: Broker = "queue control", why: str = "") -> Change[ParkingOf, Parked]:
    return Parkings.order(ParkingOf(queue=of, bin=bin, broker=broker), wanted, why=why)
