"""Our own contract of queues and workers (docs/api/jobs.json). Other brokers' clients keep the same contract, as far as they can."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from activities.action import Call, Refused
from activities.kit.rest import Json, RestClient, RestLook, RestResource
from activities.kit.words.shell import Command, Var, command, comment
from activities.kit.words.urls import path

BASE, TOKEN = Var("QUEUES_URL"), Var("QUEUES_TOKEN")
PATTERN = frozenset("*?[]{}\\")

Broker = Literal["queue control", "celery", "rabbitmq"]

# What a broker cannot set, and what a person does instead; by the last part of the setting's path.
TENANTS = "limit the tenant's requests at the API's gateway"
NOBODY = "RabbitMQ's management API changes no consumers: whoever runs them does"
CANNOT: Mapping[Broker, Mapping[str, str]] = {
    "celery": {
        "intake": f"Celery takes what it is sent, whoever sends it: {TENANTS}",
        "jobs": f"Celery has no limit of a tenant: {TENANTS}",
        "retries": "Celery keeps retries in the code of each task: deploy `max_retries` and `default_retry_delay`",
        "allotment": "Celery's workers are processes with queues of their own, and are not lent: scale each",
        "rate": "Celery limits the rate of a task on each worker, and of no queue: `celery control rate_limit TASK 1/s`",
    },
    "rabbitmq": {
        "intake": f"RabbitMQ takes what it is sent, whoever sends it: {TENANTS}", "jobs": f"RabbitMQ has no limit of a tenant: {TENANTS}",
        "retries": NOBODY, "allotment": NOBODY, "rate": NOBODY, "consumers": NOBODY, "parked": NOBODY, "stacks": NOBODY,
    },
}  # fmt: skip
CALLED = {
    "intake": "limits of tenants", "retries": "retries", "allotment": "lending of workers", "rate": "rates of queues", "consumers": "pausing",
    "parked": "parking", "stacks": "restarts",
}  # fmt: skip


def cannot(broker: Broker, what: str) -> str:
    """Why a broker cannot set this, and what a person does instead; empty where it can."""
    return CANNOT.get(broker, {}).get(what, "")


def by_people(broker: Broker) -> str:
    """What of our playbook is a person's on this broker, in words; empty where nothing is."""
    return ", ".join(words for what, words in CALLED.items() if cannot(broker, what))


class QueueControl(RestClient):
    """Queues and workers. What a broker cannot do raises `Refused`; what it cannot tell is None."""

    broker: ClassVar[Broker] = "queue control"

    async def restart(self, call: Call, worker: str) -> Json:
        """Begin the restart of one worker under our key."""
        said: Json = (await self._http.write(call, "POST", path("v1", "workers", worker, "restarts"), json={"key": call.key})).json()
        return said


class JobsLook(RestLook):
    base, token = BASE, TOKEN

    broker: Broker = "queue control"

    def by_hand(self) -> tuple[str, ...]:
        return super().by_hand() if self.broker == "queue control" else by_product(self.broker, self.path.split("/")[2:], None)


class JobsResource(RestResource):
    """A setting of queues or workers. It has no epoch: its etag changes with every write."""

    base, token, epochs = BASE, TOKEN, False

    broker: Broker = "queue control"

    def read_by_hand(self) -> tuple[str, ...]:
        return super().read_by_hand() if self.broker == "queue control" else by_product(self.broker, self.parts(), None)

    def write_by_hand(self, value: Any, prior: Any = None) -> tuple[str, ...]:
        if self.broker == "queue control":
            return super().write_by_hand(value, prior)
        return by_product(self.broker, self.parts(), self.body(value))


def broker_of(systems: Mapping[str, str]) -> Broker:
    """Which one is chosen by `[policy.systems] queues`."""
    chosen = systems.get("queues", "")
    return "celery" if chosen == "celery" else "rabbitmq" if chosen == "rabbitmq" else "queue control"


def one_queue(name: str) -> str:
    """The name, if it is the name of one queue. Raises `Refused` for a pattern: whom it would meet nobody can say beforehand."""
    if not name.strip() or PATTERN & set(name):
        raise Refused(f"{name!r} is no name of one queue: patterns are not sent; name each queue")
    return name


def by_product(broker: str, parts: "tuple[str, ...] | list[str]", body: Json | None) -> tuple[Command, ...]:
    """What a person types on Celery or RabbitMQ."""
    what, name = parts[-1] if parts else "", parts[1] if len(parts) > 1 else ""
    if what == "consumers" and body is not None:
        verb = "cancel_consumer" if body["share"] == 0 else "add_consumer"
        return (command("celery", "-A", "workers", "control", verb, name), command("celery", "-A", "workers", "inspect", "active_queues"))
    if "parked" in parts and body is not None:
        return (comment(f"move the messages one by one from {name} to {name}.parked.{what}, never by purge; count both before and after"),)
    if broker == "rabbitmq":
        return (command("rabbitmqctl", "list_queues", "name", "messages_ready", "messages_unacknowledged", "consumers"),)
    look = command("celery", "-A", "workers", "inspect", "active_queues"), command("celery", "-A", "workers", "inspect", "active")
    return look if body is None else (comment(f"{broker} has no command for {what} of {name}"), *look)
