"""No alert is lost on the way in: it joins what is open for its key, waits for what does not answer, and fires on for somebody to hear."""

import asyncio
import time
from datetime import timedelta
from pathlib import Path

import pytest

from activities.ledger.discrepancies import Discrepancies
from activities.ledger.ledger import Ledger
from activities.organisation.policy import Policy
from starters import steering
from starters.alerts import intake
from starters.alerts.intake import ANSWER_WITHIN
from starters.alerts.receiver import Receiver
from starters.alerts.reconciler import Reconciler
from starters.alerts.unheard import UnheardAlerts
from starters.steering import JOIN_WITHIN
from tests.alerts.desk import CODES, NOW, Desk, webhook
from tests.stage.running import until
from workflows.incident import Incident

DAY = timedelta(days=1)
LATE, REPEAT, WAITS = Policy().alerts.late, Policy().alerts.repeat, Policy().alerts.waits


async def opened(desk: Desk, many: int = 1) -> list[str]:
    async def all_of_them() -> list[str]:
        running = await desk.running()
        return running if len(running) >= many else []

    found: list[str] = await until(all_of_them, f"{many} incidents")
    return found


async def waiting(desk: Desk) -> int:
    return len(desk.inbox.listed(1000, waiting=True))


async def all_told(desk: Desk) -> None:
    async def nothing_waits() -> bool:
        return await waiting(desk) == 0

    await until(nothing_waits, "every delivery to be brought to its incident")


def unheard(desk: Desk) -> UnheardAlerts:
    return UnheardAlerts(Reconciler(desk.settings, desk.ledger, desk.receiver.intake.connected, None))


# -- it joins what is open ----------------------------------------------------------------------------------------------------------------


async def test_one_key_is_one_incident_whatever_the_day_the_service_or_who_opened_it(desk: Desk, tmp_path: Path) -> None:
    """The record knows it, or only the server's listing does: with the record away, in another receiver, started without telling its key."""
    key = f"llm_provider_outage/{desk.service}/eu"
    handle = await desk.client.start_workflow(
        "LLMProviderOutage",
        Incident(service=desk.service, region="eu", dedup_key=key),
        id="inc-20261101-by-hand-" + desk.service,
        task_queue=desk.settings.queue,
    )
    await opened(desk)
    before_midnight = desk.alert(fingerprint="f1", since=NOW - DAY)
    assert (await desk.post(webhook(before_midnight))).json()["incidents"] == [handle.id]
    other_service = desk.alert(fingerprint="f2", incident_key=key, service=f"{desk.service}-too")
    assert (await desk.post(webhook(other_service))).json()["incidents"] == [handle.id]
    bookless = Desk(desk.client, desk.settings, Ledger(f"sqlite:///{tmp_path}/never-migrated.db"), desk.service)
    assert (await bookless.post(webhook(desk.alert(fingerprint="f3")))).json()["incidents"] == [handle.id]
    declared = await steering.declare(desk.client, desk.ledger, desk.settings, "2.2", Incident(service=desk.service, region="eu"))
    assert declared == (handle.id, False)
    assert await desk.running() == [handle.id]


async def test_two_receivers_that_open_at_the_same_moment_open_one_incident(desk: Desk) -> None:
    """Before and after midnight, with two services: the ids that they would choose differ."""
    other = desk.but()
    for nth in range(5):
        key = f"{desk.service}-{nth}"
        ours = desk.alert(incident_key=key, service=f"{desk.service}-a{nth}", fingerprint=f"a{nth}")
        theirs = desk.alert(incident_key=key, service=f"{desk.service}-b{nth}", fingerprint=f"b{nth}", since=NOW - DAY)
        answers = await asyncio.gather(desk.post(webhook(ours)), other.post(webhook(theirs)))
        assert len({tuple(answer.json()["incidents"]) for answer in answers}) == 1, nth
    assert len(await opened(desk, 5)) == 5


