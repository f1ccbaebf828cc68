"""What becomes of an alert: it opens its incident, joins it, is counted, or is only recorded. Never lost: what cannot be delivered waits.

It waits in a queue of its dedup key, and on the record: a receiver that begins anew fetches it from there (`docs/alerts.md`).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TypeVar

from temporalio.client import Client

from activities.action import Refused
from activities.identity.codes import Codes
from activities.ledger.inbox import DUPLICATE, LATE, STILL_FIRING, WAITING, AlertRecord, Delivery, Inbox
from activities.ledger.ledger import Ledger
from activities.organisation.organisation import Organisation
from activities.organisation.policy import Policy
from starters import steering
from starters.alerts.cases import OBSERVE_BELOW, UNREADABLE, Case, Unreadable, cases_of, grouped, unreadable
from starters.alerts.queues import Progress, Queues, Turn
from starters.alerts.sources.known import NOTHING, Known
from starters.openings import Openings, from_ledger
from starters.screens.text import CliError
from worker.settings import Settings

log = logging.getLogger(__name__)

LONGEST_BODY = 1 << 20  # bytes
MOST_TOLD = 20  # alerts of one delivery that one incident is told of one by one
FULL = 1500  # a workflow takes 2000 updates in its life; beyond this an alert is only counted here
PAUSE = 2.0  # seconds in which nobody tries again to reach a server that just did not answer
ANSWER_WITHIN = 7.0  # seconds; Alertmanager gives up after ten
LOOK_AGAIN = 15.0  # seconds between two looks for deliveries that wait on the record and in no queue of ours

T = TypeVar("T")


class Intake:
    """Brings alerts to their incidents. One per process; several may run side by side (`starters/openings.py`)."""

    def __init__(self, settings: Settings, ledger: Ledger, codes: Codes | None = None) -> None:
        self.settings = settings
        self.codes = codes
        self.ledger = ledger
        self.inbox = Inbox(ledger)
        self.openings = Openings(ledger)
        self._restricted = (
            self if settings.restricted is settings else Intake(settings.restricted, Ledger(settings.restricted.ledger_url), codes)
        )
        self._client: Client | None = None
        self._connecting = asyncio.Lock()
        self._queues = Queues(self._serve)
        self._progress: dict[str, Progress] = {}
        self._full: dict[str, str] = {}
        self._away, self._pause_until = False, 0.0

    async def connected(self) -> Client:
        """The client of the configured server, connected once. Raises `CliError`."""
        async with self._connecting:
            if self._client is None:
                self._client = await steering.connect(self.settings)
            return self._client

    async def take_in(self, delivery: Delivery, *, verified: bool = False) -> tuple[list[AlertRecord], str]:
        """Keep a body and bring its alerts to their incidents: what became of each by now, and why the body cannot be read, if so.

        What is not done within `ANSWER_WITHIN` goes on by itself. `verified`: its source was checked. What waits on the record is brought
        without that: others may write there.
        """
        now = asyncio.get_running_loop().time
        answer_at = now() + ANSWER_WITHIN
        await from_ledger(lambda: self.inbox.keep(delivery), 1)
        mine = await self._read(delivery, verified=verified)
        progress = self._progress.setdefault(delivery.id, mine)
        turns = self._queue(progress)
        await asyncio.wait([turn.tried for turn in turns], timeout=max(answer_at - now(), 0))
        settled = [record for turn in turns for record in (turn.tried.result() if turn.tried.done() else turn.waiting())]
        return [one if progress is mine else _again(one) for one in settled], progress.why

    async def redeliver(self) -> None:
        """Until cancelled: bring to their incidents the deliveries that wait on the record, from before a restart or from elsewhere."""
        while True:
            await self.look_again()
            await asyncio.sleep(LOOK_AGAIN)

    async def look_again(self) -> None:
        """Queue what waits on the record and in no queue of ours."""
        nothing: list[Delivery] = []
        for delivery in await from_ledger(lambda: self.inbox.waiting(besides=list(self._progress)), nothing):
            read = await self._read(delivery, again=True)
            self._queue(self._progress.setdefault(delivery.id, read))

    async def close(self) -> None:
        await self._queues.close()

    async def _read(self, delivery: Delivery, *, again: bool = False, verified: bool = False) -> Progress:
        cases, why = await asyncio.to_thread(lambda: cases_in(delivery, self._known_here()))
        if verified and self.codes is not None:
            cases = [case.sealed(self.codes) for case in cases]
        return Progress(delivery.model_copy(update={"raw": b""}), {group[0].alert.dedup_key: group for group in grouped(cases)}, why, again)

    def _queue(self, progress: Progress) -> list[Turn]:
        return [self._queues.put(progress, key) for key in progress.groups]

    async def _serve(self, turn: Turn) -> bool:
        """Bring the alerts of one key to their incident, and record what became of each. False: some wait."""
        known = await self._known(turn.cases)
        records: list[AlertRecord] = []
        told: list[str] = []
        for case in turn.cases:
            if records and records[-1].disposition in WAITING:  # what came later is not told before it
                records.append(_became(case, "unreachable"))
                continue
            records.append(await self._decide(turn, case, known.get(case.record.id), told[-1] if len(told) >= MOST_TOLD else ""))
            told += [records[-1].incident_id] if records[-1].disposition in ("opened", "joined") else []
        await self._record(turn, records)
        return not any(one.disposition in WAITING for one in records)

    async def _record(self, turn: Turn, records: list[AlertRecord]) -> None:
        progress, again = turn.progress, turn.again
        waits = any(one.disposition in WAITING for one in records)
        if not waits:
            progress.settled[turn.key] = records
        whole = "unreachable" if progress.waits else next(iter(progress.settled.values()))[0].disposition
        incident = next((one.incident_id for one in records if one.disposition in WAITING), records[0].incident_id)
        delivery, why = progress.delivery, progress.why
        await from_ledger(lambda: self.inbox.settle(delivery, whole, records, why=why, incident_id=incident, again=again), None)
        turn.again = True
        if not progress.waits:
            self._progress.pop(delivery.id, None)
        if not waits:
            turn.answer(records)

    async def _known(self, cases: Sequence[Case]) -> dict[str, AlertRecord]:
        ids = [case.record.id for case in cases]
        nothing: dict[str, AlertRecord] = {}
        return await from_ledger(lambda: self.inbox.known(ids), nothing)

    async def _decide(self, turn: Turn, case: Case, before: AlertRecord | None, enough: str) -> AlertRecord:
        """What an alert means, given what is on record of it. `enough`: the incident that was already told of many."""
        status = case.record.status
        if before is not None and before.disposition not in WAITING:
            case = case.beginning(before.nth)
            if before.status == status:
                return await self._repeated(case, before)
            if status == "firing":
                return await self._fires_again(case.beginning(before.nth + 1), before, turn.progress.delivery.received_at)
        if status == "resolved":
            return await self._resolved(case, before.incident_id if before else "")
        if case.incident.confidence < OBSERVE_BELOW:
            return _became(case, "observed")
        if enough:
            return _became(case, "counted", enough)
        return await self._bring(case)

    async def _repeated(self, case: Case, before: AlertRecord) -> AlertRecord:
        """Told already. But one that still fires after its incident was closed is told to another that is open for it, or to people."""
        if before.status == "firing" and before.incident_id and await self.openings.over(before.incident_id):
            return await self._joined(case, before, STILL_FIRING)
        return _became(case, DUPLICATE, before.incident_id, before.status)

    async def _fires_again(self, case: Case, before: AlertRecord, at: datetime) -> AlertRecord:
        """It was resolved and fires again since the same instant. Alertmanager does not say when it sent a body, only the order tells.

        An open incident is told in any case. Without one, a body that came before the resolution is stale; one that came just after it is
        taken for a late delivery, of which people are told; one that came later is a new firing.
        """
        resolved_at = before.last_at or at
        if at < resolved_at:
            return _became(case.beginning(before.nth), "stale", before.incident_id, before.status)
        if case.incident.confidence < OBSERVE_BELOW:
            return _became(case, "observed")
        policy = await self._policy()
        if at - resolved_at < policy.paced(policy.alerts.late):
            return await self._joined(case, before, LATE)
        return await self._bring(case)

    async def _joined(self, case: Case, before: AlertRecord, otherwise: str) -> AlertRecord:
        """Tell the incident that is open for its key. Without one nothing is opened: `otherwise` says what became of it."""
        if (other := self._serving(case)) is not self:
            return await other._joined(case, before, otherwise)
        try:
            joined = await self._reach(lambda client: steering.join(client, self.openings, case.alert))
        except CliError as trouble:
            return _waits(case, trouble)
        if joined is None:
            return _became(case.beginning(before.nth), otherwise, before.incident_id, before.status)
        return _became(case, "joined", joined[0])

    async def _resolved(self, case: Case, incident: str) -> AlertRecord:
        """Tell the incident that it opened or joined, if that is still open; otherwise it is only recorded."""
        if not incident:
            return _became(case, "recorded")
        if (other := self._serving(case)) is not self:
            return await other._resolved(case, incident)
        try:
            await self._reach(lambda client: steering.tell_of_alert(client, incident, case.alert))
        except CliError as trouble:
            return _waits(case, trouble) if trouble.unreachable else _became(case, "recorded", incident)
        return _became(case, "joined", incident)

    async def _bring(self, case: Case) -> AlertRecord:
        """Open or join. No exception if the server is away: the alert waits."""
        if (other := self._serving(case)) is not self:
            return await other._bring(case)
        full = self._full.get(case.alert.dedup_key, "")
        if full and not await self.openings.over(full):
            return _became(case, "counted", full)
        try:
            incident, alerts = await self._reach(
                lambda client: steering.deliver(client, self.openings, self.settings, case.info, case.incident, case.alert, case.ids)
            )
        except CliError as trouble:
            return _waits(case, trouble)
        if alerts >= FULL:
            self._full[case.alert.dedup_key] = incident
        return _became(case, "triage" if case.alert.name == UNREADABLE else "opened" if alerts <= 1 else "joined", incident)

    def _serving(self, case: Case) -> "Intake":
        """Which installation an alert is for: restricted incidents may have one of their own."""
        return self._restricted if case.info.card.under_code_name else self

    async def _reach(self, conversation: Callable[[Client], Awaitable[T]]) -> T:
        """Talk to the server. After it did not answer, nobody asks it for a moment. An incident that does not answer holds up nobody else."""
        client = await self._reachable()
        try:
            told = await conversation(client)
        except CliError as trouble:
            if trouble.unreachable and not isinstance(trouble, steering.NoWorkerAnswered):
                self._server_is_away()
            raise
        if self._away:
            self._away = False
            self._queues.wake()
        return told

    async def _reachable(self) -> Client:
        """While one tries to connect, the others wait for what comes of it."""
        async with self._connecting:
            if asyncio.get_running_loop().time() < self._pause_until:
                raise CliError("the Temporal server did not answer a moment ago", unreachable=True)
            if self._client is None:
                try:
                    self._client = await steering.connect(self.settings)
                except CliError:
                    self._server_is_away()
                    raise
            return self._client

    def _server_is_away(self) -> None:
        self._away, self._pause_until = True, asyncio.get_running_loop().time() + PAUSE

    def _known_here(self) -> Known:
        """Read for every delivery. While the file is wrong, what names no playbook is for people to sort out, and the log says why."""
        organisation = Organisation(self.settings.organisation)
        try:
            services = organisation.read_catalogue().services.values()
            repositories = {one.repository: one.name for one in services if one.repository}
            return Known(organisation.read_routes(), organisation.read_sources(), repositories)
        except Refused as wrong:
            log.warning("alerts that name no playbook go to triage: %s", wrong.message)
            return Known()

    async def _policy(self) -> Policy:
        try:
            return await asyncio.to_thread(Organisation(self.settings.organisation).read_policy)
        except Refused:
            return Policy()


def cases_in(delivery: Delivery, known: Known = NOTHING) -> tuple[list[Case], str]:
    """The alerts of a body, with one more for what cannot be read of it; and why the whole cannot be read, if so."""
    try:
        if delivery.truncated:
            raise Unreadable(f"the body is longer than {LONGEST_BODY} bytes, or it ended early")
        reports, strange = known.read(delivery)
    except Unreadable as why:
        return [unreadable(delivery, str(why))], str(why)
    cases = cases_of(delivery, [known.placed(one) for one in reports], known.routes)
    if strange:
        more = f" and {len(strange) - 3} more" if len(strange) > 3 else ""
        cases.append(unreadable(delivery, "; ".join(strange[:3]) + more))
    return cases, ""


def _became(case: Case, disposition: str, incident: str = "", status: str = "") -> AlertRecord:
    update = {"disposition": disposition, "incident_id": incident, "status": status or case.record.status}
    return case.record.model_copy(update=update)


def _waits(case: Case, trouble: CliError) -> AlertRecord:
    log.warning("alert %s waits: %s", case.record.name, trouble.sentence)
    return _became(case, "unreachable", trouble.incident if isinstance(trouble, steering.NoWorkerAnswered) else "")


def _again(record: AlertRecord) -> AlertRecord:
    """As whoever sends the same body again is told of it."""
    return record if record.disposition in WAITING else record.model_copy(update={"disposition": DUPLICATE})
