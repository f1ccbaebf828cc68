"""A suite is run once, and what it says is believed only when it is new, whole, and of what was asked."""

from datetime import timedelta

import pytest

from activities.action import Refused
from activities.evals.evals import Evals, RunSuite, SuitesOf, believed, interval, score_of
from activities.evals.evals import Ran as RunSeen
from activities.kit.operation import At
from practice.quality.evals import Evals as Runs
from practice.world.world import World
from tests.activities.conftest import MakeCall, inject, pass_time, tried
from tests.activities.quality.conftest import faults, publish

STARTS = ("evals.runs.start", "mlflow.runs.create")


def wanted(call: MakeCall, suite: str = "golden", triple: str = "6/12/3") -> RunSuite:
    return RunSuite(suite=suite, triple=triple, asked_at=call().at)


async def test_a_suite_says_how_many_passed_and_how_sure_that_is(world: World, evals: Evals, call: MakeCall) -> None:
    effect, _ = await tried(Evals.run, evals, wanted(call), call())
    score = score_of(effect)
    assert score.n == 400 and 0.9 < score.low < score.score < score.high < 1 and not score.critical_failures
    assert score.triple == "6/12/3" and "run" in effect.proven_by and score.at_least(0.96, 0.01)
    assert effect.summary.startswith("run the suite golden on 6/12/3; golden 9")


async def test_a_spoilt_prompt_fails_and_the_blessed_one_does_not(world: World, evals: Evals, call: MakeCall) -> None:
    publish(world, language="de")
    pass_time(world, 30)
    bad = score_of((await tried(Evals.run, evals, wanted(call, triple="6/13/3"), call(key="bad")))[0])
    good = score_of((await tried(Evals.run, evals, wanted(call), call(key="good")))[0])
    assert bad.surely_below(0.96, 0.01) and not good.surely_below(0.96, 0.01) and bad.high < good.low


async def test_a_run_is_started_once_whatever_happens(world: World, evals: Evals, call: MakeCall) -> None:
    for mode in ("commit_then_drop", "fail"):
        for route in STARTS:
            inject(world, route, mode, times=1)
        order, key = wanted(call), call(key=f"run/{mode}")
        await tried(Evals.run, evals, order, key)
        again, _ = await tried(Evals.run, evals, order, key)
        assert again.adopted
    assert len(world.state.part(Runs).runs) == 2


async def test_yesterdays_green_is_refused(world: World, evals: Evals, call: MakeCall) -> None:
    publish(world, language="de")
    faults(world).stuck = True
    pass_time(world, 120)
    with pytest.raises(Refused, match="refused as stale: it"):
        await tried(Evals.run, evals, wanted(call, triple="6/13/3"), call())


async def test_a_stuck_runner_is_refused_also_for_what_it_once_judged(world: World, evals: Evals, call: MakeCall) -> None:
    pass_time(world, 120)
    faults(world).stuck = True
    with pytest.raises(Refused, match=r"stale: it ran at .* UTC, and was asked for at"):
        await tried(Evals.run, evals, wanted(call), call())


async def test_what_is_no_number_is_refused(world: World, evals: Evals, call: MakeCall) -> None:
    faults(world).nan = True
    with pytest.raises(Refused, match="the result of golden on 6/12/3 is no number: the runner could not judge"):
        await tried(Evals.run, evals, wanted(call), call())


@pytest.mark.parametrize("few", [0, 12, 49])
async def test_too_few_samples_are_refused(world: World, evals: Evals, call: MakeCall, few: int) -> None:
    faults(world).few = few
    with pytest.raises(Refused, match=f"is of {few} samples; fewer than 50 say nothing|is no number"):
        await tried(Evals.run, evals, wanted(call), call())


async def test_an_unknown_suite_is_refused_before_anything_runs(world: World, evals: Evals, call: MakeCall) -> None:
    with pytest.raises(Refused, match="there is no suite gold; there are golden, languages, human-labelled, safety"):
        await tried(Evals.run, evals, wanted(call, suite="gold"), call())
    assert not world.state.part(Runs).runs


async def test_an_unknown_triple_is_refused(evals: Evals, call: MakeCall) -> None:
    with pytest.raises(Refused):
        await tried(Evals.run, evals, wanted(call, triple="../etc"), call())


async def test_the_judge_may_drift_and_the_labelled_set_does_not(world: World, evals: Evals, call: MakeCall) -> None:
    faults(world).judge = -0.2
    judged = score_of((await tried(Evals.run, evals, wanted(call), call(key="judged")))[0])
    labelled = score_of((await tried(Evals.run, evals, wanted(call, suite="human-labelled"), call(key="labelled")))[0])
    assert judged.score < 0.85 and labelled.score > 0.93
    known = await evals.suites(SuitesOf(), call())
    assert [one.name for one in known.suites if not one.judged] == ["human-labelled"]


SEEN = {"id": "1", "suite": "golden", "state": At.DONE, "score": 0.9, "n": 100, "passed": 90, "ran_on": "6/12/3"}


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ({"ran_on": "5/11/3"}, "stale: it is of golden on 5/11/3"),
        ({"ran_on": None}, "stale: it is of golden on nobody knows what"),
        ({"suite": "safety"}, "stale: it is of safety on 6/12/3"),
        ({"ran_at": None}, "does not say when it ran"),
        ({"score": float("inf")}, "is no number"),
        ({"n": None}, "is of 0 samples"),
        ({"passed": 101}, "contradicts itself: 101 of 100 passed"),
        ({"passed": -1}, "contradicts itself"),
        ({"score": 0.99}, "contradicts itself: 90 of 100 passed, and the score is 0.99"),
    ],
)
def test_what_must_not_be_believed(call: MakeCall, seen: dict[str, object], said: str) -> None:
    ran = RunSeen.model_validate({**SEEN, "ran_at": call().at + timedelta(seconds=1), **seen})
    with pytest.raises(Refused, match=said):
        believed(wanted(call), ran)


def test_the_interval_grows_with_fewer_samples() -> None:
    assert interval(95, 100) == pytest.approx((0.8882, 0.9785), abs=1e-3)
    assert interval(950, 1000) == pytest.approx((0.9347, 0.9618), abs=1e-3)
    assert interval(0, 10)[0] == 0 and interval(10, 10)[1] == pytest.approx(1)
