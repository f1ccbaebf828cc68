"""Which incident is open for a dedup key: what an alert or a declaration joins, whatever its date and its name.

The record knows it, but a moment later. The server's listing knows it too, and when the record is away. What this process opened itself it
remembers. Whoever finds nothing opens one, under the id that all who ask at that moment agree on (ADR 23).
"""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import timedelta
from typing import TypeVar

from pydantic import ValidationError
from temporalio.client import Client, WorkflowExecution
from temporalio.service import RPCError, RPCStatusCode

from activities.ledger.inbox import Inbox
from activities.ledger.ledger import Ledger
from starters.screens.text import CliError
from worker.playbooks import PlaybookInfo, discover
from workflows.incident import Incident

log = logging.getLogger(__name__)

FRESH = 1.0  # seconds that one listing of the server is good for: it answers ten a second, and a storm asks two hundred times
LISTED_WITHIN = timedelta(seconds=5)
LEDGER_WITHIN = 2.0  # seconds: nobody is told later because the record is slow
REMEMBERED = 5000  # keys
MEMO = "dedup_key"  # the name under which a start tells the digest of its key

T = TypeVar("T")


def dedup_key(info: PlaybookInfo, incident: Incident) -> str:
    """What makes two reports one incident: the label `incident_key` when somebody set it, else playbook, service and region."""
    given = incident.dedup_key or incident.labels.get("incident_key", "")
    return given or "/".join(part for part in (info.name, incident.service, incident.region) if part)


def digest(key: str) -> str:
    """The key as it may stand in the server's listing, which is not encrypted: it names nothing."""
    return hashlib.sha256(key.encode()).hexdigest()[:32]


async def from_ledger(ask: Callable[[], T], otherwise: T) -> T:
    """What the ledger says. An incident opens even if it does not answer."""
    try:
        return await asyncio.wait_for(asyncio.to_thread(ask), LEDGER_WITHIN)
    except Exception:
        log.exception("the ledger did not answer; continuing without it")
        return otherwise


class Openings:
    """One per process."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger, self._inbox = ledger, Inbox(ledger)
        self._here: dict[str, str] = {}
        self._listed: dict[str, list[str]] = {}
        self._listed_at = float("-inf")
        self._listing = asyncio.Lock()
        self._started: dict[str, str] = {}  # the digest of the key, by run: of those whose start did not tell it

    async def of(self, client: Client, key: str) -> AsyncIterator[str]:
        """The incidents that may be open for this key, the likeliest first. Raises `CliError` when the server is away."""
        asked: set[str] = set()
        looks: tuple[Callable[[], Awaitable[Sequence[str]]], ...] = (
            lambda: self._remembered(key),
            lambda: from_ledger(lambda: self._ledger.open_for(key), []),
            lambda: self._running(client, key),
        )
        for look in looks:
            for one in await look():
                if one not in asked and not await self.over(one):
                    asked.add(one)
                    yield one

    def remember(self, key: str, incident: str) -> None:
        """This incident is open for this key."""
        while len(self._here) >= REMEMBERED:
            self._here.pop(next(iter(self._here)))
        self._here[key] = incident

    def forget(self, key: str, incident: str) -> None:
        """It is over, or it belongs to another key."""
        if self._here.get(key) == incident:
            del self._here[key]

    async def free(self, key: str, names: Sequence[str]) -> AsyncIterator[str]:
        """The ids under which an incident may be opened for this key, in order: the same for whoever asks at the same moment."""
        held, pending = "", list(names)
        for _ in names:
            while pending and await self.over(pending[0]):
                pending.pop(0)
            if not pending:
                return
            wanted, before = pending[0], held
            held = await from_ledger(lambda wanted=wanted, before=before: self._inbox.claim(key, wanted, before), wanted)  # type: ignore[misc]
            if held == wanted:
                pending.pop(0)
            elif await self.over(held):
                continue
            yield held

    async def over(self, incident: str) -> bool:
        """Whether that incident is over. The ledger remembers an id for longer than the server does."""
        return await from_ledger(lambda: self._ledger.is_over(incident), False)

    async def key_of(self, client: Client, incident: str, run: str | None = None) -> str:
        """The digest of the key that an incident was started with. Read from its start event, so no worker is needed."""
        handle = client.get_workflow_handle(incident, run_id=run)
        async for event in handle.fetch_history_events(page_size=1):
            begun = event.workflow_execution_started_event_attributes
            info = next((info for info in discover().values() if info.type == begun.workflow_type.name), None)
            try:
                (started,) = await client.data_converter.decode(begun.input.payloads, [Incident]) if begun.input.payloads else (Incident(),)
            except (ValidationError, RuntimeError, ValueError):
                return ""
            return digest(dedup_key(info, started)) if info else ""
        return ""

    async def _remembered(self, key: str) -> Sequence[str]:
        return [self._here[key]] if key in self._here else []

    async def _running(self, client: Client, key: str) -> Sequence[str]:
        async with self._listing:
            now = asyncio.get_running_loop().time()
            if now - self._listed_at >= FRESH:
                self._listed, self._listed_at = await self._list(client), now
        return self._listed.get(digest(key), [])

    async def _list(self, client: Client) -> dict[str, list[str]]:
        types = ", ".join(f"'{info.type}'" for info in discover().values())
        found: dict[str, list[str]] = {}
        try:
            async for one in client.list_workflows(f"ExecutionStatus = 'Running' AND WorkflowType IN ({types})", rpc_timeout=LISTED_WITHIN):
                if not one.parent_id:
                    found.setdefault(await self._digest_of(client, one), []).append(one.id)
        except RPCError as failed:
            if failed.status in (RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED):
                address = client.service_client.config.target_host
                raise CliError(f"the Temporal server at {address} does not answer", "incident doctor", unreachable=True) from None
            log.warning("the server did not list its incidents; continuing with the record: %s", failed)
        return found

    async def _digest_of(self, client: Client, one: WorkflowExecution) -> str:
        """Whoever was started in the Temporal UI told no digest: its start event is read, once."""
        told = str(await one.memo_value(MEMO, ""))
        if told:
            return told
        if one.run_id not in self._started:
            self._started[one.run_id] = await self.key_of(client, one.id, one.run_id)
        return self._started[one.run_id]
