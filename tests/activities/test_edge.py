"""The edge: what is claimed was met outside, whatever happens on the way; and nobody is drained onto what cannot take it."""

from datetime import timedelta
from typing import Any

import pytest

from activities.action import Call, Limits, NotYet, Refused, Risk, Role, action_of
from activities.edge.edge import DRAINED, LIMITED, Drain, Edge, GatewayOf, Limit, RegionsOf, Vantages
from activities.edge.health import DependenciesOf
from activities.edge.orders import Loosen, ReturnTraffic
from activities.organisation.numbers import MitigationSettings
from practice.services.fleet import ServiceFault
from practice.world.world import World
from tests.activities.conftest import MISHAPS, MakeCall, by_hand, effects, granted, inject, pass_time, tried

REGIONS = ("eu-west", "us-east")
WEIGHTS, GATEWAY = "platform.regions.put", "platform.gateway.put"
BRISK = MitigationSettings(return_pause=timedelta(minutes=1), limit_pause=timedelta(minutes=1))
mishaps = pytest.mark.parametrize(("mode", "settings"), MISHAPS, ids=[mode for mode, _ in MISHAPS])


def fault(world: World, kind: str, **more: Any) -> None:
    world.state.fleet.faults.append(ServiceFault("api", kind, since=world.clock.now(), **more))


async def drain_order(edge: Edge, call: Call, region: str = "us-east", **more: Any) -> Drain:
    now = await edge.weights(RegionsOf(service="api"), call)
    return Drain(service="api", region=region, weights=now.without(region), **more).given(now)


async def limit_order(edge: Edge, call: Call, rps: float | None = 3.0, *, breaker: bool = False, **more: Any) -> Limit:
    return Limit(service="api", rate_limit_rps=rps, breaker=breaker, **more).given(await edge.limits(GatewayOf(service="api"), call))


# ---- looking ----


async def test_a_healthy_service_is_well_inside_and_outside_from_everywhere(edge: Edge, call: MakeCall) -> None:
    seen = await edge.health(Vantages(service="api", regions=REGIONS), call())
    assert seen.believed and seen.answered == 5
    assert not seen.ill_inside() and not seen.ill_outside() and not seen.in_front()
    assert seen.inside["eu-west"].revisions == {"api-00041": 1.0}


async def test_one_ill_region_is_told_from_the_other(world: World, edge: Edge, call: MakeCall) -> None:
    fault(world, "region", region="us-east", rate=0.9)
    seen = await edge.health(Vantages(service="api", regions=REGIONS), call())
    assert seen.ill_outside() == seen.ill_inside() == ("us-east",)


async def test_what_stands_in_front_is_told_from_the_service(world: World, edge: Edge, call: MakeCall) -> None:
    fault(world, "dependency", dependency="load_balancer", rate=1.0)
    pass_time(world, 30)
    seen = await edge.health(Vantages(service="api", regions=REGIONS), call())
    assert seen.believed and seen.in_front()
    assert (await edge.dependencies(DependenciesOf(service="api"), call())).down() == ("load_balancer",)


async def test_vantage_points_without_an_answer_prove_nothing(world: World, edge: Edge, call: MakeCall) -> None:
    inject(world, "edge.*", "hang")
    seen = await edge.health(Vantages(service="api", regions=REGIONS, times=1), call())
    assert not seen.believed and seen.answered == 0
    assert seen.inside["eu-west"].ok is None and seen.outside == dict.fromkeys(REGIONS)


# ---- draining ----


async def test_a_drained_region_answers_nobody_and_counts_nothing(world: World, edge: Edge, call: MakeCall) -> None:
    order = await drain_order(edge, call())
    effect, waited = await tried(Edge.drain, edge, order, call(key="drain"))
    assert [type(one) for one in waited] == [NotYet] * len(waited) and len(waited) <= 4
    assert (effect.before, effect.after) == ({"eu-west": 0.5, "us-east": 0.5}, {"eu-west": 1.0, "us-east": 0.0})
    assert "eu-west (24)" in effect.proven_by and "us-east counts none" in effect.proven_by
    assert [e["key"] for e in effects(world, WEIGHTS)] == ["drain"]


async def test_traffic_comes_back_in_steps_each_watched(world: World, edge: Edge, call: MakeCall) -> None:
    order = await drain_order(edge, call(), mitigation=BRISK)
    await tried(Edge.drain, edge, order, call())
    effect, broke = await tried(Edge.return_traffic, edge, order.undo(), call(key="back"))
    assert not broke and not effect.adopted
    assert world.state.fleet.services["api"].weights == {"eu-west": 0.5, "us-east": 0.5}
    steps = [e for e in effects(world, WEIGHTS) if e["key"].startswith("back")]
    assert [e["after"]["weights"]["us-east"] for e in steps] == [0.05, 0.25, 0.5]
    again, _ = await tried(Edge.return_traffic, edge, order.undo(), call(key="again"))
    assert again.adopted


