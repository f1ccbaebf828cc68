"""What is never done to queues and workers, whoever asks: by our own contract, on the practice platform."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from activities.action import Limits, Risk, action_of
from activities.capacity.pools import PoolControl, PoolOf, Size, WorkerPools
from activities.kit.setting import Change, Reading, Setting
from activities.queues.control import QueueControl
from activities.queues.holding import Consumers, JobRetries, RetriesOf, Retrying, pause
from activities.queues.parking import Parked, ParkingOf, Parkings, park
from activities.queues.queues import CensusOf, Queues, WorkOf
from activities.queues.seen import Census
from activities.queues.tenants import Intake, Intakes, IntakesOf, TenantIntakes
from activities.queues.workers import Allotment, AllotmentOf, Allotments, Restarts, RestartWorker
from practice.jobs import faults
from practice.jobs.work import Work
from tests.activities.kit.stage import FollowingClock, Stage, refused, stage, tried

TENANT, EVIDENCE = "cedar-homes", "0" * 64


def control(played: Stage) -> QueueControl:
    return QueueControl(played.client("/jobs"))


def work(played: Stage) -> Work:
    return played.world.state.part(Work)


def broken(played: Stage, kind: str, **more: Any) -> None:
    given = {"queue": "interactive", "tenant": TENANT, "factor": None, "until": None, **more}
    faults.break_(work(played), kind, given["queue"], given["tenant"], given["factor"], played.world.clock.now(), given["until"])


def passes(played: Stage, seconds: float) -> None:
    played.world.clock.show(played.world.clock.now() + seconds)
    played.world.advance()


async def no(system: Setting[Any, Any, Any], order: Change[Any, Any], played: Stage) -> str:
    """Why a change is refused; nothing was written."""
    why = await refused(lambda: tried(type(system).change, system, order, played.call(key="k")))
    assert not [entry for entry in played.effects("jobs.") if entry["key"]]
    return why


@pytest.mark.parametrize(
    ("name", "why"), [("interactive", "is critical"), ("rep*", "patterns are not sent"), ("nobody", "no queue nobody")]
)
async def test_only_what_may_wait_is_paused_and_only_by_its_very_name(name: str, why: str) -> None:
    played = stage()
    assert why in await no(Consumers(control(played), FollowingClock()), pause(name, "queue control"), played)


async def test_a_queue_of_no_known_class_is_not_paused() -> None:
    played = stage()
    broken(played, "unknown_class", queue="reports")
    assert "of no known class" in await no(Consumers(control(played), FollowingClock()), pause("reports", "queue control"), played)


async def test_a_wait_beyond_the_visibility_timeout_is_refused() -> None:
    played = stage()
    order = JobRetries.order(RetriesOf(queue="email"), Retrying(max_attempts=3, backoff_seconds=3600))
    assert "delivered again after 3600 s" in await no(JobRetries(control(played)), order, played)


async def test_nothing_is_scaled_into_a_dependency_that_is_full() -> None:
    played = stage()
    work(played).saturation = 0.85
    pools = WorkerPools(PoolControl(played.client("/jobs")), control(played))
    why = await no(pools, WorkerPools.order(PoolOf(pool="workers"), Size(workers=10)), played)
    assert "85% full: more workers would push the trouble there" in why


async def test_nothing_is_scaled_beyond_the_connections_that_are_free_nor_beyond_the_most() -> None:
    played = stage()
    broken(played, "connections", factor=3)
    pools = WorkerPools(PoolControl(played.client("/jobs")), control(played))
    assert "has 3 free" in await no(pools, WorkerPools.order(PoolOf(pool="workers"), Size(workers=10)), played)
    assert "more than the 16 that may run" in await no(pools, WorkerPools.order(PoolOf(pool="workers"), Size(workers=17)), played)


async def test_scaling_is_asked_where_nobody_can_say_that_there_is_room() -> None:
    def risk(size: Size) -> Risk:
        return action_of(WorkerPools.change).risk(WorkerPools.order(PoolOf(pool="workers"), size), Limits())

    assert risk(Size(workers=10, most=16, fullest=0.5, connections=9)) is Risk.C1
    assert (
        risk(Size(workers=10, most=16, fullest=None, connections=9)) is Risk.C2
        and risk(Size(workers=17, most=16, fullest=0.5, connections=9)) is Risk.C2
    )


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (Parked(ids=("job-000001",), attempts=4, evidence=EVIDENCE), "these were begun 4 times"),
        (Parked(ids=("job-000001",), attempts=5), "before a copy of it is in the evidence"),
    ],
)
async def test_poison_was_begun_five_times_and_a_copy_is_kept(wanted: Parked, why: str) -> None:
    played = stage()
    assert why in await no(Parkings(control(played)), park("email", "poison", wanted), played)


def test_to_park_few_is_narrow_a_whole_queue_broad_and_to_let_expire_takes_two() -> None:
    def risk(bin: Any, wanted: Parked) -> Risk:
        return action_of(Parkings.change).risk(park("email", bin, wanted), Limits())

    few = Parked(ids=("job-000001",), attempts=5, evidence=EVIDENCE)
    assert risk("poison", few) is Risk.C1 and risk("poison", few.model_copy(update={"ids": tuple(map(str, range(21)))})) is Risk.C2
    assert risk("whole", Parked(everything=True)) is Risk.C2 and risk("expired", few) is Risk.C3
    back = Parkings.order(ParkingOf(queue="email", bin="poison"), few).given(_nothing()).undo()
    assert action_of(Parkings.restore).risk(back, Limits()) is Risk.C2, "jobs go back only on a word"


def _nothing() -> Any:
    return Reading[Parked](value=Parked())


async def test_only_what_may_wait_lends_its_workers() -> None:
    played = stage()
    robbed = Allotment(shares={"interactive": 0.5, "billing": 0.0, "email": 0.25, "reports": 0.25})
    assert "billing would have fewer workers" in await no(Allotments(control(played)), Allotments.order(AllotmentOf(), robbed), played)


async def test_no_limit_is_raised_and_a_pattern_is_no_tenant() -> None:
    played, of = stage(), IntakesOf(names=(TENANT,))
    work(played).intake[TENANT] = 0.2
    more = TenantIntakes.order(of, Intakes(each={TENANT: Intake(jobs_per_second=0.9)}))
    assert "automation never raises a limit" in await no(TenantIntakes(control(played), FollowingClock()), more, played)
    stars = TenantIntakes.order(IntakesOf(names=("*",)), Intakes(each={"*": Intake(jobs_per_second=0.9)}))
    assert "no name of one tenant" in await no(TenantIntakes(control(played), FollowingClock()), stars, played)


@pytest.mark.parametrize(
    ("order", "why"), [({"stacks": ""}, "before what it is doing was kept"), ({"generation": 0}, "it was restarted since")]
)
async def test_no_worker_is_restarted_without_its_stacks_nor_twice(order: dict[str, Any], why: str) -> None:
    played = stage()
    wanted = RestartWorker(**{"worker": "worker-1", "generation": 1, "stacks": EVIDENCE, **order})
    assert why in await refused(lambda: tried(Restarts.run, Restarts(control(played), FollowingClock()), wanted, played.call(key="k")))
    assert not work(played).restarts


async def test_the_census_balances_and_says_what_does_not() -> None:
    played = stage()
    broken(played, "hot_tenant", factor=4.0)
    passes(played, 300)
    census = await Queues(control(played)).census(CensusOf(), played.call())
    assert census.balanced and census.arrived and census.waiting
    state = work(played)
    gone = state.queues["interactive"].waiting.pop()
    state.completed[1] = 2
    census = await Queues(control(played)).census(CensusOf(), played.call())
    assert census.balanced is False and census.lost == (gone.name,) and census.doubled == ("job-000001",)


def test_a_census_of_which_half_is_unknown_balances_for_nobody() -> None:
    assert Census(arrived=None, completed=None, waiting=3, in_flight=0, parked=0, lost=None, doubled=()).balanced is None
    assert Census(arrived=9, completed=5, waiting=3, in_flight=0, parked=0, expired=0, dead_letters=0).balanced is False


async def test_a_worker_that_does_not_answer_is_not_idle() -> None:
    played = stage()
    broken(played, "silent")
    seen = await Queues(control(played)).work(WorkOf(), played.call())
    assert seen.silent == ("worker-1",) and seen.workers[0].stuck_seconds is None


async def test_what_comes_back_too_early_is_taken_back() -> None:
    """Background work, a quarter of it, while customers' jobs are late."""
    played = stage()
    consumers = Consumers(control(played), FollowingClock())
    order = pause("reports", "queue control")
    order = order.given(await consumers.look_at(played.call(), order.of))
    await tried(Consumers.change, consumers, order, played.call(key="p"))
    broken(played, "hot_tenant", factor=9.0)
    passes(played, 300)
    back = order.undo().model_copy(update={"pause": timedelta(seconds=1)})
    why = await refused(_again(Consumers.restore, consumers, back, played))
    assert "was taken back: interactive waits for" in why and work(played).queues["reports"].consumers == 0.0


def _again(verb: Any, system: Any, order: Any, played: Stage) -> Callable[[], Any]:
    return lambda: tried(verb, system, order, played.call(key="b"))
