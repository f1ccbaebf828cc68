"""Change freezes: speaks to the long-lived workflow of one service that keeps who holds it (ADR 11).

A freeze is a workflow and not a row somewhere, because it outlives the incidents that hold it. Whoever holds it first starts it. What a
worker says to it carries the worker's seal: anybody can send a message to a workflow, and a message must not claim an approval that nobody
gave. It is idempotent by holder; a message is sent under the call's key, so that a try whose reply was lost joins the first one.
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
from activities.freeze.orders import (
    BUDGET,
    ExemptDeploy,
    FreezeOf,
    FreezeReply,
    FreezeRequest,
    FreezeState,
    Hold,
    OfFreeze,
    Purpose,
    Release,
    UseExemption,
)
from activities.identity.codes import Codes

__all__ = [
    "BUDGET",
    "BUDGET_FROZEN",
    "FROZEN",
    "ExemptDeploy",
    "FreezeOf",
    "Freezes",
    "Hold",
    "NotProven",
    "Purpose",
    "Release",
    "UseExemption",
    "freeze_id",
]

WORKFLOW = "ChangeFreeze"
WAIT = timedelta(seconds=7)  # for an answer, below every start-to-close timeout; the next try joins the same message


class NotProven(ApplicationError):
    """What was wanted of a freeze may be so in part, but was not proven: a freeze is still ours to release, or still held."""

    def __init__(self, why: str) -> None:
        super().__init__(why, type="NotProven", non_retryable=True)


def freeze_id(service: str) -> str:
    """The workflow of one service's freeze."""
    return f"freeze-{service}"


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
        """Who holds it. A service that nobody ever froze is not frozen."""
        handle = self._client.get_workflow_handle(freeze_id(order.service.name))
        try:
            found: FreezeState = await handle.query(
                "state", result_type=FreezeState, rpc_timeout=WAIT, reject_condition=QueryRejectCondition.NOT_OPEN
            )
        except WorkflowQueryRejectedError:
            return FreezeState(service=order.service.name)
        except RPCError as failed:
            if failed.status is RPCStatusCode.NOT_FOUND:
                return FreezeState(service=order.service.name)
            raise
        return found

    @action("freezes.hold", risk=Risk.C1, asks=(Role.OPS_LEAD,))
    async def hold(self, order: Hold, call: Call) -> Effect:
        """Held for this holder, the gate read back and a probe deploy turned away. NotProven: held, but not proven."""
        if order.incident_id not in (call.incident_id, BUDGET):
            raise Refused(f"{call.incident_id} cannot hold a freeze in the name of {order.incident_id}")
        told = await self._tell("hold", order, call, FreezeRequest(holder=order.incident_id, reason=order.reason, by=order.by), start=True)
        return _effect(order, told, before=[held.id for held in order.prior.holders] if order.prior else [])

    @action("freezes.release", risk=Risk.C2, asks=(Role.INCIDENT_COMMANDER,))
    async def release(self, order: Release, call: Call) -> Effect:
        """Not held for this holder any more; unlocked, read back, if it was the last. `after["drift"]`: deployed without an exemption."""
        if order.incident_id != call.incident_id:
            raise Refused(f"{call.incident_id} cannot release what {order.incident_id} holds")
        told = await self._tell("release", order, call, FreezeRequest(holder=order.incident_id, reason=order.reason), start=True)
        return _effect(order, told)

    @action("freezes.release_budget", risk=Risk.C2, asks=(Role.INCIDENT_COMMANDER,))
    async def release_budget(self, order: Release, call: Call) -> Effect:
        """As `release`, for the error budget: its exit is a budget above zero or a named waiver, never the end of another incident."""
        if order.incident_id != BUDGET:
            raise Refused(f"{order.incident_id} is no error budget: freezes.release")
        told = await self._tell("release", order, call, FreezeRequest(holder=BUDGET, reason=order.reason), start=True)
        return _effect(order, told)

    @action("freezes.exempt", risk=Risk.C2, asks=(Role.INCIDENT_COMMANDER,))
    async def exempt(self, order: ExemptDeploy, call: Call) -> Effect:
        """One deploy may pass; `after["token"]` says so to whoever deploys. A security patch goes by `exempt_patch`."""
        if order.purpose is Purpose.SECURITY_PATCH:
            raise Refused("a security patch is exempted by the Security Lead: freezes.exempt_patch")
        return await self._exempt(order, call)

    @action("freezes.exempt_patch", risk=Risk.C2, asks=(Role.SECURITY_LEAD, Role.INCIDENT_COMMANDER))
    async def exempt_patch(self, order: ExemptDeploy, call: Call) -> Effect:
        """As `exempt`, for a security patch, which is Security's to allow (spec §4)."""
        if order.purpose is not Purpose.SECURITY_PATCH:
            raise Refused(f"a {order.purpose} is exempted by the Incident Commander: freezes.exempt")
        return await self._exempt(order, call)

    @action("freezes.use", risk=Risk.C1, asks=(Role.OPS_LEAD,))
    async def use(self, order: UseExemption, call: Call) -> Effect:
        """The exemption is used up. Refused: there is none, it was used already, or it is over."""
        return _effect(order, await self._tell("use_exemption", order, call, _exemption(order)))

    async def _exempt(self, order: ExemptDeploy, call: Call) -> Effect:
        return _effect(order, await self._tell("exempt", order, call, _exemption(order)))

    async def _tell(self, message: str, order: OfFreeze, call: Call, said: FreezeRequest, *, start: bool = False) -> FreezeReply:
        """Send one message and wait for its answer. Raises `Refused`, `NotProven` or `NotYet`."""
        service = order.service.name
        words = self._signed(message, service, call, said).model_dump(mode="json")
        # The key stays the same over a person's *retry*, and the server would answer that with the first try's failure.
        id = f"{call.key}@{call.at:%Y%m%dT%H%M%S.%f}"
        try:
            return await (self._sent_with_start(message, service, words, id) if start else self._sent(message, service, words, id))
        except WorkflowUpdateFailedError as failed:
            raise _outcome(failed.cause) from None
        except WorkflowUpdateRPCTimeoutOrCancelledError:
            raise NotYet(f"the freeze of {service} has not answered yet") from None
        except RPCError as failed:
            if failed.status is RPCStatusCode.NOT_FOUND:
                raise Refused(f"{service} is not frozen") from None
            raise

    async def _sent(self, message: str, service: str, words: dict[str, Any], id: str) -> FreezeReply:
        handle = self._client.get_workflow_handle(freeze_id(service))
        told: FreezeReply = await handle.execute_update(message, words, id=id, result_type=FreezeReply, rpc_timeout=WAIT)
        return told

    async def _sent_with_start(self, message: str, service: str, words: dict[str, Any], id: str) -> FreezeReply:
        start = WithStartWorkflowOperation[Any, Any](
            WORKFLOW, {"service": service}, id=freeze_id(service), static_summary=f"Change freeze of {service}",
            task_queue=activity.info().task_queue if activity.in_activity() else self._queue, task_timeout=self._task_timeout,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING, id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        )  # fmt: skip
        try:
            told: FreezeReply = await self._client.execute_update_with_start_workflow(
                message, words, start_workflow_operation=start, id=id, result_type=FreezeReply, rpc_timeout=WAIT
            )
        finally:
            with suppress(Exception):  # the SDK keeps the same failure there, too, and complains when nobody looks at it
                await asyncio.wait_for(start.workflow_handle(), 0.1)
        return told

    def _signed(self, message: str, service: str, call: Call, said: FreezeRequest) -> FreezeRequest:
        """The message with what this call may claim, under our seal."""
        grant = call.grant
        whole = said.model_copy(
            update={
                "key": call.key,
                "granted_by": grant.by if grant else (),
                "verified": grant.verified if grant else False,
                "until": grant.expires_at if grant else None,
            }
        )
        return whole.model_copy(update={"seal": self._codes.seal(whole.sealed(message, service))})


