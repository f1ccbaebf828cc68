"""`python -m worker`: serve the incidents' task queues until SIGTERM."""

import asyncio
import signal
from contextlib import AsyncExitStack

from worker import process
from worker.service import serve
from worker.settings import Settings
from worker.wiring import wire


async def run() -> None:
    settings = Settings()
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with AsyncExitStack() as stack:
        fleet = await wire(settings, stack)
        await serve(settings, fleet, stop)


def main() -> None:
    process.run("worker", run)


if __name__ == "__main__":
    main()
