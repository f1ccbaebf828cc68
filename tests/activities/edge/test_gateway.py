"""What is let in: proven by what the metrics count, and loosened step by step."""

from datetime import timedelta

import pytest
from pydantic import ValidationError

from activities.action import Limits, Risk, action_of
from activities.edge.gateway import LIMITED, Gateway, GatewayOf, Gateways, limit
from activities.edge.health import Edge, Vantages
from activities.edge.probe import EdgeProbe
from activities.kit.setting import Change
from activities.organisation.numbers import MitigationSettings
from activities.platform.control_plane import ControlPlane
from tests.activities.kit.rows.platform import gateways
from tests.activities.kit.rows.practised import LandingClock
from tests.activities.kit.stage import Stage, stage, tried

BRISK = MitigationSettings(limit_pause=timedelta(minutes=1))
PUT = "platform.gateway.put"


async def limited(played: Stage, system: Gateways, rps: float | None, asked: float | None = None) -> Change[GatewayOf, Gateway]:
    return limit("api", rps, BRISK, asked).given(await system.read(Gateways.look(GatewayOf(service="api")), played.call()))


def begin() -> tuple[Stage, Gateways]:
    played = stage()
    return played, gateways(played, LandingClock())


async def test_a_limit_is_proven_by_what_is_let_in() -> None:
    played, system = begin()
    effect, waited = await tried(Gateways.change, system, await limited(played, system, 2.0), played.call(key="limit"))
    assert waited and all("still let in" in str(one) for one in waited)
    assert "requests per second are let in" in effect.proven_by and "turned away" in effect.proven_by
    assert [e["key"] for e in played.effects(PUT)] == ["limit"]


async def test_a_limit_is_loosened_in_steps() -> None:
    played, system = begin()
    order = await limited(played, system, 4.0)
    await tried(Gateways.change, system, order, played.call())
    effect, broke = await tried(Gateways.restore, system, order.undo(), played.call(key="back"))
    assert not broke and effect.after == {"rate_limit_rps": None, "breaker": False, "asked_rps": None}
    steps = [e["after"]["rate_limit_rps"] for e in played.effects(PUT) if e["key"].startswith("back")]
    assert steps == [5.0, 6.25, 7.812, 9.765, None]
    said = [one.effect() for one in order.undo_steps((0.2, 1.0))]
    assert said[-2:] == [
        "api again lets at most 9.765 requests per second in, breaker on, watched for 1 min",
        "api again lets everything in, breaker off, watched for 1 min",
    ]


def test_loosening_stops_at_the_limit_before() -> None:
    steps = Gateway(rate_limit_rps=3.0, breaker=True).way_back(Gateway(rate_limit_rps=5.0), BRISK, None)
    assert [(step.rate_limit_rps, step.breaker) for step in steps] == [(3.75, True), (4.688, True), (5.0, False)]
    assert Gateway(breaker=True).way_back(Gateway(), BRISK, None) == (Gateway(),)


def test_a_limit_of_nothing_is_none() -> None:
    with pytest.raises(ValidationError):
        Gateway(rate_limit_rps=0)


async def test_a_breaker_lets_the_service_answer_without_the_dependency() -> None:
    played, system = begin()
    edge = Edge(ControlPlane(played.client("/platform")), EdgeProbe(played.client("/edge", X_Nothing="")))
    everywhere = Vantages(service="api", regions=("eu-west", "us-east"))
    played.fault("dependency", dependency="database", rate=0.9)
    played.pass_time(30)
    assert "eu-west" in (await edge.health(everywhere, played.call())).ill_outside()
    await tried(Gateways.change, system, await limited(played, system, None), played.call())
    played.pass_time(30)
    assert not (await edge.health(everywhere, played.call())).ill_outside()


@pytest.mark.parametrize(("asked", "risk"), [(1.0, Risk.C1), (2.5, Risk.C2), (None, Risk.C2)], ids=["above", "below", "unknown"])
async def test_automation_may_do_it_alone_while_nobody_is_turned_away(asked: float | None, risk: Risk) -> None:
    """A limit below today's traffic, or where nobody knows that, is asked about; taking it back never is."""
    played, system = begin()
    order = await limited(played, system, 2.0, asked)
    assert action_of(Gateways.change).risk(order, Limits()) is risk
    assert action_of(Gateways.restore).risk(order.undo(), Limits()) is Risk.C1
    assert not LIMITED.sticky
    turned_away = "2.5 a second are asked for now: 20% of them get 429" if asked == 2.5 else "who is turned away gets 429"
    assert order.effect() == f"api lets at most 2 requests per second in, breaker on; {turned_away} with Retry-After"
    assert order.met(await system.read(order.look(), played.call())) is False
