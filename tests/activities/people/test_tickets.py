"""The incident's ticket, against GitHub's own habits: no idempotency, a search that lags, people who edit."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from activities.action import Call, Refused
from activities.tickets.github import GitHub
from activities.tickets.tickets import OpenTicket, RewriteTicket, Tickets
from practice.faces.github.issues import Issues
from practice.world.injected_faults import InjectedFault
from practice.world.world import World
from tests.activities.conftest import INCIDENT, MakeClient, until_done

REPOSITORY = "acme/incidents"
OPEN = OpenTicket(incident_id=INCIDENT, title="[SEV‑1] Provider outage", body="**Impact:** answers fail")
MISHAPS = [("fail", 2), ("commit_then_drop", 1), ("nothing_changed", 1), ("throttle", 2), ("hang", 1), ("partial", 1)]
Calls = Callable[..., Call]


@pytest.fixture
def tickets(door: MakeClient) -> Tickets:
    return Tickets(GitHub(door("/github", timeout=0.4), REPOSITORY))


def _issues(world: World) -> list[dict[str, Any]]:
    return world.state.part(Issues).get(REPOSITORY, [])


def _done(world: World, route: str) -> int:
    return sum(entry["route"] == f"github.{route}" and entry["changed"] for entry in world.effects.entries)


async def test_a_ticket_is_opened_with_our_marker_and_read_back(tickets: Tickets, world: World, call: Calls) -> None:
    effect = await tickets.open(OPEN, call())
    (issue,) = _issues(world)
    assert effect.after == {"number": issue["number"], "url": issue["html_url"]}
    assert not effect.adopted
    assert issue["body"].startswith(OPEN.body)
    assert f"<!-- inc:{INCIDENT} key:" in issue["body"]


async def test_a_second_run_adopts_the_ticket_of_the_first(tickets: Tickets, world: World, call: Calls) -> None:
    first = await tickets.open(OPEN, call())
    again = await tickets.open(OPEN, call(again=True))
    assert again.adopted
    assert again.after == first.after
    assert len(_issues(world)) == 1


async def test_an_incident_with_a_similar_name_has_its_own_ticket(tickets: Tickets, world: World, call: Calls) -> None:
    await tickets.open(OPEN.model_copy(update={"incident_id": f"{INCIDENT}-2"}), call(incident_id=f"{INCIDENT}-2"))
    await tickets.open(OPEN, call())
    assert len(_issues(world)) == 2


async def test_an_old_ticket_is_found_behind_a_hundred_newer_ones(tickets: Tickets, world: World, call: Calls) -> None:
    first = await tickets.open(OPEN, call())
    await asyncio.gather(*(tickets._github.create(call(), f"other {n}", "something else") for n in range(101)))
    assert (await tickets.open(OPEN, call())).after == first.after


@pytest.mark.parametrize(("mode", "times"), MISHAPS)
async def test_a_rewrite_arrives_once_and_keeps_what_people_wrote_below(
    tickets: Tickets, world: World, call: Calls, mode: str, times: int
) -> None:
    number = int(str((await tickets.open(OPEN, call())).after["number"]))
    issue = _issues(world)[0]
    issue["body"] += "\r\n\r\nLee: the vendor called back."
    world.injected_faults.set(InjectedFault("github.issues.update", mode, times))
    order = RewriteTicket(number=number, body="**Impact:** mitigated")
    await until_done(lambda: tickets.rewrite(order, call()))
    again = await tickets.rewrite(order, call())
    assert _done(world, "issues.update") == 1
    assert again.adopted
    assert issue["body"].startswith("**Impact:** mitigated\n\n<!-- inc:")
    assert issue["body"].endswith("Lee: the vendor called back.")
    assert "answers fail" not in issue["body"]


async def test_a_ticket_of_somebody_else_is_not_rewritten(tickets: Tickets, world: World, call: Calls) -> None:
    theirs = await tickets._github.create(call(), "Holidays", "mine")
    with pytest.raises(Refused, match="not ours to rewrite"):
        await tickets.rewrite(RewriteTicket(number=theirs, body="x"), call())
    assert _issues(world)[0]["body"] == "mine"


async def test_a_used_up_rate_limit_is_no_refusal(tickets: Tickets, world: World, call: Calls) -> None:
    world.injected_faults.set(InjectedFault("github.issues.list", "fail", 1, status=403))
    with pytest.raises(Refused):
        await tickets.open(OPEN, call())
    world.injected_faults.set(InjectedFault("github.*", "throttle", 1))
    assert await until_done(lambda: tickets.open(OPEN, call()))
