"""Endpoints that are denied and come back: proven by canaries, whatever the gateway says; taken back when anything crosses."""

from datetime import timedelta

import pytest

from activities.action import NotYet, Refused
from activities.edge.endpoints import DENIED, Admission, EndpointOf, Endpoints, deny
from activities.edge.gates import Gate
from activities.organisation.numbers import TenantIsolation
from activities.tenancy.canaries import CanaryDoor
from practice.tenancy.cast import tenancy
from practice.tenancy.leaking import begin
from tests.activities.kit.rows.platform import metrics
from tests.activities.kit.rows.tenancy import CANARIES
from tests.activities.kit.stage import FollowingClock, Stage, attempt, refused, stage, tried

OF = EndpointOf(service="api", endpoint="documents.get", canaries=CANARIES)
NUMBERS = TenantIsolation(reopen=(0.25, 1.0), reopen_step=timedelta(minutes=1))


def endpoints(played: Stage) -> Endpoints:
    system = Endpoints(Gate(played.client("/platform")), CanaryDoor(played.client("/canary")), metrics(played), FollowingClock())
    system.clock = FollowingClock()
    return system


async def test_a_denial_is_proven_in_every_region_by_canaries_who_ask_for_their_own() -> None:
    played = stage()
    effect, _ = await tried(Endpoints.change, endpoints(played), deny(OF, NUMBERS), played.call(key="k"))
    assert "refused as agreed in eu-west and us-east" in effect.proven_by
    assert tenancy(played.world.state, 0).endpoints["documents.get"].admission.admitted == 0


async def test_a_denial_that_the_gateway_does_not_enforce_is_none() -> None:
    """It reads back denied, and a canary is let through: that is no denial."""
    played = stage()
    system, order = endpoints(played), deny(OF, NUMBERS)
    await tried(Endpoints.change, system, order, played.call(key="k"))
    now = await system.look_at(played.call(), OF)
    tenancy(played.world.state, 0).endpoints["documents.get"].admission.admitted = 1.0
    with pytest.raises(NotYet, match="came through"):
        await system.prove(played.call(), order, now)


async def test_a_region_that_says_nothing_proves_nothing() -> None:
    played = stage()
    played.inject("canary.read", "fail", times=None, status=502)
    with pytest.raises(NotYet, match="nothing in eu-west says"):
        await attempt(Endpoints.change, endpoints(played), deny(OF, NUMBERS), played.call(key="k"))


async def test_without_canaries_nothing_is_denied_that_nobody_could_prove() -> None:
    order = deny(EndpointOf(service="api", endpoint="documents.get"), NUMBERS)
    played = stage()
    assert "none was named" in await refused(lambda: tried(Endpoints.change, endpoints(played), order, played.call(key="k")))


async def test_what_crosses_while_it_comes_back_takes_the_step_back() -> None:
    """INV-19: the first share shows that it leaks still, and it is denied again."""
    played = stage()
    system, order = endpoints(played), deny(OF, NUMBERS)
    order = order.given(await system.look_at(played.call(), OF))
    await tried(Endpoints.change, system, order, played.call(key="k"))
    begin(played.world.state, tenancy(played.world.state, 0), "missing_where", [], played.world.clock.now())
    with pytest.raises(Refused, match="was taken back"):
        await tried(Endpoints.restore, system, order.undo(), played.call(key="back"))
    assert tenancy(played.world.state, 0).endpoints["documents.get"].admission.admitted == 0


def test_a_denial_is_felt_and_stays_on_abort() -> None:
    assert Admission(admitted=0.0).felt and not Admission(admitted=1.0).felt and DENIED.sticky
