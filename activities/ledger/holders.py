"""Where it is kept who holds what, beside the record. One row for each imposition of each incident; a change is one transaction."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from activities.kit.holding import Held, Hold, HoldersAway, Thing, dropped
from activities.ledger.database import Database, LedgerDown
from activities.ledger.tables import Instant, required, tables
from activities.values import Concern

log = logging.getLogger(__name__)
ANSWERS_WITHIN = 2.0  # seconds: a record that is slow must not hold mitigation

holds = sa.Table(
    "holds",
    tables,
    *(sa.Column(name, sa.Text, primary_key=True) for name in ("verb", "target")),
    sa.Column("incident_id", sa.String(120), primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    *required(sa.Integer, "number"),  # in the order in which they came
    *required(sa.JSON, "need", "before"),
    *required(sa.Text, "says", "concern"),
    *required(Instant, "since"),
    sa.Column("moving_at", Instant),
    *required(sa.String(120), "yields_to"),
)
COLUMNS = ("key", "need", "before", "says", "since", "moving_at", "yields_to")


@dataclass(frozen=True)
class RecordedHolders:
    """The holders in the database of the record."""

    database: Database

    async def look(self, things: Sequence[Thing]) -> Held:
        """Who holds these. Raises `HoldersAway`."""
        return await self._answered(lambda: self.read(things))

    async def settle(self, things: Sequence[Thing], rule: Callable[[Held], Held]) -> Held:
        """Change who holds these, in one transaction. Raises `HoldersAway`, and what the rule raises."""
        return await self._answered(lambda: self.write(things, rule))

    async def _answered(self, work: Callable[[], Held]) -> Held:
        try:
            return await asyncio.wait_for(asyncio.to_thread(work), ANSWERS_WITHIN)
        except (sa.exc.SQLAlchemyError, LedgerDown, OSError, TimeoutError) as away:
            log.warning("it is not known who holds what: %s", away)
            raise HoldersAway(str(away)) from away

    def read(self, things: Sequence[Thing] = ()) -> dict[Thing, tuple[Hold, ...]]:
        """Who holds these; all there is, when none are named. Raises `LedgerDown`."""
        with self.database.reading() as connection:
            return _held(connection, things)

    def write(self, things: Sequence[Thing], rule: Callable[[Held], Held]) -> Held:
        with self.database.writing() as connection:
            if connection.dialect.name == "postgresql":  # SQLite lets one writer in anyhow; rows that are not there yet cannot be locked
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(742207)"))
            before = _held(connection, things)
            after = rule(before)
            for thing in things:
                if after[thing] != before[thing]:
                    _replace(connection, thing, after[thing])
            return after

    def drop(self, incident_id: str) -> list[Thing]:
        """An incident holds nothing any more, because a person says so. Nothing is written outside. Returns what it held."""
        theirs = [thing for thing, held in self.read().items() if any(one.incident == incident_id for one in held)]
        self.write(theirs, lambda held: {thing: dropped(held[thing], incident_id) for thing in theirs})
        return theirs


def _held(connection: sa.Connection, things: Sequence[Thing]) -> dict[Thing, tuple[Hold, ...]]:
    found: dict[Thing, list[Hold]] = defaultdict(list, {thing: [] for thing in things})
    query = sa.select(holds).order_by(holds.c.number)
    if things:
        query = query.where(holds.c.verb.in_({thing.verb for thing in things}), holds.c.target.in_({thing.target for thing in things}))
    for row in connection.execute(query):
        told = {name: getattr(row, name) for name in COLUMNS}
        found[Thing(row.verb, row.target)].append(Hold(incident=row.incident_id, concern=Concern(row.concern), **told))
    return {thing: tuple(rows) for thing, rows in found.items()}


def _replace(connection: sa.Connection, thing: Thing, after: Iterable[Hold]) -> None:
    connection.execute(sa.delete(holds).where(holds.c.verb == thing.verb, holds.c.target == thing.target))
    rows = [
        {"verb": thing.verb, "target": thing.target, "incident_id": one.incident, "concern": one.concern.value, "number": number,
         **{name: getattr(one, name) for name in COLUMNS}}
        for number, one in enumerate(after)
    ]  # fmt: skip
    if rows:
        connection.execute(sa.insert(holds), rows)
