"""Celery's remote control, spoken as kombu speaks it over Redis or Valkey: a message to workers, and what each of them answers."""

import base64
import json
import time
import uuid
from collections.abc import Sequence

from activities.action import Refused
from activities.caches.valkey import Valkey
from activities.kit.rest import Json

SEPARATOR = "\x06\x16"
REPLIES = "reply.celery.pidbox"


class RemoteControl:
    """`expected`: the workers that must answer; with all of their answers it waits for no more. `patience`: seconds, after which a command lapses."""

    def __init__(self, broker: Valkey, expected: Sequence[str], patience: float) -> None:
        self._broker, self._expected, self._patience = broker, tuple(expected), patience

    async def told(self, method: str, arguments: Json | None = None, to: Sequence[str] = (), *, answers: bool = True) -> Json:
        """Tell workers something, all of them or these. What each has answered, by its name; who has not is not in it."""
        oid, ticket = str(uuid.uuid4()), str(uuid.uuid4())
        queue = f"{oid}.{REPLIES}"
        member, table = SEPARATOR.join((oid, "", queue)), f"_kombu.binding.{REPLIES}"
        asked: Json = {"method": method, "arguments": arguments or {}, "destination": list(to) or None, "pattern": None, "matcher": None}
        if answers:
            asked |= {"ticket": ticket, "reply_to": {"exchange": REPLIES, "routing_key": oid}}
            await self._broker.command("SADD", table, member)
        try:
            await self._broker.command("PUBLISH", f"/{self._broker.database}.celery.pidbox", _message(asked, self._patience))
            return await self._replies(queue, set(to) or set(self._expected)) if answers else {}
        finally:
            if answers:
                await self._broker.command("SREM", table, member)
                await self._broker.command("UNLINK", queue)

    async def _replies(self, queue: str, wanted: set[str]) -> Json:
        found: Json = {}
        until = time.monotonic() + self._patience
        while (left := until - time.monotonic()) > 0:
            said = await self._broker.command("BRPOP", queue, max(0.05, round(left, 2)))
            if said is None:
                break
            message = json.loads(said[1])
            for worker, answer in json.loads(base64.b64decode(message["body"])).items():
                found[worker] = answer
            if wanted and wanted <= set(found):
                break
        for worker, answer in found.items():
            if isinstance(answer, dict) and "error" in answer:
                raise Refused(f"{worker} says no: {answer['error']}")
        return found


def _message(body: Json, patience: float) -> str:
    """As kombu writes it."""
    properties = {
        "delivery_mode": 2, "delivery_info": {"exchange": "celery.pidbox", "routing_key": ""}, "priority": 0, "body_encoding": "base64",
        "delivery_tag": str(uuid.uuid4()),
    }  # fmt: skip
    return json.dumps(
        {
            "body": base64.b64encode(json.dumps(body).encode()).decode(), "content-encoding": "utf-8", "content-type": "application/json",
            "headers": {"clock": 1, "expires": time.time() + patience}, "properties": properties,
        }
    )  # fmt: skip
