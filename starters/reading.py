"""Reading about incidents: the ledger first, because it answers when everything else is down; then the worker, then the server itself.

Everything that is shown says where it comes from and how old it is.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from pydantic import JsonValue, ValidationError

from activities.kit.words.code_names import code_name, under_code_name
from activities.ledger.database import LedgerDown
from activities.ledger.discrepancies import LOST_KINDS, Discrepancies
from activities.ledger.effects import Done
from activities.ledger.entry import Entry
from activities.ledger.ledger import Ledger
from activities.ledger.record import Recorded
from starters.screens.text import CliError, typed
from workflows.incident import Phase, Severity, State
from workflows.status import Status

if TYPE_CHECKING:
    from temporalio.client import Client, WorkflowExecution

    from worker.settings import Settings

T = TypeVar("T")

FULL = re.compile(r"(inc-\d{8}|freeze|clocks)-.+")  # a freeze, too, puts questions; and clocks take messages
LEDGER, WORKER, SERVER = "the ledger", "the worker", "the Temporal server"


class IncidentView(NamedTuple):
    """A status, where it comes from, and when it was true."""

    status: Status
    source: str
    as_of: datetime

    @property
    def partial(self) -> bool:
        """Only the server's listing answered: steps and questions are not known."""
        return self.source == SERVER


class Reader:
    def __init__(self, settings: "Settings") -> None:
        self.settings = settings
        self.ledger = Ledger(settings.ledger_url)

    def find(self, part: str, open_only: bool = False) -> str:
        """The incident with this id, or with this beginning or end of its id; without one, the only open incident."""
        ids = [known for known in self._ids(open_only=True) if _may_mean(part, known)]
        if not part:
            return _only_open(ids)
        all_ids = [] if open_only else self._ids(open_only=False)
        everything = [*ids, *(known for known in all_ids if known not in ids and _may_mean(part, known))]
        if part in everything:
            return part
        for among in (ids, everything):
            meant = [known for known in among if known.startswith(part) or known.endswith(part)]
            if len(meant) == 1:
                return meant[0]
            if meant:
                raise CliError(f"{part!r} may mean {', '.join(meant[:5])}: give more of the id", "incident list")
        with suppress(CliError):
            if FULL.fullmatch(part) and self.status(part, live=True):  # a new incident may not be in the ledger yet
                return part
        raise CliError(f"there is no incident {part!r}", "incident list --all")

    def status(self, incident: str, live: bool = False) -> IncidentView:
        known = None
        with suppress(LedgerDown):
            known = None if live else self.ledger.status(incident)
        return _seen(known) if known else self.talk(lambda client: _ask(client, incident))

    def incidents(self, open_only: bool = True) -> list[IncidentView]:
        """Every incident that is not restricted, newest first. Whoever is on a restricted one knows its code name."""
        try:
            return [seen for known in self.ledger.incidents(open_only) if not (seen := _seen(known)).status.restricted]
        except LedgerDown as down:
            return [seen for seen in self._listed(open_only, down) if not under_code_name(seen.status.incident_id)]

    def lost(self) -> set[str]:
        """The incidents that the reconciler found without a playbook; none without a ledger."""
        return {found.incident_id for found in Discrepancies(self.ledger).open() if found.kind in LOST_KINDS}

    def holding(self) -> list[IncidentView]:
        """Every incident that may have something in force: the open ones, and those that ended and left something.

        Without a ledger each open one is asked. Raises `CliError` if one cannot be asked: unknown does not mean nothing is in force.
        """
        try:
            return [_seen(known) for known in self.ledger.holding()]
        except LedgerDown as down:
            return [whole(self.status(seen.status.incident_id, live=True)) for seen in self._listed(True, down)]

    def effects(self, incident: str) -> list[Done]:
        """What was attempted and done; nothing without a ledger."""
        try:
            return self.ledger.effects(incident)
        except LedgerDown:
            return []

    def timeline(self, incident: str) -> tuple[list[Entry], str]:
        """The lines of a timeline, and where they come from."""
        try:
            kept, known = self.ledger.timeline(incident), self.ledger.status(incident) is not None
        except LedgerDown:
            kept, known = [], False
        if kept:
            return kept, LEDGER
        from starters import steering  # noqa: PLC0415 - the ledger usually answers, and the SDK is slow to import

        try:
            return self.talk(lambda client: steering.ask(client, incident, "timeline", list[Entry])), WORKER
        except CliError:
            if known:
                return [], LEDGER
            raise

    def talk(self, conversation: "Callable[[Client], Awaitable[T]]") -> T:
        """One conversation with the Temporal server. Raises `CliError`."""
        from starters import steering  # noqa: PLC0415 - as above

        async def connected() -> T:
            return await conversation(await steering.connect(self.settings))

        return asyncio.run(connected())

    def say(self, incident: str, message: str, by: str, **words: JsonValue) -> str:
        """Send one message, and return the sentence it is answered with. Raises `CliError`."""
        from starters import steering  # noqa: PLC0415 - as above

        return self.talk(lambda client: steering.say(client, incident, message, by=by, **words))

    def _ids(self, open_only: bool) -> list[str]:
        try:
            return self.ledger.ids(open_only)
        except LedgerDown as down:
            return [seen.status.incident_id for seen in self._listed(open_only, down)]

    def _listed(self, open_only: bool, down: LedgerDown) -> list[IncidentView]:
        """What the server knows, when the ledger does not answer."""
        try:
            return self.talk(lambda client: _list(client, open_only))
        except CliError as also:
            raise CliError(f"{down}; and {also.sentence}", "incident doctor") from None


