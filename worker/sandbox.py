"""The sandbox in which workflows run: the SDK's own, without three things that it does over and over and that we have no use for (docs/adr/0015)."""

from typing import Any, ClassVar, cast

from temporalio import workflow
from temporalio.converter import SerializationContext, StorageDriverStoreContext
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner
from temporalio.worker.workflow_sandbox._runner import _Instance


class ContextFree(WorkflowInstance):
    """A workflow whose payloads are turned into JSON in the same way wherever they stand.

    The SDK asks the workflow about each payload, six times, inside the sandbox. A codec that must know which activity a payload is for needs
    the question: whoever brings one takes this class away (`tests/test_house.py` holds them to it).
    """

    def __init__(self, inner: WorkflowInstance) -> None:
        self._inner = inner

    def activate(self, act: Any) -> Any:
        return self._inner.activate(act)

    def get_serialization_context(self, command_info: Any) -> SerializationContext | None:
        """None: it is the same everywhere."""
        return None

    def get_external_store_context(self, command_info: Any) -> StorageDriverStoreContext:
        """None: nothing is stored elsewhere."""
        return StorageDriverStoreContext(target=None)

    def get_info(self) -> workflow.Info:
        return self._inner.get_info()

    def get_thread_id(self) -> int | None:
        return self._inner.get_thread_id()


class Sandbox(SandboxedWorkflowRunner):
    """Looks once in a process whether a workflow may run in it; the SDK looks again for every worker, 40 ms for each type."""

    _looked: ClassVar[set[type]] = set()

    def prepare_workflow(self, defn: workflow._Definition) -> None:
        """Run its module in the sandbox, to see that it may."""
        if defn.cls not in self._looked:
            super().prepare_workflow(defn)
            self._looked.add(defn.cls)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """A new one, in a sandbox of its own, in which `isinstance` and `issubclass` are Python's own as soon as its modules are there."""
        instance = super().create_instance(det)
        importer = cast("_Instance", instance).importer
        importer.restricted_builtins = [one for one in importer.restricted_builtins if one[0] not in ("isinstance", "issubclass")]
        return ContextFree(instance)
