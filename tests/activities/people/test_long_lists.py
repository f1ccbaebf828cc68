"""A list ends on its last page, and what the vendor leaves out by default is asked for."""

from datetime import UTC, datetime, timedelta

import pytest

from activities.action import Refused, Role
from activities.chat.orders import Announce, OpenRoom
from activities.chat.war_room import WarRoom
from activities.organisation.people import Person
from activities.paging.orders import AcknowledgementOf, Page
from activities.paging.pager import Pager
from activities.paging.pagerduty import PagerDuty
from activities.status_page.status_page import Publish, StatusPage
from activities.texts import templates, wording
from activities.tickets.github import GitHub, Repositories
from practice.faces.github.issues import Issues
from practice.faces.pagerduty import records
from practice.faces.pagerduty.records import Pages
from practice.faces.slack.records import Channels
from practice.faces.statuspage import PublishedIncidents
from practice.services.repositories import Commit, Ruleset, founded
from practice.world.state import JSON
from practice.world.world import World
from tests.activities.conftest import INCIDENT, MakeCall, effects, granted

DANA = Person(id="dana", name="Dana", roles=(Role.INCIDENT_COMMANDER,), slack="U_DANA", pager="P_DANA")
PAGE = Page(incident_id=INCIDENT, people=(DANA,), summary="SEV-1", severity=1)
OPEN = OpenRoom(name=INCIDENT, topic="SEV-1 chat", people=(DANA,))


def crowd(world: World, how_many: int, *, ours: bool) -> None:
    """So many channels of other people; our bot is in them, or not."""
    for n in range(how_many):
        world.state.part(Channels)[f"C_{n}"] = {
            "id": f"C_{n}", "name": f"talk-{n}", "created": 0, "is_private": False, "is_archived": False, "user": "", "topic": "",
            "purpose": "", "members": ["U_BOT"] if ours else [], "messages": [], "pins": [], "bookmarks": [],
        }  # fmt: skip


@pytest.mark.parametrize("ours", [False, True])
async def test_there_is_a_war_room_among_4100_channels(war_room: WarRoom, world: World, call: MakeCall, ours: bool) -> None:
    crowd(world, 4_100, ours=ours)
    opened = await war_room.open(OPEN, call())
    assert (await war_room.open(OPEN, call(again=True))).after == opened.after
    lookups = [one for one in world.requests if one["route"].startswith("slack.users.conversations")]
    assert len(lookups) == (10 if ours else 2) and not [one for one in world.requests if "conversations.list" in one["route"]]


async def test_a_standing_channel_behind_4100_others_is_told(war_room: WarRoom, world: World, call: MakeCall) -> None:
    crowd(world, 4_100, ours=True)
    world.state.part(Channels)["C_LAST"] = {**world.state.part(Channels)["C_0"], "id": "C_LAST", "name": "customers", "messages": []}
    told = await war_room.announce(Announce(to={"customers": "we are on it"}, nth=1), call())
    assert told.after["told"] == ["customers"]


async def test_a_name_that_a_channel_without_our_bot_has_is_refused(war_room: WarRoom, world: World, call: MakeCall) -> None:
    crowd(world, 1, ours=False)
    with pytest.raises(Refused, match="our bot is not in"):
        await war_room.open(OPEN.model_copy(update={"name": "talk-0"}), call())


async def test_on_calls_are_read_to_the_last_page_and_an_empty_filter_asks_nobody(
    pagerduty: PagerDuty, world: World, call: MakeCall, monkeypatch: pytest.MonkeyPatch
) -> None:
    everybody = sorted(world.state.people)
    monkeypatch.setattr(records, "POLICIES", {"EP_FULL": everybody * 40})
    assert len(await pagerduty.on_call(call(), ["EP_FULL"])) == len(everybody) * 40 > 200
    assert await pagerduty.on_call(call(), []) == () == await pagerduty.on_call(call(), [""])


async def test_who_took_the_page_is_found_behind_300_lines_of_its_log(pager: Pager, world: World, call: MakeCall) -> None:
    await pager.page(PAGE, call())
    (incident,) = world.state.part(Pages).values()
    line = incident["log"][-1]
    taken = {**line, "type": "acknowledge_log_entry", "agent": records.user_reference(world.state.people["lee"])}
    incident["log"] = [*({**line, "type": "annotate_log_entry"} for _ in range(300)), taken, *incident["log"]]
    assert (await pager.acknowledged(AcknowledgementOf(incident_id=INCIDENT), call())).emails == ("lee@example.com",)


