"""Where traffic goes: nobody is drained onto what cannot take it, and traffic comes back only while nothing breaks."""

from datetime import timedelta
from typing import Any

import pytest

from activities.action import Limits, NotYet, Refused, Risk, Role, action_of
from activities.edge.regions import DRAINED, Regions, RegionsOf, Weights, drain
from activities.kit.setting import Change
from activities.organisation.numbers import MitigationSettings
from practice.world.state import Version
from tests.activities.kit.rows.platform import regions
from tests.activities.kit.rows.practised import LandingClock
from tests.activities.kit.stage import Stage, granted, stage, tried

BRISK = MitigationSettings(return_pause=timedelta(minutes=1))
PUT = "platform.regions.put"


async def drained(played: Stage, system: Regions, region: str = "us-east") -> Change[RegionsOf, Weights]:
    now = await system.read(Regions.look(RegionsOf(service="api", region=region)), played.call())
    return drain("api", region, now, BRISK).given(now)


def begin() -> tuple[Stage, Regions]:
    played = stage()
    return played, regions(played, LandingClock())


def share(played: Stage) -> float:
    return played.world.state.fleet.services["api"].weights["us-east"]


async def test_a_drained_region_answers_nobody_and_counts_nothing() -> None:
    played, system = begin()
    effect, waited = await tried(Regions.change, system, await drained(played, system), played.call(key="drain"))
    assert [type(one) for one in waited] == [NotYet] * len(waited) and len(waited) <= 4
    assert (effect.before, effect.after) == (
        {"weights": {"eu-west": 0.5, "us-east": 0.5}}, {"weights": {"eu-west": 1.0, "us-east": 0.0}}
    )  # fmt: skip
    assert "eu-west (24)" in effect.proven_by and "us-east counts none" in effect.proven_by
    assert [e["key"] for e in played.effects(PUT)] == ["drain"]


async def test_traffic_comes_back_in_steps_each_watched() -> None:
    played, system = begin()
    order = await drained(played, system)
    await tried(Regions.change, system, order, played.call())
    effect, broke = await tried(Regions.restore, system, order.undo(), played.call(key="back"))
    assert not broke and not effect.adopted and effect.seen_at is not None
    steps = [e["after"]["weights"]["us-east"] for e in played.effects(PUT) if e["key"].startswith("back")]
    assert steps == [0.05, 0.25, 0.5]


async def test_the_way_back_can_be_taken_one_step_at_a_time() -> None:
    played, system = begin()
    order = await drained(played, system)
    await tried(Regions.change, system, order, played.call())
    for one, wanted in zip(order.undo_steps((0.2, 1.0)), (0.1, 0.5), strict=True):
        effect, _ = await tried(Regions.restore, system, one, played.call())
        assert effect.seen_at is not None and share(played) == wanted


async def test_what_people_returned_in_one_go_ends_every_step_of_ours() -> None:
    played, system = begin()
    order = await drained(played, system)
    await tried(Regions.change, system, order, played.call())
    played.world.state.fleet.services["api"].weights = {"eu-west": 0.5, "us-east": 0.5}
    played.world.state.versions["services/api/regions"] = Version(epoch=9, by="lee")
    for one in order.undo_steps((0.2, 1.0)):
        effect, _ = await tried(Regions.restore, system, one, played.call())
        assert effect.adopted and "by lee" in effect.proven_by


async def test_a_step_back_that_brings_errors_is_taken_back() -> None:
    played, system = begin()
    order = await drained(played, system)
    await tried(Regions.change, system, order, played.call())
    played.fault("region", region="us-east", rate=0.8)
    with pytest.raises(Refused, match=r"step 1 of 3 was taken back: .* of \d+ requests failed"):
        await tried(Regions.restore, system, order.undo(), played.call())
    assert share(played) == 0


