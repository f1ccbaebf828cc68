"""What is refused for ever is let go and said to be not sent; everything else goes on."""

from typing import Any

import httpx
import pytest

from activities.action import Refused, Role
from activities.chat.orders import OpenRoom, Pinned, TellRoom
from activities.chat.slack import LONGEST_MESSAGE, escaped, split
from activities.chat.war_room import WarRoom
from activities.organisation.people import Person
from activities.paging.orders import Acknowledge, AcknowledgementOf, NotePage, Page, ResolvePage
from activities.paging.pager import Pager
from practice.faces.pagerduty.records import Pages
from practice.faces.slack.records import Channels
from practice.world.world import World
from tests.activities.conftest import INCIDENT, MakeCall, effects

DANA, LEE = (
    Person(id=who, name=who.title(), roles=(role,), email=f"{who.title()}@Example.com", slack=f"U_{who.upper()}", pager=f"P_{who.upper()}")
    for who, role in (("dana", Role.INCIDENT_COMMANDER), ("lee", Role.OPS_LEAD))
)
OPEN = OpenRoom(name=INCIDENT, topic="SEV-1 chat", people=(DANA,), pins={"status": "as of now"})
PAGE = Page(incident_id=INCIDENT, people=(DANA, LEE), summary="SEV-1", severity=1)
LONG = "\n".join(f"line {n}: " + "x" * 90 for n in range(100))


def texts(world: World) -> list[str]:
    (room,) = (channel for channel in world.state.part(Channels).values() if channel["name"] == INCIDENT)
    return [message["text"] for message in room["messages"]]


async def test_a_long_text_comes_whole_in_several_messages_once(war_room: WarRoom, world: World, call: MakeCall) -> None:
    channel = str((await war_room.open(OPEN, call())).after["channel"])
    order = TellRoom(channel=channel, says=(LONG, "short"), nth=1)
    await war_room.tell(order, call(key="tell/1"))
    assert (await war_room.tell(order, call(key="tell/1"))).adopted
    parts = texts(world)[1:]
    assert "\n".join(parts[:-1]) == LONG and parts[-1] == "short"
    assert len(parts) == 4 and all(len(part) <= LONGEST_MESSAGE for part in parts)


@pytest.mark.parametrize(
    "text", ["x" * 10_000, "&" * 10_000, "<" * 3_999 + "\n" + ">" * 4_001, "a&" * 4_001, "", "x" * 4_000, "\n" * 9_000]
)
def test_a_text_is_cut_at_line_ends_and_never_within_a_sign(text: str) -> None:
    parts = split(text)
    assert all(len(part) <= LONGEST_MESSAGE for part in parts)
    assert all(part.count("&") == part.count(";") for part in (*parts, escaped(text)))
    assert len(escaped(text)) <= LONGEST_MESSAGE


async def test_what_slack_never_takes_keeps_nothing_else_waiting(war_room: WarRoom, world: World, call: MakeCall) -> None:
    opened = await war_room.open(OPEN, call())
    pins: Any = opened.after["pins"]
    order = TellRoom(
        channel=str(opened.after["channel"]), says=("first", "", "third"), pins={"status": Pinned(ts=pins["status"], text="later")}, nth=1
    )
    effect = await war_room.tell(order, call(key="tell/1"))
    assert texts(world) == ["later", "first", "third"]
    assert effect.after["not_sent"] == {"message 2": "slack chat.postMessage: no_text"} and "message 2 was not sent" in effect.summary


async def test_a_pin_that_is_too_long_is_cut(war_room: WarRoom, world: World, call: MakeCall) -> None:
    opened = await war_room.open(OPEN, call())
    pins: Any = opened.after["pins"]
    order = TellRoom(channel=str(opened.after["channel"]), pins={"status": Pinned(ts=pins["status"], text=LONG)}, nth=1)
    await war_room.tell(order, call(key="tell/1"))
    assert texts(world) == [LONG[: LONGEST_MESSAGE - 1] + "…"]


