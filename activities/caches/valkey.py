"""Valkey or Redis, by redis-py. We come as a user that may look and unlink below one prefix, and nothing else."""

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any, Self
from urllib.parse import urlsplit

import redis.asyncio
import redis.exceptions as broken
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from activities.action import NotYet, Refused
from activities.kit.words.redact import redact

# Retried: nothing was done, or doing it again does no harm. Everything else that the server says is a no.
AGAIN: dict[type[Exception], str] = {
    broken.BusyLoadingError: "the cache is loading its data",
    broken.ReadOnlyError: "the cache is in failover: the server that we reach is a replica",
    broken.TryAgainError: "the cache moves its slots",
    broken.ClusterDownError: "the cache's cluster is down",
    broken.MasterDownError: "the cache's primary is down",
    broken.TimeoutError: "the cache did not answer in time",
    broken.ConnectionError: "the cache is away",
}


class Valkey:
    """One server. `missing`: why it is not configured; then everything is refused with that. Raises `NotYet` and `Refused`, in words."""

    def __init__(self, address: str, password: str = "", *, prefix: str = "cag", timeout: float = 4.0, missing: str = "") -> None:
        self.prefix, self._missing = prefix, missing
        parts = urlsplit(address or "redis://127.0.0.1:6379/0")
        self.user, self.database = parts.username or "default", parts.path.strip("/") or "0"
        self._redis = redis.asyncio.Redis(
            host=parts.hostname or "127.0.0.1", port=parts.port or 6379, db=int(self.database), username=parts.username, password=password or None,
            ssl=parts.scheme == "rediss", decode_responses=True, socket_timeout=timeout, socket_connect_timeout=timeout,
            retry=Retry(NoBackoff(), 0),
        )  # fmt: skip

    async def info(self) -> dict[str, Any]:
        """`INFO`: memory, hits, misses, evictions, policy."""
        return dict(await self._asked("info", self._redis.info))

    async def size(self) -> int:
        """How many keys there are, whoever's."""
        return int(await self._asked("dbsize", self._redis.dbsize))

    async def batches(self, pattern: str, size: int) -> AsyncIterator[list[str]]:
        """Every key that matches, in batches. A key may come twice; one that is there all the while comes for sure."""
        cursor = 0
        while True:
            cursor, keys = await self._asked("scan", self._redis.scan, cursor, match=pattern, count=size)
            for start in range(0, len(keys), size):
                yield keys[start : start + size]
            if cursor == 0:
                return

    async def entries(self, keys: Sequence[str]) -> dict[str, dict[str, Any] | None]:
        """What stands under these keys; None for what is no entry. Those that are gone are left out."""
        kept = await self._asked("mget", self._redis.mget, list(keys)) if keys else []
        return {key: _read(value) for key, value in zip(keys, kept, strict=True) if value is not None}

    async def unlink(self, keys: Sequence[str]) -> int:
        """Remove these; returns how many were there."""
        return int(await self._asked("unlink", self._redis.unlink, *keys)) if keys else 0

    async def command(self, *words: Any) -> Any:
        """One command as it is, for those who know the keys of another product."""
        return await self._asked(str(words[0]).lower(), self._redis.execute_command, *words)

    async def close(self) -> None:
        await self._redis.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _asked(self, what: str, command: Any, *words: Any, **more: Any) -> Any:
        if self._missing:
            raise Refused(self._missing)
        try:
            return await command(*words, **more)
        except broken.NoPermissionError as no:
            raise Refused(f"the cache does not let {self.user} do this ({what}): {redact(str(no))}. Its ACL decides that") from None
        except broken.AuthenticationError as no:
            raise Refused(f"the cache refuses {self.user}: {redact(str(no))}. Look at INCIDENT_CACHE_PASSWORD") from None
        except tuple(AGAIN) as away:
            said = next(words for kind, words in AGAIN.items() if isinstance(away, kind))
            raise NotYet(f"{said} ({what}): {redact(str(away))}") from None
        except broken.RedisError as no:
            raise Refused(f"the cache says no ({what}): {redact(str(no))}") from None


def _read(value: str) -> dict[str, Any] | None:
    try:
        entry = json.loads(value)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None
