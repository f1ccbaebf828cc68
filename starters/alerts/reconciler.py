"""What an incident cannot see itself: that its playbook was terminated, reset, failed, timed out, or never began.

Every minute the ledger is compared with the Temporal server. An open incident without a running playbook is lost: its measures stay in force
and nothing lifts them. People are paged, once per finding and day, with the commands to lift everything by hand.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from temporalio.client import Client, WorkflowExecutionDescription, WorkflowExecutionStatus
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities.action import Call, Refused, Role
from activities.ledger.database import LedgerDown
from activities.ledger.discrepancies import COMPARED_KINDS, NO_PLAYBOOK, NO_RECORD, NO_SCOPE, RESET, Discrepancies, Discrepancy
from activities.ledger.ledger import Ledger
from activities.ledger.record import Recorded
from activities.organisation.organisation import Organisation
from activities.organisation.people import Person, Roster
from activities.organisation.policy import Policy
from activities.paging.orders import Page
from activities.paging.pager import Pager
from starters.screens.text import CliError, plain, span, typed
from worker.playbooks import discover
from worker.settings import Settings

log = logging.getLogger(__name__)

EVERY = 60.0  # seconds between two comparisons
BEGINS_WITHIN = timedelta(minutes=2)  # from the start on the server to the first word on the record
SCOPE_WITHIN = timedelta(minutes=15)  # how long an incident may run without a service: nothing can be done before it is known
TRIES, PAUSE = 4, 2.0  # of a page, and the seconds between
HOLDERS = (Role.INCIDENT_COMMANDER, Role.OPS_LEAD, Role.DEPUTY)
ENDED = {
    WorkflowExecutionStatus.TERMINATED: "was terminated on the server",
    WorkflowExecutionStatus.FAILED: "failed",
    WorkflowExecutionStatus.TIMED_OUT: "timed out",
    WorkflowExecutionStatus.CANCELED: "was cancelled before it could close its record",
    WorkflowExecutionStatus.COMPLETED: "ended without closing its record",
}


@dataclass(frozen=True)
class Reconciler:
    """Compares, records what it finds, and pages. One per receiver; several side by side page once."""

    settings: Settings
    ledger: Ledger
    connected: Callable[[], Awaitable[Client]]
    pager: Pager | None

    @property
    def findings(self) -> Discrepancies:
        return Discrepancies(self.ledger)

    async def run(self) -> None:
        """Until cancelled. An error in one comparison does not stop the next one."""
        while True:
            try:
                await asyncio.wait_for(self.once(), EVERY)
            except (LedgerDown, RPCError, CliError, TimeoutError) as away:
                log.warning("nothing was compared: %s", away)
            except Exception:
                log.exception("the comparison of ledger and server failed; the next one is in a minute")
            await asyncio.sleep(EVERY)

    async def once(self) -> list[Discrepancy]:
        """One comparison, with what follows from it."""
        found = await compare(await self.connected(), self.ledger)
        await self.tell(found, COMPARED_KINDS)
        return found

    async def tell(self, found: Sequence[Discrepancy], kinds: Sequence[str]) -> None:
        """Record what was found when these kinds were looked for, and page about what nobody was told of yet."""
        await asyncio.to_thread(self.findings.keep, found, kinds)
        for finding in found:
            if await asyncio.to_thread(self.findings.take, finding):
                await self._tell(finding)

    async def _tell(self, finding: Discrepancy) -> None:
        book = Organisation(self.settings.organisation)
        try:
            policy, roster = book.read_policy(), book.read_roster()
        except Refused as wrong:
            policy, roster = Policy(), Roster()
            log.error("nobody can be paged: %s", wrong.message)
        log.error("%s: %s", finding.incident_id, finding.text)
        people = roster.holders(HOLDERS)
        if policy.may_write_to is not None and "pager" not in policy.may_write_to:
            await asyncio.to_thread(self.findings.told, finding, "nobody: shadow mode")
            return
        if self.pager is None or not people:
            return  # it stays untold: `incident doctor` says so, and another receiver may be able to
        if await self._page(self.pager, finding, people, policy):
            await asyncio.to_thread(self.findings.told, finding, ", ".join(person.id for person in people))

    async def _page(self, pager: Pager, finding: Discrepancy, people: tuple[Person, ...], policy: Policy) -> bool:
        """Page for this finding, under a key of its own: a page that people have resolved must not hide it."""
        now = datetime.now(UTC)
        key = finding.key(now)
        order = Page(incident_id=key, people=people, summary=finding.text[:500], severity=finding.severity)
        known = finding.incident_id
        call = Call(incident_id=known, key=f"{known}/pager.page/{key}", at=now, write_access=policy.may_write_to)
        for pause in (PAUSE,) * (TRIES - 1) + (0.0,):
            try:
                await pager.page(order, call)
            except Exception as broke:
                log.warning("the page about %s is not out: %s", known, broke)
                if isinstance(broke, ApplicationError) and broke.non_retryable:
                    return False
                await asyncio.sleep(pause)
            else:
                return True
        return False


async def compare(client: Client, ledger: Ledger) -> list[Discrepancy]:
    """Compare what is on record as open or in force with what runs. Raises `LedgerDown` and `RPCError`."""
    recorded = await asyncio.to_thread(ledger.incidents)
    found = [await _judged(client, ledger, one) for one in recorded]
    return [one for one in (*found, *await _unrecorded(client, ledger)) if one is not None]


async def _judged(client: Client, ledger: Ledger, known: Recorded) -> Discrepancy | None:
    described: WorkflowExecutionDescription | None = None
    try:
        described = await client.get_workflow_handle(known.incident_id).describe(rpc_timeout=timedelta(seconds=5))
    except RPCError as failed:
        if failed.status is not RPCStatusCode.NOT_FOUND:
            raise
    if described is None or described.status in ENDED:
        # It may have ended, and closed its record, between our two looks.
        again = await asyncio.to_thread(ledger.status, known.incident_id)
        if again is None or again.status.get("closed_at"):
            return None
        why = "is not on the server" if described is None or described.status is None else ENDED[described.status]
        return _lost(again, NO_PLAYBOOK, why)
    if await _was_reset(client, described):
        return _lost(known, RESET, "was reset on the server and does not know what it did since")
    age = datetime.now(UTC) - datetime.fromisoformat(str(known.status["declared_at"]))
    if not known.status.get("service") and age > SCOPE_WITHIN:
        text = f"{known.incident_id} has run for {span(age)} without a service: nobody said what is affected. " + _by_hand(known)
        return Discrepancy(incident_id=known.incident_id, kind=NO_SCOPE, text=text, severity=3)
    return None


def _lost(known: Recorded, kind: str, why: str) -> Discrepancy:
    measures = [plain(f"{m['name']} {m['target']}") for m in known.status.get("in_force") or []]  # type: ignore[union-attr,index,call-overload]
    what = "measures in force, no playbook" if measures else "open incident without a running playbook"
    what = "the playbook of an open incident was reset" if kind == RESET else what
    named = f"; in force: {', '.join(measures[:5])}" if measures else ""
    text = f"{what}: {known.incident_id} {why}{named}. {_by_hand(known)}"
    return Discrepancy(incident_id=known.incident_id, kind=kind, text=text, severity=1 if measures else 2)


def _by_hand(known: Recorded) -> str:
    return f"{typed('measures', known.incident_id, '--by-hand')} | {typed('by-hand', known.incident_id)}"


async def _was_reset(client: Client, described: WorkflowExecutionDescription) -> bool:
    """A reset copies the history into a new run: its first event still carries the run in which it was written."""
    handle = client.get_workflow_handle(described.id, run_id=described.run_id)
    async for event in handle.fetch_history_events(page_size=1):
        begun = event.workflow_execution_started_event_attributes
        return bool(begun.original_execution_run_id) and begun.original_execution_run_id != described.run_id
    return False


async def _unrecorded(client: Client, ledger: Ledger) -> list[Discrepancy]:
    """Playbooks that run on the server and are not on record: badly started, or on a queue that no worker serves."""
    known = set(await asyncio.to_thread(ledger.ids))
    types = ", ".join(f"'{info.type}'" for info in discover().values())
    found = []
    async for one in client.list_workflows(f"ExecutionStatus = 'Running' AND WorkflowType IN ({types})", limit=1000):
        age = datetime.now(UTC) - one.start_time
        if one.id in known or one.parent_id or age < BEGINS_WITHIN:
            continue
        text = (
            f"{one.id} ({one.workflow_type}) was started {span(age)} ago and no worker has picked it up: queue {one.task_queue}. "
            f"incident doctor | {typed('measures', one.id, '--by-hand')}"
        )
        found.append(Discrepancy(incident_id=one.id, kind=NO_RECORD, text=plain(text)))
    return found
