"""`python -m worker`: serve the incidents' task queues until SIGTERM. `python -m worker QUEUE`: one of them, in this process."""

import asyncio
import signal
import sys
from contextlib import AsyncExitStack
from functools import partial

from worker import process
from worker.service import serve
from worker.settings import Settings
from worker.supervisor import READY, Supervisor
from worker.wiring import wire


async def run(queue: str = "") -> None:
    settings = Settings()
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    await (_serve(settings, queue, stop) if queue else Supervisor(settings).run(stop))


async def _serve(settings: Settings, queue: str, stop: asyncio.Event) -> None:
    async with AsyncExitStack() as stack:
        fleet = await wire(settings, stack)
        watching = asyncio.create_task(_until_alone(stop))
        stack.callback(watching.cancel)
        await serve(settings, fleet, queue, stop, partial(print, READY, flush=True))


async def _until_alone(stop: asyncio.Event) -> None:
    """Our standard input is a pipe from the supervisor: it is closed when that is gone, however it went."""
    pipe = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(pipe), sys.stdin)
    await pipe.read()
    stop.set()


def main() -> None:
    process.run("worker", partial(run, *sys.argv[1:2]))


if __name__ == "__main__":
    main()
