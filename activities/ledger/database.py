"""The SQL database of the ledger: how it is opened, migrated, read and written. SQLite by default, PostgreSQL in a deployment."""

import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

BUSY = timedelta(seconds=15)  # how long one writer waits for another


class LedgerDown(Exception):
    """The ledger cannot be read; the message is one sentence that says what to do."""


class Database:
    def __init__(self, url: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.url = url
        self.now = now
        self.engine = _engine(url)
        self._turn = threading.Lock() if self.engine.dialect.name == "sqlite" else nullcontext()

    def migrate(self) -> None:
        """Bring the tables to the newest version. Two processes may do it at once: the second waits and finds nothing to do."""
        from alembic import command  # noqa: PLC0415 - slow to import, and only needed once

        database, config = self.engine.url.database, _migrations()
        if self.engine.dialect.name == "sqlite" and database and database != ":memory:":
            Path(database).parent.mkdir(parents=True, exist_ok=True)
        with self.writing() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(742206)"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def revision(self) -> tuple[str, str]:
        """The version of the tables as they are, and the newest one we know."""
        from alembic.runtime.migration import MigrationContext  # noqa: PLC0415
        from alembic.script import ScriptDirectory  # noqa: PLC0415

        head = ScriptDirectory.from_config(_migrations()).get_current_head() or ""
        with self.reading() as connection:
            return MigrationContext.configure(connection).get_current_revision() or "", head

    def read(self, query: sa.Select[Any]) -> list[sa.Row[Any]]:
        with self.reading() as connection:
            return list(connection.execute(query).all())

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A snapshot. Reading must not create an empty ledger where there is none."""
        database = self.engine.url.database
        if self.engine.dialect.name == "sqlite" and database and not Path(database).exists():
            raise LedgerDown(f"there is no ledger at {database} yet; the worker makes it when it starts")
        try:
            with self.engine.connect().execution_options(reading=True) as connection:
                yield connection
        except DBAPIError as down:
            raise LedgerDown(f"the ledger at {self.engine.url.render_as_string()} cannot be read: {_first_line(down)}") from None

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """One writer of this process at a time: SQLite lets only one write, and makes the others sleep longer than they need."""
        with self._turn, self.engine.begin() as connection:
            yield connection


def _migrations() -> Any:
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", "activities.ledger:migrations")
    return config


def insert_into(connection: sa.Connection, table: sa.Table) -> Any:
    """An insert that can say what to do when the row is there: each dialect has its own."""
    return (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table)


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).splitlines()[0] if str(error.orig) else type(error.orig).__name__


def _engine(url: str) -> sa.Engine:
    engine = sa.create_engine(url, pool_pre_ping=not url.startswith("sqlite"))
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _set_up_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    """Durable across a power cut, readable while somebody writes, and our own BEGIN instead of the driver's late one."""
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout={int(BUSY.total_seconds() * 1000)}")
    _write_ahead(connection)
    connection.execute("PRAGMA synchronous=FULL")


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switching a new file to WAL ignores the busy timeout, and two processes may meet here."""
    for tries_left in range(200, -1, -1):
        try:
            if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if tries_left == 0:
                raise
            time.sleep(0.02 + random.random() * 0.03)
        else:
            return


def _begin_sqlite(connection: sa.Connection) -> None:
    """A writer takes the lock first: one that upgrades later would be refused instead of made to wait."""
    connection.exec_driver_sql("BEGIN" if connection.get_execution_options().get("reading") else "BEGIN IMMEDIATE")