async def test_the_way_back_can_be_taken_one_step_at_a_time(world: World, edge: Edge, call: MakeCall) -> None:
    drain = await drain_order(edge, call(), mitigation=BRISK)
    await tried(Edge.drain, edge, drain, call())
    for one, share in zip(drain.undo_steps((0.2, 1.0)), (0.1, 0.5), strict=True):
        effect, _ = await tried(Edge.return_traffic, edge, one, call())
        assert effect.seen_at is not None and world.state.fleet.services["api"].weights["us-east"] == share
    limit = await limit_order(edge, call(), 4.0, breaker=True, mitigation=BRISK)
    await tried(Edge.limit, edge, limit, call(later=90))
    orders = limit.undo_steps((0.2, 1.0))
    assert [one.effect() for one in orders[-2:]] == [
        "api again lets at most 9.765 requests per second in, breaker on", "api again lets everything in, breaker off",
    ]  # fmt: skip
    for one in orders:
        await tried(Edge.loosen, edge, one, call(later=90))
    assert world.state.fleet.services["api"].gateway.rate_limit_rps is None


async def test_a_step_back_that_brings_errors_is_taken_back(world: World, edge: Edge, call: MakeCall) -> None:
    order = await drain_order(edge, call(), mitigation=BRISK)
    await tried(Edge.drain, edge, order, call())
    fault(world, "region", region="us-east", rate=0.8)
    with pytest.raises(Refused, match=r"step 1 of 3 was taken back: .* of \d+ requests failed"):
        await tried(Edge.return_traffic, edge, order.undo(), call())
    assert world.state.fleet.services["api"].weights["us-east"] == 0


async def test_a_way_back_that_was_broken_off_goes_on_where_it_was(world: World, edge: Edge, call: MakeCall) -> None:
    order = await drain_order(edge, call(), mitigation=BRISK)
    await tried(Edge.drain, edge, order, call())
    inject(world, WEIGHTS, "latency", times=1, seconds=0)
    inject(world, WEIGHTS, "fail", times=1)
    effect, broke = await tried(Edge.return_traffic, edge, order.undo(), call(key="back"))
    assert len(broke) == 1 and effect.proven_by
    shares = [e["after"]["weights"]["us-east"] for e in effects(world, WEIGHTS) if e["key"].startswith("back")]
    assert shares == [0.05, 0.25, 0.5]


async def test_nothing_is_returned_on_missing_data(world: World, edge: Edge, call: MakeCall) -> None:
    order = await drain_order(edge, call(), mitigation=BRISK)
    await tried(Edge.drain, edge, order, call())
    world.state.blind = True
    with pytest.raises(AssertionError, match="missing data"):
        await tried(Edge.return_traffic, edge, order.undo(), call(), tries=3)
    assert world.state.fleet.services["api"].weights["us-east"] == 0.05


async def test_the_last_step_is_not_believed_unwatched_however_often_it_is_tried(world: World, edge: Edge, call: MakeCall) -> None:
    order = await drain_order(edge, call(), mitigation=BRISK)
    await tried(Edge.drain, edge, order, call())
    world.state.blind = True
    (whole,) = order.undo_steps((1.0,))
    with pytest.raises(AssertionError, match="missing data"):
        await tried(Edge.return_traffic, edge, whole, call(), tries=4)
    world.state.blind = False
    pass_time(world, 120)
    effect, _ = await tried(Edge.return_traffic, edge, whole, call())
    assert effect.adopted and "by an earlier try of ours" in effect.proven_by


async def test_what_people_returned_by_hand_is_adopted_as_theirs(world: World, edge: Edge, call: MakeCall, practice_url: str) -> None:
    order = await drain_order(edge, call(), mitigation=BRISK)
    await tried(Edge.drain, edge, order, call())
    await by_hand(order.undo(), practice_url, USER="lee")
    effect, _ = await tried(Edge.return_traffic, edge, order.undo(), call())
    assert effect.adopted and "it was so already, by lee" in effect.proven_by


async def test_more_than_half_of_the_capacity_is_never_drained(world: World, edge: Edge, call: MakeCall) -> None:
    world.state.fleet.services["api"].places["us-east"].ready_replicas = 6
    with pytest.raises(Refused, match="60% of the capacity"):
        await tried(Edge.drain, edge, await drain_order(edge, call()), call())
    assert not effects(world, "platform")


