"""Change freezes: speaks to the long-lived workflow of one service that keeps who holds it, and outlives the incidents that do (ADR 11).

What a worker says carries the worker's seal: anybody can send a message to a workflow, and it must not claim an approval that nobody gave.
"""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Any

from temporalio import activity
from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import QueryRejectCondition, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities.action import Call, Effect, Measure, NotYet, Refused, Risk, Role, System, action
from activities.freeze.orders import BUDGET, ExemptDeploy, FreezeOf, FreezeOrder, FreezeState, Hold, Release
from activities.identity.codes import Codes

PREFIX = "freeze-"  # of the workflow's id; the service follows
WAIT = timedelta(seconds=7)  # for an answer, below every start-to-close timeout; the next attempt joins the same message


async def state_of(client: Client, service: str) -> FreezeState:
    """Who holds it. A service that nobody ever froze is not frozen."""
    handle = client.get_workflow_handle(PREFIX + service)
    try:
        found: FreezeState = await handle.query(
            "state", result_type=FreezeState, rpc_timeout=WAIT, reject_condition=QueryRejectCondition.NOT_OPEN
        )
    except (WorkflowQueryRejectedError, RPCError) as failed:
        if isinstance(failed, RPCError) and failed.status is not RPCStatusCode.NOT_FOUND:
            raise
        return FreezeState(service=service)
    return found


class Freezes(System):
    """The freezes of all services. `client` may connect lazily: systems are wired before anything is connected.

    `queue` and `task_timeout` are for a freeze that is started outside an activity; from within one it stays on the incident's queue.
    """

    def __init__(self, client: Client, codes: Codes, queue: str, task_timeout: timedelta) -> None:
        self._client = client
        self._codes = codes
        self._queue = queue
        self._task_timeout = task_timeout

    @action("freezes.read")
    async def read(self, order: FreezeOf, call: Call) -> FreezeState:
        """Who holds it, and what may pass."""
        return await state_of(self._client, order.service.name)

    @action("freezes.hold", risk=Risk.C1, asks=(Role.OPS_LEAD,), on_suspicion=True)
    async def hold(self, order: Hold, call: Call) -> Effect:
        """Held for this holder, the lock read back and a probe deploy refused. NotProven: held, but not proven."""
        return await self._send("hold", order, call, call.incident_id, BUDGET)

    @action("freezes.release", risk=Risk.C2, asks=(Role.INCIDENT_COMMANDER,))
    async def release(self, order: Release, call: Call) -> Effect:
        """No longer held for this holder; unlocked, read back, if it was the last. `after["drift"]`: deployed without an exemption."""
        return await self._send("release", order, call, call.incident_id)

    @action("freezes.release_budget", risk=Risk.C2, asks=(Role.INCIDENT_COMMANDER,))
    async def release_budget(self, order: Release, call: Call) -> Effect:
        """As `release`, for the error budget: its exit is a budget above zero or a named waiver, never the end of another incident."""
        return await self._send("release", order, call, BUDGET)

    @action("freezes.exempt", risk=Risk.C2, asks=(Role.INCIDENT_COMMANDER,))
    async def exempt(self, order: ExemptDeploy, call: Call) -> Effect:
        """One deploy may pass. A security patch is also the Security Lead's to grant: whoever asks names both."""
        return await self._send("exempt", order, call, order.holder)

    async def _send(self, message: str, order: FreezeOrder, call: Call, *holders: str) -> Effect:
        """Send one message in the name of one of the `holders`, and wait for its answer. Raises `Refused`, `NotProven` or `NotYet`."""
        service = order.service.name
        if order.holder not in holders:
            raise Refused(f"{call.incident_id} cannot {message} a freeze in the name of {order.holder}: only of {' or '.join(holders)}")
        start = WithStartWorkflowOperation[Any, Any](
            "ChangeFreeze", {"service": service}, id=PREFIX + service, static_summary=f"Change freeze of {service}",
            task_queue=activity.info().task_queue if activity.in_activity() else self._queue, task_timeout=self._task_timeout,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING, id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        )  # fmt: skip
        # The key stays the same over a person's *retry*, and the server would answer that with the first attempt's failure.
        id = f"{call.key}@{call.at:%Y%m%dT%H%M%S.%f}"
        try:
            answer: Effect = await self._client.execute_update_with_start_workflow(
                message, self.signed(message, order, call), start_workflow_operation=start, id=id, result_type=Effect, rpc_timeout=WAIT
            )
        except WorkflowUpdateFailedError as failed:
            raise _outcome(failed.cause) from None
        except WorkflowUpdateRPCTimeoutOrCancelledError:
            raise NotYet(f"the freeze of {service} has not answered yet") from None
        finally:
            with suppress(Exception):  # the SDK keeps the same failure there, too, and complains when nobody looks at it
                await asyncio.wait_for(start.workflow_handle(), 0.1)
        return answer

    def signed(self, message: str, order: FreezeOrder, call: Call) -> dict[str, Any]:
        """The message with what this call may claim, under our seal."""
        request = order.request().model_copy(update={"key": call.key, "grant": call.grant})
        seal = self._codes.seal(request.sealed(message, order.service.name))
        return {**request.model_dump(mode="json"), "seal": seal}


FROZEN = Measure("change freeze", look=Freezes.read, impose=Freezes.hold, lift=Freezes.release, sticky=True, until_stable=True)
# The error budget's own: no stability gate of an incident lifts it, and no stand-down.
BUDGET_FROZEN = Measure(
    "change freeze for the error budget", look=Freezes.read, impose=Freezes.hold, lift=Freezes.release_budget, sticky=True, own_end=True
)


def _outcome(cause: BaseException) -> ApplicationError:
    """What a freeze's no means to the caller. NotProven: what was wanted may be so in part; a freeze is still ours to release, or still held."""
    why, kind = getattr(cause, "message", None) or str(cause), getattr(cause, "type", "")
    if kind == "NotProven":
        return ApplicationError(why, type=kind, non_retryable=True)
    return Refused(why) if kind == "NotAccepted" else NotYet(why)
