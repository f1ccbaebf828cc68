"""The health of a service, from inside and from outside: what stands in front is told from the service, and no answer proves nothing."""

from activities.edge.health import DependenciesOf, Edge, HealthMap, Vantages
from activities.edge.probe import EdgeProbe
from activities.platform.control_plane import ControlPlane
from tests.activities.kit.stage import Stage, stage

REGIONS = ("eu-west", "us-east")


def edge(played: Stage) -> Edge:
    return Edge(ControlPlane(played.client("/platform")), EdgeProbe(played.client("/edge", X_Nothing="")))


async def seen(played: Stage, times: int = 4) -> HealthMap:
    return await edge(played).health(Vantages(service="api", regions=REGIONS, times=times), played.call())


async def test_a_healthy_service_is_well_inside_and_outside_from_everywhere() -> None:
    now = await seen(stage())
    assert now.believed and now.answered == 5
    assert not now.ill_inside() and not now.ill_outside() and not now.in_front()
    assert now.inside["eu-west"].revisions == {"api-00041": 1.0}


async def test_one_ill_region_is_told_from_the_other() -> None:
    played = stage()
    played.fault("region", region="us-east", rate=0.9)
    now = await seen(played)
    assert now.ill_outside() == now.ill_inside() == ("us-east",)


async def test_what_stands_in_front_is_told_from_the_service() -> None:
    played = stage()
    played.fault("dependency", dependency="load_balancer", rate=1.0)
    played.pass_time(30)
    now = await seen(played)
    assert now.believed and now.in_front()
    assert (await edge(played).dependencies(DependenciesOf(service="api"), played.call())).down() == ("load_balancer",)


async def test_vantage_points_without_an_answer_prove_nothing() -> None:
    played = stage()
    played.inject("edge.*", "hang")
    now = await seen(played, times=1)
    assert not now.believed and now.answered == 0
    assert now.inside["eu-west"].ok is None and now.outside == dict.fromkeys(REGIONS)
