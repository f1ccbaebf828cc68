"""RabbitMQ by its management API (rabbitmq.com/docs/management): depths, rates, what is in flight, and the age of the oldest message, where
its producer stamps it (`head_message_timestamp`).

It only looks. A message can be seen there only by delivering it, and consumers are told to pause by whoever runs them: what our contract asks
beyond that is refused in words, and becomes a task for a person. A queue that the broker does not list is unknown.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from activities.action import Call, NotYet, Refused
from activities.kit.http import HttpClient
from activities.kit.rest import Json
from activities.kit.words.urls import path as joined
from activities.queues.celery import Catalogued
from activities.queues.control import Broker, QueueControl

DONE = ("ack", "deliver_no_ack", "get_no_ack")
CLOCKS_DIFFER = 60.0  # seconds
BINS = ("poison", "whole", "expired")
SHOWS = "RabbitMQ shows a message only by delivering it: look with whoever runs the consumers"
UNABLE = "RabbitMQ's management API does not do this: whoever runs the consumers does (`celery control`, or the consumers' own)"


class RabbitMQ(QueueControl):
    """One virtual host. Rates are the broker's own."""

    broker: ClassVar[Broker] = "rabbitmq"

    def __init__(self, http: HttpClient, vhost: str, queues: Catalogued) -> None:
        super().__init__(http)
        self._vhost, self._known = vhost, queues

    async def get(self, call: Call, path: str, **asked: Any) -> Json:
        match path.strip("/").split("/")[1:]:
            case ["work"]:
                listed = await self._listed(call)
                queues = [_queue(name, self._known, listed, call.at) for name in self._known]
                pool = {"workers": None, "most": None, "running": None}
                return {"queues": queues, "workers": [], "pool": pool, "downstream": {}, "db_connections_free": None}
            case ["census"]:
                return self._census(await self._listed(call))
            case ["queues", _, "jobs"] | ["queues", _, "parked"]:
                raise Refused(SHOWS)
        raise Refused(UNABLE)

    async def put(self, call: Call, path: str, etag: str, body: Json) -> None:
        raise Refused(UNABLE)

    async def restart(self, call: Call, worker: str) -> Json:
        raise Refused(UNABLE)

    async def _listed(self, call: Call) -> dict[str, Json]:
        said = (await self._http.read(call, joined("api", "queues", self._vhost))).json()
        listed = {str(one["name"]): one for one in said}
        if down := sorted(name for name in self._known if listed.get(name, {}).get("state") not in (None, "running", "flow", "idle")):
            raise NotYet(f"{', '.join(down)} is not running at the broker: what waits there is unknown")
        return listed

    def _census(self, listed: Mapping[str, Json]) -> Json:
        """Counts by queue. Which message is where the broker does not say."""
        parked = [f"{name}.parked.{bin}" for name in self._known for bin in BINS]
        return {
            "arrived": None, "completed": None, "waiting": sum(_count(listed, name, "messages_ready") or 0 for name in self._known),
            "in_flight": sum(_count(listed, name, "messages_unacknowledged") or 0 for name in self._known),
            "parked": sum(_count(listed, name, "messages") or 0 for name in parked), "lost": None, "doubled": None,
        }  # fmt: skip


def _count(listed: Mapping[str, Json], name: str, what: str) -> int | None:
    found = listed.get(name, {}).get(what)
    return None if found is None else int(found)


def _rate(row: Json, what: str) -> float | None:
    found = (row.get("message_stats") or {}).get(f"{what}_details", {}).get("rate")
    return None if found is None else float(found)


def _done(row: Json) -> float | None:
    """Per second. A consumer that acknowledges nothing is done with a message when it has it."""
    known = [rate for what in DONE if (rate := _rate(row, what)) is not None]
    return sum(known) if known else None


def _age(row: Json, depth: int | None, at: datetime) -> float | None:
    """Of the oldest message, in seconds, where its producer has stamped it; a stamp of the future says nothing."""
    if depth == 0:
        return 0.0
    stamped = row.get("head_message_timestamp")
    age = None if stamped is None else at.timestamp() - float(stamped)
    return None if age is None or age < -CLOCKS_DIFFER else max(0.0, age)


def _queue(name: str, known: Catalogued, listed: Mapping[str, Json], at: datetime) -> Json:
    kind, may_wait, owner, twice = known[name]
    row = listed.get(name, {})
    depth, done, again = _count(listed, name, "messages_ready"), _done(row), _rate(row, "redeliver")
    return {
        "name": name, "kind": kind, "owner": owner, "depth": depth, "depth_usual": None, "oldest_age_seconds": _age(row, depth, at),
        "objective_seconds": may_wait, "arrivals_per_second": _rate(row, "publish"), "arrivals_usual": None, "completions_per_second": done,
        "retry_share": None if done is None or again is None or done + again == 0 else again / (done + again), "expired_share": None,
        "in_flight": _count(listed, name, "messages_unacknowledged"), "idempotent": twice, "workers": row.get("consumers"),
        "parked": sum(_count(listed, f"{name}.parked.{bin}", "messages") or 0 for bin in BINS),
    }  # fmt: skip