async def test_one_unknown_user_does_not_keep_the_pager_from_the_others(pager: Pager, world: World, call: MakeCall) -> None:
    ghost = LEE.model_copy(update={"id": "ghost", "pager": "P_GHOST"})
    with pytest.raises(Refused, match="responder not found"):
        await pager.page(PAGE.model_copy(update={"people": (ghost, LEE)}), call())
    assert [entry["via"] for entry in world.state.people["lee"].inbox] == ["page"]


async def test_a_page_that_somebody_closed_wakes_nobody_and_is_opened_again_for_who_is_still_wanted(
    pager: Pager, world: World, call: MakeCall
) -> None:
    await pager.page(PAGE.model_copy(update={"people": (DANA,)}), call(key="page/1"))
    await pager.resolve(ResolvePage(incident_id=INCIDENT), call(key="end/1"))
    again = await pager.page(PAGE.model_copy(update={"people": (DANA,)}), call(key="page/1"))
    assert again.adopted and len(world.state.part(Pages)) == 1, "whoever was wanted had been called before it was closed"
    await pager.page(PAGE, call(key="page/2"))
    assert [incident["status"] for incident in world.state.part(Pages).values()] == ["resolved", "triggered"]
    assert len(world.state.people["lee"].inbox) == 1


async def test_a_page_that_is_not_to_be_seen_yet_ends_all_the_same(pager: Pager, world: World, call: MakeCall) -> None:
    await pager.resolve(ResolvePage(incident_id=INCIDENT), call())
    assert [entry["route"] for entry in effects(world, "pagerduty", changed=False)] == ["pagerduty.enqueue"]


async def test_a_closed_page_is_not_said_to_be_anybodys(pager: Pager, call: MakeCall) -> None:
    await pager.page(PAGE, call())
    await pager.resolve(ResolvePage(incident_id=INCIDENT), call())
    effect = await pager.acknowledge(Acknowledge(incident_id=INCIDENT, person=LEE), call())
    assert effect.adopted and effect.summary == "the page is resolved already: it calls nobody"


async def test_e_mail_addresses_differ_in_case(pager: Pager, practice_url: str, world: World, call: MakeCall) -> None:
    await pager.page(PAGE, call())
    await pager.acknowledge(Acknowledge(incident_id=INCIDENT, person=LEE), call())
    taken = await pager.acknowledged(AcknowledgementOf(incident_id=INCIDENT), call())
    assert taken.emails == ("lee@example.com",) == (LEE.email.casefold(),) != (LEE.email,)


async def test_somebody_who_left_the_company_is_left_out(pager: Pager, practice_url: str, world: World, call: MakeCall) -> None:
    await pager.page(PAGE, call())
    headers = {"Authorization": "Token token=practice-token", "From": "noor@example.com"}
    async with httpx.AsyncClient(base_url=practice_url, headers=headers) as phone:
        (id,) = world.state.part(Pages)
        await phone.put(f"/pagerduty/api/incidents/{id}", json={"incident": {"type": "incident", "status": "acknowledged"}})
        await phone.put(
            f"/pagerduty/api/incidents/{id}", json={"incident": {"type": "incident", "status": "acknowledged"}}, headers={"From": LEE.email}
        )
    del world.state.people["noor"]
    taken = await pager.acknowledged(AcknowledgementOf(incident_id=INCIDENT), call())
    assert taken.emails == ("lee@example.com",)


async def test_a_note_of_any_length_is_found_again_by_its_key(pager: Pager, world: World, call: MakeCall) -> None:
    await pager.page(PAGE, call())
    note = NotePage(incident_id=INCIDENT, text="\x1b[2J" + "long " * 20_000, nth=1)
    await pager.note(note, call(key="note/1"))
    assert (await pager.note(note, call(key="note/1"))).adopted
    (shown,) = next(iter(world.state.part(Pages).values()))["notes"]
    assert shown["content"].startswith("long ") and shown["content"].endswith("[note/1]")
