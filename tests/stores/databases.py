"""The real PostgreSQL of a test process: one without a standby, started when the first test wants it, with a new database for each.

A test that breaks servers starts its own: `practice.stores.postgres.running(standbys=1)`.
"""

import atexit
import uuid
from functools import cache

from practice.stores import postgres
from practice.stores.postgres import Postgres


@cache
def server() -> Postgres:
    """It ends with the process, whatever happens to that."""
    started = postgres.start()
    atexit.register(started.stop)
    return started


def database() -> str:
    """The name of a new, empty database on it."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    server().one(f"create database {name}")
    return name
