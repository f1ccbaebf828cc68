"""What the reconciler found: incidents that the ledger knows and no playbook runs. One row per incident, kind and day, in the same database.

Several receivers look side by side: whoever takes a finding pages about it, and another one takes over when nothing came of that.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from activities.action import Value
from activities.ledger.database import LedgerDown, insert_into
from activities.ledger.ledger import Ledger
from activities.ledger.tables import Instant, required, tables

NO_PLAYBOOK, RESET, NO_SCOPE, NO_RECORD = "no playbook", "reset", "no scope", "no record"
ANOTHER_RUN, STANDS_STILL = "another run", "stands still"
ALERTS_WAIT, STILL_FIRING = "alerts wait", "still firing"
CLOCKS_ENDED = "clocks ended"
LOST_KINDS = (NO_PLAYBOOK, RESET, ANOTHER_RUN)
COMPARED_KINDS = (*LOST_KINDS, STANDS_STILL, NO_SCOPE, NO_RECORD, CLOCKS_ENDED)  # what the comparison of ledger and server finds
ALERT_KINDS = (ALERTS_WAIT, STILL_FIRING)  # what the record says of alerts that nobody heard
TAKEN_FOR = timedelta(minutes=3)  # how long one receiver has for the page before another may try

findings = sa.Table(
    "findings",
    tables,
    sa.Column("id", sa.Text, primary_key=True),  # incident/kind/day
    sa.Column("incident_id", sa.String(120), nullable=False, index=True),
    *required(sa.String(40), "kind"),
    *required(sa.Text, "text", "told"),  # told: who was paged, or why nobody was
    *required(Instant, "found_at", "last_at"),
    *(sa.Column(name, Instant) for name in ("taken_at", "told_at", "cleared_at")),
)


class Discrepancy(Value):
    """One thing that is wrong with one incident, which no part of the incident itself can see."""

    incident_id: str
    kind: str  # no playbook | reset | another run | stands still | no scope | no record | clocks ended | alerts wait | still firing
    text: str
    severity: int = 2
    occasion: str = ""  # what makes it another finding of the same kind; empty: the day

    def key(self, at: datetime) -> str:
        """One per incident, kind and occasion: nobody is paged twice a day about the same thing."""
        return f"{self.incident_id}/{self.kind}/{self.occasion or format(at, '%Y-%m-%d')}"


class Found(Value):
    """A finding as it stands on the record."""

    id: str
    incident_id: str
    kind: str
    text: str
    found_at: datetime
    last_at: datetime
    told_at: datetime | None = None
    told: str = ""


@dataclass(frozen=True)
class Discrepancies:
    """The record of what was found."""

    ledger: Ledger

    def keep(self, found: Iterable[Discrepancy], kinds: Iterable[str], unknown: Collection[str] = ()) -> None:
        """Write down what is found now, and clear what is not found any more of the kinds that were looked for.

        `unknown`: incidents of which nobody can say it.
        """
        now, present = self.ledger.now(), list(found)
        with self.ledger.writing() as connection:
            for one in present:
                row = {
                    "id": one.key(now), "incident_id": one.incident_id, "kind": one.kind, "text": one.text, "found_at": now,
                    "last_at": now, "told": "", "cleared_at": None,
                }  # fmt: skip
                again = {"last_at": now, "text": one.text, "cleared_at": None}
                connection.execute(insert_into(connection, findings).values(row).on_conflict_do_update(index_elements=["id"], set_=again))
            gone = sa.and_(
                findings.c.cleared_at.is_(None),
                findings.c.kind.in_(list(kinds)),
                findings.c.id.not_in([one.key(now) for one in present]),
                findings.c.incident_id.not_in(list(unknown)),
            )
            connection.execute(sa.update(findings).where(gone).values(cleared_at=now))

    def take(self, finding: Discrepancy) -> bool:
        """True for the one receiver that is to page about it now."""
        now = self.ledger.now()
        free = sa.or_(findings.c.taken_at.is_(None), findings.c.taken_at < now - TAKEN_FOR)
        mine = sa.and_(findings.c.id == finding.key(now), findings.c.told_at.is_(None), free)
        with self.ledger.writing() as connection:
            return connection.execute(sa.update(findings).where(mine).values(taken_at=now)).rowcount == 1

    def told(self, finding: Discrepancy, who: str) -> None:
        """Somebody knows of it, or it was decided that nobody is paged; `who` says which."""
        now = self.ledger.now()
        with self.ledger.writing() as connection:
            connection.execute(sa.update(findings).where(findings.c.id == finding.key(now)).values(told_at=now, told=who))

    def open(self) -> list[Found]:
        """What is wrong now, oldest first; nothing where there is no such table yet."""
        query = sa.select(*(findings.c[name] for name in Found.model_fields)).where(findings.c.cleared_at.is_(None))
        try:
            rows: list[Any] = self.ledger.read(query.order_by(findings.c.found_at, findings.c.id))
        except LedgerDown:
            return []
        return [Found.model_validate(dict(row._mapping)) for row in rows]
