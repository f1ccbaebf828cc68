"""Pages and questions: everybody who should hear, hears once; and a code reaches its owner and no history."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from activities.action import Call, NotYet, Refused, Role
from activities.chat.slack import Slack
from activities.identity.codes import COMMANDS, Codes
from activities.kit.http import HttpClient
from activities.organisation.people import Person
from activities.paging.orders import AcknowledgementOf, Ask, NotePage, Page, Remind, ResolvePage
from activities.paging.pager import NobodyReached, Pager
from activities.paging.pagerduty import PagerDuty
from practice.faces.pagerduty.records import Pages
from practice.world.injected_faults import InjectedFault
from practice.world.world import World
from tests.activities.conftest import INCIDENT, MakeClient, until_done

CODES = Codes(b"a practice secret, long enough")
DANA, LEE, NOOR = (
    Person(id=who, name=who.title(), roles=(role,), email=f"{who}@example.com", slack=f"U_{who.upper()}", pager=f"P_{who.upper()}")
    for who, role in (("dana", Role.INCIDENT_COMMANDER), ("lee", Role.OPS_LEAD), ("noor", Role.COMMS_LEAD))
)
PAGE = Page(incident_id=INCIDENT, people=(DANA, LEE), summary="SEV-1: answers fail", severity=1, details={"service": "chat"})
QUESTION = Ask(
    incident_id=INCIDENT, question=3, question_digest="d1", people=(LEE, NOOR), title="Shift all traffic to borealis?",
    lines=("Effect: borealis serves all", "Undo: the weights of 12:30", "Silence: nothing is done"), options=("approve", "decline"),
)  # fmt: skip
MISHAPS = [("fail", 2), ("commit_then_drop", 1), ("nothing_changed", 1), ("throttle", 2), ("hang", 1), ("partial", 1)]
PAGER_ROUTES = ["pagerduty.enqueue", "pagerduty.incidents.responder_requests", "pagerduty.incidents.list"]
ASKED = f"{INCIDENT}/pager.ask/question 3/1"
Calls = Callable[..., Call]


@pytest.fixture
def pager(door: MakeClient) -> Pager:
    events = door("/pagerduty", timeout=0.4, Accept="application/json")
    rest = door("/pagerduty/api", timeout=0.4, Authorization="Token token=practice-token")
    pagerduty = PagerDuty(events, rest, routing_key="practice-token", requester="P_DANA", sender="dana@example.com")
    return Pager(pagerduty, Slack(door("/slack/api", timeout=0.4)), CODES)


def _heard(world: World, who: str, via: str = "page") -> list[str]:
    return [entry["text"] for entry in world.state.people[who].inbox if entry["via"] == via]


def _code(person: Person, question: int = 3) -> str:
    return CODES.mint(person.id, INCIDENT, question, "d1")


# -- reminders and notes --------------------------------------------------------------------------------------------------------------


async def test_a_reminder_comes_by_message_and_by_page_where_that_does_not_arrive(pager: Pager, world: World, call: Calls) -> None:
    order = Remind(incident_id=INCIDENT, people=(DANA, NOOR.model_copy(update={"slack": ""})), text="the update is due at 12:36", nth=1)
    keyed = call(key=f"{INCIDENT}/pager.remind/1")
    effect = await pager.remind(order, keyed)
    assert (await pager.remind(order, keyed)).adopted
    assert effect.after["reached"] == ["dana", "noor"]
    assert _heard(world, "dana", "dm") == ["the update is due at 12:36"]
    assert [text.partition(" [")[0] for text in _heard(world, "noor")] == ["the update is due at 12:36"]
    with pytest.raises(NobodyReached):
        await pager.remind(order.model_copy(update={"people": (NOOR.model_copy(update={"slack": "", "pager": ""}),)}), keyed)


async def test_a_code_for_commands_goes_to_its_owner_and_into_no_record(pager: Pager, world: World, call: Calls) -> None:
    order = Remind(incident_id=INCIDENT, people=(DANA,), text="asked for in your name", code_digest="d1", nth=1)
    effect = await pager.remind(order, call(key=f"{INCIDENT}/pager.remind/1"))
    (text,) = _heard(world, "dana", "dm")
    code = _code(DANA, COMMANDS)
    assert text.startswith("asked for in your name\n") and f"--code {code}" in text and f'`"{code}"`' in text
    assert code not in effect.model_dump_json() and code not in "".join(order.by_hand())


@pytest.mark.parametrize(("mode", "times"), MISHAPS[:-1])
async def test_a_note_on_the_page_is_read_once_by_everybody_on_it(pager: Pager, world: World, call: Calls, mode: str, times: int) -> None:
    note = NotePage(incident_id=INCIDENT, text="Chat is down. Bridge: +49 30 5550100", nth=1)
    with pytest.raises(NotYet, match="no incident"):
        await pager.note(note, call())
    await pager.page(PAGE, call())
    world.injected_faults.set(InjectedFault("pagerduty.incidents.notes", mode, times))
    await until_done(lambda: pager.note(note, call(key="note/1")))
    assert (await pager.note(note, call(key="note/1"))).adopted
    assert [len(_heard(world, who, "note")) for who in ("dana", "lee", "noor")] == [1, 1, 0]


# -- pages ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("route", PAGER_ROUTES)
@pytest.mark.parametrize(("mode", "times"), MISHAPS)
async def test_whatever_happens_on_the_way_each_person_is_paged_once(
    pager: Pager, world: World, call: Calls, route: str, mode: str, times: int
) -> None:
    world.injected_faults.set(InjectedFault(route, mode, times))
    effect, _ = await until_done(lambda: pager.page(PAGE, call()))
    again = await pager.page(PAGE, call())
    assert len(world.state.part(Pages)) == 1
    assert [len(_heard(world, who)) for who in ("dana", "lee", "noor")] == [1, 1, 0]
    assert effect.after["paged"] == ["dana", "lee"]
    assert again.adopted


async def test_a_second_page_wakes_the_same_people_again_once(pager: Pager, world: World, call: Calls) -> None:
    await pager.page(PAGE, call())
    second, keyed = PAGE.model_copy(update={"nth": 2}), call(key=f"{INCIDENT}/pager.page/page/2")
    for _ in range(2):
        await pager.page(second, keyed)
    assert [len(_heard(world, who)) for who in ("dana", "lee")] == [2, 2]
    assert len(world.state.part(Pages)) == 1


async def test_a_page_that_people_have_ended_is_not_opened_again_by_a_retry(pager: Pager, world: World, call: Calls) -> None:
    await pager.page(PAGE, call())
    await pager.resolve(ResolvePage(incident_id=INCIDENT), call())
    assert (await pager.page(PAGE.model_copy(update={"people": ()}), call())).adopted
    assert [incident["status"] for incident in world.state.part(Pages).values()] == ["resolved"]


async def test_somebody_without_a_pager_is_named(pager: Pager, call: Calls) -> None:
    effect = await pager.page(PAGE.model_copy(update={"people": (DANA, LEE.model_copy(update={"pager": ""}))}), call())
    assert effect.after["no_pager"] == ["lee"]
    assert "no pager: lee" in effect.summary


async def test_an_unknown_user_is_a_refusal(pager: Pager, call: Calls) -> None:
    with pytest.raises(Refused, match="responder not found"):
        await pager.page(PAGE.model_copy(update={"people": (LEE.model_copy(update={"pager": "P_GHOST"}),)}), call())


async def test_who_took_the_page_is_known_by_e_mail_even_after_its_end(pager: Pager, practice_url: str, world: World, call: Calls) -> None:
    order = AcknowledgementOf(incident_id=INCIDENT)
    assert (await pager.acknowledged(order, call())).emails == ()
    await pager.page(PAGE, call())
    assert (await pager.acknowledged(order, call())).emails == ()
    (id,) = world.state.part(Pages)
    headers = {"Authorization": "Token token=practice-token", "From": "lee@example.com"}
    async with httpx.AsyncClient(base_url=practice_url, headers=headers) as phone:
        await phone.put(f"/pagerduty/api/incidents/{id}", json={"incident": {"type": "incident", "status": "acknowledged"}})
    await pager.resolve(ResolvePage(incident_id=INCIDENT), call())
    taken = await pager.acknowledged(order, call())
    assert taken.emails == ("lee@example.com",)


@pytest.mark.parametrize(("mode", "times"), MISHAPS[:-1])
async def test_whatever_happens_on_the_way_the_page_is_resolved_once(
    pager: Pager, world: World, call: Calls, mode: str, times: int
) -> None:
    await pager.page(PAGE, call())
    world.injected_faults.set(InjectedFault("pagerduty.enqueue", mode, times))
    await until_done(lambda: pager.resolve(ResolvePage(incident_id=INCIDENT), call()))
    assert (await pager.resolve(ResolvePage(incident_id=INCIDENT), call())).adopted
    (incident,) = world.state.part(Pages).values()
    assert [line["type"] for line in incident["log"]].count("resolve_log_entry") == 1


async def test_there_is_nothing_to_resolve_where_nobody_was_paged(pager: Pager, world: World, call: Calls) -> None:
    effect = await pager.resolve(ResolvePage(incident_id=INCIDENT), call())
    assert effect.adopted
    assert effect.summary == "there is no page to resolve"
    assert not [entry for entry in world.effects.entries if entry["changed"]]


# -- questions -----------------------------------------------------------------------------------------------------------------------


async def test_each_person_gets_the_question_with_their_own_code_and_what_to_type(pager: Pager, world: World, call: Calls) -> None:
    effect = await pager.ask(QUESTION, call(key=ASKED))
    for person, other in ((LEE, NOOR), (NOOR, LEE)):
        (text,) = _heard(world, person.id, "dm")
        assert all(line in text for line in (QUESTION.title, *QUESTION.lines))
        assert f"incident approve {INCIDENT} 3 --code {_code(person)}" in text
        assert f'signal `approve`, input `"{_code(person)}"`' in text
        assert _code(other) not in text
    assert effect.after["reached"] == ["lee", "noor"]


async def test_the_first_person_is_paged_too_without_the_code(pager: Pager, world: World, call: Calls) -> None:
    await pager.page(PAGE, call())
    await pager.ask(QUESTION, call(key=ASKED))
    assert "question 3" in _heard(world, "lee")[-1]
    assert _code(LEE) not in " ".join(_heard(world, "lee"))
    assert _heard(world, "noor") == []


@pytest.mark.parametrize("route", ["slack.conversations.open", "slack.chat.postMessage", "pagerduty.incidents.responder_requests"])
@pytest.mark.parametrize(("mode", "times"), [*MISHAPS[:-1], ("fail", None), ("hang", None)])
async def test_whatever_happens_on_the_way_everybody_can_answer_and_no_message_comes_twice(
    pager: Pager, world: World, call: Calls, route: str, mode: str, times: int | None
) -> None:
    await pager.page(PAGE, call())
    world.injected_faults.set(InjectedFault(route, mode, times))
    for _ in range(2):
        effect, _ = await until_done(lambda: pager.ask(QUESTION, call(key=ASKED)))
        assert effect.after["reached"] == ["lee", "noor"]
    for person in (LEE, NOOR):
        messages = _heard(world, person.id, "dm")
        pages = [text for text in _heard(world, person.id) if "question 3" in text]
        assert len(messages) <= 1
        assert len(pages) <= 1
        assert any(_code(person) in text for text in (*messages, *pages))


@pytest.mark.parametrize("route", ["slack.conversations.open", "slack.chat.postMessage", "slack.conversations.history"])
@pytest.mark.parametrize("mode", ["fail", "commit_then_drop", "hang"])
async def test_a_reply_of_slack_that_was_lost_puts_no_code_on_a_page(
    pager: Pager, world: World, call: Calls, route: str, mode: str
) -> None:
    world.injected_faults.set(InjectedFault(route, mode, 1))
    await pager.ask(QUESTION.model_copy(update={"people": (LEE,)}), call(key=ASKED))
    (message,), (page,) = _heard(world, "lee", "dm"), _heard(world, "lee")
    assert _code(LEE) in message and _code(LEE) not in page


async def test_when_slack_is_down_the_page_carries_the_code(pager: Pager, world: World, call: Calls) -> None:
    world.injected_faults.set(InjectedFault("slack.*", "fail"))
    effect = await pager.ask(QUESTION, call(key=ASKED))
    assert effect.after["by_page"] == ["lee", "noor"]
    assert effect.after["by_message"] == []
    assert any(f"--code {_code(NOOR)}" in text for text in _heard(world, "noor"))
    assert not any(_code(LEE) in text for text in _heard(world, "noor"))


async def test_when_the_pager_is_down_the_message_still_arrives(pager: Pager, world: World, call: Calls) -> None:
    world.injected_faults.set(InjectedFault("pagerduty.*", "fail"))
    effect = await pager.ask(QUESTION, call(key=ASKED))
    assert effect.after["by_message"] == ["lee", "noor"]
    assert "page:" in str(effect.after["failures"])


async def test_when_both_are_down_nobody_was_reached_and_it_is_worth_another_try(pager: Pager, world: World, call: Calls) -> None:
    world.injected_faults.set(InjectedFault("pagerduty.*", "fail"))
    world.injected_faults.set(InjectedFault("slack.*", "fail"))
    with pytest.raises(NobodyReached, match="question 3 reached nobody"):
        await pager.ask(QUESTION, call(key=ASKED))


async def test_somebody_unknown_to_slack_does_not_keep_the_question_from_the_others(pager: Pager, world: World, call: Calls) -> None:
    ghost = LEE.model_copy(update={"id": "ghost", "slack": "U_GHOST", "pager": ""})
    effect = await pager.ask(QUESTION.model_copy(update={"people": (ghost, NOOR)}), call())
    assert effect.after["reached"] == ["noor"]
    assert "user_not_found" in str(effect.after["failures"])
    assert "no PagerDuty id" in str(effect.after["failures"])


@pytest.mark.parametrize("down", ["nothing", "slack.*", "pagerduty.*", "*.chat.postMessage"])
async def test_no_code_stands_in_the_effect_or_in_what_is_shown_by_hand(pager: Pager, world: World, call: Calls, down: str) -> None:
    world.injected_faults.set(InjectedFault(down, "fail"))
    effect = await pager.ask(QUESTION, call(key=ASKED))
    shown = effect.model_dump_json() + " ".join(QUESTION.by_hand()) + QUESTION.effect()
    assert not any(_code(person) in shown for person in (LEE, NOOR))


async def test_a_vendor_that_repeats_what_it_was_sent_puts_no_code_into_the_history(call: Calls) -> None:
    def echo(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("conversations.open"):
            return httpx.Response(200, json={"ok": True, "channel": {"id": "D1"}})
        if request.url.path.endswith("conversations.history"):
            return httpx.Response(200, json={"ok": True, "messages": []})
        if request.method == "GET":
            return httpx.Response(200, json={"incidents": [{"id": "Q", "incident_key": INCIDENT, "status": "triggered", "created_at": ""}]})
        return httpx.Response(400, text=request.content.decode())

    async with HttpClient("https://vendor.example", {}, transport=httpx.MockTransport(echo)) as door:
        pager = Pager(PagerDuty(door, door, routing_key="k", requester="u", sender="s"), Slack(door), CODES)
        with pytest.raises(NobodyReached) as caught:
            await pager.ask(QUESTION, call(key=ASKED))
    assert not any(_code(person) in str(caught.value) for person in (LEE, NOOR))


async def test_a_reminder_brings_another_code_and_says_that_it_is_one(pager: Pager, world: World, call: Calls) -> None:
    await pager.ask(QUESTION, call(key=ASKED))
    await pager.ask(QUESTION.model_copy(update={"nth": 2, "rung": 1, "sending": 2}), call(key=f"{INCIDENT}/pager.ask/question 3/2"))
    first, second = _heard(world, "lee", "dm")
    assert _code(LEE) in first
    assert CODES.mint("lee", INCIDENT, 3, "d1", 2) in second and _code(LEE) not in second
    assert "reminder 1" in second
    assert "escalated" in second


async def test_a_question_opens_the_page_where_nobody_was_paged_yet(pager: Pager, world: World, call: Calls) -> None:
    await asyncio.gather(pager.ask(QUESTION, call(key=ASKED)))
    assert [incident["incident_key"] for incident in world.state.part(Pages).values()] == [INCIDENT]


async def test_a_page_that_pagerduty_does_not_show_is_not_yet_a_page(pager: Pager, world: World, call: Calls) -> None:
    world.injected_faults.set(InjectedFault("pagerduty.enqueue", "nothing_changed"))
    with pytest.raises(NotYet, match="does not show it"):
        await pager.page(PAGE, call())


# -- by hand -------------------------------------------------------------------------------------------------------------------------


async def test_the_commands_by_hand_do_the_same(practice_url: str, world: World) -> None:
    here = {"https://events.pagerduty.com": f"{practice_url}/pagerduty", "https://api.pagerduty.com": f"{practice_url}/pagerduty/api"}
    environment: dict[str, Any] = {
        "PATH": "/usr/bin:/bin", "PAGERDUTY_ROUTING_KEY": "practice-token", "PAGERDUTY_TOKEN": "practice-token", "PAGERDUTY_USER": "P_DANA",
        "PAGERDUTY_EMAIL": "dana@example.com",
    }  # fmt: skip
    for command in PAGE.by_hand():
        for ours, theirs in here.items():
            command = command.replace(ours, theirs)  # noqa: PLW2901
        running = await asyncio.create_subprocess_shell(command, env=environment, stdout=asyncio.subprocess.PIPE)
        await running.communicate()
        environment["PAGERDUTY_INCIDENT"] = next(iter(world.state.part(Pages)))
    assert "SEV-1: answers fail" in _heard(world, "dana")[0]
    assert _heard(world, "lee") == ["SEV-1: answers fail"]
