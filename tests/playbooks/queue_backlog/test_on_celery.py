"""§2.8 on a real Celery and a real Valkey, from the alarm to the end: what the model says of pausing and parking is what really happens."""

import asyncio
import os
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.playbooks.queue_backlog.piled import SERVICE, ends, mended, quick
from tests.stage.drill import drill
from tests.stage.outages import makes, passes, story
from tests.stores.census import BOTH, WORKERS, answers
from tests.stores.real_celery import real_celery, until
from workflows.incident import Phase, State

# The workers need real seconds to answer, and the story skips time: on a busy machine a pause is not proven in time. What Celery does is counted
# in every run of the suite without skipped time (tests/stores).
pytestmark = pytest.mark.skipif(not os.environ.get("REAL_CELERY"), reason="REAL_CELERY=1 tells it, on an idle machine")

KNOWN = "interactive=critical:60:product:yes, reports=deferrable:14400:analytics:yes"


async def test_a_poisoned_backlog_of_a_real_celery_is_relieved_and_every_job_is_accounted_for(tmp_path: Path) -> None:
    with real_celery(tmp_path, one=BOTH, two=BOTH) as on:
        await answers(on, 2)
        told: dict[str, Any] = {
            "celery_address": on.address(), "celery_password": f"file:{tmp_path / 'token'}", "celery_queues": KNOWN,
            "celery_workers": ",".join(WORKERS),
        }  # fmt: skip
        async with drill(tmp_path, policy=quick(top='systems = { queues = "celery" }'), **told) as stage:
            await makes(stage, "job-faults", kind="hot_tenant")  # what the metrics show; the jobs themselves are Celery's
            await passes(stage, 300)
            good = await asyncio.to_thread(on.produce, "interactive", 40, 1, 0, 120.0, 0.5)
            bad = await asyncio.to_thread(on.produce, "interactive", 2, 2, 6, 120.0, 0.1)
            incident = await stage.declare("QueueBacklog", service=SERVICE)
            await incident.hears("done: queues.park")
            await incident.hears("done: queues.pause")
            waits = await asyncio.to_thread(on.produce, "reports", 6, 3)
            with on.server.client() as broker:
                assert broker.llen("interactive.parked.poison") == 2
            await mended(stage)
            await ends(incident, until=Phase.RECOVERY, step=47)
            await asyncio.to_thread(until, lambda: set(good) <= set(on.done()), "the good jobs to be done")
            assert not set(waits) & set(on.done()) and not set(bad) & set(on.done()), "paused, and parked"
            status = await ends(incident, step=47)
            lines = story(await incident.timeline())
            assert status.state is State.RESOLVED and [(one.name, one.held_by) for one in status.in_force] == [("parked", "lee")], lines
            await asyncio.to_thread(until, lambda: set(waits) <= set(on.done()), "background work to be done again")
            assert Counter(on.done()) == Counter([*good, *waits]), "each once, and the poison never"
            assert "Count arrivals and completions by message id" in lines, "what the broker cannot count is a person's task"
            assert not any("purge" in line for step in status.steps for line in step.by_hand if not line.startswith("#"))
            await incident.pass_time(timedelta(seconds=1))
