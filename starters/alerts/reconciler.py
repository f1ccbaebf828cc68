"""What an incident cannot see itself: that its playbook was terminated, reset, begun anew, failed, timed out, never began, or stands still.

Every minute the ledger is compared with the server. An open incident without a playbook that advances is lost: nothing lifts its measures.
People are paged, once per finding and day, with the commands to lift everything by hand.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from temporalio.client import Client, WorkflowExecutionDescription, WorkflowExecutionStatus
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities.action import Call, Refused, Role
from activities.ledger.database import LedgerDown
from activities.ledger.discrepancies import (
    ANOTHER_RUN,
    CLOCKS_ENDED,
    COMPARED_KINDS,
    NO_PLAYBOOK,
    NO_RECORD,
    NO_SCOPE,
    RESET,
    STANDS_STILL,
    Discrepancies,
    Discrepancy,
)
from activities.ledger.ledger import Ledger
from activities.ledger.record import Recorded
from activities.organisation.organisation import Organisation
from activities.organisation.people import Person, Roster
from activities.organisation.policy import Policy
from activities.paging.orders import Page
from activities.paging.pager import Pager
from starters.alerts.advancing import no_progress, task_trouble, where_it_fails
from starters.clocks.ended import clocks_ended
from starters.screens.text import CliError, plain, span, typed
from worker.playbooks import discover
from worker.settings import Settings

log = logging.getLogger(__name__)

EVERY = 60.0  # seconds between two comparisons
BEGINS_WITHIN = timedelta(minutes=2)  # from the start on the server to the first word on the record
SCOPE_WITHIN = timedelta(minutes=15)  # how long an incident may run without a service: nothing can be done before it is known
JUDGED_WITHIN = 8.0  # seconds for one incident: one that does not answer delays no other
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
        found, unknown = await compare(await self.connected(), self.ledger, self.policy())
        await self.tell(found, COMPARED_KINDS, unknown)
        return found

    async def tell(self, found: Sequence[Discrepancy], kinds: Sequence[str], unknown: Collection[str] = ()) -> None:
        """Record what was found when these kinds were looked for, and page about what nobody was told of yet."""
        await asyncio.to_thread(self.findings.keep, found, kinds, unknown)
        await asyncio.gather(*(self._tell_once(finding) for finding in found))

    def policy(self) -> Policy:
        """The organisation's numbers; ours where its file cannot be read."""
        try:
            return Organisation(self.settings.organisation).read_policy()
        except Refused:
            return Policy()

    async def _tell_once(self, finding: Discrepancy) -> None:
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
        people = roster.holders((*HOLDERS, Role.LEGAL) if finding.kind == CLOCKS_ENDED else HOLDERS)
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
        key, known = finding.key(now), finding.incident_id
        order = Page(incident_id=key, people=people, summary=finding.text[:500], severity=finding.severity)
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


class Comparison(NamedTuple):
    found: list[Discrepancy]
    unknown: list[str]  # incidents that could not be judged


async def compare(client: Client, ledger: Ledger, policy: Policy) -> Comparison:
    """Compare what is on record as open with what runs, all at once. Raises `LedgerDown`, and `RPCError` when the server says nothing at all."""
    recorded = await asyncio.to_thread(ledger.incidents)
    at_once = asyncio.Semaphore(20)

    async def soon(judging: Coroutine[Any, Any, Discrepancy | None]) -> Discrepancy | None:
        async with at_once:
            return await asyncio.wait_for(judging, JUDGED_WITHIN)

    judged = await asyncio.gather(*(soon(_judged(client, ledger, one, policy)) for one in recorded), return_exceptions=True)
    unrecorded = [*await _unrecorded(client, ledger, {one.incident_id for one in recorded}), *await clocks_ended(client)]
    unknown = []
    for one, outcome in zip(recorded, judged, strict=True):
        if isinstance(outcome, BaseException):
            log.warning("%s was not compared: %s", one.incident_id, outcome or type(outcome).__name__)
            unknown.append(one.incident_id)
    return Comparison([one for one in (*judged, *unrecorded) if isinstance(one, Discrepancy)], unknown)


async def _judged(client: Client, ledger: Ledger, known: Recorded, policy: Policy) -> Discrepancy | None:
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
    if _is_another_run(described, known):
        return _lost(known, ANOTHER_RUN, "was started anew under this id, and the new run knows nothing of the old one")
    if stuck := task_trouble(described.raw_description, datetime.now(UTC)):
        handle = client.get_workflow_handle(described.id, run_id=described.run_id)
        return _lost(known, STANDS_STILL, f"stands still: {stuck}; {await where_it_fails(handle)}")
    if late := no_progress(known, policy, datetime.now(UTC)):
        return _lost(known, STANDS_STILL, f"stands still: {late}. {typed('doctor')} says whether a worker runs")
    age = datetime.now(UTC) - datetime.fromisoformat(str(known.status["declared_at"]))
    if not known.status.get("service") and age > SCOPE_WITHIN:
        text = f"{known.incident_id} has run for {span(age)} without a service: nobody said what is affected. " + _by_hand(known)
        return Discrepancy(incident_id=known.incident_id, kind=NO_SCOPE, text=text, severity=3)
    return None


OTHERWISE = {
    RESET: "the playbook of an open incident was reset", ANOTHER_RUN: "a second playbook began under the id of an incident",
    STANDS_STILL: "the playbook of an open incident does not advance",
}  # fmt: skip


def _is_another_run(described: WorkflowExecutionDescription, known: Recorded) -> bool:
    """An incident is declared in its run's first moment: what was declared before the run began is another one's record."""
    first = described.raw_description.workflow_execution_info.first_run_id
    return first in ("", described.run_id) and datetime.fromisoformat(str(known.status["declared_at"])) < described.start_time


def _lost(known: Recorded, kind: str, why: str) -> Discrepancy:
    measures = [plain(f"{m['name']} {m['target']}") for m in known.status.get("in_force") or []]  # type: ignore[union-attr,index,call-overload]
    what = "measures in force, no playbook" if measures else "open incident without a running playbook"
    what = OTHERWISE.get(kind, what)
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


async def _unrecorded(client: Client, ledger: Ledger, judged: Collection[str]) -> list[Discrepancy]:
    """Playbooks that run and are not on record: badly started, on a queue that no worker serves, or under the id of an incident that is over."""
    known = set(await asyncio.to_thread(ledger.ids))
    types = ", ".join(f"'{info.type}'" for info in discover().values())
    found = []
    async for one in client.list_workflows(f"ExecutionStatus = 'Running' AND WorkflowType IN ({types})", limit=1000):
        age = datetime.now(UTC) - one.start_time
        if one.id in known and one.id not in judged and (over := await asyncio.to_thread(ledger.status, one.id)) is not None:
            if datetime.fromisoformat(str(over.status["declared_at"])) < one.start_time:
                found.append(
                    _lost(over, ANOTHER_RUN, "is over, and was started anew under its id: its record takes nothing from the new run")
                )
            continue
        if one.id in known or one.parent_id or age < BEGINS_WITHIN:
            continue
        text = (
            f"{one.id} ({one.workflow_type}) was started {span(age)} ago and no worker has picked it up: queue {one.task_queue}. "
            f"incident doctor | {typed('measures', one.id, '--by-hand')}"
        )
        found.append(Discrepancy(incident_id=one.id, kind=NO_RECORD, text=plain(text)))
    return found