async def test_the_last_step_is_not_believed_unwatched_however_often_it_is_tried() -> None:
    played, system = begin()
    order = await drained(played, system)
    await tried(Regions.change, system, order, played.call())
    played.world.state.blind = True
    (whole,) = order.undo_steps((1.0,))
    with pytest.raises(AssertionError, match="missing data"):
        await tried(Regions.restore, system, whole, played.call(), tries=4)
    played.world.state.blind = False
    played.pass_time(120)
    effect, _ = await tried(Regions.restore, system, whole, played.call())
    assert effect.adopted and "already applied by our earlier attempt" in effect.proven_by


async def test_nothing_is_returned_further_on_missing_data() -> None:
    played, system = begin()
    order = await drained(played, system)
    await tried(Regions.change, system, order, played.call())
    played.world.state.blind = True
    with pytest.raises(AssertionError, match="missing data"):
        await tried(Regions.restore, system, order.undo(), played.call(), tries=3)
    assert share(played) == 0.05


async def test_more_than_half_of_the_capacity_is_never_drained() -> None:
    played, system = begin()
    played.world.state.fleet.services["api"].places["us-east"].ready_replicas = 6
    with pytest.raises(Refused, match="60% of the capacity"):
        await tried(Regions.change, system, await drained(played, system), played.call())
    assert not played.effects(PUT)


async def test_nobody_is_drained_onto_regions_without_room() -> None:
    played, system = begin()
    played.fault("load", factor=1.2)
    with pytest.raises(Refused, match=r"can serve 8 requests per second and 7.2 are asked for: 1.11 times, wanted are 1.3"):
        await tried(Regions.change, system, await drained(played, system), played.call())
    assert not played.effects(PUT)


@pytest.mark.parametrize("weights", [{"eu-west": 0.9, "us-east": 0.1}, {"eu-west": 0.9, "us-east": 0.0}])
async def test_a_drain_that_leaves_something_there_or_nowhere_is_none(weights: dict[str, float]) -> None:
    played, system = begin()
    order = Regions.order(RegionsOf(service="api", region="us-east"), Weights(weights=weights))
    with pytest.raises(Refused, match="must leave nothing"):
        await tried(Regions.change, system, order, played.call())


async def test_a_balancer_that_says_so_but_sends_otherwise_proves_nothing() -> None:
    played, system = begin()
    order = await drained(played, system)
    played.world.before["*"] = (played.world.keep(), played.world.clock.now())
    played.inject("edge.get", "stale_read")
    # The edge has no writes of its own: what it shows late is what was there before anybody's last change.
    with pytest.raises(NotYet, match="still answered from us-east"):
        await system.change(order, granted(Regions.change, order, played.call()))


async def test_with_blind_metrics_the_probes_must_do() -> None:
    played, system = begin()
    played.world.state.blind = True
    played.pass_time(400)
    effect, waited = await tried(Regions.change, system, await drained(played, system), played.call())
    assert len(waited) >= 3 and "the metrics are blind" in effect.proven_by


async def test_a_drain_needs_a_commander_and_says_what_it_does() -> None:
    played, system = begin()
    order = await drained(played, system)
    for verb, of in ((Regions.change, order), (Regions.restore, order.undo())):
        assert action_of(verb).risk(of, Limits()) is Risk.C2 and action_of(verb).asks == (Role.INCIDENT_COMMANDER,)
    with pytest.raises(Refused, match="needs an approval"):
        await system.change(order, played.call())
    assert not DRAINED.sticky
    assert order.effect() == "drain us-east: traffic of api goes to eu-west 100 % / us-east 0 %"
    assert order.inverse() == "traffic of api again goes to eu-west 50 % / us-east 50 %, in 3 steps, each watched for 1 min"
    with pytest.raises(ValueError, match="nobody can take over"):
        Weights(weights={"eu-west": 1.0}).without("eu-west")


def test_weights_that_differ_are_put_back_on_a_straight_line() -> None:
    before: Any = Weights(weights={"a": 0.5, "b": 0.3, "c": 0.2})
    steps = before.without("b").way_back(before, BRISK, (0.5, 1.0))
    assert [round(step.weights["b"], 3) for step in steps] == [0.15, 0.3] and steps[-1] == before
