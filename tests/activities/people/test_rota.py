"""Who is on duty: PagerDuty says who is called, the roster file who somebody is; and where one is silent the other holds."""

from collections.abc import Callable
from pathlib import Path

import pytest

from activities.action import Call, Refused, Role
from activities.organisation.organisation import Organisation, ReadAll
from activities.organisation.rota import Rota
from activities.paging.pagerduty import PagerDuty
from practice.world.injected_faults import InjectedFault
from practice.world.world import World
from tests.activities.conftest import MakeClient

FILE = """
[people.dana]
roles = ["incident_commander"]
pager = "P_DANA"
[people.lee]
roles = ["ops_lead"]
pager = "P_LEE"
[people.sam]
roles = []
pager = "P_SAM"
"""
Calls = Callable[..., Call]
MakeRota = Callable[[str], Rota]


@pytest.fixture
def rota(door: MakeClient, tmp_path: Path) -> MakeRota:
    """A rota over a file with these further lines."""
    rest = door("/pagerduty/api", timeout=0.4, Authorization="Token token=practice-token")
    pagerduty = PagerDuty(rest, rest, routing_key="x", requester="P_DANA", sender="dana@example.com")

    def make(more: str) -> Rota:
        (tmp_path / "organisation.toml").write_text(FILE + more)
        return Rota(Organisation(tmp_path / "organisation.toml"), pagerduty)

    return make


async def test_whoever_is_first_on_call_is_called_and_the_source_is_named(rota: MakeRota, call: Calls) -> None:
    duty = await rota('[oncall]\nops_lead = "EP_SECURITY"\nincident_commander = "EP_COMMANDER"').now(ReadAll(), call())
    assert duty.on_call == {Role.OPS_LEAD: ("sam",), Role.INCIDENT_COMMANDER: ("dana",)}
    assert duty.sources == {Role.OPS_LEAD: "PagerDuty EP_SECURITY", Role.INCIDENT_COMMANDER: "PagerDuty EP_COMMANDER"}
    assert set(duty.roster.people) == {"dana", "lee", "sam"} and not duty.remarks


async def test_a_stranger_an_empty_schedule_and_a_silent_pagerduty_are_remarks_and_the_file_holds(
    rota: MakeRota, world: World, call: Calls
) -> None:
    duty = await rota('[oncall]\nops_lead = "EP_COMMS"\nincident_commander = "EP_NOBODY"').now(ReadAll(), call())
    assert not duty.on_call
    assert [remark.partition(" (")[0] for remark in duty.remarks] == [
        "Noor is on call as Ops Lead",
        "nobody is on call as Incident Commander",
    ]
    for mode in ("fail", "hang", "throttle"):
        world.injected_faults.remove_all()
        world.injected_faults.set(InjectedFault("pagerduty.oncalls", mode))
        duty = await rota('[oncall]\nops_lead = "EP_OPS"').now(ReadAll(), call())
        assert not duty.on_call and duty.roster.people and "the roster file holds" in duty.remarks[0]


async def test_without_schedules_pagerduty_is_not_asked(rota: MakeRota, world: World, call: Calls) -> None:
    await rota("").now(ReadAll(), call())
    assert not [request for request in world.requests if request["route"] == "pagerduty.oncalls"]


async def test_a_role_that_is_none_is_refused_with_its_key(rota: MakeRota, call: Calls) -> None:
    with pytest.raises(Refused, match=r"oncall\.king"):
        await rota('[oncall]\nking = "EP_OPS"').now(ReadAll(), call())
