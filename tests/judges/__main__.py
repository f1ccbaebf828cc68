"""`make judge`: every judge, or those that are named, one after the other. Ends with 1 where one of them found something."""

import asyncio
import sys
import tempfile
import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.judges import celery, faces, litellm, mlflow, patroni, pgbouncer, postgresql, rabbitmq, redis
from tests.judges.verdicts import FAILURES, PAGE, Judge, NotRun, Verdict, page, today

JUDGES = {one.JUDGE.name: one.JUDGE for one in (faces, mlflow, litellm, celery, redis, postgresql, pgbouncer, patroni, rabbitmq)}


async def asked(judge: Judge) -> Sequence[Verdict]:
    """What it says. One that breaks off has found something."""
    if missing := judge.missing():
        said: Sequence[Verdict] = [Verdict("", "", "", missing)]
    else:
        with tempfile.TemporaryDirectory(prefix=f"judge-{judge.name}-") as folder:
            try:
                said = await judge.run(Path(folder))
            except NotRun as why:
                said = [Verdict("", "", "", str(why))]
            except Exception as broken:
                traceback.print_exc()
                said = [Verdict(judge.name, "broke off", f"{type(broken).__name__}: {str(broken)[:500]}", FAILURES)]
    return [replace(one, when=today()) for one in said]


async def main(names: Sequence[str]) -> int:
    if unknown := [name for name in names if name not in JUDGES]:
        print(f"there is no judge {', '.join(unknown)}; there are {', '.join(JUDGES)}")
        return 2
    run: dict[str, Sequence[Verdict]] = {}
    for name in names or tuple(JUDGES):
        run[name] = await asked(JUDGES[name])
        for one in run[name]:
            print(f"{name}: {one.judged or 'nothing'}: {one.outcome}" + (f"\n{one.said}" if one.failed else ""), flush=True)
        PAGE.write_text(page(tuple(JUDGES), run, PAGE.read_text() if PAGE.exists() else ""))
    return 1 if any(one.failed for said in run.values() for one in said) else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