FROZEN = Measure("change freeze", look=Freezes.read, impose=Freezes.hold, lift=Freezes.release, sticky=True, until_stable=True)
# The error budget's own: no stability gate of an incident lifts it, and no stand-down.
BUDGET_FROZEN = Measure(
    "change freeze for the error budget", look=Freezes.read, impose=Freezes.hold, lift=Freezes.release_budget, sticky=True, own_end=True
)


def _exemption(order: ExemptDeploy) -> FreezeRequest:
    return FreezeRequest(holder=order.incident_id, digest=order.artefact, purpose=order.purpose)


def _outcome(cause: BaseException) -> ApplicationError:
    """What a freeze's no means to the caller."""
    why = getattr(cause, "message", None) or str(cause)
    kind = getattr(cause, "type", "")
    if kind == "NotProven":
        return NotProven(why)
    return Refused(why) if kind == "NotAccepted" else NotYet(why)


def _effect(order: OfFreeze, told: FreezeReply, before: list[str] | None = None) -> Effect:
    after: dict[str, Any] = {"holders": [*told.holders]}
    if told.token:
        after |= {"token": told.token, "until": told.until.isoformat() if told.until else ""}
    if told.drift:
        after["drift"] = [*told.drift]
    summary = told.said
    return Effect(
        target=order.target(), summary=summary, proven_by=told.proven_by, adopted=told.adopted,
        before={} if before is None else {"holders": [*before]}, after=after,
    )  # fmt: skip
