"""The public interface to incidents: declare one, say something to it, ask how it is.

The CLI, the alert receiver and game days all use it. Every function takes a Temporal client. What an incident refuses is a `Refusal`;
everything else that goes wrong is a `CliError`. Both are one sentence for a person.
"""

import asyncio
import getpass
import socket
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from pydantic import JsonValue, ValidationError
from temporalio.client import (
    Client,
    RPCError,
    WithStartWorkflowOperation,
    WorkflowExecutionStatus,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCStatusCode

from activities.ledger.database import LedgerDown
from activities.ledger.ledger import Ledger
from activities.ledger.record import OVER
from starters.screens.text import CliError, Refusal, typed
from worker import converter
from worker.playbooks import PlaybookInfo, discover
from worker.settings import Settings
from workflows.incident import UNSURE, Alert, Incident, Joined, incident_id, worst

ANSWER_WITHIN = timedelta(seconds=15)  # an incident may look up who somebody is before it answers
JOIN_WITHIN = timedelta(seconds=8)  # Alertmanager gives up after ten
CONNECT_WITHIN = 5.0  # seconds
NAMESAKES = 50  # how many incidents may share a short name on one day
FAIL, USE_EXISTING = WorkflowIDConflictPolicy.FAIL, WorkflowIDConflictPolicy.USE_EXISTING

T = TypeVar("T")


class Declared(NamedTuple):
    """Where a declaration ended: a new incident, or one that was open for the same thing."""

    incident_id: str
    opened: bool


async def connect(settings: Settings) -> Client:
    """A client of the configured server. Raises `CliError` after five seconds."""
    who = f"incident:{getpass.getuser()}@{socket.gethostname()}"
    try:
        return await asyncio.wait_for(converter.connect(settings, identity=who), CONNECT_WITHIN)
    except (RuntimeError, TimeoutError, RPCError):
        raise _unreachable(settings.temporal_address) from None


def playbook(name: str) -> PlaybookInfo:
    """The playbook called so: by file name, by section (`2.2`, `§2.2`) or by workflow type. Raises `CliError`."""
    known = discover()
    wanted = name.strip().lstrip("§").replace("-", "_").casefold()
    for info in known.values():
        if wanted in (info.name.casefold(), info.card.section.casefold(), info.type.casefold()):
            return info
    raise CliError(f"there is no playbook called {name!r}; there are {', '.join(sorted(known))}", "incident playbooks")


def dedup_key(info: PlaybookInfo, incident: Incident) -> str:
    """What makes two reports one incident: the label `incident_key` when somebody set it, else playbook, service and region."""
    given = incident.dedup_key or incident.labels.get("incident_key", "")
    return given or "/".join(part for part in (info.name, incident.service, incident.region) if part)


async def declare(client: Client, ledger: Ledger, settings: Settings, name: str, incident: Incident) -> Declared:
    """Start a playbook. If one already runs for the same thing, return that incident. Raises `CliError`."""
    info = playbook(name)
    told = incident.model_copy(update={"dedup_key": dedup_key(info, incident)})
    for candidate in names(info, told):
        if await asyncio.to_thread(over, ledger, candidate):
            continue
        try:
            async with plainly(client, candidate):
                await client.start_workflow(info.type, told, id_conflict_policy=FAIL, **once(settings, info, told, candidate))
        except WorkflowAlreadyStartedError:
            if await _same(client, info, candidate, told.dedup_key):
                return Declared(candidate, opened=False)
        else:
            return Declared(candidate, opened=True)
    raise CliError(f"{NAMESAKES} incidents have the name {candidate} today; use another service name", "incident list --all")


async def deliver(
    client: Client, ledger: Ledger, settings: Settings, info: PlaybookInfo, incident: Incident, alert: Alert, ids: Sequence[str] = ()
) -> tuple[str, int]:
    """Bring an alert to its incident; start that incident if there is none. One request, so that a thousand at once start one incident.

    Returns the incident, and how many alerts it has heard of by now.

    `ids`: the ids that the incident may have, if not the usual ones. An incident that is over accepts no new alert: the next id is tried.
    """
    for candidate in ids or names(info, incident):
        if await asyncio.to_thread(over, ledger, candidate):
            continue
        start = WithStartWorkflowOperation[Any, Any](
            info.type, incident, id_conflict_policy=USE_EXISTING, **once(settings, info, incident, candidate)
        )
        try:
            async with plainly(client, candidate):
                joined = await client.execute_update_with_start_workflow(
                    "alert", alert, start_workflow_operation=start, id=alert.delivery, result_type=Joined, rpc_timeout=JOIN_WITHIN
                )
        except WorkflowAlreadyStartedError:
            continue  # that incident is closed
        finally:
            with suppress(Exception):  # the SDK keeps the same failure there too, and logs it when nobody reads it
                await asyncio.wait_for(start.workflow_handle(), 0.1)
        if joined.mine:
            return candidate, joined.alerts
    raise CliError(f"{NAMESAKES} incidents have the name {candidate} today", "incident list --all")


async def tell_of_alert(client: Client, incident: str, alert: Alert) -> int:
    """Bring an alert to an open incident. Never starts one. Raises `CliError` when it is over."""
    async with plainly(client, incident):
        handle = client.get_workflow_handle(incident)
        joined: Joined = await handle.execute_update("alert", alert, id=alert.delivery, result_type=Joined, rpc_timeout=JOIN_WITHIN)
    return joined.alerts


async def say(client: Client, incident: str, message: str, **words: JsonValue) -> str:
    """Send one message and return the sentence it is answered with. Raises `Refusal` or `CliError`."""
    spoken = {name: word for name, word in words.items() if word not in (None, "", False) or name == "value"}
    async with plainly(client, incident):
        handle = client.get_workflow_handle(incident)
        return str(await handle.execute_update(message, spoken, id=str(uuid.uuid4()), result_type=str, rpc_timeout=ANSWER_WITHIN))


async def ask(client: Client, incident: str, what: str, kind: type[T]) -> T:
    """What an incident's own workflow says to one of its queries: its `status` or its `timeline`. Raises `CliError`."""
    async with plainly(client, incident):
        told: T = await client.get_workflow_handle(incident).query(what, result_type=kind, rpc_timeout=timedelta(seconds=5))
    return told


def names(info: PlaybookInfo, incident: Incident) -> list[str]:
    """The ids that this incident may have, in order. The second is used when the first is taken by something else or closed."""
    day = (incident.started_at or datetime.now(UTC)).astimezone(UTC)
    return [incident_id(day, info.card.short, incident.service, nth) for nth in range(1, NAMESAKES + 1)]


def once(settings: Settings, info: PlaybookInfo, incident: Incident, name: str) -> dict[str, Any]:
    """How a playbook is started: under this id, once, on the queue of its severity."""
    said = f"§{info.card.section} {incident.title or info.card.title}: {incident.service or 'scope not known'}"
    return {
        "id": name, "task_queue": settings.task_queue(worst(info.card.floor, incident.severity or UNSURE)),
        "task_timeout": settings.task_patience, "static_summary": f"{'plan: ' if incident.rehearsal else ''}{said[:200]}",
        "id_reuse_policy": WorkflowIDReusePolicy.REJECT_DUPLICATE,
    }  # fmt: skip


def over(ledger: Ledger, candidate: str) -> bool:
    """Whether that incident is over. The ledger remembers an id for longer than the server does."""
    try:
        known = ledger.status(candidate)
    except LedgerDown:
        return False
    return known is not None and known.status.get("state") in OVER


async def _same(client: Client, info: PlaybookInfo, taken: str, wanted: str) -> bool:
    """Whether the open incident of that id is about the same thing. Read from its start event, so no worker is needed."""
    async with plainly(client, taken):
        handle = client.get_workflow_handle(taken)
        if (await handle.describe()).status is not WorkflowExecutionStatus.RUNNING:
            return False
        async for event in handle.fetch_history_events(page_size=1):
            payloads = event.workflow_execution_started_event_attributes.input.payloads
            try:
                (started,) = await client.data_converter.decode(payloads, [Incident]) if payloads else (Incident(),)
            except (ValidationError, RuntimeError, ValueError):
                return False
            return dedup_key(info, started) == wanted
    return False


@asynccontextmanager
async def plainly(client: Client, incident: str) -> AsyncIterator[None]:
    """Turn the SDK's exceptions into sentences."""
    try:
        yield
    except WorkflowUpdateFailedError as refused:
        raise Refusal(getattr(refused.cause, "message", None) or str(refused.cause)) from None
    except WorkflowUpdateRPCTimeoutOrCancelledError:
        raise _silent(incident) from None
    except (WorkflowQueryFailedError, WorkflowQueryRejectedError) as failed:
        raise CliError(f"{incident} could not give its status: {failed}", "incident doctor") from None
    except RPCError as failed:
        raise _explained(client, incident, failed) from None


def _explained(client: Client, incident: str, failed: RPCError) -> CliError:
    match failed.status:
        case RPCStatusCode.NOT_FOUND:
            return CliError(f"{incident} is not running on the server: it is over, or it never existed", "incident list --all")
        case RPCStatusCode.UNAVAILABLE:
            return _unreachable(client.service_client.config.target_host)
        case RPCStatusCode.DEADLINE_EXCEEDED | RPCStatusCode.CANCELLED | RPCStatusCode.FAILED_PRECONDITION:
            return _silent(incident)
        case RPCStatusCode.PERMISSION_DENIED:
            return CliError("the Temporal server denied access", "incident doctor")
    return CliError(f"the Temporal server refused: {failed.message}", "incident doctor")


def _unreachable(address: str) -> CliError:
    return CliError(f"the Temporal server at {address} does not answer", "incident doctor", unreachable=True)


def _silent(incident: str) -> CliError:
    sentence = f"no worker answered for {incident} in time; your message may not have arrived: check the status before you send it again"
    return CliError(sentence, typed("status", incident), unreachable=True)
