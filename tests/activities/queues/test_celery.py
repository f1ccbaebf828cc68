"""Queues on a real Celery: paused, parked, put back, restarted. What its broker and its workers say, and not what a double would."""

import asyncio
import os
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from activities.action import Call, NotYet, Refused
from activities.caches.valkey import Valkey
from activities.queues import celery as module
from activities.queues.celery import Catalogued, Celery
from activities.queues.holding import Consumers, ConsumersOf, Consuming
from activities.queues.parking import Parked, ParkingOf, Parkings, park
from activities.queues.queues import CensusOf, JobsOf, Queues, WorkOf
from activities.queues.workers import Restarts, RestartWorker
from practice.stores.valkey import PASSWORD
from tests.activities.kit.stage import FollowingClock, tried
from tests.stores.census import WORKERS, answers, told
from tests.stores.real_celery import RealCelery, real_celery, until

KNOWN = "interactive=critical:60:product:yes, reports=deferrable:14400:analytics:yes, odd=::, long=deferrable:14400:analytics:yes"


def client(on: RealCelery, *expected: str) -> Celery:
    return Celery(Valkey(on.address(), PASSWORD), Catalogued.read(KNOWN), expected or WORKERS)


def call(key: str = "k") -> Call:
    return Call(incident_id="inc-1", key=key, at=datetime.now(UTC))


@pytest.fixture(scope="module")
def on(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealCelery]:
    """Two workers that take everything."""
    both = ("interactive", "reports")
    with real_celery(tmp_path_factory.mktemp("celery"), one=both, two=both) as found:
        asyncio.run(answers(found, 2))
        yield found


async def ended(on: RealCelery, ids: list[str]) -> None:
    await asyncio.to_thread(until, lambda: set(ids) <= set(on.done()), "the jobs to be done")


async def test_what_waits_who_works_and_whose_it_is(on: RealCelery) -> None:
    work = await Queues(client(on, "one@here", "two@here")).work(WorkOf(), call())
    interactive = work.of("interactive")
    assert interactive is not None and interactive.workers == 2 and interactive.depth == 0 and interactive.kind == "critical"
    assert interactive.arrivals_per_second is None, "Celery counts no arrivals, and none are made up"
    assert {one.name for one in work.workers} == {"one@here", "two@here"} and all(one.answered for one in work.workers)
    odd = work.of("odd")
    assert odd is not None and odd.kind is None and odd.idempotent is None, "of which nobody has said anything"


async def test_a_worker_that_is_expected_and_does_not_answer_is_unknown(on: RealCelery) -> None:
    celery = client(on, "one@here", "two@here", "three@here")
    work = await Queues(celery).work(WorkOf(), call())
    assert work.silent == ("three@here",) and (found := work.of("reports")) is not None and found.workers is None
    with pytest.raises(NotYet, match="three@here did not answer"):
        await Consumers(celery, FollowingClock()).look_at(call(), ConsumersOf(queue="reports", broker="celery"))


async def test_a_queue_is_paused_and_resumed_and_no_job_is_lost(on: RealCelery) -> None:
    celery = client(on, "one@here", "two@here")
    consumers = Consumers(celery, FollowingClock())
    order = Consumers.order(ConsumersOf(queue="reports", broker="celery"), Consuming(share=0.0))
    order = order.given(await consumers.look_at(call(), order.of))
    effect, _ = await tried(Consumers.change, consumers, order, call("pause"))
    assert not effect.adopted
    ids = await asyncio.to_thread(on.produce, "reports", 8, 1)
    other = await asyncio.to_thread(on.produce, "interactive", 4, 2)
    await ended(on, other)
    assert not set(ids) & set(on.done()) and on.depth("reports") == 8, "paused: nothing of it is begun, while others work"
    again, _ = await tried(Consumers.change, consumers, order, call("pause"))
    assert again.adopted
    back = order.undo()
    await tried(Consumers.restore, consumers, back, call("resume"))
    await ended(on, ids)
    assert all(times == 1 for times in Counter(on.done()).values())


