"""Watches: begun once for each fix; looked at again by OSV's word; and the linked incident that a superseded fix opens."""

import hashlib
from datetime import timedelta

from temporalio import activity
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from activities.action import Call, Effect, Refused, System, action
from activities.advisories.osv import Osv
from activities.advisories.ranges import affects
from activities.watches.orders import BeginWatch, LookAgain, OpenLinked, StillFixed

MEMO = "dedup_key"  # the name under which a start tells the digest of its key, as in starters/openings.py
LINKED = "SupplyChainCve"  # the workflow type of §2.12
WAIT = timedelta(seconds=7)  # below every start-to-close timeout


class Watches(System):
    """`queue` and `task_timeout`: for what is started here."""

    def __init__(self, client: Client, osv: Osv, queues: tuple[str, ...], task_timeout: timedelta) -> None:
        self._client, self._osv, self._queues, self._task_timeout = client, osv, queues, task_timeout

    @action("watches.begin", writes=True)
    async def begin(self, order: BeginWatch, call: Call) -> Effect:
        """A workflow of its own, once for each fix; it outlives the incident."""
        id, adopted = order.shipped.id, False
        try:
            await self._client.start_workflow(
                "AdvisoryWatch", order.model_dump(mode="json"), id=id, task_queue=self._queue(1), task_timeout=self._task_timeout,
                static_summary="Watch over an advisory", id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE, rpc_timeout=WAIT,
            )  # fmt: skip
        except WorkflowAlreadyStartedError:
            adopted = True
        seen = await self._client.get_workflow_handle(id).describe(rpc_timeout=WAIT)
        return order.done(
            f"the server shows {id}, {seen.status.name.lower() if seen.status else 'running'}", adopted=adopted, after={"watch": id}
        )

    @action("watches.look")
    async def look(self, order: LookAgain, call: Call) -> StillFixed:
        """What OSV says now: of the advisory, and of the version that was shipped. Raises while it does not answer: that is no answer."""
        shipped = order.shipped
        ours = await self._osv.advisory(call, shipped.advisory)
        found = await self._osv.of_version(call, shipped.ecosystem, shipped.package, shipped.version) if shipped.version else []
        mine = [affects(one, shipped.version) for one in ours.packages if one.name == shipped.package and shipped.version]
        superseded = tuple(dict.fromkeys([*([ours.id] if True in mine and not ours.withdrawn else []), *found]))
        said = [f"{', '.join(superseded)} concerns {shipped.package} {shipped.version}"] if superseded else []
        said += ["the advisory was withdrawn"] if ours.withdrawn else []
        return StillFixed(superseded=superseded, withdrawn=ours.withdrawn is not None, says="; ".join(said) or "it still is a fix")

    @action("watches.open", writes=True)
    async def open_linked(self, order: OpenLinked, call: Call) -> Effect:
        """Started once, under its id. Refused: that id is taken by something else; the next one is tried by whoever asks."""
        shipped, digest = order.shipped, hashlib.sha256(order.key.encode()).hexdigest()[:32]
        if known := await self._open_for(digest):
            return order.done(f"the server shows {known}, which an alert has opened for the same", adopted=True, after={"incident": known})
        labels = {"advisory": order.advisory, "blocked": ",".join(order.blocked), "origin": order.origin, "package": shipped.package}
        told = {
            "service": shipped.service, "title": f"{order.advisory}: the fix of {shipped.advisory} is superseded", "source": "advisory watch",
            "dedup_key": order.key, "labels": labels,
        }  # fmt: skip
        adopted = False
        try:
            await self._client.start_workflow(
                LINKED, told, id=order.id, task_queue=self._queue(0), task_timeout=self._task_timeout,
                static_summary="§2.12: a fix is superseded", id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE, memo={MEMO: digest}, rpc_timeout=WAIT,
            )  # fmt: skip
        except WorkflowAlreadyStartedError:
            adopted = True
            if await self._memo(order.id) != digest:
                raise Refused(f"{order.id} is another incident") from None
        return order.done(f"the server shows {order.id}", adopted=adopted, after={"incident": order.id})

    async def _open_for(self, digest: str) -> str:
        """An incident that is open for the same thing under another id: an alert may have been faster. Empty where none is, or none can be listed."""
        try:
            async for one in self._client.list_workflows(f"WorkflowType = '{LINKED}' AND ExecutionStatus = 'Running'"):
                if await one.memo_value(MEMO, "") == digest:
                    return one.id
        except RPCError as failed:
            if failed.status not in (RPCStatusCode.UNIMPLEMENTED, RPCStatusCode.INVALID_ARGUMENT):
                raise
        return ""

    async def _memo(self, id: str) -> str:
        try:
            found = await self._client.get_workflow_handle(id).describe(rpc_timeout=WAIT)
        except RPCError as failed:
            if failed.status is RPCStatusCode.NOT_FOUND:
                return ""
            raise
        return str(await found.memo_value(MEMO, ""))

    def _queue(self, nth: int) -> str:
        """From within an activity it stays on the incident's queue, whose worker is there."""
        return activity.info().task_queue if activity.in_activity() else self._queues[min(nth, len(self._queues) - 1)]
