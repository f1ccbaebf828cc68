"""The war room: one channel per incident, whatever Slack does, and every word in it once."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, cast

import httpx
import pytest

from activities.action import Call, NotYet, Refused, Role
from activities.chat.orders import Announce, OpenRoom, Pinned, TellRoom
from activities.chat.slack import Slack, SlackError
from activities.chat.war_room import WarRoom
from activities.kit.http import HttpClient
from activities.organisation.people import Person
from practice.faces.slack.records import Channels
from practice.world.injected_faults import InjectedFault
from practice.world.world import World
from tests.activities.conftest import INCIDENT, MakeClient, until_done

DANA = Person(id="dana", name="Dana", roles=(Role.INCIDENT_COMMANDER,), slack="U_DANA")
LEE = Person(id="lee", name="Lee", roles=(Role.OPS_LEAD,), slack="U_LEE")
OPEN = OpenRoom(name=INCIDENT, topic="SEV-1 chat", people=(DANA, LEE), pins={"runbooks": "Playbook §2.2", "status": "incident watch"})
MISHAPS = [("fail", 2), ("commit_then_drop", 1), ("nothing_changed", 1), ("throttle", 2), ("hang", 1)]
STEPS = [
    "conversations.create",
    "conversations.setPurpose",
    "conversations.setTopic",
    "conversations.invite",
    "chat.postMessage",
    "pins.add",
]
Calls = Callable[..., Call]


@pytest.fixture
def slack(door: MakeClient) -> Slack:
    return Slack(door("/slack/api", timeout=0.4))


@pytest.fixture
def war_room(slack: Slack) -> WarRoom:
    return WarRoom(slack)


def _rooms(world: World) -> list[dict[str, Any]]:
    return [channel for channel in world.state.part(Channels).values() if channel["name"] == INCIDENT]


def _texts(room: dict[str, Any]) -> list[str]:
    return [message["text"] for message in room["messages"]]


async def test_a_room_has_its_people_its_topic_its_pins_and_our_marker(war_room: WarRoom, world: World, call: Calls) -> None:
    effect = await war_room.open(OPEN, call())
    (room,) = _rooms(world)
    assert room["members"] == ["U_BOT", "U_DANA", "U_LEE"]
    assert (room["topic"], room["is_private"]) == ("SEV-1 chat", False)
    assert INCIDENT in room["purpose"]
    assert _texts(room) == ["Playbook §2.2", "incident watch"]
    assert len(room["pins"]) == 2
    assert effect.after["channel"] == room["id"]
    assert effect.after["name"] == INCIDENT
    assert str(effect.after["url"]).endswith(f"/archives/{room['id']}")
    assert not effect.adopted


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(("mode", "times"), MISHAPS)
async def test_whatever_happens_at_any_step_the_room_is_set_up_once(
    war_room: WarRoom, world: World, call: Calls, step: str, mode: str, times: int
) -> None:
    world.injected_faults.set(InjectedFault(f"slack.{step}", mode, times))
    effect, _ = await until_done(lambda: war_room.open(OPEN, call()))
    (room,) = _rooms(world)
    assert sorted(room["members"]) == ["U_BOT", "U_DANA", "U_LEE"]
    assert room["topic"] == "SEV-1 chat"
    assert _texts(room) == ["Playbook §2.2", "incident watch"]
    assert len(room["pins"]) == 2
    assert effect.after["channel"] == room["id"]


async def test_a_second_run_finds_everything_done(war_room: WarRoom, world: World, call: Calls) -> None:
    first = await war_room.open(OPEN, call())
    done = len(world.effects.entries)
    again = await war_room.open(OPEN, call(again=True))
    assert again.adopted
    assert again.after == first.after
    assert not [entry for entry in world.effects.entries[done:] if entry["changed"]]


async def test_a_private_room_is_found_again(war_room: WarRoom, world: World, call: Calls) -> None:
    hidden = OPEN.model_copy(update={"private": True})
    await war_room.open(hidden, call())
    assert (await war_room.open(hidden, call())).adopted
    assert [room["is_private"] for room in _rooms(world)] == [True]


async def test_a_name_that_another_incident_holds_is_refused(war_room: WarRoom, world: World, call: Calls) -> None:
    await war_room.open(OPEN, call(incident_id="inc-another"))
    with pytest.raises(Refused, match=f"not of {INCIDENT}"):
        await war_room.open(OPEN, call())
    assert "inc-another" in _rooms(world)[0]["purpose"]


async def test_an_archived_room_is_for_a_person_to_bring_back(war_room: WarRoom, world: World, call: Calls) -> None:
    await war_room.open(OPEN, call())
    _rooms(world)[0]["is_archived"] = True
    with pytest.raises(Refused, match="is archived"):
        await war_room.open(OPEN, call())


async def test_one_unknown_name_does_not_keep_the_others_out(war_room: WarRoom, world: World, call: Calls) -> None:
    ghost, nobody = LEE.model_copy(update={"id": "ghost", "slack": "U_GHOST"}), LEE.model_copy(update={"id": "nobody", "slack": ""})
    effect = await war_room.open(OPEN.model_copy(update={"people": (ghost, nobody, DANA)}), call())
    assert _rooms(world)[0]["members"] == ["U_BOT", "U_DANA"]
    assert effect.after["not_invited"] == {"ghost": "slack conversations.invite: user_not_found", "nobody": "no Slack id on the roster"}


@pytest.mark.parametrize(("mode", "times"), MISHAPS)
async def test_a_post_is_said_once(war_room: WarRoom, world: World, call: Calls, mode: str, times: int) -> None:
    channel = str((await war_room.open(OPEN, call())).after["channel"])
    world.injected_faults.set(InjectedFault("slack.chat.postMessage", mode, times))
    order, keyed = TellRoom(channel=channel, says=("traffic is on borealis",), nth=1), call(key=f"{INCIDENT}/war_room.tell/room/1")
    await until_done(lambda: war_room.tell(order, keyed))
    again = await war_room.tell(order, keyed)
    assert again.adopted
    assert _texts(_rooms(world)[0]).count("traffic is on borealis") == 1


async def test_the_same_words_under_another_key_are_said_again(war_room: WarRoom, world: World, call: Calls) -> None:
    channel = str((await war_room.open(OPEN, call())).after["channel"])
    for nth in (1, 2):
        await war_room.tell(TellRoom(channel=channel, says=("no change",), nth=nth), call(key=f"{INCIDENT}/war_room.tell/room/{nth}"))
    assert _texts(_rooms(world)[0]).count("no change") == 2


async def test_a_post_is_found_again_behind_many_others(war_room: WarRoom, world: World, call: Calls) -> None:
    channel = str((await war_room.open(OPEN, call())).after["channel"])
    order, keyed = TellRoom(channel=channel, says=("early",), nth=1), call(key="early")
    await war_room.tell(order, keyed)
    said = _rooms(world)[0]["messages"]
    said += [{**said[-1], "ts": f"{float(said[-1]['ts']) + number:.6f}", "metadata": {}} for number in range(1, 251)]
    assert (await war_room.tell(order, keyed)).adopted


async def test_a_room_opened_by_hand_is_adopted(practice_url: str, war_room: WarRoom, world: World, call: Calls) -> None:
    environment = {"PATH": "/usr/bin:/bin", "SLACK_TOKEN": "practice-token"}
    for command in OPEN.by_hand():
        here = command.replace("https://slack.com/api", f"{practice_url}/slack/api")
        running = await asyncio.create_subprocess_shell(here, env=environment, stdout=asyncio.subprocess.PIPE)
        answer = json.loads((await running.communicate())[0])
        assert answer["ok"]
        environment.setdefault("CHANNEL", _rooms(world)[0]["id"])
        environment["TS"] = answer.get("ts", "")
    (room,) = _rooms(world)
    assert (room["topic"], len(room["pins"]), room["members"]) == ("SEV-1 chat", 2, ["U_BOT", "U_DANA", "U_LEE"])
    effect = await war_room.open(OPEN.model_copy(update={"pins": {}}), call())
    assert effect.adopted
    assert effect.after["channel"] == room["id"]


@pytest.mark.parametrize(("mode", "times"), MISHAPS)
async def test_what_is_pinned_is_edited_and_never_posted_again(war_room: WarRoom, world: World, call: Calls, mode: str, times: int) -> None:
    opened = await war_room.open(OPEN, call())
    channel, pins = str(opened.after["channel"]), cast(dict[str, str], opened.after["pins"])
    world.injected_faults.set(InjectedFault("slack.chat.update", mode, times))
    order = TellRoom(channel=channel, pins={"status": Pinned(ts=pins["status"], text="all is <well> & stable")}, nth=1)
    keyed = call(key=f"{INCIDENT}/war_room.tell/room/1")
    effect, _ = await until_done(lambda: war_room.tell(order, keyed))
    assert _texts(_rooms(world)[0]) == ["Playbook §2.2", "all is &lt;well&gt; &amp; stable"]
    assert effect.after["pins"] == {"status": pins["status"]}
    assert (await war_room.tell(order, keyed)).adopted


async def test_a_pin_that_somebody_deleted_is_posted_and_pinned_anew(war_room: WarRoom, world: World, call: Calls) -> None:
    opened = await war_room.open(OPEN, call())
    channel, ts = str(opened.after["channel"]), cast(dict[str, str], opened.after["pins"])["runbooks"]
    (room,) = _rooms(world)
    room["messages"] = [message for message in room["messages"] if message["ts"] != ts]
    order = TellRoom(channel=channel, pins={"runbooks": Pinned(ts=ts, text="as of now")}, nth=1)
    effect = await war_room.tell(order, call(key="tell/1"))
    (again,) = cast(dict[str, str], effect.after["pins"]).values()
    assert again != ts and again in _rooms(world)[0]["pins"] and _texts(_rooms(world)[0])[-1] == "as of now"


async def test_whoever_joins_later_is_let_in_with_the_next_word(war_room: WarRoom, world: World, call: Calls) -> None:
    channel = str((await war_room.open(OPEN.model_copy(update={"people": (DANA,)}), call())).after["channel"])
    await war_room.tell(TellRoom(channel=channel, says=("welcome",), people=(LEE,), nth=1), call(key="tell/1"))
    assert "U_LEE" in _rooms(world)[0]["members"]


@pytest.mark.parametrize(("mode", "times"), MISHAPS)
async def test_standing_channels_are_told_once_each_and_one_that_is_missing_keeps_no_other_waiting(
    war_room: WarRoom, world: World, call: Calls, mode: str, times: int
) -> None:
    world.injected_faults.set(InjectedFault("slack.chat.postMessage", mode, times))
    order = Announce(to={"support": "the macro", "nowhere": "x", "executives": "five lines"}, nth=1)
    effect, _ = await until_done(lambda: war_room.announce(order, call(key="announce/1")))
    told = {
        name: _texts(channel) for channel in world.state.part(Channels).values() if (name := channel["name"]) in ("support", "executives")
    }
    assert told == {"support": ["the macro"], "executives": ["five lines"]}
    assert effect.after["told"] == ["support", "executives"] and "invite our bot" in str(effect.after["untold"])
    with pytest.raises(Refused, match="no channel #nowhere"):
        await war_room.announce(Announce(to={"nowhere": "x"}, nth=2), call(key="announce/2"))


@pytest.mark.parametrize(
    ("error", "outcome"),
    [("ratelimited", NotYet), ("fatal_error", SlackError), ("channel_not_found", Refused), ("is_archived", Refused)],
)
async def test_an_error_inside_a_200_is_an_outcome(call: Calls, error: str, outcome: type[Exception]) -> None:
    said = httpx.MockTransport(lambda request: httpx.Response(200, json={"ok": False, "error": error}))
    async with HttpClient("https://slack.example/api", {}, transport=said) as door:
        with pytest.raises(outcome, match="slow down" if outcome is NotYet else error):
            await WarRoom(Slack(door)).tell(TellRoom(channel="C1", says=("x",), nth=1), call())
