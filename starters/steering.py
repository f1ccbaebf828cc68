"""The public interface to incidents: declare one, say something to it, ask how it is.

The CLI, the alert receiver and game days all come this way. Everything here is a plain async function over a Temporal client. What an
incident refuses is a `Refusal`; what stands in the way is `CliError`: both are one sentence for a person, and `CliError` names the fix.
"""

import asyncio
import getpass
import os
import socket
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from pydantic import JsonValue, TypeAdapter, ValidationError
from temporalio.client import (
    Client,
    RPCError,
    WithStartWorkflowOperation,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCStatusCode

from activities.action import Entry
from activities.ledger.ledger import OVER, Ledger, LedgerDown
from starters.errors import CliError, Refusal
from worker.converter import data_converter
from worker.playbooks import PlaybookInfo, discover
from worker.settings import Settings
from workflows.incident import UNSURE, Alert, Incident, Joined, incident_id, worst
from workflows.status import Outcome, Status

ANSWER_WITHIN = timedelta(seconds=15)  # an incident may look up who somebody is before it answers
JOIN_WITHIN = timedelta(seconds=8)  # Alertmanager gives up after ten
CONNECT_WITHIN = 5.0  # seconds
PLAN_WITHIN = 60.0  # seconds
NAMESAKES = 50  # how many incidents may share a short name on one day


class Declared(NamedTuple):
    """Where a declaration ended: a new incident, or one that was open for the same thing."""

    incident_id: str
    opened: bool


class Delivered(NamedTuple):
    """Where an alert ended, and how many that incident has heard of by now."""

    incident_id: str
    alerts: int


async def connect(settings: Settings) -> Client:
    """A client of the configured server, within five seconds or `CliError`."""
    who = f"incident:{getpass.getuser()}@{socket.gethostname()}"
    opening = Client.connect(settings.temporal_address, namespace=settings.temporal_namespace, data_converter=data_converter, identity=who)
    try:
        return await asyncio.wait_for(opening, CONNECT_WITHIN)
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
    """Start a playbook, unless it runs for the same thing already: then that incident is the answer. Raises `CliError`."""
    info = playbook(name)
    told = incident.model_copy(update={"dedup_key": dedup_key(info, incident)})
    for candidate in names(info, told):
        if await asyncio.to_thread(over, ledger, candidate):
            continue
        try:
            async with plainly(client, candidate):
                await client.start_workflow(
                    info.type, told, id=candidate, task_queue=_queue(settings, info, told), task_timeout=settings.task_patience,
                    static_summary=_summary(info, told),
                    id_conflict_policy=WorkflowIDConflictPolicy.FAIL, id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                )  # fmt: skip
        except WorkflowAlreadyStartedError:
            if await _same(client, info, candidate, told.dedup_key):
                return Declared(candidate, opened=False)
        else:
            return Declared(candidate, opened=True)
    raise CliError(f"{NAMESAKES} incidents are called {candidate} today; give this one another service", "incident list --all")


async def deliver(
    client: Client, ledger: Ledger, settings: Settings, info: PlaybookInfo, incident: Incident, alert: Alert, ids: Sequence[str] = ()
) -> Delivered:
    """Bring an alert to its incident, and start that incident if there is none: one request, so that a thousand at once start one.

    `ids`: the ids it may have, when they are not the usual ones. An incident that is over takes no new alert in: that opens the next one.
    """
    for candidate in ids or names(info, incident):
        if await asyncio.to_thread(over, ledger, candidate):
            continue
        start = WithStartWorkflowOperation[Any, Any](
            info.type, incident, id=candidate, task_queue=_queue(settings, info, incident), task_timeout=settings.task_patience,
            static_summary=_summary(info, incident), id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
        )  # fmt: skip
        try:
            async with plainly(client, candidate):
                joined = await client.execute_update_with_start_workflow(
                    "alert", alert, start_workflow_operation=start, id=alert.delivery, result_type=Joined, rpc_timeout=JOIN_WITHIN
                )
        except WorkflowAlreadyStartedError:
            continue  # that incident is closed
        finally:
            with suppress(Exception):  # the SDK keeps the same failure there, too, and complains when nobody looks at it
                await asyncio.wait_for(start.workflow_handle(), 0.1)
        if joined.mine:
            return Delivered(candidate, joined.alerts)
    raise CliError(f"{NAMESAKES} incidents are called {candidate} today", "incident list --all")


async def tell_of_alert(client: Client, incident: str, alert: Alert) -> int:
    """Bring an alert to an incident that is open; never starts one. Raises `CliError` when it is over."""
    async with plainly(client, incident):
        handle = client.get_workflow_handle(incident)
        joined: Joined = await handle.execute_update("alert", alert, id=alert.delivery, result_type=Joined, rpc_timeout=JOIN_WITHIN)
    return joined.alerts


async def approve(client: Client, incident: str, *, by: str = "", question: int | None = None, reason: str = "", code: str = "") -> str:
    return await say(client, incident, "approve", by=by, question=question, reason=reason, code=code)


async def decline(client: Client, incident: str, *, by: str = "", question: int | None = None, reason: str = "", code: str = "") -> str:
    return await say(client, incident, "decline", by=by, question=question, reason=reason, code=code)


async def answer(
    client: Client, incident: str, value: JsonValue, *, by: str = "", question: int | None = None, reason: str = "", code: str = ""
) -> str:
    """The value that a question wants."""
    return await say(client, incident, "answer", value=value, by=by, question=question, reason=reason, code=code)


async def retry(client: Client, incident: str, *, by: str = "", question: int | None = None, reason: str = "", code: str = "") -> str:
    """Try a failed step again, under the same key."""
    return await say(client, incident, "retry", by=by, question=question, reason=reason, code=code)


async def skip(client: Client, incident: str, *, by: str = "", question: int | None = None, reason: str = "", code: str = "") -> str:
    return await say(client, incident, "skip", by=by, question=question, reason=reason, code=code)


async def done_by_hand(
    client: Client, incident: str, *, by: str = "", question: int | None = None, reason: str = "", code: str = ""
) -> str:
    """A failed step was done by hand; it is verified."""
    return await say(client, incident, "done_by_hand", by=by, question=question, reason=reason, code=code)


async def hand_over(client: Client, incident: str, *, by: str = "", question: int | None = None, reason: str = "", code: str = "") -> str:
    """Stop the playbook at a failed step and carry on by hand."""
    return await say(client, incident, "hand_over", by=by, question=question, reason=reason, code=code)


async def note(client: Client, incident: str, text: str, *, by: str, about: str = "") -> str:
    """A line on the timeline; `about` is hypothesis, impact, scope or nothing."""
    return await say(client, incident, "note", text=text, by=by, about=about)


async def assign(client: Client, incident: str, role: str, to: str, *, by: str, reason: str = "") -> str:
    return await say(client, incident, "assign", role=role, to=to, by=by, reason=reason)


async def acknowledge(client: Client, incident: str, *, by: str) -> str:
    return await say(client, incident, "acknowledge", by=by)


async def reclassify(client: Client, incident: str, severity: str, *, by: str, reason: str = "") -> str:
    return await say(client, incident, "reclassify", severity=severity, by=by, reason=reason)


async def pause(client: Client, incident: str, *, by: str, reason: str = "") -> str:
    """Hold automation before its next change."""
    return await say(client, incident, "pause", by=by, reason=reason)


async def resume(client: Client, incident: str, *, by: str, reason: str = "") -> str:
    return await say(client, incident, "resume", by=by, reason=reason)


async def stand_down(client: Client, incident: str, *, by: str, reason: str, false_alarm: bool = False) -> str:
    """End an incident: what it imposed is lifted."""
    return await say(client, incident, "stand_down", by=by, reason=reason, false_alarm=false_alarm)


async def do(
    client: Client, incident: str, procedure: str, *, by: str, service: str = "", flag: str = "", region: str = "",
    rps: float | None = None, fields: dict[str, str] | None = None, reason: str = "",
) -> str:  # fmt: skip
    """Run one universal procedure inside an open incident, or change one setting."""
    wanted: dict[str, JsonValue] = {"service": service, "flag": flag, "region": region, "rps": rps, "fields": {**(fields or {})}}
    return await say(client, incident, "do", procedure=procedure, by=by, reason=reason, **wanted)


async def rehearse(client: Client, settings: Settings, name: str, incident: Incident) -> Outcome:
    """The plan of a playbook: its own `run`, with real reads, in which every change is only said. Raises `CliError`."""
    info, which = playbook(name), f"plan-{uuid.uuid4().hex[:12]}"
    told = incident.model_copy(update={"rehearsal": True})
    async with plainly(client, which):
        handle = await client.start_workflow(
            info.type, told, id=which, task_queue=_queue(settings, info, told), task_timeout=settings.task_patience,
            static_summary=f"plan: {_summary(info, told)}", result_type=Outcome,
        )  # fmt: skip
        try:
            outcome: Outcome = await asyncio.wait_for(handle.result(), PLAN_WITHIN)
        except TimeoutError:
            await handle.terminate("the plan took too long")
            raise CliError(f"the plan did not come within {PLAN_WITHIN:g} s: is a worker running?", "incident doctor") from None
        except WorkflowFailureError as failed:
            raise CliError(f"the plan broke off: {failed.cause}", "incident doctor") from None
    return outcome


async def say(client: Client, incident: str, message: str, **words: JsonValue) -> str:
    """Send one message and return the sentence it is answered with. Raises `Refusal` or `CliError`."""
    spoken = {name: word for name, word in words.items() if word not in (None, "", False) or name == "value"}
    async with plainly(client, incident):
        handle = client.get_workflow_handle(incident)
        return str(await handle.execute_update(message, spoken, id=str(uuid.uuid4()), result_type=str, rpc_timeout=ANSWER_WITHIN))


async def ask_status(client: Client, incident: str) -> Status:
    """How an incident says it is, by its own worker."""
    async with plainly(client, incident):
        told: Status = await client.get_workflow_handle(incident).query("status", result_type=Status, rpc_timeout=timedelta(seconds=5))
    return told


async def ask_timeline(client: Client, incident: str) -> list[Entry]:
    """The timeline, by its own worker."""
    async with plainly(client, incident):
        told: Any = await client.get_workflow_handle(incident).query("timeline", rpc_timeout=timedelta(seconds=5))
    return TypeAdapter(list[Entry]).validate_python(told)


def names(info: PlaybookInfo, incident: Incident) -> list[str]:
    """The ids this incident may have, in order: the second when the first is taken by something else or closed."""
    day = (incident.started_at or datetime.now(UTC)).astimezone(UTC)
    return [incident_id(day, info.card.short, incident.service, nth) for nth in range(1, NAMESAKES + 1)]


def _queue(settings: Settings, info: PlaybookInfo, incident: Incident) -> str:
    return settings.task_queue(worst(info.card.floor, incident.severity or UNSURE))


def _summary(info: PlaybookInfo, incident: Incident) -> str:
    return f"§{info.card.section} {incident.title or info.card.title}: {incident.service or 'scope not known'}"[:200]


def over(ledger: Ledger, candidate: str) -> bool:
    """Is that incident over? The ledger remembers an id for longer than the server does."""
    try:
        known = ledger.status(candidate)
    except LedgerDown:
        return False
    return known is not None and known.status.get("state") in OVER


async def _same(client: Client, info: PlaybookInfo, taken: str, wanted: str) -> bool:
    """Is the open incident of that id about the same thing? Its own start says so, whether or not a worker is alive."""
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
    """Turn what the SDK raises into sentences."""
    try:
        yield
    except WorkflowUpdateFailedError as refused:
        raise Refusal(getattr(refused.cause, "message", None) or str(refused.cause)) from None
    except WorkflowUpdateRPCTimeoutOrCancelledError:
        raise _silent(incident) from None
    except (WorkflowQueryFailedError, WorkflowQueryRejectedError) as failed:
        raise CliError(f"{incident} could not say how it is: {failed}", "incident doctor") from None
    except RPCError as failed:
        raise _explained(client, incident, failed) from None


def _explained(client: Client, incident: str, failed: RPCError) -> CliError:
    sentences: dict[RPCStatusCode, Callable[[], CliError]] = {
        RPCStatusCode.NOT_FOUND: lambda: CliError(
            f"{incident} is not running on the server: it is over, or never was", "incident list --all"
        ),
        RPCStatusCode.UNAVAILABLE: lambda: _unreachable(client.service_client.config.target_host),
        RPCStatusCode.DEADLINE_EXCEEDED: lambda: _silent(incident),
        RPCStatusCode.CANCELLED: lambda: _silent(incident),
        RPCStatusCode.FAILED_PRECONDITION: lambda: _silent(incident),
        RPCStatusCode.PERMISSION_DENIED: lambda: CliError("the Temporal server does not let you", "incident doctor"),
    }
    return sentences.get(failed.status, lambda: CliError(f"the Temporal server refused: {failed.message}", "incident doctor"))()


def _unreachable(address: str) -> CliError:
    return CliError(f"the Temporal server at {address} does not answer", "incident doctor", unreachable=True)


def _silent(incident: str) -> CliError:
    sentence = f"no worker answered for {incident} in time; what you sent may not have arrived, so look before you send it again"
    return CliError(sentence, f"incident status {incident}", unreachable=True)


def me() -> str:
    """Who is speaking when nobody says so: $INCIDENT_AS, or the user of this machine."""
    return os.environ.get("INCIDENT_AS") or getpass.getuser()
