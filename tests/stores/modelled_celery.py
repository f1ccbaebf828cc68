"""Workers that hear and answer remote control as Celery's do, on the real Valkey, with dials: what a command that is lost does to us is seen.

Judged by a real Celery (`real_celery`): the same stories are told on both, where a real one can be made to play them.
"""

import asyncio
import base64
import contextlib
import json
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import redis.asyncio

from practice.stores import valkey
from practice.stores.valkey import PASSWORD, PRODUCT


@dataclass
class Worker:
    """One worker. `deaf`: so many of these commands are lost on their way to it. `heard`: what it was told, in order."""

    queues: set[str]
    pid: int = 1  # in a container every boot has the same
    booted: float = field(default_factory=lambda: time.time() - 600)
    up: bool = True
    deaf: dict[str, int] = field(default_factory=dict)
    heard: list[str] = field(default_factory=list)

    def boots(self, *queues: str) -> None:
        self.queues, self.booted, self.up = set(queues), time.time(), True


@dataclass
class ModelledCelery:
    server: valkey.Valkey
    workers: dict[str, Worker]

    def address(self) -> str:
        return self.server.address(PRODUCT)

    def waits(self, queue: str, tenant: str, many: int, *, age: float, retries: int = 0) -> None:
        """Messages as Celery writes them, with our two headers. Nobody works on them."""
        with self.server.client() as client:
            for _ in range(many):
                headers = {"id": str(uuid.uuid4()), "tenant": tenant, "enqueued_at": time.time() - age, "retries": retries}
                client.lpush(queue, json.dumps({"body": "", "headers": headers, "properties": {}}))

    async def hears(self, client: Any, message: dict[str, Any]) -> None:
        """One command, by every worker that it is for. A worker that shuts down answers no more."""
        asked = json.loads(base64.b64decode(message["body"]))
        for name, worker in self.workers.items():
            if not worker.up or (asked["destination"] and name not in asked["destination"]) or time.time() > message["headers"]["expires"]:
                continue
            if worker.deaf.get(asked["method"], 0) > 0:
                worker.deaf[asked["method"]] -= 1
                continue
            worker.heard.append(asked["method"])
            answer = self._does(worker, asked["method"], asked["arguments"])
            if "reply_to" in asked and worker.up:
                body = base64.b64encode(json.dumps({name: answer}).encode()).decode()
                to = f"{asked['reply_to']['routing_key']}.{asked['reply_to']['exchange']}"
                await client.lpush(to, json.dumps({"body": body, "headers": {}, "properties": {}}))

    def _does(self, worker: Worker, method: str, arguments: dict[str, Any]) -> Any:
        match method:
            case "active_queues":
                return [{"name": queue} for queue in sorted(worker.queues)]
            case "stats":
                return {"pid": worker.pid, "uptime": int(time.time() - worker.booted)}
            case "add_consumer":
                worker.queues.add(arguments["queue"])
            case "cancel_consumer":
                worker.queues.discard(arguments["queue"])
            case "shutdown":
                worker.up = False
        return {"ok": method}


@contextlib.asynccontextmanager
async def modelled_celery(**workers: tuple[str, ...]) -> AsyncIterator[ModelledCelery]:
    """A broker of its own, and these workers on it: `one=("interactive",)` is `one@here`."""
    with valkey.running() as server:
        found = ModelledCelery(server, {f"{name}@here": Worker(set(queues)) for name, queues in workers.items()})
        client = redis.asyncio.Redis(port=server.port, username=PRODUCT, password=PASSWORD, decode_responses=True)
        channel = client.pubsub()
        await channel.subscribe("/0.celery.pidbox")
        await channel.get_message(timeout=5)

        async def listens() -> None:
            async for said in channel.listen():
                if said["type"] == "message":
                    await found.hears(client, json.loads(said["data"]))

        listening = asyncio.ensure_future(listens())
        try:
            yield found
        finally:
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listening
            await channel.aclose()  # type: ignore[no-untyped-call]
            await client.aclose()
