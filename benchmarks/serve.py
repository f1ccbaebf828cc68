"""One worker of the benchmark: `python -m benchmarks.serve floor|ours FOLDER ADDRESS`. Everything outside is a line in the step file."""

import asyncio
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, cast, get_type_hints

from temporalio import activity
from temporalio.worker import Worker

from activities.action import Call, Effect, Order
from activities.everything import verbs
from activities.identity.codes import Codes, Identities
from activities.ledger.ledger import Ledger
from activities.metrics.orders import BlastRadius, Links, ServiceHealth
from activities.organisation.organisation import Organisation
from activities.organisation.rota import Rota
from activities.paging.orders import Acknowledgement
from activities.paging.pagerduty import PagerDuty
from benchmarks.floor import ByHand, Floor
from benchmarks.playbook import ThirteenSteps
from benchmarks.steps import StepFile, Steps
from worker import process
from worker.converter import connect
from worker.service import runner, worker
from worker.settings import Settings
from worker.wiring import Fleet

QUEUES = {"floor": "bench-floor", "ours": "bench-ours"}
LINES = {"pager.page": "page", "war_room.open": "war room", "evidence.snapshot": "snapshot"}  # our verb → the step of the floor that it is
ANSWERS: dict[Any, Callable[[Call], Any]] = {
    Links: lambda call: Links(links=()), Acknowledgement: lambda call: Acknowledgement(), BlastRadius: lambda call: BlastRadius(at=call.at),
    ServiceHealth: lambda call: ServiceHealth(error_ratio=None, degraded_ratio=None, requests=0, p99_seconds=None, blind=True, at=call.at),
}  # fmt: skip


@dataclass(frozen=True)
class BenchFleet:
    """What a worker of the benchmark serves: our own record and roster for real, and a line in a file for everything outside."""

    activities: Sequence[Callable[..., Any]]


def settings(folder: Path, address: str) -> Settings:
    return Settings(
        temporal_address=address, queue="bench", ledger_url=f"sqlite:///{folder / 'ledger.db'}", organisation=folder / "organisation.toml"
    )


def fleet(folder: Path, file: StepFile) -> BenchFleet:
    ledger, organisation = Ledger(f"sqlite:///{folder / 'ledger.db'}"), Organisation(folder / "organisation.toml")
    ledger.migrate()
    identities = Identities(organisation, Codes(b"a secret for the benchmark alone"), ledger)
    steps = Steps(file)
    steps.book = ledger
    rota = Rota(organisation, cast("PagerDuty", None))  # nobody's rota is there, so that it is never asked
    real = {type(one): one for one in (ledger, organisation, identities, steps, rota)}
    served = []
    for cls in (*verbs(), Steps):
        for name in dir(cls):
            verb = getattr(cls, name)
            if hasattr(verb, "__action__"):
                served.append(getattr(real[cls], name) if cls in real else _line(verb, file))
    return BenchFleet(served)


def _line(verb: Any, file: StepFile) -> Callable[..., Any]:
    """A verb of a system outside, under its own name, which only writes its line."""
    name, answers = verb.__action__.name, get_type_hints(verb)["return"]

    async def line(order: Order, call: Call) -> Any:
        if step := LINES.get(name):
            file.take(call.incident_id, step)
        if answers is Effect:
            return order.done("the line in the file", after={"id": "1", "name": "room", "url": "", "sha256": "0", "location": "file"})
        return ANSWERS[answers](call)

    (order, *_) = (hint for argument, hint in get_type_hints(verb).items() if argument == "order")
    line.__annotations__ = {"order": order, "call": Call, "return": answers}
    return activity.defn(name=name)(line)


async def run() -> None:
    side, folder, address = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    told, file = settings(folder, address), StepFile(folder / "steps.tsv")
    client = await connect(told)
    if side == "floor":
        serving: Worker = Worker(
            client, task_queue=QUEUES[side], workflows=[ByHand], activities=[Floor(file).step], max_cached_workflows=told.max_cached_workflows,
            sticky_queue_schedule_to_start_timeout=timedelta(seconds=told.sticky_timeout),
        )  # fmt: skip
    else:
        sandbox = runner("benchmarks.steps")
        serving = worker(client, cast("Fleet", fleet(folder, file)), QUEUES[side], told, more=(ThirteenSteps,), sandbox=sandbox)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with serving:
        print("ready", flush=True)
        await stop.wait()


if __name__ == "__main__":
    process.run(f"benchmark worker {' '.join(sys.argv[1:2])}", run)
