"""The clocks of all incidents: speaks to the long-lived workflow that keeps those of one incident, and outlives it (ADR 31).

What a worker says carries the worker's seal: anybody can send a message to a workflow, and it must not claim to be automation's.
"""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Any

from pydantic import ValidationError
from temporalio import activity
from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowExecutionStatus,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.service import RPCError, RPCStatusCode

from activities.action import Call, Effect, NotYet, Refused, Risk, Role, System, action
from activities.clocks.calculation import LIBRARY, deadline
from activities.clocks.clock import ClocksState
from activities.clocks.drafts import draft_of
from activities.clocks.orders import (
    ClockRequest,
    ClocksOf,
    CountDeadlines,
    Counted,
    CountedDeadlines,
    Draft,
    DraftOf,
    Earlier,
    EarlierOf,
    ReadClockTable,
    ReportExposure,
    workflow_id,
)
from activities.clocks.regimes import ClockTable
from activities.clocks.table import default_rows, read_table
from activities.identity.codes import Codes
from activities.organisation.organisation import Organisation

# How a workflow ends that has not ended by itself: then what it knew still holds.
ENDED_BY_OTHERS = {WorkflowExecutionStatus.TERMINATED, WorkflowExecutionStatus.FAILED, WorkflowExecutionStatus.TIMED_OUT}
WAIT = timedelta(seconds=7)  # for an answer, below every start-to-close timeout; the next attempt joins the same message


class Clocks(System):
    """`client` may connect lazily: systems are wired before anything is connected."""

    def __init__(self, organisation: Organisation, client: Client, codes: Codes, queue: str, task_timeout: timedelta) -> None:
        self._organisation, self._client, self._codes = organisation, client, codes
        self._queue, self._task_timeout = queue, task_timeout

    @action("clocks.table")
    async def table(self, order: ReadClockTable, call: Call) -> ClockTable:
        """Which clocks there are now. Where the organisation's own file is wrong our defaults count, and `trouble` says so: no clock waits for a
        file to be mended."""
        try:
            return read_table(self._organisation.path)
        except Refused as wrong:
            return ClockTable.model_validate({"regimes": default_rows(), "trouble": f"{wrong.message}; our defaults count until then"})

    @action("clocks.count")
    async def count(self, order: CountDeadlines, call: Call) -> CountedDeadlines:
        """When each is due, by the holidays that are known today."""
        table = await self.table(ReadClockTable(), call)
        try:
            country = self._organisation.read_policy().country
        except Refused:
            country = ""
        found, trouble = [], {}
        for one in order.wanted:
            try:
                due = deadline(one.start, one.rule, table.closures, country)
                found.append(Counted(key=one.key, strict=due.strict, outer=due.outer))
            except Refused as no:
                trouble[one.key] = no.message
        return CountedDeadlines(found=tuple(found), library=LIBRARY, trouble=trouble)

    @action("clocks.draft")
    async def draft(self, order: DraftOf, call: Call) -> Draft:
        """The draft of one stage. Refused: there is no such stage."""
        try:
            state = ClocksState.model_validate_json(order.record)
            return draft_of(state, state.clocks[order.clock], order.stage)
        except (KeyError, ValidationError) as wrong:
            raise Refused(f"{order.clock} has no stage {order.stage!r}, or its record cannot be read ({type(wrong).__name__})") from None

    @action("clocks.read")
    async def read(self, order: ClocksOf, call: Call) -> ClocksState:
        """The clocks of one incident. Refused: it has none."""
        return await state_of(self._client, order.incident)

    @action("clocks.earlier")
    async def earlier(self, order: EarlierOf, call: Call) -> Earlier:
        """What the clocks of this incident have known before their workflow was ended by an operator: no clock is forgotten by that."""
        id = workflow_id(order.incident)
        try:
            listed = [one async for one in self._client.list_workflows(f"WorkflowId = '{id}'")]
            ended = [one for one in listed if one.run_id != order.run and one.status in ENDED_BY_OTHERS]
            if not ended:
                return Earlier()
            last = max(ended, key=lambda one: one.close_time or one.start_time)
            handle = self._client.get_workflow_handle(id, run_id=last.run_id)
            state: ClocksState = await handle.query("state", result_type=ClocksState, rpc_timeout=WAIT)
        except (RPCError, WorkflowQueryFailedError) as failed:
            return Earlier(unseen=f"{type(failed).__name__}: {failed}"[:200])
        return Earlier(record=state.model_dump_json())

    @action("clocks.report", risk=Risk.C1, asks=(Role.LEGAL, Role.SECURITY_LEAD), on_suspicion=True)
    async def report(self, order: ReportExposure, call: Call) -> Effect:
        """They run, and know of it. Refused: what was reported is not understood. NotYet: they have not answered."""
        if order.incident != call.incident_id:
            raise Refused(f"{call.incident_id} cannot report for {order.incident}")
        start = WithStartWorkflowOperation[Any, Any](
            "LegalClocks", {}, id=workflow_id(order.incident), static_summary=f"Legal clocks of {order.incident}",
            task_queue=activity.info().task_queue if activity.in_activity() else self._queue, task_timeout=self._task_timeout,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING, id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        )  # fmt: skip
        # The key stays the same over a person's *retry*, and the server would answer that with the first attempt's failure.
        id = f"{call.key}@{call.at:%Y%m%dT%H%M%S.%f}"
        try:
            said: str = await self._client.execute_update_with_start_workflow(
                "report", self.signed("report", order.request(), order.incident, call.key), start_workflow_operation=start,
                id=id, result_type=str, rpc_timeout=WAIT,
            )  # fmt: skip
        except WorkflowUpdateFailedError as failed:
            raise Refused(getattr(failed.cause, "message", None) or str(failed.cause)) from None
        except WorkflowUpdateRPCTimeoutOrCancelledError:
            raise NotYet(f"the clocks of {order.incident} have not answered yet") from None
        finally:
            with suppress(Exception):  # the SDK keeps the same failure there, too, and complains when nobody looks at it
                await asyncio.wait_for(start.workflow_handle(), 0.1)
        return order.done("the clocks' own record", said)

    def signed(self, message: str, request: ClockRequest, incident: str, key: str) -> dict[str, Any]:
        """The message with what this call may claim, under our seal."""
        request = request.model_copy(update={"key": key})
        seal = self._codes.seal(request.sealed(message, incident))
        return {**request.model_dump(mode="json", exclude_unset=True), "seal": seal}


async def begin(client: Client, incident: str, queue: str, task_timeout: timedelta) -> None:
    """Start the workflow of the clocks of an incident by hand; where it runs, nothing is changed."""
    await client.start_workflow(
        "LegalClocks", {}, id=workflow_id(incident), static_summary=f"Legal clocks of {incident}", task_queue=queue, task_timeout=task_timeout,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING, id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
    )  # fmt: skip


async def state_of(client: Client, incident: str) -> ClocksState:
    """As their workflow says it, also after it has ended. Refused: there are none."""
    try:
        found: ClocksState = await client.get_workflow_handle(workflow_id(incident)).query(
            "state", result_type=ClocksState, rpc_timeout=WAIT
        )
    except RPCError as failed:
        if failed.status is not RPCStatusCode.NOT_FOUND:
            raise
        raise Refused(f"{incident} has no legal clocks") from None
    return found
