"""Celery as a judge: seeded runs on a real Celery and a real Valkey, in which every job is counted by its id."""

import asyncio
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.judges.verdicts import FAILURES, NO_FAILURE, ROOT, Judge, Verdict

RUNS = 20


async def run(folder: Path) -> Sequence[Verdict]:
    words = ["-m", "tests.stores.census", str(RUNS)]
    ended = await asyncio.to_thread(
        subprocess.run, [sys.executable, *words], cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    said = ended.stdout.rstrip() + (ended.stderr[-2000:] if ended.returncode else "")
    judged = f"queues, by Celery: the census of {RUNS} seeded runs"
    return [Verdict(judged, f"python {' '.join(words)}", said, FAILURES if ended.returncode else NO_FAILURE)]


JUDGE = Judge("celery", run)
