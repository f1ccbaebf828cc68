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

from pydantic import JsonValue
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

from activities.kit.words.code_names import code_name
from activities.ledger.ledger import Ledger
from starters.openings import MEMO, Openings, dedup_key, digest
from starters.screens.text import CliError, Refusal, typed
from worker import converter
from worker.playbooks import PlaybookInfo, discover
from worker.settings import Settings
from workflows.incident import UNSURE, Alert, Incident, Joined, incident_id, worst

ANSWER_WITHIN = timedelta(seconds=15)  # an incident may look up who somebody is before it answers
JOIN_WITHIN = timedelta(seconds=6)  # Alertmanager gives up after ten
CONNECT_WITHIN = 5.0  # seconds
NAMESAKES = 50  # how many incidents may share a short name on one day
FAIL, USE_EXISTING = WorkflowIDConflictPolicy.FAIL, WorkflowIDConflictPolicy.USE_EXISTING

T = TypeVar("T")


class NoWorkerAnswered(CliError):
    """The server answers, and the incident does not: no worker took the message, or its workflow task fails."""

    def __init__(self, incident: str) -> None:
        sentence = (
            f"no worker answered for {incident} in time; your message may not have arrived: check the status before you send it again"
        )
        super().__init__(sentence, typed("status", incident), unreachable=True)
        self.incident = incident


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


async def declare(client: Client, ledger: Ledger, settings: Settings, name: str, incident: Incident) -> Declared:
    """Start a playbook. If one already runs for the same thing, return that incident. Raises `CliError`."""
    info, openings = playbook(name), Openings(ledger)
    key = dedup_key(info, incident)
    told = incident.model_copy(update={"dedup_key": key})
    async with plainly(client, "what is open for the same thing"):
        async for known in openings.of(client, key):
            if await _runs(client, known):
                return Declared(known, opened=False)
    async for candidate in openings.free(key, names(info, told)):
        try:
            async with plainly(client, candidate):
                await client.start_workflow(info.type, told, id_conflict_policy=FAIL, **once(settings, info, told, candidate))
        except WorkflowAlreadyStartedError:
            async with plainly(client, candidate):
                if await _runs(client, candidate) and await openings.key_of(client, candidate) == digest(key):
                    return Declared(candidate, opened=False)
        else:
            return Declared(candidate, opened=True)
    raise _too_many(info, told)


async def deliver(
    client: Client, openings: Openings, settings: Settings, info: PlaybookInfo, incident: Incident, alert: Alert, ids: Sequence[str] = ()
) -> tuple[str, int]:
    """Bring an alert to the incident that is open for its key; start one if there is none. Raises `CliError`.

    Returns the incident, and how many alerts it has heard of by now. To start and to tell is one request: a thousand at once start one
    incident. `ids`: the ids that the incident may have, if not the usual ones. One that is over accepts no new alert: the next id is tried.
    """
    if (joined := await join(client, openings, alert)) is not None:
        return joined
    async for candidate in openings.free(alert.dedup_key, ids or names(info, incident)):
        told = await _start_and_tell(client, settings, info, incident, alert, candidate)
        if told is not None and told.mine:
            openings.remember(alert.dedup_key, candidate)
            return candidate, told.alerts
    raise _too_many(info, incident)


async def join(client: Client, openings: Openings, alert: Alert) -> tuple[str, int] | None:
    """Bring an alert to the incident that is open for its key; None if there is none. Never starts one. Raises `CliError`."""
    async with plainly(client, "what is open for the same thing"):
        async for known in openings.of(client, alert.dedup_key):
            try:
                told = await tell_of_alert(client, known, alert)
            except CliError as no:
                if no.unreachable:
                    raise
            else:
                if told.mine:
                    openings.remember(alert.dedup_key, known)
                    return known, told.alerts
            openings.forget(alert.dedup_key, known)
    return None


async def _start_and_tell(
    client: Client, settings: Settings, info: PlaybookInfo, incident: Incident, alert: Alert, candidate: str
) -> Joined | None:
    """What the incident of that id says, which is started if it does not run; None: it is closed."""
    start = WithStartWorkflowOperation[Any, Any](
        info.type, incident, id_conflict_policy=USE_EXISTING, **once(settings, info, incident, candidate)
    )
    try:
        async with plainly(client, candidate):
            joined: Joined = await client.execute_update_with_start_workflow(
                "alert", alert, start_workflow_operation=start, id=alert.delivery, result_type=Joined, rpc_timeout=JOIN_WITHIN
            )
    except WorkflowAlreadyStartedError:
        return None
    finally:
        with suppress(Exception):  # the SDK keeps the same failure there too, and logs it when nobody reads it
            await asyncio.wait_for(start.workflow_handle(), 0.1)
    return joined


async def tell_of_alert(client: Client, incident: str, alert: Alert) -> Joined:
    """Bring an alert to an open incident. Never starts one. Raises `CliError` when it is over."""
    async with plainly(client, incident):
        handle = client.get_workflow_handle(incident)
        joined: Joined = await handle.execute_update("alert", alert, id=alert.delivery, result_type=Joined, rpc_timeout=JOIN_WITHIN)
    return joined


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
    hidden = info.card.under_code_name or incident.restricted
    words = (code_name(dedup_key(info, incident)), "") if hidden else (info.card.short, incident.service)
    return [incident_id(day, *words, nth) for nth in range(1, NAMESAKES + 1)]


def once(settings: Settings, info: PlaybookInfo, incident: Incident, name: str) -> dict[str, Any]:
    """How a playbook is started: under this id, once, on the queue of its severity."""
    said = f"§{info.card.section} {incident.title or info.card.title}: {incident.service or 'scope not known'}"
    return {
        "id": name, "task_queue": settings.task_queue(worst(info.card.floor, incident.severity or UNSURE)),
        "task_timeout": settings.task_patience, "static_summary": f"{'plan: ' if incident.rehearsal else ''}{said[:200]}",
        "id_reuse_policy": WorkflowIDReusePolicy.REJECT_DUPLICATE,
        "memo": {MEMO: "a plan" if incident.rehearsal else digest(dedup_key(info, incident))},
    }  # fmt: skip


async def _runs(client: Client, incident: str) -> bool:
    try:
        return (await client.get_workflow_handle(incident).describe()).status is WorkflowExecutionStatus.RUNNING
    except RPCError as failed:
        if failed.status is RPCStatusCode.NOT_FOUND:
            return False
        raise


@asynccontextmanager
async def plainly(client: Client, incident: str) -> AsyncIterator[None]:
    """Turn the SDK's exceptions into sentences."""
    try:
        yield
    except WorkflowUpdateFailedError as refused:
        raise Refusal(getattr(refused.cause, "message", None) or str(refused.cause)) from None
    except WorkflowUpdateRPCTimeoutOrCancelledError:
        raise NoWorkerAnswered(incident) from None
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
            return NoWorkerAnswered(incident)
        case RPCStatusCode.PERMISSION_DENIED:
            return CliError("the Temporal server denied access", "incident doctor")
    return CliError(f"the Temporal server refused: {failed.message}", "incident doctor")


def _unreachable(address: str) -> CliError:
    return CliError(f"the Temporal server at {address} does not answer", "incident doctor", unreachable=True)


def _too_many(info: PlaybookInfo, incident: Incident) -> CliError:
    sentence = f"{NAMESAKES} incidents have the name {names(info, incident)[0]} today; use another service name"
    return CliError(sentence, "incident list --all")
