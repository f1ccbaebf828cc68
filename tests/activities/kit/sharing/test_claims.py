"""Two incidents and one route: routes and splits are no settings, and are held all the same (ADR 25)."""

import pytest

from activities.action import Call, Refused
from activities.deploys.orders import LATEST, ToRevision
from activities.kit.holding import Contended, Thing, claimed
from activities.models.routes import EVERYBODY, Shift
from activities.organisation.catalogue import Deployed
from tests.activities.kit.rows.settings import untouched
from tests.activities.kit.sharing.cells import OTHER, recorded
from tests.activities.kit.stage import INCIDENT

ROUTE = Thing("models.shift", "route/chat")
API = Deployed(name="api", platform="cloud_run", regions=("eu-west", "us-east"))


def away(*tenants: str, to: str = "borealis", over: tuple[str, ...] = ()) -> Shift:
    return Shift(route="chat", tenants=tenants, weights={to: 1.0}, purpose="fail over", over=over)


BACK = Shift(route="chat", tenants=EVERYBODY, weights={"aurora": 1.0}, purpose="return")


def call(incident: str, key: str = "1") -> Call:
    return untouched().call(incident_id=incident, key=f"{incident}/{key}")


async def test_a_route_is_held_joined_and_left_to_whoever_still_needs_it() -> None:
    """Two ramps of one incident are one hold. The first one's return writes nothing while the other needs these tenants there."""
    holders = recorded()
    for incident, key, order in ((INCIDENT, "1", away("a", "b")), (INCIDENT, "2", away("a", "b")), (OTHER, "1", away("b", "c"))):
        async with claimed(holders, ROUTE, call(incident, key), order) as still:
            assert still == ""
    assert [one.incident for one in holders.read()[ROUTE]] == [INCIDENT, OTHER]
    async with claimed(holders, ROUTE, call(INCIDENT, "3"), BACK) as still:
        assert OTHER in still
    async with claimed(holders, ROUTE, call(OTHER, "2"), BACK) as still:
        assert still == ""
    assert holders.read() == {}


async def test_other_weights_for_the_same_tenant_are_written_on_a_persons_word_only() -> None:
    holders = recorded()
    async with claimed(holders, ROUTE, call(INCIDENT), away("a")):
        pass
    with pytest.raises(Contended, match=INCIDENT):
        async with claimed(holders, ROUTE, call(OTHER), away("a", to="cumulus")):
            raise AssertionError("written")
    async with claimed(holders, ROUTE, call(OTHER), away("a", to="cumulus", over=(INCIDENT,))) as still:
        assert still == ""
    async with claimed(holders, ROUTE, call(OTHER, "2"), away("a", to="cumulus")):
        pass  # the next step of the same ramp is not asked again
    assert [one.yields_to for one in holders.read()[ROUTE]] == [OTHER, ""]
    async with claimed(holders, ROUTE, call(OTHER, "3"), BACK):
        pass
    assert [one.yields_to for one in holders.read()[ROUTE]] == [""]


async def test_a_shift_that_was_refused_holds_nothing() -> None:
    holders = recorded()
    with pytest.raises(Refused):
        async with claimed(holders, ROUTE, call(INCIDENT), away("a")):
            raise Refused("the router is at a newer change")
    assert holders.read() == {}


LATEST_AGAIN = {region: {LATEST: 1.0} for region in API.regions}


@pytest.mark.parametrize(
    ("purpose", "split", "agrees", "holds"),
    [
        ("roll back", {"eu-west": {"api-1": 1.0}, "us-east": {"api-1": 1.0}}, True, True),
        ("roll back", {"us-east": {"api-2": 1.0}}, True, True),
        ("roll back", {"eu-west": {"api-2": 1.0}}, False, True),
        ("canary", {"eu-west": {"api-1": 0.9, "api-2": 0.1}}, False, True),
        ("restore", LATEST_AGAIN, False, False),
        ("return to latest", {"eu-west": {"api-2": 0.1, "api-1": 0.9}}, False, True),
        ("return to latest", LATEST_AGAIN, False, False),
    ],
)
def test_what_a_split_needs_and_whose_need_it_serves(purpose: str, split: dict[str, dict[str, float]], agrees: bool, holds: bool) -> None:
    order = ToRevision.model_validate({"service": API, "split": split, "purpose": purpose, "before": {}})
    assert order.agrees({"eu-west": {"api-1": 1.0}}) is agrees
    assert (order.claim().need is not None) is holds
