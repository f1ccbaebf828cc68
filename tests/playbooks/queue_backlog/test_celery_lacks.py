"""§2.8 on Celery: what it cannot do is said beforehand and becomes a person's task with the reason; no step fails of it, and the rest goes on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from activities.action import Call
from activities.caches.valkey import Valkey
from activities.organisation.catalogue import Catalogue
from activities.queues.celery import Catalogued, Celery
from activities.queues.control import by_people
from activities.queues.system import CELERY
from activities.systems import Look
from practice.stores.valkey import PASSWORD
from tests.playbooks.queue_backlog.piled import SERVICE, quick
from tests.stage.drill import Drill, drill
from tests.stage.outages import makes, passes, story
from tests.stores.modelled_celery import ModelledCelery, modelled_celery
from workflows.status import Outcome, Status

KNOWN = "interactive=critical:60:product:yes, reports=deferrable:14400:analytics:yes"
LACKS = "limits of tenants, retries, lending of workers, rates of queues"


@asynccontextmanager
async def on_celery(tmp: Path) -> AsyncIterator[tuple[ModelledCelery, Drill]]:
    """One tenant's jobs wait on a Celery whose workers take them no more."""
    both = ("interactive", "reports")
    async with modelled_celery(one=both, two=both) as on:
        (tmp / "token").write_text(PASSWORD)
        on.waits("interactive", "cedar-homes", 30, age=300)
        on.waits("interactive", "iris-optics", 5, age=300)
        told: dict[str, Any] = {
            "celery_address": on.address(), "celery_password": f"file:{tmp / 'token'}", "celery_queues": KNOWN,
            "celery_workers": ",".join(on.workers),
        }  # fmt: skip
        async with drill(tmp, policy=quick(top='systems = { queues = "celery" }'), **told) as stage:
            await makes(stage, "job-faults", kind="hot_tenant")
            await passes(stage, 300)
            yield on, stage


def told(status: Status) -> None:
    """The tasks of what Celery lacks, each with what is done instead."""
    (tenants,) = [task.text for task in status.tasks if task.text.startswith("Hold back cedar-homes, who bring the most jobs: ")]
    assert tenants.endswith("Celery takes what it is sent, whoever sends it: limit the tenant's requests at the API's gateway")
    (lent,) = [task.text for task in status.tasks if task.text.startswith("Let workers of what can wait work for what is late: ")]
    assert lent.endswith("and are not lent: scale each")


async def test_what_celery_lacks_is_a_task_with_the_reason_and_the_playbook_goes_on(tmp_path: Path) -> None:
    async with on_celery(tmp_path) as (on, stage):
        incident = await stage.declare("QueueBacklog", service=SERVICE)
        assert (await incident.hears("on celery this is a person's task: ")).endswith(f"{LACKS}; the rest goes on by itself")
        await incident.hears("done: queues.pause")
        assert all("reports" not in worker.queues for worker in on.workers.values())
        assert "in and 0.00 out" not in (lines := story(await incident.timeline())) and "rates unknown" in lines
        await incident.answer("Run 12 workers", "decline", by="lee")
        question = await incident.question("requests per second in")
        assert any(fact.startswith("everybody, because no tenant can be held back alone there: Celery takes") for fact in question.facts)
        status = await incident.status()
        told(status)
        assert not [one for one in status.asking if "failed" in one.asks], [one.asks for one in status.asking]
        assert not [
            one for one in status.steps if one.verb in ("queues.limit_intake", "queues.cap_tenant", "queues.rebalance", "queues.allotment")
        ]


async def test_a_plan_says_what_is_a_persons_on_celery(tmp_path: Path) -> None:
    async with on_celery(tmp_path) as (_, stage):
        plan = await stage.declare("QueueBacklog", service=SERVICE, rehearsal=True)
        outcome = Outcome.model_validate(await plan.handle.result())
        assert outcome.rehearsed is not None
        told(outcome.rehearsed)
        assert "queues.pause" in {step.verb for step in outcome.rehearsed.steps}


async def test_doctor_says_what_is_a_persons_on_celery(tmp_path: Path) -> None:
    async with modelled_celery(one=("interactive",)) as on:
        client = Celery(Valkey(on.address(), PASSWORD), Catalogued.read(KNOWN), tuple(on.workers))
        look = Look(call=Call(incident_id="i", key="k", at=datetime.now(UTC)), catalogue=Catalogue(), settings=None)
        seen = await CELERY.probe(client, look)
        assert seen.said == f"knows 2 queues and 1 workers; a person's task there: {LACKS}"
    assert by_people("queue control") == "", "ours can do everything"
