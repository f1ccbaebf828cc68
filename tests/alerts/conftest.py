"""The stage of the receiver's stories."""

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from datetime import timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import pytest_asyncio
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.ledger.ledger import Ledger
from starters import steering
from starters.alerts import intake
from tests.alerts.desk import Desk, Outage, Unknown
from tests.stores import databases
from worker.converter import data_converter
from worker.settings import Settings

TEMPORAL = Path(sys.executable).with_name("temporal")
SERVICES = count(1)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server() -> AsyncIterator[WorkflowEnvironment]:
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(TEMPORAL), dev_server_log_level="error", data_converter=data_converter
    ) as environment:
        yield environment


@pytest.fixture
def ledger(request: pytest.FixtureRequest) -> Iterator[Ledger]:
    """A file, unless the story asks for PostgreSQL (`indirect`)."""
    if getattr(request, "param", "file") == "postgresql":
        kept = Ledger(databases.server().url(database=databases.database()))
        kept.migrate()
        yield kept
        kept.engine.dispose()
        return
    memory = Path("/dev/shm")  # that the ledger survives a power cut is not asked here, and costs a thousand fsyncs
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as place:
        book = Ledger(f"sqlite:///{place}/ledger.db")
        book.migrate()
        yield book


@pytest_asyncio.fixture(loop_scope="session")
async def desk(
    server: WorkflowEnvironment, ledger: Ledger, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Desk]:
    """The sender has more patience than Alertmanager, because the machine may be busy; the storm is told without that."""
    monkeypatch.setattr(intake, "ANSWER_WITHIN", 60.0)
    monkeypatch.setattr(steering, "JOIN_WITHIN", timedelta(seconds=30))
    address, queue = server.client.service_client.config.target_host, request.node.name[:60]
    settings = Settings(temporal_address=address, queue=queue, ledger_url=ledger.url)
    desk = Desk(server.client, settings, ledger, f"desk{next(SERVICES)}")
    async with AsyncExitStack() as workers:
        for queue in settings.queues:
            runner = UnsandboxedWorkflowRunner()
            await workers.enter_async_context(Worker(server.client, task_queue=queue, workflows=[Outage, Unknown], workflow_runner=runner))
        yield desk
        await desk.receiver.intake.close()
        for known in await desk.everything():
            await server.client.get_workflow_handle(known).terminate()
