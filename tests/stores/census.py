"""One seeded run on the real Celery: jobs of all kinds come, queues are paused, parked and put back; and every job is counted.

`python -m tests.stores.census RUNS` tells so many; `make judge` runs twenty.
"""

import asyncio
import random
import sys
import tempfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from activities.action import Call
from activities.caches.valkey import Valkey
from activities.kit.setting import Change
from activities.queues.celery import Catalogued, Celery
from activities.queues.holding import Consumers, ConsumersOf, Consuming
from activities.queues.parking import Parked, ParkingOf, Parkings
from practice.stores.valkey import PASSWORD
from tests.activities.kit.stage import FollowingClock, tried
from tests.stores.real_celery import RealCelery, real_celery, until

KNOWN = Catalogued.read("interactive=critical:60:product:yes, reports=deferrable:14400:analytics:yes")
BOTH = ("interactive", "reports")


WORKERS = ("one@here", "two@here")


def client(on: RealCelery, *expected: str) -> Celery:
    """`expected`: with all of their answers it waits for no more."""
    return Celery(Valkey(on.address(), PASSWORD), KNOWN, expected)


async def told(on: RealCelery, seed: int) -> str:
    """One run. What was counted; raises where a job is lost or was done twice."""
    chance, known = random.Random(seed), set[str]()
    celery, call = client(on, *WORKERS), Call(incident_id=f"inc-{seed}", key=f"k-{seed}", at=datetime.now(UTC))
    consumers, parkings = Consumers(celery, FollowingClock()), Parkings(celery)
    before = Counter(on.done())

    async def comes(queue: str, many: int, retries: int = 0) -> list[str]:
        made = await asyncio.to_thread(on.produce, queue, many, chance.randrange(10**6), retries, 0.0, 0.01)
        known.update(made)
        return made

    await comes("interactive", chance.randint(5, 25))
    pause: Change[ConsumersOf, Consuming] = Consumers.order(ConsumersOf(queue="reports", broker="celery"), Consuming(share=0.0))
    pause = pause.given(await consumers.look_at(call, pause.of))
    await tried(Consumers.change, consumers, pause, call)
    await comes("reports", chance.randint(3, 15))
    await celery.remote.told("cancel_consumer", {"queue": "interactive"})
    bad = await comes("interactive", chance.randint(1, 3), retries=5)
    poison = Parkings.order(
        ParkingOf(queue="interactive", bin="poison", broker="celery"), Parked(ids=tuple(bad), attempts=5, evidence="0" * 64)
    )
    poison = poison.given(await parkings.look_at(call, poison.of))
    await tried(Parkings.change, parkings, poison, call)
    whole = None
    if chance.random() < 0.5:
        whole = Parkings.order(ParkingOf(queue="reports", bin="whole", broker="celery"), Parked(everything=True))
        whole = whole.given(await parkings.look_at(call, whole.of))
        await tried(Parkings.change, parkings, whole, call)
    await _balances(celery, on, known, before, "in the middle")
    await celery.remote.told("add_consumer", {"queue": "interactive"})
    if whole is not None:
        await tried(Parkings.restore, parkings, whole.undo(), call.model_copy(update={"key": f"w-{seed}"}))
    await tried(Parkings.restore, parkings, poison.undo(), call.model_copy(update={"key": f"p-{seed}"}))
    await tried(Consumers.restore, consumers, pause.undo_at_once(), call.model_copy(update={"key": f"c-{seed}"}))
    await asyncio.to_thread(until, lambda: known <= set(on.done()), f"every job of run {seed} to be done")
    done = Counter(on.done()) - before
    doubled = [id for id in known if done[id] != 1]
    assert not doubled, f"run {seed}: {doubled} were done {[done[one] for one in doubled]} times"
    return f"run {seed}: {len(known)} arrived, {sum(done.values())} done, {len(bad)} parked and put back, lost 0, doubled 0"


async def _balances(celery: Celery, on: RealCelery, known: set[str], before: Counter[str], when: str) -> None:
    """Everything that arrived is done, waits, is held or is parked; nothing is in two of these."""

    async def places() -> tuple[set[str], int]:
        done = set(Counter(on.done()) - before)
        said = await celery.get(Call(incident_id="i", key="k", at=datetime.now(UTC)), "/v1/census")
        return done, said["waiting"] + said["in_flight"] + said["parked"]

    for _ in range(100):
        done, elsewhere = await places()
        if len(done & known) + elsewhere == len(known):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{when}: {len(done & known)} done and {elsewhere} elsewhere of {len(known)}")


async def answers(on: RealCelery, many: int, within: float = 40.0) -> None:
    """Until so many workers answer."""
    loop = asyncio.get_running_loop()
    end = loop.time() + within
    while len((await client(on).get(Call(incident_id="i", key="k", at=datetime.now(UTC)), "/v1/work"))["workers"]) < many:
        assert loop.time() < end, [path.read_text()[-600:] for path in on.folder.glob("*.log")]


async def _main(runs: int) -> None:
    with tempfile.TemporaryDirectory() as folder, real_celery(Path(folder), one=BOTH, two=BOTH) as on:
        await answers(on, 2)
        for seed in range(1, runs + 1):
            print(await told(on, seed), flush=True)


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]) if len(sys.argv) > 1 else 20))
