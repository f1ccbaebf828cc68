"""The personal codes that were seen. A row is inserted once and never changed: the first message with a code is the one that it is good for."""

import asyncio
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from activities.action import Value
from activities.ledger.database import Database, LedgerDown, insert_into
from activities.ledger.tables import spent_codes

PATIENCE = timedelta(seconds=5)  # for a ledger that hangs: a person waits for the answer


class SpentCode(Value):
    """A code that was seen: in which message first, with which verdict, and whose it was (empty where that is not known)."""

    fingerprint: str
    message: str
    verdict: str
    incident_id: str
    person: str
    first_at: datetime


async def spend(ledger: Database, seen: SpentCode) -> SpentCode:
    """Insert it, if its code was never seen; returns what stands there. Raises `LedgerDown` when that cannot be told."""
    try:
        async with asyncio.timeout(PATIENCE.total_seconds()):
            return await asyncio.to_thread(_insert, ledger, seen)
    except (SQLAlchemyError, OSError) as down:  # a timeout is an OSError
        raise LedgerDown(f"the ledger does not say which codes were used: {type(down).__name__}") from None


def _insert(ledger: Database, seen: SpentCode) -> SpentCode:
    mine = sa.select(spent_codes).where(spent_codes.c.fingerprint == seen.fingerprint)
    with ledger.writing() as connection:
        connection.execute(insert_into(connection, spent_codes).values(seen.model_dump()).on_conflict_do_nothing())
        return SpentCode.model_validate(dict(connection.execute(mine).one()._mapping))
