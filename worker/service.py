"""The Temporal worker: sandbox, converter, queues and timeouts. Tests and the Replayer take the same pieces from here."""

import asyncio
import pkgutil
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any, ClassVar, cast

from temporalio import workflow
from temporalio.client import Client
from temporalio.converter import SerializationContext, StorageDriverStoreContext
from temporalio.worker import Worker, WorkflowInstance, WorkflowInstanceDetails
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions
from temporalio.worker.workflow_sandbox._runner import _Instance

import workflows
from activities.everything import verbs
from worker.converter import connect
from worker.playbooks import discover, lasting
from worker.probes import keep_probing
from worker.round_trip import RoundTrip, round_trip
from worker.settings import Settings
from worker.wiring import Fleet

# Only the playbooks run inside the sandbox. What they stand on goes through it as it is: a test looks at its source instead (ADR 15).
PASSED_THROUGH = (
    *(found.name for found in pkgutil.iter_modules(workflows.__path__, "workflows.") if found.name != "workflows.playbooks"),
    "activities", "pydantic", "pydantic_core", "sqlalchemy", "httpx", "anyio",
)  # fmt: skip

DECISIONS = 8  # workflow tasks at once: more would share one processor, and each would take longer than the server waits for it
HELD_BACK = timedelta(seconds=0.4)  # for so long the SDK may hold a heartbeat back: `activities.kit.pulse` counts with it


class ContextFree(WorkflowInstance):
    """A workflow whose payloads are turned into JSON in the same way wherever they stand.

    The SDK asks the workflow about each payload, six times, inside the sandbox; looking once was a seventh of what a worker does (ADR 15).
    A codec that must know which activity a payload is for needs the question: whoever brings one takes this class away (`tests/test_house.py`
    holds them to it).
    """

    def __init__(self, inner: WorkflowInstance) -> None:
        self._inner = inner

    def activate(self, act: Any) -> Any:
        return self._inner.activate(act)

    def get_serialization_context(self, command_info: Any) -> SerializationContext | None:
        return None  # it is the same everywhere

    def get_external_store_context(self, command_info: Any) -> StorageDriverStoreContext:
        return StorageDriverStoreContext(target=None)  # nothing is stored elsewhere

    def get_info(self) -> workflow.Info:
        return self._inner.get_info()

    def get_thread_id(self) -> int | None:
        return self._inner.get_thread_id()


class Sandbox(SandboxedWorkflowRunner):
    """Looks once in a process whether a workflow may run in it; the SDK looks again for every worker, 40 ms for each type."""

    _looked: ClassVar[set[type]] = set()

    def prepare_workflow(self, defn: workflow._Definition) -> None:
        if defn.cls not in self._looked:
            super().prepare_workflow(defn)
            self._looked.add(defn.cls)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """A new one, in which `isinstance` and `issubclass` are Python's own as soon as its modules are there (ADR 15)."""
        instance = super().create_instance(det)
        importer = cast("_Instance", instance).importer
        importer.restricted_builtins = [one for one in importer.restricted_builtins if one[0] not in ("isinstance", "issubclass")]
        return ContextFree(instance)


def runner(*more: str) -> SandboxedWorkflowRunner:
    """The sandbox of the playbooks. `more`: further modules that pass through it."""
    return Sandbox(restrictions=SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH, *more))


def workflow_types() -> Sequence[type]:
    """Every workflow. What they look up by name is loaded with them: inside a workflow nothing can be imported any more."""
    verbs()
    return [*(info.cls for info in discover().values()), *lasting(), RoundTrip]


def worker(
    client: Client, fleet: Fleet, queue: str, settings: Settings, *, max_cached: int | None = None, debug_mode: bool = False,
    more: Sequence[type] = (), sandbox: SandboxedWorkflowRunner | None = None,
) -> Worker:  # fmt: skip
    """A worker for one queue. Its timeouts are our recovery time (ADR 5).

    `debug_mode`: without the SDK's deadlock detection, which takes a busy machine for a workflow that never yields. `more`: further workflows.
    """
    return Worker(
        client,
        task_queue=queue,
        workflows=[*workflow_types(), *more],
        activities=[*fleet.activities, round_trip],
        workflow_runner=sandbox or runner(),
        max_cached_workflows=settings.max_cached_workflows if max_cached is None else max_cached,
        max_concurrent_workflow_tasks=DECISIONS,
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=settings.sticky_timeout),
        debug_mode=debug_mode,
        max_heartbeat_throttle_interval=HELD_BACK,
        graceful_shutdown_timeout=timedelta(seconds=5),
    )


async def serve(settings: Settings, fleet: Fleet, queue: str, stop: asyncio.Event, ready: Callable[[], None]) -> None:
    """Serve one queue until told to stop. What can be used is looked at from the process of small incidents."""
    client = await connect(settings)
    async with AsyncExitStack() as stack:
        if queue == settings.queue:
            looking = asyncio.create_task(keep_probing(settings, fleet.ledger))
            stack.callback(looking.cancel)
        await stack.enter_async_context(worker(client, fleet, queue, settings))
        ready()
        await stop.wait()