async def test_nobody_is_drained_onto_regions_without_room(world: World, edge: Edge, call: MakeCall) -> None:
    fault(world, "load", factor=1.2)
    with pytest.raises(Refused, match=r"can serve 8 requests per second and 7.2 are asked for: 1.11 times, wanted are 1.3"):
        await tried(Edge.drain, edge, await drain_order(edge, call()), call())
    assert not effects(world, "platform")


async def test_a_drain_that_leaves_something_there_is_none(edge: Edge, call: MakeCall) -> None:
    with pytest.raises(Refused, match="must leave nothing"):
        await tried(Edge.drain, edge, Drain(service="api", region="us-east", weights={"eu-west": 0.9, "us-east": 0.1}), call())


async def test_a_balancer_that_says_so_but_sends_otherwise_proves_nothing(world: World, edge: Edge, call: MakeCall) -> None:
    order = await drain_order(edge, call())
    world.before["*"] = (world.keep(), world.clock.now())
    inject(world, "edge.get", "stale_read")
    made = granted(Edge.drain, order, call())
    # The edge has no writes of its own: what it shows late is what was there before anybody's last change.
    with pytest.raises(NotYet, match="still answered from us-east"):
        await edge.drain(order, made)


async def test_with_blind_metrics_the_probes_must_do(world: World, edge: Edge, call: MakeCall) -> None:
    world.state.blind = True
    pass_time(world, 400)
    effect, waited = await tried(Edge.drain, edge, await drain_order(edge, call()), call())
    assert len(waited) >= 3 and "the metrics are blind" in effect.proven_by


# ---- what is let in ----


async def test_a_limit_is_proven_by_what_is_let_in(world: World, edge: Edge, call: MakeCall) -> None:
    order = await limit_order(edge, call(), 2.0)
    effect, waited = await tried(Edge.limit, edge, order, call(key="limit"))
    assert waited and all("still let in" in str(one) for one in waited)
    assert "requests per second are let in" in effect.proven_by
    assert [e["key"] for e in effects(world, GATEWAY)] == ["limit"]


async def test_a_limit_is_loosened_in_steps(world: World, edge: Edge, call: MakeCall) -> None:
    order = await limit_order(edge, call(), 4.0, breaker=True, mitigation=BRISK)
    await tried(Edge.limit, edge, order, call())
    effect, broke = await tried(Edge.loosen, edge, order.undo(), call(key="back"))
    assert not broke and effect.after == {"rate_limit_rps": None, "breaker": False}
    steps = [e["after"]["rate_limit_rps"] for e in effects(world, GATEWAY) if e["key"].startswith("back")]
    assert steps == [5.0, 6.25, 7.812, 9.765, None]


async def test_loosening_stops_at_the_limit_before() -> None:
    order = Loosen(service="api", rate_limit_rps=5.0, breaker=False, left_rps=3.0, left_breaker=True)
    assert order.steps() == ((3.75, True), (4.688, True), (5.0, False))
    assert Loosen(service="api", rate_limit_rps=None, breaker=False, left_rps=None, left_breaker=True).steps() == ((None, False),)


async def test_a_limit_of_nothing_is_refused(edge: Edge, call: MakeCall) -> None:
    with pytest.raises(Refused, match="outage of its own"):
        await tried(Edge.limit, edge, await limit_order(edge, call(), 0.0), call())


async def test_a_breaker_lets_the_service_answer_without_the_dependency(world: World, edge: Edge, call: MakeCall) -> None:
    fault(world, "dependency", dependency="database", rate=0.9)
    pass_time(world, 30)
    assert "eu-west" in (await edge.health(Vantages(service="api", regions=REGIONS), call())).ill_outside()
    await tried(Edge.limit, edge, await limit_order(edge, call(), None, breaker=True), call())
    pass_time(world, 30)
    assert not (await edge.health(Vantages(service="api", regions=REGIONS), call())).ill_outside()


# ---- whatever happens ----


@mishaps
@pytest.mark.parametrize("lever", ["drain", "return", "limit", "loosen"])
async def test_whatever_happens_to_a_write_it_is_done_once(
    world: World, edge: Edge, call: MakeCall, lever: str, mode: str, settings: dict[str, Any]
) -> None:
    verb, order, route = await _lever(edge, call, lever)
    before = len(effects(world, route))
    inject(world, route, mode, **settings)
    effect, broke = await tried(verb, edge, order, call(key="the key"), tries=12)
    assert effect.proven_by and (broke or mode == "latency" or lever in ("return", "loosen"))
    done = effects(world, route)[before:]
    wanted = len(order.steps()) if isinstance(order, ReturnTraffic | Loosen) else 1
    assert len(done) == wanted and len({e["key"] for e in done}) == wanted
    again, _ = await tried(verb, edge, order, call(key="the key"))
    assert again.adopted and len(effects(world, route)) == before + wanted


