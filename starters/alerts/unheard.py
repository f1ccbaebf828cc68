"""Alerts that nobody heard, as the record has them: those that no incident could be told of, and those that fire on after theirs was closed.

Looked for every minute, and without the Temporal server: it may be what is away. People are paged, once for each.
"""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from activities.ledger.database import LedgerDown
from activities.ledger.discrepancies import ALERT_KINDS, ALERTS_WAIT, STILL_FIRING, Discrepancy
from activities.ledger.inbox import LATE, AlertRecord, Inbox
from starters.alerts.reconciler import EVERY, Reconciler
from starters.screens.text import plain, span, typed

log = logging.getLogger(__name__)

NOBODY = "alert receiver"  # in place of an incident where none is known
HEARD_WITHIN = 2  # repeats: an alert that its source has not sent for so long is not known to fire any more


@dataclass(frozen=True)
class UnheardAlerts:
    """`reconciler`: records findings, and pages about them."""

    reconciler: Reconciler

    async def run(self) -> None:
        """Until cancelled. An error does not stop the next look."""
        while True:
            try:
                await self.once()
            except LedgerDown as away:
                log.warning("nobody looked for alerts that wait: %s", away)
            except Exception:
                log.exception("looking for alerts that wait failed; the next look is in a minute")
            await asyncio.sleep(EVERY)

    async def once(self) -> list[Discrepancy]:
        """One look, with what follows from it."""
        found = await asyncio.to_thread(self._look)
        await self.reconciler.tell(found, ALERT_KINDS)
        return found

    def _look(self) -> list[Discrepancy]:
        policy = self.reconciler.policy()
        inbox, now = Inbox(self.reconciler.ledger), self.reconciler.ledger.now()
        repeat = policy.paced(policy.alerts.repeat)
        return [
            *_waiting(inbox, now - policy.paced(policy.alerts.waits), now),
            *_still_firing(inbox.unanswered(now - HEARD_WITHIN * repeat), repeat),
        ]


def _waiting(inbox: Inbox, before: datetime, now: datetime) -> Iterable[Discrepancy]:
    """One finding for each incident that does not answer, and one for all the rest: not a page for every alert of a storm."""
    rows = sorted((row for row in inbox.listed(1000, waiting=True) if row["received_at"] < before), key=lambda row: str(row["incident_id"]))
    for incident, mine in groupby(rows, key=lambda row: str(row["incident_id"])):
        many = list(mine)
        since = span(now - min(row["received_at"] for row in many))
        why = f"{incident} does not answer" if incident else "the Temporal server or its workers do not answer"
        text = f"{len(many)} deliveries of alerts have waited for up to {since}: {why}. {typed('alerts', 'list', '--waiting')} | incident doctor"
        yield Discrepancy(incident_id=incident or NOBODY, kind=ALERTS_WAIT, text=text)


def _still_firing(found: Iterable[tuple[AlertRecord, dict[str, Any]]], repeat: timedelta) -> Iterable[Discrepancy]:
    """One finding for each incident and repeat interval since it was closed; and one for each alert that came late."""
    closed: dict[str, list[tuple[AlertRecord, dict[str, Any]]]] = {}
    for alert, status in found:
        if alert.disposition == LATE:
            yield _late(alert)
        else:
            closed.setdefault(alert.incident_id, []).append((alert, status))
    for incident, pairs in closed.items():
        status = pairs[0][1]
        ended = datetime.fromisoformat(str(status.get("resolved_at") or status.get("closed_at") or status["updated_at"]))
        heard = max(alert.last_at or ended for alert, _ in pairs)
        names = ", ".join(sorted({f"{plain(alert.name)} (since {alert.starts_at:%Y-%m-%d %H:%M} UTC)" for alert, _ in pairs})[:5])
        text = (
            f"{incident} is {status['state']} ({plain(status.get('outcome') or 'no reason given')[:200]}), and it is still firing: {names}. "
            f"Silence it at its source, or declare an incident: {typed('status', incident)}"
        )
        nth = max(int((heard - ended) / repeat), 0)
        yield Discrepancy(incident_id=incident, kind=STILL_FIRING, text=text, severity=3, occasion=f"{ended:%Y-%m-%dT%H:%M:%S}+{nth}")


def _late(alert: AlertRecord) -> Discrepancy:
    text = (
        f"{plain(alert.name)} came as firing just after it was resolved, and no incident is open for it. It was taken for a late delivery: "
        f"look whether it fires. {typed('alerts', 'show', alert.delivery)}"
    )
    occasion = f"{alert.id}@{alert.last_at:%Y-%m-%dT%H:%M:%S}"
    return Discrepancy(incident_id=alert.incident_id or NOBODY, kind=STILL_FIRING, text=text, severity=3, occasion=occasion)
