"""A process of ours, from its log to its exit code."""

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn


def run(name: str, serving: Callable[[], Coroutine[Any, Any, None]]) -> NoReturn:
    """Serve until it ends. What is wrong with its settings is one line and no traceback."""
    logging.basicConfig(level=os.environ.get("INCIDENT_LOG", "WARNING").upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s")
    code = 0
    try:
        asyncio.run(serving())
    except (RuntimeError, ValueError, OSError) as wrong:
        print(f"{name}: {wrong}", file=sys.stderr)
        code = 1
    except (KeyboardInterrupt, SystemExit) as ended:
        code = ended.code if isinstance(ended, SystemExit) and isinstance(ended.code, int) else 0
    leave(code)


def leave(code: int) -> NoReturn:
    """End by `os._exit`: a process that used the Temporal SDK may abort in the interpreter's own exit (sdk-python#300)."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        code = 0
    os._exit(code)
