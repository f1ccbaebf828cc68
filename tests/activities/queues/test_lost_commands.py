"""What we tell Celery's workers may be lost on its way: seen, continued and told again, and never taken for what somebody else did."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from activities.action import Call, NotYet
from activities.caches.valkey import Valkey
from activities.kit.clock import RealClock
from activities.kit.setting import Change
from activities.queues.celery import Catalogued, Celery
from activities.queues.holding import Consumers, ConsumersOf, Consuming
from activities.queues.workers import Restarts, RestartWorker
from practice.stores.valkey import PASSWORD
from tests.activities.kit.stage import FollowingClock, attempt, refused, tried
from tests.stores.modelled_celery import ModelledCelery, Worker, modelled_celery

KNOWN = Catalogued.read("reports=deferrable:14400:analytics:yes")
OF = ConsumersOf(queue="reports", broker="celery")


@pytest.fixture
async def on() -> AsyncIterator[ModelledCelery]:
    async with modelled_celery(one=("reports",), two=("reports",), three=("reports",), four=("reports",)) as found:
        yield found


def client(on: ModelledCelery) -> Celery:
    return Celery(Valkey(on.address(), PASSWORD), KNOWN, tuple(on.workers), patience=0.3)


def call(key: str = "k") -> Call:
    return Call(incident_id="inc-1", key=key, at=datetime.now(UTC))


async def paused(consumers: Consumers) -> Change[ConsumersOf, Consuming]:
    return Consumers.order(OF, Consuming(share=0.0)).given(await consumers.look_at(call(), OF))


async def no(consumers: Consumers, order: Change[ConsumersOf, Consuming]) -> str:
    return await refused(lambda: tried(Consumers.change, consumers, order, call("pause")))


async def not_back(consumers: Consumers, order: Change[ConsumersOf, Consuming]) -> str:
    return await refused(lambda: tried(Consumers.restore, consumers, order.undo_at_once(), call("back")))


def taking(on: ModelledCelery) -> list[str]:
    return [name for name, worker in on.workers.items() if "reports" in worker.queues]


async def test_a_pause_that_only_some_workers_have_heard_is_ours_and_is_continued(on: ModelledCelery) -> None:
    consumers = Consumers(client(on), FollowingClock())
    order = await paused(consumers)
    on.workers["three@here"].deaf["cancel_consumer"], on.workers["four@here"].deaf["cancel_consumer"] = 1, 2
    _, broke = await tried(Consumers.change, consumers, order, call("pause"))
    assert len(broke) == 2 and taking(on) == [], broke
    times = [worker.heard.count("cancel_consumer") for worker in on.workers.values()]
    assert times == [1, 1, 1, 1], "whoever has heard it is not told again"


async def test_a_step_back_that_only_some_workers_have_heard_is_continued(on: ModelledCelery) -> None:
    consumers = Consumers(client(on), FollowingClock())
    order = await paused(consumers)
    await tried(Consumers.change, consumers, order, call("pause"))
    on.workers["four@here"].deaf["add_consumer"] = 2  # it takes part in the last step, beside the third
    _, broke = await tried(Consumers.restore, consumers, order.undo(), call("resume"))
    assert len(broke) == 2 and len(taking(on)) == 4, broke


async def test_a_worker_that_somebody_else_has_paused_or_resumed_is_theirs(on: ModelledCelery) -> None:
    """It looks like half of ours: before a write of ours, after one that everybody has heard, and after one that broke off elsewhere."""
    consumers = Consumers(client(on), FollowingClock())
    first = await paused(consumers)
    await tried(Consumers.change, consumers, first, call("first"))
    await tried(Consumers.restore, consumers, first.undo_at_once(), call("back"))
    order = await paused(consumers)
    on.workers["three@here"].queues.clear()
    assert "a newer change of the consumers of reports by somebody" in await no(consumers, order)
    assert "has changed the consumers of reports since we left it" in await not_back(consumers, first), (
        "it was back, and everybody had heard it"
    )
    on.workers["three@here"].queues.add("reports")
    on.workers["four@here"].deaf["cancel_consumer"] = 1
    with pytest.raises(NotYet, match="still shows taken by 25%"):
        await attempt(Consumers.change, consumers, order, call("pause"))
    on.workers = {"five@here": Worker({"reports"}), **on.workers}
    assert taking(on) == ["five@here", "four@here"]
    assert "taken by 40% of its workers" in await no(consumers, order), "a fifth was there neither before nor as we wanted it"


async def test_a_shutdown_that_was_lost_is_sent_again_to_the_same_boot_and_to_no_other(on: ModelledCelery) -> None:
    celery = client(on)
    old = on.workers["two@here"]
    generation = (await celery.get(call(), "/v1/work"))["workers"][1]["generation"]
    order = RestartWorker(worker="two@here", generation=generation, stacks="0" * 64, broker="celery")
    old.deaf["shutdown"] = 2

    class Supervised(RealClock):
        """Whoever supervises it starts it again, under the same process id, while we wait."""

        looks = 0

        async def sleep(self, duration: object) -> None:
            self.looks += 1
            assert self.looks < 10, "it was told, and nobody has looked whether it was heard"
            if not old.up:
                old.boots("reports")

    effect, broke = await tried(Restarts.run, Restarts(celery, Supervised()), order, call("r"))
    assert not broke and old.heard.count("shutdown") == 1 and old.up, broke
    assert effect.proven_by.startswith("two@here answers, at generation") and not effect.adopted
    again, _ = await tried(Restarts.run, Restarts(celery, Supervised()), order, call("r"))
    assert again.adopted and old.heard.count("shutdown") == 1, "the next boot is not shut down"


async def test_a_shutdown_that_was_recorded_and_never_sent_is_sent_by_the_next_attempt(
    on: ModelledCelery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker of ours that ends between the record and the message."""
    celery, killed = client(on), client(on)

    async def ends(*_: object, **__: object) -> None:
        raise ConnectionError("this process has ended")

    generation = (await celery.get(call(), "/v1/work"))["workers"][0]["generation"]
    order = RestartWorker(worker="one@here", generation=generation, stacks="0" * 64, broker="celery")
    told = killed.remote.told

    async def all_but_shutdown(method: str, *words: object, **more: object) -> object:
        return await (ends() if method == "shutdown" else told(method, *words, **more))  # type: ignore[arg-type]

    monkeypatch.setattr(killed.remote, "told", all_but_shutdown)
    with pytest.raises(ConnectionError):
        await Restarts(killed, FollowingClock()).start(call("r"), order)
    assert on.workers["one@here"].up
    restarts = Restarts(celery, FollowingClock())
    id = await restarts.find(call("r"), order)
    assert id is not None and (await restarts.status(call("r"), order, id)).at.value == "unheard"
    assert await restarts.start(call("r"), order) == id and not on.workers["one@here"].up
    assert (await restarts.status(call("r"), order, id)).at.value == "running", "nobody answers: it is on its way"
