"""What all routes of queues and workers share."""

from __future__ import annotations

from practice.http.face import Call
from practice.http.own_api import own_api
from practice.jobs.work import Queue, Work

FACE = own_api(
    "jobs",
    "Queues and workers of our own product: what waits, who works, whose jobs they are; what of it is held back, parked or moved. "
    "Nothing is ever deleted here: what is taken out of a queue is parked, under its id.",
)


def work_of(call: Call) -> Work:
    """As it is. Whoever writes lets every job be followed from now on."""
    return call.state.part(Work)


def queue_of(call: Call) -> Queue:
    found = work_of(call).queues.get(call.path["queue"])
    if found is None:
        raise call.refuse(404, f"there is no queue {call.path['queue']}")
    return found


def tenant_of(call: Call) -> str:
    name = call.path["tenant"]
    if name not in call.state.tenants:
        raise call.refuse(404, f"there is no tenant {name}")
    return name
