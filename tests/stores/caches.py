"""The real Valkey of a test process: one, started when the first test wants it, and empty for each."""

import atexit
from datetime import timedelta
from functools import cache

from activities.caches.valkey import Valkey
from practice.stores import valkey
from practice.stores.valkey import PASSWORD


class NoWaiting:
    """A clock that lets no time pass."""

    async def sleep(self, duration: timedelta) -> None:
        """Return at once."""


@cache
def server() -> valkey.Valkey:
    """It ends with the process, whatever happens to that."""
    started = valkey.start()
    atexit.register(started.stop)
    return started


def emptied() -> valkey.Valkey:
    """The server, without anything in it."""
    found = server()
    with found.client() as product:
        product.flushall()
    return found


def client(user: str = valkey.INCIDENT, **more: object) -> Valkey:
    """As our own product comes to it."""
    return Valkey(server().address(user), PASSWORD, **more)  # type: ignore[arg-type]
