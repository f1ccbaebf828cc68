"""`python -m worker`: one process for each queue. A storm on one queue leaves the other queue's processor alone.

A process that ends is started again. Before that the server is told to forget it: a workflow task that waits for a process which is gone
would wait for the whole sticky timeout (ADR 5).
"""

import asyncio
import logging
import sys
import time
from asyncio.subprocess import PIPE, Process

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetStickyTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

from worker.converter import connect
from worker.settings import Settings

log = logging.getLogger(__name__)

READY = "ready"  # what a process says when it serves its queue
STOP_WITHIN = 8.0  # seconds for a process to end what it has begun
FORGET_WITHIN = 3.0  # seconds for the server to forget one that is gone; without that its tasks only come later
AT_ONCE = 20  # requests to the server
SHORT, LONGEST_PAUSE = 5.0, 10.0  # seconds: a process that lived for less is started again after a pause, and that is at most so long


class Supervisor:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ready: dict[str, asyncio.Event] = {}
        self._client: Client | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Keep a process for each queue until told to stop. Raises `SystemExit` when one cannot even begin: it has said why."""
        keeping: list[asyncio.Task[int]] = []
        try:
            for queue in self._settings.queues:  # one after another: what is wrong with the settings is said once
                self._ready[queue] = asyncio.Event()
                keeping.append(asyncio.create_task(self._keep(queue, stop)))
                ready = asyncio.create_task(self._ready[queue].wait())
                await asyncio.wait((*keeping, ready), return_when=asyncio.FIRST_COMPLETED)
                ready.cancel()
                if not self._ready[queue].is_set():
                    break
            if all(ready.is_set() for ready in self._ready.values()):
                print(f"worker ready: {', '.join(self._settings.queues)} at {self._settings.temporal_address}", flush=True)
            await asyncio.wait(keeping, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in keeping:
                one.cancel()
            codes = await asyncio.gather(*keeping, return_exceptions=True)
        if code := next((code for code in codes if isinstance(code, int) and code), 0):
            raise SystemExit(code)

    async def _keep(self, queue: str, stop: asyncio.Event) -> int:
        """0, when it was told to stop; the code of a process that could not even begin."""
        pause = 0.0
        while not stop.is_set():
            await self._forget(queue)
            began, code = time.monotonic(), await self._serve(queue, stop)
            if stop.is_set():
                break
            if not self._ready[queue].is_set():
                return code or 1
            await self._forget(queue)
            pause = min(2 * pause + 0.5, LONGEST_PAUSE) if time.monotonic() - began < SHORT else 0.0
            log.error("the process for %s ended with %s; it is started again%s", queue, code, f" in {pause:g} s" if pause else "")
            await asyncio.sleep(pause)
        return 0

    async def _serve(self, queue: str, stop: asyncio.Event) -> int:
        """Start the process, and wait for its end. It also ends when its standard input does: when we are gone."""
        child = await asyncio.create_subprocess_exec(sys.executable, "-m", "worker", queue, stdin=PIPE, stdout=PIPE)
        told = asyncio.create_task(self._listen(queue, child))
        asked = asyncio.create_task(stop.wait())
        ended = asyncio.create_task(child.wait())
        try:
            await asyncio.wait((asked, ended), return_when=asyncio.FIRST_COMPLETED)
            return await ended if ended.done() else await _stopped(child, ended)
        except asyncio.CancelledError:
            await _stopped(child, ended)
            raise
        finally:
            told.cancel()
            asked.cancel()

    async def _listen(self, queue: str, child: Process) -> None:
        assert child.stdout  # noqa: S101 - narrows the type
        async for line in child.stdout:
            if line.decode().strip() == READY:
                self._ready[queue].set()
            else:
                print(line.decode(), end="", flush=True)

    async def _forget(self, queue: str) -> None:
        """Let the server give the tasks of every open run on this queue to whoever comes first."""
        try:
            async with asyncio.timeout(FORGET_WITHIN):
                self._client = self._client or await connect(self._settings)
                await forget_dead_workers(self._client, queue)
        except (RPCError, RuntimeError, TimeoutError) as away:
            log.info("%s: what a dead process was given comes after the sticky timeout: %s", queue, away)


async def forget_dead_workers(client: Client, queue: str) -> int:
    """Reset the stickiness of every open run of a queue; the number of runs. A live worker of that queue replays once."""
    limit = asyncio.Semaphore(AT_ONCE)

    async def forget(run: WorkflowExecution) -> None:
        async with limit:
            await client.workflow_service.reset_sticky_task_queue(ResetStickyTaskQueueRequest(namespace=client.namespace, execution=run))

    runs = [
        WorkflowExecution(workflow_id=one.id, run_id=one.run_id)
        async for one in client.list_workflows(f"ExecutionStatus = 'Running' AND TaskQueue = '{queue}'")
    ]
    await asyncio.gather(*(forget(run) for run in runs))
    return len(runs)


async def _stopped(child: Process, ended: "asyncio.Task[int]") -> int:
    if child.returncode is None:
        child.terminate()
        try:
            return await asyncio.wait_for(asyncio.shield(ended), STOP_WITHIN)
        except TimeoutError:
            child.kill()
    return await ended