async def test_only_what_is_known_to_be_deferrable_is_paused_and_no_pattern(on: RealCelery) -> None:
    consumers = Consumers(client(on), FollowingClock())
    for name, why in (("interactive", "is critical"), ("odd", "no worker takes"), ("rep*", "patterns are not sent")):
        order = Consumers.order(ConsumersOf(queue=name, broker="celery"), Consuming(share=0.0))
        with pytest.raises(Refused, match=why):
            await tried(Consumers.change, consumers, order, call(name))


async def test_poison_is_parked_by_id_and_put_back_under_its_id(on: RealCelery) -> None:
    celery, parkings = client(on), Parkings(client(on))
    await celery.remote.told("cancel_consumer", {"queue": "interactive"})
    good, bad = await asyncio.to_thread(on.produce, "interactive", 5, 3), await asyncio.to_thread(on.produce, "interactive", 2, 4, 6)
    looked = await Queues(celery).jobs(JobsOf(queue="interactive", least_attempts=5), call())
    assert {one.id for one in looked.jobs} == set(bad)
    before = await Queues(celery).census(CensusOf(), call())
    order = park("interactive", "poison", Parked(ids=tuple(bad), attempts=6, evidence="0" * 64), "celery")
    order = order.given(await parkings.look_at(call(), order.of))
    for key in ("park", "park"):
        await tried(Parkings.change, parkings, order, call(key))
    after = await Queues(celery).census(CensusOf(), call())
    assert (after.parked, after.waiting) == (before.parked + 2, before.waiting - 2) and not after.doubled
    await celery.remote.told("add_consumer", {"queue": "interactive"})
    await ended(on, good)
    assert not set(bad) & set(on.done())
    await tried(Parkings.restore, parkings, order.undo(), call("back"))
    await ended(on, bad)
    assert all(times == 1 for times in Counter(on.done()).values()), "each once, under its own id"


async def test_a_restart_is_known_by_the_process_and_makes_workers_forget_that_they_were_told_to_pause(on: RealCelery) -> None:
    celery = client(on, "one@here", "two@here")
    consumers, of = Consumers(celery, FollowingClock()), ConsumersOf(queue="reports", broker="celery")
    order = Consumers.order(of, Consuming(share=0.0)).given(await consumers.look_at(call(), of))
    await tried(Consumers.change, consumers, order, call("p"))
    boot = next(one.generation for one in (await Queues(celery).work(WorkOf(), call())).workers if one.name == "two@here")
    restarts = Restarts(celery, FollowingClock())
    id = await restarts.start(call("r"), RestartWorker(worker="two@here", generation=boot, stacks="0" * 64, broker="celery"))
    await asyncio.to_thread(on.processes["two@here"].wait, 20)
    assert (await restarts.status(call("r"), None, id)).at.value == "running"  # type: ignore[arg-type]
    assert await restarts.find(call("r"), None) == id  # type: ignore[arg-type]
    on.start("two@here", "interactive", "reports")
    await answers(on, 2)
    assert (await restarts.status(call("r"), None, id)).at.value == "done"  # type: ignore[arg-type]
    again = await restarts.start(call("r"), RestartWorker(worker="two@here", generation=boot, stacks="0" * 64, broker="celery"))
    assert again == id and on.processes["two@here"].poll() is None, "the next boot is not ended by the same order"
    assert (await consumers.look_at(call(), of)).value.share == 0.5, "the one that was restarted has forgotten it"
    await celery.remote.told("add_consumer", {"queue": "reports"})


