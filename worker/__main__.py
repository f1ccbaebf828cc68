"""`python -m worker`: serve the incidents' task queues until SIGTERM."""

import asyncio
import logging
import os
import signal
import sys
from contextlib import AsyncExitStack

from worker.credentials import NoCredential
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
    """Entry point. Ends with `os._exit`: a process that used temporalio may abort at interpreter exit (sdk-python#300)."""
    logging.basicConfig(level=os.environ.get("INCIDENT_LOG", "WARNING").upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s")
    code = 0
    try:
        asyncio.run(run())
    except (NoCredential, RuntimeError, ValueError, OSError) as wrong:
        print(f"worker: {wrong}", file=sys.stderr)
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