async def test_what_the_server_lists_under_another_key_is_left_alone(desk: Desk) -> None:
    await desk.post(webhook(desk.alert(region="us")))
    assert (await desk.but().post(webhook(desk.alert(fingerprint="f2", region="eu")))).json()["incidents"] == [f"{desk.id}-2"]


# -- firing, resolved, firing -------------------------------------------------------------------------------------------------------------


async def test_an_alert_that_fires_again_since_the_same_instant_is_told_to_the_open_incident(desk: Desk) -> None:
    for status in ("firing", "resolved", "firing", "resolved", "firing"):
        await desk.post(webhook(desk.alert(status)))
    _, heard = await desk.told(desk.id)
    assert [one.status for one in heard] == ["firing", "resolved", "firing", "resolved", "firing"]
    assert len({one.delivery for one in heard}) == 5
    assert await desk.running() == [desk.id]


async def test_firing_again_after_the_end_is_a_new_incident_unless_it_came_just_after_it_was_resolved(desk: Desk) -> None:
    """What came just after it was resolved is taken for late, and people are told; what was received before that is stale."""
    await desk.post(webhook(desk.alert()))
    overtaken = desk.ledger.now()
    desk.later(timedelta(minutes=5))
    await desk.post(webhook(desk.alert("resolved")))
    await desk.closes(desk.id)
    desk.later(LATE / 2)
    assert (await desk.post(webhook(desk.alert()))).json()["alerts"] == {"late": 1}
    (found,) = await unheard(desk).once()
    assert "just after it was resolved" in found.text and "incident alerts show d-" in found.text
    now, desk.ledger.now = desk.ledger.now, lambda: overtaken
    assert (await desk.post(webhook(desk.alert()))).json()["alerts"] == {"stale": 1}
    desk.ledger.now = now
    assert await desk.running() == []
    desk.later(LATE)
    assert (await desk.post(webhook(desk.alert()))).json()["incidents"] == [f"{desk.id}-2"]


async def test_an_alert_that_fires_on_after_its_incident_was_closed_is_told_once_in_every_repeat_interval(desk: Desk) -> None:
    await desk.post(webhook(desk.alert(), desk.alert(fingerprint="f2", alertname="LlmProviderSlow")))
    await desk.closes(desk.id)
    looking, said = unheard(desk), Discrepancies(desk.ledger)
    assert await looking.once() == [], "closed, and not heard since"
    for _ in range(3):
        desk.later(timedelta(minutes=1))
        answer = await desk.post(webhook(desk.alert(), desk.alert(fingerprint="f2", alertname="LlmProviderSlow")))
        assert answer.json()["alerts"] == {"still firing": 2}
        (found,) = await looking.once()
        assert f"{desk.id} is stood down (false alarm, says dana)" in found.text
        assert "LlmProviderErrors" in found.text and "LlmProviderSlow" in found.text
    assert len(said.open()) == 1
    desk.later(REPEAT)
    await desk.post(webhook(desk.alert()))
    await looking.once()
    assert len(said.open()) == 1 and said.open()[0].id.endswith("+1"), "another page, for another interval"
    await desk.post(webhook(desk.alert("resolved")))
    desk.later(2 * REPEAT + timedelta(minutes=1))
    assert await looking.once() == [] == said.open()
    assert await desk.running() == []


# -- it waits for what does not answer ----------------------------------------------------------------------------------------------------


async def test_what_came_while_the_server_was_away_is_opened_by_us_when_it_is_back(desk: Desk) -> None:
    """The sender's own retry is a duplicate then."""
    away = desk.but(temporal_address="127.0.0.1:9")
    bodies = [webhook(away.alert(service=f"{desk.service}-{nth}")) for nth in range(5)]
    answers = await asyncio.gather(*(away.post(body) for body in bodies))
    assert {(answer.status_code, answer.headers["retry-after"]) for answer in answers} == {(503, "5")}
    assert (await away.web.get("/healthz")).json() == {"ok": True, "temporal": False}
    assert await waiting(desk) == 5
    away.receiver.intake.settings = desk.settings
    assert len(await opened(desk, 5)) == 5
    await all_told(desk)
    again = await asyncio.gather(*(away.post(body) for body in bodies))
    assert {(answer.status_code, *answer.json()["alerts"]) for answer in again} == {(202, "duplicate")}
    assert {one["disposition"] for one in desk.inbox.deliveries()} == {"opened"}


