"""What becomes of an alert: it opens its incident, joins it, is counted, or is only recorded. Never lost: what cannot be delivered waits."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from temporalio.client import Client

from activities.ledger.inbox import AlertRecord, Delivery, Inbox
from activities.ledger.ledger import Ledger
from starters import steering
from starters.alerts.cases import OBSERVE_BELOW, Case, grouped, unreadable
from starters.screens.text import CliError
from worker.settings import Settings

log = logging.getLogger(__name__)

MOST_TOLD = 20  # alerts of one delivery that one incident is told of one by one
FULL = 1500  # a workflow takes 2000 updates in its life; beyond this an alert is only counted here
PAUSE = 3.0  # seconds in which nobody tries again to reach a server that just did not answer
WAITING = ("received", "unreachable")  # dispositions after which an alert still has to be brought to its incident

T = TypeVar("T")


class Intake:
    """Brings alerts to their incidents. One per process; several may run side by side, the workflow ids keep them together."""

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self.settings = settings
        self.ledger = ledger
        self.inbox = Inbox(ledger)
        self._client: Client | None = None
        self._connecting = asyncio.Lock()
        self._locks: dict[str, asyncio.Lock] = {}
        self._full: dict[str, str] = {}
        self._pause_until = 0.0

    async def connected(self) -> Client:
        """The client of the configured server, connected once. Raises `CliError`."""
        async with self._connecting:
            if self._client is None:
                self._client = await steering.connect(self.settings)
            return self._client

    async def keep(self, delivery: Delivery) -> int:
        """Keep a body. Returns how often it was received."""
        return await self._book(lambda: self.inbox.keep(delivery), 1)

    async def to_triage(self, delivery: Delivery, why: str, times: int) -> AlertRecord:
        """Tell the triage incident of what cannot be read. The same body again is only counted. Raises `CliError`."""
        case = unreadable(delivery, why)
        known = (await self._known([case])).get(case.record.id) if times > 1 else None
        if known is None or known.disposition in WAITING:
            async with self._alone(case.alert.dedup_key):
                known = await self._bring(case)
            await self._settled(delivery, "triage", why, [known])
            if known.disposition == "unreachable":
                raise CliError("the Temporal server does not answer", unreachable=True)
        return _became(case, "triage", known.incident_id)

    async def settle(self, delivery: Delivery, cases: Sequence[Case]) -> list[AlertRecord]:
        """Bring the alerts of each incident to it, one sender at a time, and record what became of each."""
        everything: list[AlertRecord] = []
        for group in grouped(cases):
            async with self._alone(group[0].alert.dedup_key):
                known = await self._known(group)
                settled: list[AlertRecord] = []
                told: list[str] = []
                for case in group:
                    record = await self._decide(case, known.get(case.record.id), told[-1] if len(told) >= MOST_TOLD else "")
                    known[record.id] = record
                    settled.append(record)
                    told += [record.incident_id] if record.disposition in ("opened", "joined") else []
                waits = any(one.disposition == "unreachable" for one in settled)
                await self._settled(delivery, "unreachable" if waits else settled[0].disposition, "", settled)
            everything += settled
        return everything

    async def _settled(self, delivery: Delivery, disposition: str, why: str, records: Sequence[AlertRecord]) -> None:
        await self._book(lambda: self.inbox.settle(delivery.id, disposition, why, records[0].incident_id, records), None)

    async def _known(self, cases: Sequence[Case]) -> dict[str, AlertRecord]:
        ids = [case.record.id for case in cases]
        nothing: dict[str, AlertRecord] = {}
        return await self._book(lambda: self.inbox.known(ids), nothing)

    async def _decide(self, case: Case, before: AlertRecord | None, enough: str) -> AlertRecord:
        """What an alert means, given what is on record of it. `enough`: the incident that was already told of many."""
        record = case.record
        if before is not None and before.disposition not in WAITING:
            same = before.status == record.status
            if same or before.status == "resolved":  # it was resolved once: a firing that arrives after that was delayed
                return _became(case, "duplicate" if same else "stale", before.incident_id, before.status)
        if record.status == "resolved":
            return await self._resolved(case, before.incident_id if before else "")
        if case.incident.confidence < OBSERVE_BELOW:
            return _became(case, "observed")
        if enough:
            return _became(case, "counted", enough)
        return await self._bring(case)

    async def _resolved(self, case: Case, incident: str) -> AlertRecord:
        """Tell the incident that it opened or joined, if that is still open; otherwise it is only recorded."""
        if not incident:
            return _became(case, "recorded")
        try:
            await self._reach(lambda client: steering.tell_of_alert(client, incident, case.alert))
        except CliError as trouble:
            return _became(case, "unreachable", incident, "firing") if trouble.unreachable else _became(case, "recorded", incident)
        return _became(case, "joined", incident)

    async def _bring(self, case: Case) -> AlertRecord:
        """Open or join. No exception if the server is away: the alert waits for the sender's next attempt."""
        full = self._full.get(case.alert.dedup_key, "")
        if full and not await asyncio.to_thread(steering.over, self.ledger, full):
            return _became(case, "counted", full)
        try:
            incident, alerts = await self._reach(
                lambda client: steering.deliver(client, self.ledger, self.settings, case.info, case.incident, case.alert, case.ids)
            )
        except CliError as trouble:
            log.warning("alert %s waits: %s", case.record.name, trouble.sentence)
            return _became(case, "unreachable")
        if alerts >= FULL:
            self._full[case.alert.dedup_key] = incident
        return _became(case, "opened" if alerts <= 1 else "joined", incident)

    async def _reach(self, conversation: Callable[[Client], Awaitable[T]]) -> T:
        """Talk to the server. After it did not answer, wait a moment before the next attempt."""
        now = asyncio.get_running_loop().time
        if now() < self._pause_until:
            raise CliError("the Temporal server did not answer a moment ago", unreachable=True)
        try:
            return await conversation(await self.connected())
        except CliError as trouble:
            if trouble.unreachable:
                self._pause_until = now() + PAUSE
            raise

    @asynccontextmanager
    async def _alone(self, key: str) -> AsyncIterator[None]:
        """One at a time for one dedup key. Locks that nobody waits for are removed."""
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            yield
        if not lock.locked() and not getattr(lock, "_waiters", None):
            self._locks.pop(key, None)

    async def _book(self, write: Callable[[], T], otherwise: T) -> T:
        """An incident opens even if our own ledger does not answer."""
        try:
            return await asyncio.to_thread(write)
        except Exception:
            log.exception("the ledger did not answer; continuing without it")
            return otherwise


def _became(case: Case, disposition: str, incident: str = "", status: str = "") -> AlertRecord:
    update = {"disposition": disposition, "incident_id": incident, "status": status or case.record.status}
    return case.record.model_copy(update=update)