async def _ask(client: "Client", incident: str) -> IncidentView:
    from starters import steering  # noqa: PLC0415 - as above

    try:
        return IncidentView(await steering.ask(client, incident, "status", Status), WORKER, datetime.now(UTC))
    except CliError as silent:
        try:
            async with steering.plainly(client, incident):
                return _from_server(await client.get_workflow_handle(incident).describe())
        except CliError:
            raise silent from None


async def _list(client: "Client", open_only: bool) -> list[IncidentView]:
    from starters import steering  # noqa: PLC0415 - as above

    query = "WorkflowId STARTS_WITH 'inc-'" + (" AND ExecutionStatus = 'Running'" if open_only else "")
    async with steering.plainly(client, "the list of incidents"):
        return [_from_server(one) async for one in client.list_workflows(query, limit=500)]


def _may_mean(part: str, known: str) -> bool:
    """An incident under a code name is meant only by whoever gives that name: it may be restricted."""
    return not under_code_name(known) or code_name(known) in part


def whole(seen: IncidentView) -> IncidentView:
    """The same. Raises `CliError` if only the server's listing answered: then its steps and measures are not known."""
    if seen.partial:
        raise CliError(
            f"what is in force for {seen.status.incident_id} is not known: neither the ledger nor a worker answers", "incident doctor"
        )
    return seen


def _only_open(ids: list[str]) -> str:
    if len(ids) == 1:
        return ids[0]
    if not ids:
        raise CliError("no incident is open", "incident declare PLAYBOOK --service NAME")
    raise CliError(f"{len(ids)} incidents are open: give one of {', '.join(ids[:5])}", "incident list")


def _seen(known: Recorded) -> IncidentView:
    try:
        return IncidentView(Status.model_validate(known.status), LEDGER, known.updated_at)
    except ValidationError as wrong:
        if all(error["type"] == "extra_forbidden" for error in wrong.errors()):
            # A newer worker wrote fields that this version does not know. The rest is read: reading must not stop during an upgrade.
            status = Status.model_validate(known.status, extra="ignore")
            return IncidentView(status, f"{LEDGER} (a newer version wrote it)", known.updated_at)
        raise CliError(
            f"the ledger's status of {known.incident_id} was written by another version of this product ({wrong.errors()[0]['msg']})",
            typed("status", "--live", known.incident_id),
        ) from None


def _from_server(one: "WorkflowExecution") -> IncidentView:
    told = {pair.key.name: pair.value for pair in one.typed_search_attributes.search_attributes}
    severity = Severity.parse(told.get("IncidentSeverity") or "SEV-2")
    now = datetime.now(UTC)
    status = Status(
        incident_id=one.id, playbook=one.workflow_type, section=str(told.get("Playbook") or ""), title=one.workflow_type,
        severity=severity, peak_severity=severity, phase=Phase(told.get("IncidentPhase") or Phase.DECLARED),
        state=State(told.get("IncidentState") or State.OPEN), commander=str(told.get("Commander") or ""),
        declared_at=one.start_time, updated_at=now, closed_at=one.close_time,
    )  # fmt: skip
    return IncidentView(status, SERVER, now)