@pytest.mark.parametrize("lever", ["drain", "return", "limit", "loosen"])
async def test_a_200_that_changed_nothing_is_never_an_effect(world: World, edge: Edge, call: MakeCall, lever: str) -> None:
    verb, order, route = await _lever(edge, call, lever)
    before = len(effects(world, route))
    inject(world, route, "nothing_changed")
    with pytest.raises(AssertionError, match="accepted, but"):
        await tried(verb, edge, order, call(), tries=3)
    assert len(effects(world, route)) == before


@pytest.mark.parametrize("lever", ["drain", "return", "limit", "loosen"])
async def test_a_stale_reading_is_read_again(world: World, edge: Edge, call: MakeCall, lever: str) -> None:
    verb, order, route = await _lever(edge, call, lever)
    before = len(effects(world, route))
    inject(world, route.replace("put", "get"), "stale_read", times=1)
    effect, _ = await tried(verb, edge, order, call())
    wanted = len(order.steps()) if isinstance(order, ReturnTraffic | Loosen) else 1
    assert effect.proven_by and len(effects(world, route)) == before + wanted


async def test_a_late_zombie_is_refused_and_told_who_came_after_it(world: World, edge: Edge, call: MakeCall) -> None:
    late = await drain_order(edge, call(), mitigation=BRISK)
    await tried(Edge.drain, edge, late, call(key="first"))
    await tried(Edge.return_traffic, edge, late.undo(), call(key="back"))
    with pytest.raises(Refused, match=r"a newer change of the weights of api \(epoch 4\) by inc-20261123-chat exists"):
        await tried(Edge.drain, edge, late, call(key="zombie"))
    assert world.state.fleet.services["api"].weights["us-east"] == 0.5


async def test_what_somebody_else_changed_since_is_left_to_people(world: World, edge: Edge, call: MakeCall, practice_url: str) -> None:
    order = await limit_order(edge, call(), 4.0)
    await tried(Edge.limit, edge, order, call())
    await by_hand(Limit(service="api", rate_limit_rps=1.0, breaker=False), practice_url, USER="lee")
    with pytest.raises(Refused, match="lee has changed the gateway of api since we left it: at most 1 requests per second"):
        await tried(Edge.loosen, edge, order.undo(), call())


# ---- who may, and by hand ----


async def test_a_drain_needs_a_commander_and_a_limit_nobody(edge: Edge, call: MakeCall) -> None:
    drain, limit = await drain_order(edge, call()), await limit_order(edge, call())
    assert action_of(Edge.drain).risk(drain, Limits()) is action_of(Edge.return_traffic).risk(drain.undo(), Limits()) is Risk.C2
    assert action_of(Edge.drain).asks == (Role.INCIDENT_COMMANDER,)
    assert action_of(Edge.limit).risk(limit, Limits()) is Risk.C1
    with pytest.raises(Refused, match="needs an approval"):
        await edge.drain(drain, call())
    assert not DRAINED.sticky and not LIMITED.sticky


@pytest.mark.parametrize("lever", ["drain", "return", "limit", "loosen"])
async def test_by_hand_does_the_same(world: World, edge: Edge, call: MakeCall, practice_url: str, lever: str) -> None:
    verb, order, route = await _lever(edge, call, lever)
    before = len(effects(world, route))
    await by_hand(order, practice_url, USER="lee")
    assert len(effects(world, route)) > before
    effect, _ = await tried(verb, edge, order, call(later=60))
    assert effect.adopted
    assert world.state.versions[effects(world, route)[-1]["target"]].by == "lee"


async def _lever(edge: Edge, call: MakeCall, lever: str) -> tuple[Any, Any, str]:
    if lever in ("drain", "return"):
        drain = await drain_order(edge, call(), mitigation=BRISK)
        if lever == "drain":
            return Edge.drain, drain, WEIGHTS
        await tried(Edge.drain, edge, drain, call(key="before"))
        return Edge.return_traffic, drain.undo(), WEIGHTS
    limit = await limit_order(edge, call(), 4.0, mitigation=BRISK)
    if lever == "limit":
        return Edge.limit, limit, GATEWAY
    await tried(Edge.limit, edge, limit, call(key="before"))
    return Edge.loosen, limit.undo(), GATEWAY
