"""What the worker can use now: each product that it knows, and whether it is configured, may be written to, and answers.

The worker writes it, whoever shows a plan or a status reads it: another machine's settings say nothing about the worker's.
"""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa

from activities.action import Value
from activities.ledger.database import LedgerDown
from activities.ledger.ledger import Ledger
from activities.ledger.tables import Instant, required, tables

capabilities = sa.Table(
    "capabilities",
    tables,
    sa.Column("product", sa.String(80), primary_key=True),
    *required(sa.String(20), "standing"),
    *required(sa.Text, "said"),
    *required(sa.JSON, "systems"),
    *required(Instant, "at"),
)


class Standing(StrEnum):
    """Whether a product can be used."""

    READY = "ready"
    READ_ONLY = "read only"
    MISSING = "not configured"
    BROKEN = "does not answer"
    UNUSED = "not needed"


class Capability(Value):
    """One product: whether it can be used, what was seen, and which systems cannot do without it."""

    product: str
    standing: Standing
    said: str
    systems: tuple[str, ...] = ()
    at: datetime


def keep(ledger: Ledger, found: Iterable[Capability]) -> None:
    """Replace what was known."""
    rows = [one.model_dump(mode="python") | {"systems": list(one.systems)} for one in found]
    with ledger.writing() as connection:
        connection.execute(sa.delete(capabilities))
        connection.execute(sa.insert(capabilities), rows)


def lacking(ledger: Ledger) -> list[Capability]:
    """What some system cannot use as it should; nothing where no worker has said so yet."""
    wanting = (Standing.READ_ONLY, Standing.MISSING, Standing.BROKEN)
    query = sa.select(capabilities).where(capabilities.c.standing.in_(wanting)).order_by(capabilities.c.product)
    try:
        found = [Capability.model_validate(dict(row._mapping)) for row in ledger.read(query)]
    except LedgerDown:
        return []
    return [one for one in found if one.systems]


def in_words(found: Iterable[Capability]) -> list[str]:
    """A line for each way of not being usable: `not configured: unleash (flags)`."""
    named: dict[Standing, list[str]] = {}
    for one in found:
        named.setdefault(one.standing, []).append(f"{one.product} ({', '.join(one.systems)})")
    return [f"{standing}: {'; '.join(products)}" for standing, products in named.items()]
