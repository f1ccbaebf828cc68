"""Which recipient was written to, under which Message-ID. SMTP cannot be asked afterwards: what this record does not know, nobody knows.

A row is claimed before a message goes to the server, and settled by the server's reply. A claim without a reply is *unknown*: the message
may have been taken, and is never sent again by us.
"""

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa

from activities.action import Value
from activities.ledger.database import Database, insert_into
from activities.ledger.tables import Instant, required, tables

letters = sa.Table(
    "letters",
    tables,
    sa.Column("message_id", sa.String(160), primary_key=True),
    *required(sa.String(120), "incident_id"),
    *required(sa.String(64), "letter", "recipient"),  # hashes; an address stands only in the evidence store
    *required(sa.String(20), "state"),
    *required(sa.Text, "said"),
    *required(Instant, "first_at", "last_at"),
)


class Post(StrEnum):
    """What is known of one message."""

    SENDING = "sending"  # claimed; where nobody is at it any more, unknown
    TAKEN = "taken"
    REFUSED = "refused"
    NOT_SENT = "not sent"  # it surely did not go out: it may be tried again


class Sent(Value):
    """One message on the record."""

    message_id: str
    recipient: str
    state: Post
    said: str
    last_at: datetime


class Outbox:
    """Synchronous: call it through `asyncio.to_thread`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, message_id: str, incident_id: str, letter: str, recipient: str) -> Sent | None:
        """None: it is ours to send, and nobody else will. Else what is known of it."""
        now, mine = self._database.now(), letters.c.message_id == message_id
        row = {
            "message_id": message_id, "incident_id": incident_id, "letter": letter, "recipient": recipient, "state": Post.SENDING.value,
            "said": "", "first_at": now, "last_at": now,
        }  # fmt: skip
        with self._database.writing() as connection:
            if connection.execute(insert_into(connection, letters).values(row).on_conflict_do_nothing()).rowcount:
                return None
            again = sa.update(letters).where(mine, letters.c.state == Post.NOT_SENT.value).values(state=Post.SENDING.value, last_at=now)
            if connection.execute(again).rowcount:
                return None
            return _sent(connection.execute(sa.select(letters).where(mine)).one())

    def settle(self, message_id: str, state: Post, said: str) -> None:
        """What the server has said."""
        told = {"state": state.value, "said": said[:500], "last_at": self._database.now()}
        with self._database.writing() as connection:
            connection.execute(sa.update(letters).where(letters.c.message_id == message_id).values(told))

    def of(self, incident_id: str, letter: str) -> list[Sent]:
        """What is known of a letter. Raises `LedgerDown`."""
        mine = sa.and_(letters.c.incident_id == incident_id, letters.c.letter == letter)
        return [_sent(row) for row in self._database.read(sa.select(letters).where(mine).order_by(letters.c.first_at))]


def _sent(row: sa.Row) -> Sent:  # type: ignore[type-arg]
    return Sent(message_id=row.message_id, recipient=row.recipient, state=Post(row.state), said=row.said, last_at=row.last_at)
