"""stub"""

from collections.abc import Sequence
from pathlib import Path

from tests.judges.verdicts import Judge, Verdict


async def run(folder: Path) -> Sequence[Verdict]:
    return []


JUDGE = Judge("patroni", run)