async def test_what_waited_in_a_receiver_that_died_is_brought_by_the_next_one_in_the_order_in_which_it_came(desk: Desk) -> None:
    away = desk.but(temporal_address="127.0.0.1:9")
    secret = away.alert(fingerprint="", db_password="hunter2")  # kept without it, and still the same alert when it comes again
    for status in ("firing", "resolved"):
        assert (await away.post(webhook({**secret, "status": status}))).status_code == 503
        desk.later(timedelta(seconds=1))
    await away.receiver.intake.close()
    next_one = Receiver(desk.settings, desk.ledger, CODES)
    await next_one.intake.look_again()
    await all_told(desk)
    _, heard = await desk.told(desk.id)
    assert [one.status for one in heard] == ["firing", "resolved"]
    assert (await desk.post(webhook({**secret, "status": "resolved"}))).json()["alerts"] == {"duplicate": 1}
    await next_one.intake.close()


async def test_an_incident_that_does_not_answer_holds_up_no_other_and_its_alerts_wait(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steering, "JOIN_WITHIN", timedelta(seconds=3))
    await desk.post(webhook(desk.alert()))
    stuck = desk.client.get_workflow_handle(desk.id)
    await stuck.signal("stick", True)
    both = webhook(desk.alert(fingerprint="f2"), desk.alert(fingerprint="f3", service=f"{desk.service}-b"))
    answer = asyncio.create_task(desk.post(both))
    others = [desk.post(webhook(desk.alert(fingerprint=f"g{nth}", service=f"{desk.service}-c{nth}"))) for nth in range(5)]
    assert {each.status_code for each in await asyncio.gather(*others)} == {202}
    assert not answer.done(), "nobody waited for the one that does not answer"
    assert (await answer).status_code == 503
    at_once = await desk.post(webhook(desk.alert(fingerprint="h", service=f"{desk.service}-d")))
    assert at_once.status_code == 202, "nor is anybody held up after it has not answered"
    assert len(await opened(desk, 8)) == 8, "the other alert of the same delivery has opened its incident"
    assert await unheard(desk).once() == []
    desk.later(WAITS)
    (found,) = await unheard(desk).once()
    assert found.kind == "alerts wait" and f"{desk.id} does not answer" in found.text
    await stuck.signal("stick", False)
    await all_told(desk)
    _, heard = await desk.told(desk.id)
    assert [one.status for one in heard] == ["firing", "firing"]
    assert await unheard(desk).once() == []


async def test_two_hundred_in_a_second_all_reach_their_incidents_while_the_sender_still_waits(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "ANSWER_WITHIN", ANSWER_WITHIN)
    monkeypatch.setattr(steering, "JOIN_WITHIN", JOIN_WITHIN)

    own, one_key, size = 20, f"{desk.service}-one", 5

    async def timed(nth: int) -> tuple[int, float]:
        """One body of the storm, as Alertmanager groups them: every other one has an alert of another service."""
        services = [f"{desk.service}-{nth}" if nth % 2 and not place else one_key for place in range(size)]
        alerts = [desk.alert(fingerprint=f"f{nth}-{place}", service=service) for place, service in enumerate(services)]
        began = time.monotonic()
        answer = await desk.post(webhook(*alerts))
        return answer.status_code, time.monotonic() - began

    told = await asyncio.gather(*(timed(nth) for nth in range(2 * own)))
    assert max(seconds for _, seconds in told) < 10, "Alertmanager gives up after ten seconds"
    assert {code for code, _ in told} <= {202, 503}
    await all_told(desk)
    assert len(await opened(desk, own + 1)) == own + 1
    assert len((await desk.told(f"inc-{NOW:%Y%m%d}-llm-{one_key}"))[1]) == 200 - own
