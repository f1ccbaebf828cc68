"""`/rabbitmq`: RabbitMQ's management API, as far as queues are looked at (rabbitmq.com/docs/http-api-reference)."""

from __future__ import annotations

from practice.http.face import Call, Face, Reply
from practice.jobs.meters import USUAL_DEPTH
from practice.jobs.work import Queue, Work
from practice.world.state import JSON


def _problem(status: int, message: str) -> Reply:
    errors = {401: "not_authorised", 404: "Object Not Found"}
    return Reply({"error": errors.get(status, "bad_request"), "reason": message}, status)


FACE = Face(
    "rabbitmq",
    authorised=lambda headers: headers.get("authorization", "").startswith("Basic "),
    refused=_problem,
    invalid=lambda problems: _problem(400, "; ".join(problems)),
    unauthorised=lambda headers: _problem(401, "Not_Authorized"),
    throttled=lambda: _problem(429, "slow down"),
)


@FACE.reads("queues.list", "/rabbitmq/api/queues/{vhost}")
def queues(call: Call) -> Reply:
    work = call.state.part(Work)
    parked = [_row(call, name.replace("/", ".parked."), len(one.jobs), 0) for name, one in work.parked.items()]
    return Reply([*(_queue(call, work, one) for one in work.queues.values()), *parked])


def _queue(call: Call, work: Work, queue: Queue) -> JSON:
    ready, held = len(queue.waiting) if work.touched else int(USUAL_DEPTH), sum(one.job.queue == queue.name for one in work.held)
    rates = work.rates[queue.name]
    done = "ack" if queue.acks else "deliver_no_ack"
    told = {"publish": rates["arrived"], "ack": 0.0, done: rates["completed"], "redeliver": rates["retried"]}
    stats = {f"{what}_details": {"rate": rate} for what, rate in told.items()}
    stamp = {"head_message_timestamp": int(min(job.at for job in queue.waiting)) if queue.stamped and queue.waiting else None}
    return {**_row(call, queue.name, ready, held), **stamp, "consumers": len(work.mine(queue.name)), "message_stats": stats}


def _row(call: Call, name: str, ready: int, held: int) -> JSON:
    return {
        "name": name, "vhost": call.path["vhost"], "durable": True, "auto_delete": False, "exclusive": False, "arguments": {},
        "type": "classic", "state": "running", "messages": ready + held, "messages_ready": ready, "messages_unacknowledged": held,
        "consumers": 0, "head_message_timestamp": None,
    }  # fmt: skip
