"""The record: what happened, what was changed, what is true now, what was delivered to us. SQL, so that it outlives Temporal's retention.

The workflow numbers and chains each `Entry`; systems outside write their own effects through `Book`. SQLite by default, PostgreSQL in a
deployment. Everything written is idempotent, because every activity may run twice.
"""

import asyncio
import logging
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa
from pydantic import JsonValue
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from activities.action import Call, Effect, Entry, Order, Patience, Refused, Risk, System, Value, action
from activities.ledger.patch import patched

log = logging.getLogger(__name__)

OVER = ("resolved", "stood down", "closed")  # the values of `State` after which nothing of ours runs; a test keeps the two equal
PROVEN = ("done", "adopted")
BEHIND = -1  # what `record` answers when a difference does not fit what is kept: send the whole status
BUSY = timedelta(seconds=15)  # how long one writer waits for another


class Instant(sa.TypeDecorator[datetime]):
    """A moment in UTC, aware on both sides; SQLite forgets the zone."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Refuse a naive time instead of guessing its zone."""
        if value is not None and value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return None if value is None else (value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC))


tables = sa.MetaData()

incidents = sa.Table(
    "incidents",
    tables,
    sa.Column("id", sa.String(120), primary_key=True),
    sa.Column("playbook", sa.String(80), nullable=False),
    sa.Column("section", sa.String(20), nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("service", sa.Text, nullable=False),
    sa.Column("severity", sa.Integer, nullable=False),
    sa.Column("phase", sa.String(20), nullable=False),
    sa.Column("state", sa.String(20), nullable=False, index=True),
    sa.Column("commander", sa.Text, nullable=False),
    sa.Column("dedup_key", sa.Text, nullable=False, index=True),
    sa.Column("declared_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("status", sa.JSON, nullable=False),
)

entries = sa.Table(
    "entries",
    tables,
    sa.Column("incident_id", sa.String(120), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("phase", sa.Text, nullable=False),
    sa.Column("step", sa.Integer),
    sa.Column("facts", sa.JSON, nullable=False),
    sa.Column("previous", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)

effects = sa.Table(
    "effects",
    tables,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("incident_id", sa.String(120), nullable=False, index=True),
    sa.Column("verb", sa.Text, nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("risk", sa.Integer, nullable=False),
    sa.Column("effect", sa.Text, nullable=False),
    sa.Column("by_hand", sa.JSON, nullable=False),
    sa.Column("question", sa.Integer),
    sa.Column("outcome", sa.String(20), nullable=False),  # trying | done | adopted | refused | not yet | unknown
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("proven_by", sa.Text, nullable=False),
    sa.Column("adopted", sa.Boolean, nullable=False),
    sa.Column("before", sa.JSON, nullable=False),
    sa.Column("after", sa.JSON, nullable=False),
    sa.Column("first_at", Instant, nullable=False),
    sa.Column("last_at", Instant, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
)

deliveries = sa.Table(
    "deliveries",
    tables,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("source", sa.String(40), nullable=False),
    sa.Column("received_at", Instant, nullable=False),
    sa.Column("last_at", Instant, nullable=False),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("raw", sa.LargeBinary, nullable=False),
    sa.Column("truncated", sa.Boolean, nullable=False),
    sa.Column("disposition", sa.String(40), nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("incident_id", sa.String(120), nullable=False),
)

alerts = sa.Table(
    "alerts",
    tables,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("source", sa.String(40), nullable=False),
    sa.Column("fingerprint", sa.String(120), nullable=False),
    sa.Column("starts_at", Instant, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("dedup_key", sa.Text, nullable=False),
    sa.Column("status", sa.String(20), nullable=False),  # firing | resolved: the last thing heard of it
    sa.Column("disposition", sa.String(40), nullable=False),
    sa.Column("incident_id", sa.String(120), nullable=False, index=True),
    sa.Column("delivery", sa.String(40), nullable=False),  # the first one that brought it
    sa.Column("first_at", Instant, nullable=False),
    sa.Column("last_at", Instant, nullable=False),
    sa.Column("count", sa.Integer, nullable=False),
)


class Record(Order):
    """What a workflow has to say: new lines of its timeline and, as a JSON object, everything that is true now."""

    incident_id: str
    entries: tuple[Entry, ...] = ()
    status: dict[str, JsonValue] | None = None
    base: int = 0  # the version that `status` is the difference to (activities/ledger/patch.py); 0: it is whole

    def target(self) -> str:
        return f"the ledger of {self.incident_id}"

    def effect(self) -> str:
        return "keep the record" + (f": {self.entries[-1].kind}: {self.entries[-1].text[:80]}" if self.entries else "")


class Recorded(Value):
    """What the ledger knows about an incident: its status as a JSON object, and when that was true."""

    incident_id: str
    version: int
    updated_at: datetime
    status: dict[str, JsonValue]

    def age(self, now: datetime) -> timedelta:
        """How long ago this was written; never negative, whatever the two clocks say."""
        return max(now - self.updated_at, timedelta(0))


class Done(Value):
    """One effect as it stands on the book."""

    key: str
    incident_id: str
    verb: str
    target: str
    risk: Risk
    effect: str
    by_hand: tuple[str, ...]
    question: int | None
    outcome: str
    why: str
    proven_by: str
    adopted: bool
    before: dict[str, JsonValue]
    after: dict[str, JsonValue]
    first_at: datetime
    last_at: datetime
    attempts: int


class Chain(Value):
    """Whether a timeline is what was written: every number present, every hash right."""

    entries: int
    broken_at: int | None = None

    @property
    def intact(self) -> bool:
        """True when nothing was altered, removed or inserted."""
        return self.broken_at is None


class Delivery(Value):
    """A body that somebody posted to us, kept word for word before anybody tries to understand it."""

    id: str
    source: str
    raw: bytes
    received_at: datetime
    truncated: bool = False


class AlertRecord(Value):
    """One alert out of a delivery: a fingerprint since an instant, and what became of it."""

    id: str
    source: str
    fingerprint: str
    starts_at: datetime
    name: str
    dedup_key: str
    status: str
    delivery: str
    disposition: str = "received"
    incident_id: str = ""
    count: int = 0


class LedgerDown(Exception):
    """The ledger cannot be read; the message is one sentence that says what to do."""


class Ledger(System):
    """The record in a SQL database. Its methods are synchronous and thread-safe: call them through `asyncio.to_thread`."""

    def __init__(self, url: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.url = url
        self.now = now
        self.engine = _engine(url)
        self._turn = threading.Lock() if self.engine.dialect.name == "sqlite" else nullcontext()

    @action("ledger.record", risk=Risk.C0, patience=Patience.RECORD)
    async def record(self, order: Record, call: Call) -> int:
        """Keep what the workflow says; returns how many entries were new, or BEHIND. Refused when it contradicts what is already kept."""
        return await asyncio.to_thread(self.write, order)

    async def began(self, name: str, risk: Risk, order: Order, call: Call, attempt: int) -> None:
        """Put a try on the book before it touches its target."""
        await self._never_failing(lambda: self._begin(name, risk, order, call))

    async def ended(self, call: Call, outcome: str, effect: Effect | None, why: str) -> None:
        """Put the end of a try on the book."""
        await self._never_failing(lambda: self._end(call, outcome, effect, why))

    async def _never_failing(self, write: Callable[[], None]) -> None:
        """An effect must not fail, nor wait long, because our book is shut: the thread goes on, the verb does not wait for it."""
        try:
            await asyncio.wait_for(asyncio.to_thread(write), timeout=2)
        except Exception:
            log.exception("the ledger did not take an effect; the effect itself goes on")

    def migrate(self) -> None:
        """Bring the tables to the newest version. Two processes may do it at once: the second waits and finds nothing to do."""
        from alembic import command  # noqa: PLC0415 - slow to import, and only needed once
        from alembic.config import Config  # noqa: PLC0415

        self._make_room()
        config = Config()
        config.set_main_option("script_location", "activities.ledger:migrations")
        with self._writing() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(742206)"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def revision(self) -> tuple[str, str]:
        """The version of the tables as they are, and the newest one we know."""
        from alembic.config import Config  # noqa: PLC0415
        from alembic.runtime.migration import MigrationContext  # noqa: PLC0415
        from alembic.script import ScriptDirectory  # noqa: PLC0415

        config = Config()
        config.set_main_option("script_location", "activities.ledger:migrations")
        head = ScriptDirectory.from_config(config).get_current_head() or ""
        with self._reading() as connection:
            return MigrationContext.configure(connection).get_current_revision() or "", head

    def write(self, order: Record) -> int:
        """The same as `record`, outside an activity. All of the order is kept, or nothing of it."""
        with self._writing() as connection:
            new = _keep_entries(connection, order)
            told = None if order.status is None else _whole(connection, order)
            if told is not None:
                _keep_status(connection, order.incident_id, told)
        return BEHIND if told is None and order.status is not None else new

    def incidents(self, open_only: bool = True) -> list[Recorded]:
        """The incidents we know of, newest first."""
        query = sa.select(incidents.c.id, incidents.c.version, incidents.c.updated_at, incidents.c.status)
        if open_only:
            query = query.where(incidents.c.state.not_in(OVER))
        return [_recorded(row) for row in self._read(query.order_by(incidents.c.declared_at.desc(), incidents.c.id.desc()))]

    def holding(self) -> list[Recorded]:
        """The incidents that are open, and those that are over and left something in force, newest first."""
        query = sa.select(incidents.c.id, incidents.c.version, incidents.c.updated_at, incidents.c.status)
        left = sa.func.json_array_length(incidents.c.status["in_force"]) > 0
        query = query.where(sa.or_(incidents.c.state.not_in(OVER), left))
        return [_recorded(row) for row in self._read(query.order_by(incidents.c.declared_at.desc(), incidents.c.id.desc()))]

    def ids(self, open_only: bool = False) -> list[str]:
        """Every incident id, newest first."""
        query = sa.select(incidents.c.id).order_by(incidents.c.declared_at.desc(), incidents.c.id.desc())
        return [row.id for row in self._read(query.where(incidents.c.state.not_in(OVER)) if open_only else query)]

    def status(self, incident_id: str) -> Recorded | None:
        """What is true of an incident now, as far as we were told."""
        query = sa.select(incidents.c.id, incidents.c.version, incidents.c.updated_at, incidents.c.status)
        return next((_recorded(row) for row in self._read(query.where(incidents.c.id == incident_id))), None)

    def version(self, incident_id: str) -> int:
        """The version of the status on record, cheap enough to ask four times a second; 0 when there is none."""
        rows = self._read(sa.select(incidents.c.version).where(incidents.c.id == incident_id))
        return int(rows[0].version) if rows else 0

    def timeline(self, incident_id: str) -> list[Entry]:
        """The lines of an incident's timeline, in order."""
        rows = self._read(sa.select(entries).where(entries.c.incident_id == incident_id).order_by(entries.c.number))
        return [Entry.model_validate({k: v for k, v in row._mapping.items() if k != "incident_id"}) for row in rows]

    def effects(self, incident_id: str) -> list[Done]:
        """What was tried and done on its behalf, in order of the first try."""
        rows = self._read(sa.select(effects).where(effects.c.incident_id == incident_id).order_by(effects.c.first_at, effects.c.key))
        return [Done.model_validate(dict(row._mapping)) for row in rows]

    def verify(self, incident_id: str) -> Chain:
        """Read a timeline back and check its numbers and hashes: the first number that is missing or altered, if any."""
        kept, known = self.timeline(incident_id), self.status(incident_id)
        previous, expected = "", min(kept[0].number, 1) if kept else 1
        for entry in kept:
            if entry.number != expected or not entry.intact(previous):
                return Chain(entries=len(kept), broken_at=expected)
            previous, expected = entry.hash, expected + 1
        promised = int(cast(int, known.status.get("entries") or 0)) if known else 0
        return Chain(entries=len(kept), broken_at=expected if len(kept) < promised else None)

    def _begin(self, name: str, risk: Risk, order: Order, call: Call) -> None:
        now = self.now()
        row = {
            "key": call.key, "incident_id": call.incident_id, "verb": name, "target": order.target(), "risk": int(risk),
            "effect": order.effect(), "by_hand": list(order.by_hand()), "question": call.grant.question if call.grant else None,
            "outcome": "trying", "why": "", "proven_by": "", "adopted": False, "before": {}, "after": {},
            "first_at": now, "last_at": now, "attempts": 1,
        }  # fmt: skip
        with self._writing() as connection:
            insert = _insert(connection, effects).values(row)
            proven = effects.c.outcome.in_(PROVEN)  # what was proven once stays proven: a later try only looks at it
            again = {
                "attempts": effects.c.attempts + 1,
                "last_at": now,
                "question": sa.func.coalesce(insert.excluded.question, effects.c.question),
                "outcome": sa.case((proven, effects.c.outcome), else_="trying"),
            }
            connection.execute(insert.on_conflict_do_update(index_elements=["key"], set_=again))

    def _end(self, call: Call, outcome: str, effect: Effect | None, why: str) -> None:
        ended: dict[str, Any] = {"outcome": outcome, "why": why, "last_at": self.now()}
        if effect is not None:
            ended |= effect.model_dump(mode="json", include={"proven_by", "adopted", "before", "after"})
        mine = effects.c.key == call.key
        with self._writing() as connection:
            changed = connection.execute(sa.update(effects).where(mine, effects.c.outcome.not_in(PROVEN)).values(ended)).rowcount
            if not changed and connection.execute(sa.select(effects.c.key).where(mine)).first() is None:
                connection.execute(_insert(connection, effects).values(_from_key(call, self.now()) | ended))

    def _make_room(self) -> None:
        database = self.engine.url.database
        if self.engine.dialect.name == "sqlite" and database and database != ":memory:":
            Path(database).parent.mkdir(parents=True, exist_ok=True)

    def _read(self, query: sa.Select[Any]) -> list[sa.Row[Any]]:
        with self._reading() as connection:
            return list(connection.execute(query).all())

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
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
    def _writing(self) -> Iterator[sa.Connection]:
        """One writer of this process at a time: SQLite lets only one write, and makes the others sleep longer than they need."""
        with self._turn, self.engine.begin() as connection:
            yield connection


class Inbox:
    """What was delivered to us, word for word, and what became of it. Kept in the same database as the record."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def keep(self, delivery: Delivery) -> int:
        """Keep a body before anybody reads it; returns how often exactly this body came."""
        untouched = {"last_at": delivery.received_at, "count": 1, "disposition": "received", "why": "", "incident_id": ""}
        row = delivery.model_dump() | untouched
        with self.ledger._writing() as connection:
            again = {"count": deliveries.c.count + 1, "last_at": delivery.received_at}
            insert = _insert(connection, deliveries).values(row).on_conflict_do_update(index_elements=["id"], set_=again)
            return int(connection.execute(insert.returning(deliveries.c.count)).scalar_one())

    def settle(self, delivery_id: str, disposition: str, why: str = "", incident_id: str = "", heard: Iterable[AlertRecord] = ()) -> None:
        """Write down what became of a delivery and of each alert in it; every alert counts one more."""
        now = self.ledger.now()
        with self.ledger._writing() as connection:
            what = {"disposition": disposition, "why": why, "incident_id": incident_id}
            connection.execute(sa.update(deliveries).where(deliveries.c.id == delivery_id).values(what))
            rows = [{**one.model_dump(exclude={"count"}), "first_at": now, "last_at": now, "count": 1} for one in heard]
            insert = _insert(connection, alerts)
            newest = {name: insert.excluded[name] for name in ("status", "disposition", "incident_id", "last_at")}
            upsert = insert.on_conflict_do_update(index_elements=["id"], set_=newest | {"count": alerts.c.count + 1})
            if rows:
                connection.execute(upsert, rows)

    def known(self, ids: Iterable[str]) -> dict[str, AlertRecord]:
        """Which of these alerts we heard of before, and how that ended."""
        columns = [alerts.c[name] for name in AlertRecord.model_fields]
        wanted, found = list(ids), dict[str, AlertRecord]()
        for start in range(0, len(wanted), 500):
            rows = self.ledger._read(sa.select(*columns).where(alerts.c.id.in_(wanted[start : start + 500])))
            found |= {row.id: AlertRecord.model_validate(dict(row._mapping)) for row in rows}
        return found

    def told(self, incident_id: str) -> int:
        """How many different alerts an incident has."""
        rows = self.ledger._read(sa.select(sa.func.count()).select_from(alerts).where(alerts.c.incident_id == incident_id))
        return int(rows[0][0])

    def deliveries(self) -> list[dict[str, Any]]:
        """Everything that was delivered, oldest first."""
        rows = self.ledger._read(sa.select(deliveries).order_by(deliveries.c.received_at, deliveries.c.id))
        return [dict(row._mapping) for row in rows]


def _keep_entries(connection: sa.Connection, order: Record) -> int:
    """Insert what is new; refuse, before anything is written, what contradicts the record."""
    numbers = [entry.number for entry in order.entries]
    mine = sa.and_(entries.c.incident_id == order.incident_id, entries.c.number.in_(numbers))
    kept: dict[int, str] = {row.number: row.hash for row in connection.execute(sa.select(entries.c.number, entries.c.hash).where(mine))}
    for entry in order.entries:
        if not entry.intact(entry.previous) or kept.get(entry.number, entry.hash) != entry.hash:
            log.error("TAMPERING? entry %s of %s does not match its hash or the record", entry.number, order.incident_id)
            raise Refused(f"entry {entry.number} of {order.incident_id} contradicts the record: tampering, or two histories under one id")
    new = [{**entry.model_dump(), "incident_id": order.incident_id} for entry in order.entries if entry.number not in kept]
    if new:
        connection.execute(_insert(connection, entries), new)
    return len(new)


def _whole(connection: sa.Connection, order: Record) -> dict[str, JsonValue] | None:
    """The whole status that an order tells, put together from what is kept; None when what is kept is not what the difference starts from."""
    told: dict[str, Any] = dict(order.status or {})
    if not order.base:
        return told
    kept = connection.execute(sa.select(incidents.c.version, incidents.c.status).where(incidents.c.id == order.incident_id)).first()
    if kept is None or kept.version < order.base or order.base < kept.version < int(told["version"]):
        return None
    return patched(kept.status, told) if kept.version == order.base else dict(kept.status)


def _keep_status(connection: sa.Connection, incident_id: str, status: dict[str, JsonValue]) -> None:
    """A newer version wins, an older or equal one changes nothing: activities may arrive in any order, and twice."""
    told: dict[str, Any] = dict(status)
    words = ("playbook", "section", "title", "service", "phase", "state", "commander", "dedup_key")
    row = {name: str(told.get(name) or "") for name in words} | {
        "id": incident_id,
        "severity": int(told["severity"]),
        "declared_at": datetime.fromisoformat(told["declared_at"]),
        "updated_at": datetime.fromisoformat(told["updated_at"]),
        "version": int(told["version"]),
        "status": status,
    }
    insert = _insert(connection, incidents).values(row)
    newer = incidents.c.version < insert.excluded.version
    given = {name: insert.excluded[name] for name in row if name != "id"}
    connection.execute(insert.on_conflict_do_update(index_elements=["id"], set_=given, where=newer))


def _from_key(call: Call, now: datetime) -> dict[str, Any]:
    """What can be said of an effect whose beginning the ledger missed: its key is `incident/verb/target/n`."""
    _, verb, *rest = call.key.split("/")
    return {
        "key": call.key, "incident_id": call.incident_id, "verb": verb, "target": "/".join(rest[:-1]), "risk": 0,
        "effect": "", "by_hand": [], "question": call.grant.question if call.grant else None,
        "proven_by": "", "adopted": False, "before": {}, "after": {}, "first_at": now, "attempts": 1,
    }  # fmt: skip


def _recorded(row: sa.Row[Any]) -> Recorded:
    return Recorded(incident_id=row.id, version=row.version, updated_at=row.updated_at, status=row.status)


def _insert(connection: sa.Connection, table: sa.Table) -> Any:
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