async def test_a_page_that_is_40_days_old_is_found_and_none_is_opened_beside_it(pager: Pager, world: World, call: MakeCall) -> None:
    await pager.page(PAGE, call())
    (incident,) = world.state.part(Pages).values()
    incident["created_at"] = world.clock.stamp(world.clock.now() - 40 * 86_400)
    assert (await pager.page(PAGE, call())).adopted
    assert len(world.state.part(Pages)) == 1


async def test_without_a_key_no_incident_is_looked_up(pagerduty: PagerDuty, world: World, call: MakeCall) -> None:
    await pagerduty.trigger(call(), "inc-another", "theirs", 1, {})
    with pytest.raises(Refused, match="the key is empty"):
        await pagerduty.incident_of(call(), "")


async def test_issues_of_the_last_hour_are_listed_to_the_end_and_older_ones_are_searched_for(
    github: GitHub, world: World, call: MakeCall
) -> None:
    await github.create(call(), "ours", "<!-- inc:x key:y -->")
    for n in range(230):
        await github.create(call(), f"other {n}", "something else")
    found = await github.find(call(), "<!-- inc:x ")
    assert found is not None and found["title"] == "ours"
    assert len([one for one in world.requests if one["route"] == "github.issues.list"]) == 3
    for issue in world.state.part(Issues)["acme/incidents"]:
        issue["updated_at"] = issue["created_at"] = "2020-01-01T00:00:00.000Z"
    found = await github.find(call(), "<!-- inc:x ")
    assert found is not None and found["title"] == "ours"
    assert [one for one in world.requests if one["route"] == "github.search.issues"]


async def test_rulesets_branches_and_commits_are_read_to_the_last_page(repositories: Repositories, world: World, call: MakeCall) -> None:
    repository = world.state.repositories["acme/api"] = founded("acme/api", "2026-11-23T10:00:00.000Z")
    author = {"name": "ada", "email": "ada@example.com", "date": "2026-11-23T11:00:00Z"}
    first = head = repository.heads["main"]
    for n in range(320):
        head = repository.add(Commit("f" * 40, f"commit {n}", [head], author, author))
        ruleset = Ruleset(n, f"rules {n}", "branch", "active", ["refs/heads/main"], [], [{"type": "update"}], [], "", "")
        repository.rulesets[n] = ruleset
    repository.heads["main"] = head
    assert len(await repositories.rulesets(call(), "acme/api")) == 320
    assert len(await repositories.rules(call(), "acme/api", "main")) == 320
    assert len(await repositories.commits_between(call(), "acme/api", first, "main")) == 320
    repository.heads["main"] = repository.add(Commit("f" * 40, "rewritten", [first], author, author))
    with pytest.raises(Refused, match="is not in the history of main"):
        await repositories.commits_between(call(), "acme/api", head, "main")


def publication(nth: int, **more: str) -> Publish:
    fields = wording.public("investigating@1", ("chat",), datetime(2026, 11, 23, 12, 36, tzinfo=UTC), timedelta(minutes=30))
    return Publish(
        incident_id=INCIDENT, services=("chat",), state="investigating", title="Elevated errors affecting chat", nth=nth,
        template="investigating@1", fields=fields, body=templates.render("investigating@1", fields), **more,
    )  # fmt: skip


def published(world: World, how_many: int, **fields: str) -> list[JSON]:
    """So many later incidents of other people on the status page."""
    ours = next(iter(world.state.part(PublishedIncidents).values()))
    others: list[JSON] = [{**ours, "id": f"sp_{n}", "metadata": {}, **fields} for n in range(how_many)]
    world.state.part(PublishedIncidents).update({one["id"]: one for one in others})
    return others


async def test_our_incident_is_found_behind_250_newer_ones_and_asked_for_by_its_id(page: StatusPage, world: World, call: MakeCall) -> None:
    order = publication(1)
    first = await page.publish(order, granted(StatusPage.publish, order, call(key="post/1")))
    published(world, 250)
    second = publication(2)
    await page.publish(second, granted(StatusPage.publish, second, call(key="post/2")))
    listed = len([one for one in world.requests if one["route"] == "statuspage.incidents.list"])
    known = publication(3, page_incident=str(first.after["id"]))
    await page.publish(known, granted(StatusPage.publish, known, call(key="post/3")))
    assert len([one for one in world.requests if one["route"] == "statuspage.incidents.list"]) == listed, (
        "what is known is not searched for"
    )
    assert len(effects(world, "statuspage.incidents.create")) == 1 and len(effects(world, "statuspage.incidents.update")) == 2
