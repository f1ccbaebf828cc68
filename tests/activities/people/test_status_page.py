"""The status page: one public text per order, proven on the public page, and never a word that nobody approved."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.action import Call, Grant, Refused
from activities.status_page.status_page import Publish, State, StatusPage
from activities.status_page.statuspage import Statuspage
from activities.texts import templates, wording
from practice.faces.statuspage import PublishedIncidents
from practice.world.injected_faults import InjectedFault
from practice.world.world import World
from tests.activities.conftest import INCIDENT, MakeClient, until_done

AT = datetime(2026, 11, 23, 12, 36, tzinfo=UTC)
MISHAPS = [("fail", 2), ("commit_then_drop", 1), ("nothing_changed", 1), ("throttle", 2), ("hang", 1)]
Calls = Callable[..., Call]


@pytest.fixture
def page(door: MakeClient) -> StatusPage:
    manage = door("/statuspage/v1", timeout=0.4, Authorization="OAuth practice-token")
    return StatusPage(Statuspage(manage, door("/statuspage/public", timeout=0.4, Accept="application/json"), "main"))


def _order(state: State = "investigating", template: str = "", *, nth: int = 1, at: datetime = AT, **more: Any) -> Publish:
    template = template or f"{state}@1"
    fields = wording.public(template, ("chat",), at, timedelta(minutes=30))
    given = {
        "incident_id": INCIDENT, "services": ("chat",), "state": state, "title": "Elevated errors affecting chat", "nth": nth,
        "template": template, "fields": fields, "body": templates.render(template, fields), **more,
    }  # fmt: skip
    return Publish.model_validate(given)


def _granted(call: Calls, *orders: Publish, nth: int = 1) -> Call:
    covers = tuple(order.digest("status_page.publish") for order in orders)
    until = datetime.now(UTC) + timedelta(hours=9)
    grant = Grant(question=1, covers=covers, by=("noor",), verified=True, at=AT, expires_at=until)
    return call(key=f"{INCIDENT}/status_page.publish/status page/{nth}", grant=grant)


def _public(world: World) -> list[tuple[str, str]]:
    """What customers read: state and text, oldest first."""
    return [
        (u["status"], u["body"])
        for incident in world.state.part(PublishedIncidents).values()
        for u in reversed(incident["incident_updates"])
    ]


@pytest.mark.parametrize(("mode", "times"), MISHAPS)
async def test_whatever_happens_on_the_way_customers_read_an_update_once(
    page: StatusPage, world: World, call: Calls, mode: str, times: int
) -> None:
    first, second = _order(), _order("identified", nth=2)
    await page.publish(first, _granted(call, first))
    world.injected_faults.set(InjectedFault("statuspage.incidents.update", mode, times))
    effect, _ = await until_done(lambda: page.publish(second, _granted(call, second, nth=2)))
    assert _public(world) == [("investigating", first.body), ("identified", second.body)]
    assert len(world.state.part(PublishedIncidents)) == 1
    assert effect.before.get("state") == (None if effect.adopted else "investigating")


async def test_a_second_run_adopts_what_the_first_published(page: StatusPage, world: World, call: Calls) -> None:
    order = _order()
    await page.publish(order, _granted(call, order))
    again = await page.publish(order, _granted(call, order))
    assert again.adopted
    assert len(_public(world)) == 1


async def test_two_updates_with_the_same_words_in_the_same_minute_are_two_updates(page: StatusPage, world: World, call: Calls) -> None:
    order = _order()
    for nth in (1, 2, 3, 2):
        await page.publish(order, _granted(call, order, nth=nth))
    assert len(_public(world)) == 3


async def test_the_states_follow_each_other_on_one_incident_and_a_regression_goes_back(page: StatusPage, world: World, call: Calls) -> None:
    told: tuple[State, ...] = ("investigating", "identified", "monitoring", "identified", "monitoring", "resolved")
    for nth, state in enumerate(told, start=1):
        order = _order(state, nth=nth)
        await page.publish(order, _granted(call, order, nth=nth))
    assert [state for state, _ in _public(world)] == list(told)
    assert len(world.state.part(PublishedIncidents)) == 1


async def test_one_approval_of_a_template_covers_its_later_updates(page: StatusPage, world: World, call: Calls) -> None:
    first = _order("identified", "update@1")
    granted = _granted(call, first)
    later = _order("identified", "update@1", nth=2, at=AT + timedelta(minutes=30))
    assert later.body != first.body
    await page.publish(later, granted)
    assert _public(world) == [("identified", later.body)]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"services": ("search",)}, "something else"),
        ({"title": "All is well"}, "something else"),
        ({"state": "identified"}, "something else"),
        ({"template": "holding@1"}, "something else"),
        ({"body": "We blame Aurora."}, "is not wording investigating@1"),
        ({"fields": {"at": "12:36", "services": "everything", "next": "30 minutes"}}, "is not wording"),
    ],
)
async def test_an_approval_covers_no_other_words(page: StatusPage, world: World, call: Calls, change: dict[str, Any], why: str) -> None:
    granted = _granted(call, _order())
    with pytest.raises(Refused, match=why):
        await page.publish(_order().model_copy(update=change), granted)
    assert _public(world) == []


async def test_a_text_that_names_other_services_than_the_order_is_refused(page: StatusPage, world: World, call: Calls) -> None:
    fields = wording.public("investigating@1", ("billing",), AT, timedelta(minutes=30))
    order = _order(fields=fields, body=templates.render("investigating@1", fields))
    with pytest.raises(Refused, match="names other services"):
        await page.publish(order, _granted(call, order))


@pytest.mark.parametrize(
    ("order", "why"),
    [
        (_order("resolved", "monitoring@1"), "does not speak for the state resolved"),
        (_order(holding=True), "no holding statement"),
        (_order(title="A breach at amber-bank"), "may not say breach"),
    ],
)
async def test_even_an_approved_text_stays_within_the_rules(page: StatusPage, world: World, call: Calls, order: Publish, why: str) -> None:
    with pytest.raises(Refused, match=why):
        await page.publish(order, _granted(call, order))
    assert _public(world) == []


async def test_nothing_is_published_without_an_approval(page: StatusPage, world: World, call: Calls) -> None:
    with pytest.raises(Refused, match="needs an approval"):
        await page.publish(_order(), call())
    assert _public(world) == []


async def test_a_holding_statement_can_be_published_in_its_own_words(page: StatusPage, world: World, call: Calls) -> None:
    order = _order("investigating", "holding@1", holding=True)
    await page.publish(order, _granted(call, order))
    assert "We are aware of an issue" in _public(world)[0][1]


async def test_a_public_page_that_lags_behind_is_waited_for_and_not_posted_to_twice(page: StatusPage, world: World, call: Calls) -> None:
    world.injected_faults.set(InjectedFault("statuspage.public.*", "stale_read", 4))
    order = _order()
    effect, _ = await until_done(lambda: page.publish(order, _granted(call, order)))
    assert effect.adopted
    assert len(_public(world)) == 1


@pytest.mark.parametrize("route", ["statuspage.incidents.create", "statuspage.incident_updates.update", "statuspage.public.incidents"])
@pytest.mark.parametrize(("mode", "times"), [*MISHAPS[:2], *MISHAPS[3:]])
async def test_what_is_back_filled_shows_the_time_at_which_it_was_to_be_said_and_wakes_nobody(
    page: StatusPage, world: World, call: Calls, route: str, mode: str, times: int
) -> None:
    world.injected_faults.set(InjectedFault(route, mode, times))
    order = _order("identified", at=AT).model_copy(update={"at": AT.replace(second=7, microsecond=5000)})
    effect, _ = await until_done(lambda: page.publish(order, _granted(call, order)))
    ((update,),) = [incident["incident_updates"] for incident in world.state.part(PublishedIncidents).values()]
    assert (update["body"], update["display_at"][:19]) == (order.body, "2026-11-23T12:36:07")
    assert update["deliver_notifications"] is False and "as of 12:36 UTC" in effect.summary


async def test_the_second_host_speaks_under_the_same_approval_and_where_there_is_none_it_says_so(
    page: StatusPage, door: MakeClient, world: World, call: Calls
) -> None:
    order = _order()
    elsewhere = order.model_copy(update={"host": "second status page"})
    with pytest.raises(Refused, match="no second status host is configured"):
        await page.publish(elsewhere, _granted(call, order))
    second = Statuspage(door("/statuspage/v1", Authorization="OAuth practice-token"), door("/statuspage/public"), "main")
    down = door("/nowhere")
    await StatusPage(Statuspage(down, down, "main"), second).publish(elsewhere, _granted(call, order))
    assert _public(world) == [("investigating", order.body)]


async def test_an_approval_of_own_words_covers_no_others(page: StatusPage, world: World, call: Calls) -> None:
    own = "{at} UTC: {services} is slow, and we know why. {next} more."
    fields = wording.public("identified@1", ("chat",), AT, timedelta(minutes=30), own)
    order = _order("identified").model_copy(update={"own": own, "fields": fields, "body": templates.render("identified@1", fields, own)})
    with pytest.raises(Refused, match="something else"):
        await page.publish(order, _granted(call, _order("identified")))
    with pytest.raises(Refused, match="may not say breach"):
        bad = order.model_copy(update={"own": "{at} {next} breach", "body": "x"})
        await page.publish(bad, _granted(call, bad))
    await page.publish(order, _granted(call, order))
    assert _public(world)[0][1].startswith("12:36 UTC: chat is slow")


async def test_wrong_credentials_are_a_refusal(door: MakeClient, call: Calls) -> None:
    wrong, order = door("/statuspage/v1", Authorization="OAuth wrong"), _order()
    with pytest.raises(Refused, match="401"):
        await StatusPage(Statuspage(wrong, wrong, "main")).publish(order, _granted(call, order))