@pytest.mark.skipif(not os.environ.get("REAL_CELERY"), reason="REAL_CELERY=1 tells it, on an idle machine; the model in every run")
async def test_a_lost_shutdown_is_sent_again_and_a_worker_that_ends_its_jobs_first_hears_nothing_more(
    on: RealCelery, monkeypatch: pytest.MonkeyPatch
) -> None:
    celery = client(on, "one@here", "two@here")
    told, shutdowns = celery.remote.told, list[str]()

    async def loses_the_first(method: str, *words: Any, **more: Any) -> Any:
        if method == "shutdown":
            shutdowns.append(method)
            if len(shutdowns) == 1:
                return {}
        return await told(method, *words, **more)

    monkeypatch.setattr(celery.remote, "told", loses_the_first)
    before = set(on.done())
    await celery.remote.told("cancel_consumer", {"queue": "reports"}, ["one@here"])
    long = await asyncio.to_thread(on.produce, "reports", 1, 77, 0, 0.0, 6.0)
    await asyncio.to_thread(until, lambda: on.depth("reports") == 0, "the long job to be begun")
    boot = next(one.generation for one in (await Queues(celery).work(WorkOf(), call())).workers if one.name == "two@here")
    order = RestartWorker(worker="two@here", generation=boot, stacks="0" * 64, broker="celery")
    restarts = Restarts(celery, FollowingClock())
    id = await restarts.start(call("lost"), order)
    assert (await restarts.status(call("lost"), order, id)).at.value == "unheard" and on.processes["two@here"].poll() is None
    assert await restarts.start(call("lost"), order) == id
    assert on.processes["two@here"].poll() is None and not set(long) & set(on.done()) - before, "it ends its job first"
    assert (await restarts.status(call("lost"), order, id)).at.value == "running", "and answers no more meanwhile"
    await asyncio.to_thread(on.processes["two@here"].wait, 20)
    assert set(long) <= set(on.done()) and len(shutdowns) == 2
    on.start("two@here", "interactive", "reports")
    await answers(on, 2)
    assert (await restarts.status(call("lost"), order, id)).at.value == "done"
    await celery.remote.told("add_consumer", {"queue": "reports"})


async def test_of_a_long_queue_the_oldest_are_looked_at_and_all_are_counted_and_parked(
    on: RealCelery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Age beats depth: where there are more than we read, the newest say nothing of how long the first waits. Nobody takes jobs of `long`."""
    monkeypatch.setattr(module, "MOST", 3)
    celery = client(on, "one@here", "two@here")
    first = await asyncio.to_thread(on.produce, "long", 1, 5, 0, 900.0)
    await asyncio.to_thread(on.produce, "long", 7, 6)
    long = (await Queues(celery).work(WorkOf(), call())).of("long")
    assert long is not None and long.depth == 8 and long.oldest_age_seconds is not None and long.oldest_age_seconds >= 900
    assert [one.id for one in (await Queues(celery).jobs(JobsOf(queue="long", limit=1), call())).jobs] == first
    parkings, of = Parkings(celery), ParkingOf(queue="long", bin="whole", broker="celery")
    order = Parkings.order(of, Parked(everything=True)).given(await parkings.look_at(call(), of))
    await tried(Parkings.change, parkings, order, call("all"))
    assert (on.depth("long"), on.depth("long.parked.whole")) == (0, 8)
    await tried(Parkings.restore, parkings, order.undo(), call("back"))
    assert (on.depth("long"), on.depth("long.parked.whole")) == (8, 0)
    assert [one.id for one in (await Queues(celery).jobs(JobsOf(queue="long", limit=1), call())).jobs] == first, "in their order"


async def test_what_celery_cannot_do_is_refused_in_words(on: RealCelery) -> None:
    for path, why in (
        ("/v1/tenants/acme/intake", "at the API's gateway"),
        ("/v1/queues/reports/rate", "rate_limit"),
        ("/v1/allotment", "scale each"),
    ):
        with pytest.raises(Refused, match=why):
            await client(on).get(call(), path)


def test_a_whole_queue_is_parked_instead_of_purged(on: RealCelery) -> None:
    async def parked_and_back() -> None:
        celery, parkings = client(on), Parkings(client(on))
        await celery.remote.told("cancel_consumer", {"queue": "reports"})
        ids = await asyncio.to_thread(on.produce, "reports", 6, 9)
        of = ParkingOf(queue="reports", bin="whole", broker="celery")
        order = Parkings.order(of, Parked(everything=True)).given(await parkings.look_at(call(), of))
        await tried(Parkings.change, parkings, order, call("all"))
        assert on.depth("reports") == 0 and on.depth("reports.parked.whole") == 6
        await celery.remote.told("add_consumer", {"queue": "reports"})
        await tried(Parkings.restore, parkings, order.undo(), call("back"))
        await ended(on, ids)

    asyncio.run(parked_and_back())


@pytest.mark.parametrize("seed", [101, 102])
async def test_every_job_is_counted_in_a_seeded_run(on: RealCelery, seed: int) -> None:
    """Two of the twenty that `make judge` tells."""
    assert "lost 0, doubled 0" in await told(on, seed)
