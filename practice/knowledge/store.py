"""The product's own hold on its cache of answers, in a real Valkey. Where there is none nothing is cached; a cache that is away is a miss."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, cast
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from practice.knowledge.library import Domain, Knowledge, hashed
from practice.stores.valkey import PASSWORD, PREFIX, PRODUCT

KEEPS_SECONDS = 86_400
AWAY = (redis.ConnectionError, redis.TimeoutError, redis.ResponseError)
Entry = dict[str, Any]


def key(knowledge: Knowledge, domain: Domain, tenant: str, subject: str) -> str:
    """`cag:{tenant}:{domain}:v{version}:model:{model}:{question}`."""
    return ":".join((PREFIX, tenant, domain.name, f"v{domain.namespace.version}", "model", knowledge.model, hashed(subject)))


def entry(knowledge: Knowledge, domain: Domain, tenant: str, subject: str, answer: str, cites: Sequence[Mapping[str, str]], at: str) -> str:
    """What is kept of an answer. `tenant`: for whom it was made, whatever key it is kept under."""
    kept = {"answer": answer, "tenant": tenant, "domain": domain.name, "subject": subject, "documents": list(cites)}
    return json.dumps({**kept, "model": knowledge.model, "prompt": knowledge.prompt, "created_at": at})


def found(knowledge: Knowledge, keys: Sequence[str]) -> list[str | None]:
    """The entries under these keys."""
    stored: list[str | None] = [None] * len(keys)
    if knowledge.cache and keys:
        with contextlib.suppress(*AWAY):
            stored = cast("list[str | None]", client(knowledge.cache).mget(list(keys)))
    return stored


def own_key(key: str) -> str:
    """By which a process keeps an answer for itself: no version stands in it."""
    parts = key.split(":")
    return ":".join((parts[1], parts[2], parts[-1]))


def keep(knowledge: Knowledge, entries: Mapping[str, str]) -> None:
    """Cache these."""
    if not knowledge.cache or not entries:
        return
    with contextlib.suppress(*AWAY):
        pipe = client(knowledge.cache).pipeline(transaction=False)
        for name, value in entries.items():
            pipe.set(name, value, ex=KEEPS_SECONDS)
        pipe.execute()


def forget(knowledge: Knowledge, subject: str) -> None:
    """Let what was cached for a question grow old at once."""
    if knowledge.cache:
        with contextlib.suppress(*AWAY):
            held = client(knowledge.cache)
            if old := list(held.scan_iter(match=f"{PREFIX}:*:{hashed(subject)}", count=1000)):
                held.unlink(*old)


@cache
def client(address: str) -> redis.Redis:
    """As the product, wherever the address was meant for: one connection for each process."""
    parts = urlsplit(address)
    return redis.Redis(
        host=parts.hostname or "127.0.0.1", port=parts.port or 6379, db=int(parts.path.strip("/") or 0), username=PRODUCT, password=PASSWORD,
        decode_responses=True, socket_timeout=1.0, socket_connect_timeout=0.2, retry=Retry(NoBackoff(), 0),
    )  # fmt: skip
