"""The receiver against the real Temporal server: nothing is dropped, nothing is doubled, nothing crashes it."""

import asyncio
import json
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from activities.ledger.ledger import Ledger
from activities.ledger.tables import alerts
from starters import steering
from starters.alerts.intake import LONGEST_BODY
from starters.screens.text import CliError, Refusal
from tests.alerts.desk import CODES, NOW, Desk, webhook
from tests.stage.running import until
from workflows.incident import Incident


async def test_an_alert_opens_its_playbook_with_scope_title_and_onset_from_its_labels(desk: Desk) -> None:
    answer = await desk.post(webhook(desk.alert(provider="aurora", confidence="0.7")))
    assert (answer.status_code, answer.json()["incidents"]) == (202, [desk.id])
    incident, heard = await desk.told(desk.id)
    assert (incident.service, incident.provider, incident.region, incident.title) == (desk.service, "aurora", "eu", "61 % of calls fail")
    assert (incident.started_at, incident.confidence, incident.dedup_key) == (NOW, 0.7, f"llm_provider_outage/{desk.service}/eu")
    assert [(one.status, one.name) for one in heard] == [("firing", "LlmProviderErrors")]


async def test_hundreds_at_once_make_one_incident_and_each_is_counted(desk: Desk) -> None:
    """A tenth of them different alerts for one dedup key, the rest the same again."""
    bodies = [webhook(desk.alert(fingerprint=f"f{nth % 30}")) for nth in range(300)]
    answers = await asyncio.gather(*(desk.post(body) for body in bodies))
    assert {answer.status_code for answer in answers} == {202}
    assert await desk.running() == [desk.id]
    _, heard = await desk.told(desk.id)
    assert len(heard) == len({one.delivery for one in heard}) == 30
    assert sum(delivery["count"] for delivery in desk.inbox.deliveries()) == 300
    said = Counter(name for answer in answers for name in answer.json()["alerts"])
    assert (said["opened"], said["joined"], said["duplicate"]) == (1, 29, 270)


async def test_another_dedup_key_under_the_same_name_is_another_incident(desk: Desk) -> None:
    await desk.post(webhook(desk.alert()))
    keyed = desk.alert(fingerprint="f3", incident_key=f"llm_provider_outage/{desk.service}/eu", region="elsewhere")
    answer = await desk.post(webhook(desk.alert(fingerprint="f2", region="us"), keyed))
    assert answer.json()["incidents"] == [f"{desk.id}-2", desk.id]


async def test_resolved_is_passed_on_and_what_was_never_heard_is_only_recorded(desk: Desk) -> None:
    await desk.post(webhook(desk.alert()))
    assert (await desk.post(webhook(desk.alert("resolved")))).json()["alerts"] == {"joined": 1}
    assert (await desk.post(webhook(desk.alert("resolved", "never-seen")))).json()["alerts"] == {"recorded": 1}
    _, heard = await desk.told(desk.id)
    assert [one.status for one in heard] == ["firing", "resolved"]


async def test_the_same_alert_firing_again_later_after_its_incident_is_over_opens_the_next_one(desk: Desk) -> None:
    await desk.post(webhook(desk.alert()))
    first = desk.client.get_workflow_handle(desk.id)
    await first.signal("end")
    await first.result()
    assert (await desk.post(webhook(desk.alert()))).json()["alerts"] == {"duplicate": 1}
    later = await desk.post(webhook(desk.alert(since=NOW + timedelta(seconds=1))))
    assert later.json()["incidents"] == [f"{desk.id}-2"]


async def test_an_incident_that_the_ledger_says_is_resolved_takes_no_new_alert_in(desk: Desk) -> None:
    await desk.post(webhook(desk.alert()))
    desk.record_as_over(desk.id)
    assert (await desk.post(webhook(desk.alert(fingerprint="new")))).json()["incidents"] == [f"{desk.id}-2"]


async def test_a_weak_suspicion_is_only_recorded(desk: Desk) -> None:
    assert (await desk.post(webhook(desk.alert(confidence="0.5")))).json()["alerts"] == {"observed": 1}
    assert await desk.running() == []


BAD: dict[str, bytes] = {
    "empty": b"",
    "not json": b"hello",
    "torn": json.dumps(webhook({"status": "firing", "labels": {}})).encode()[:200],
    "not utf-8": b'{"version": "4", "alerts": ["\xff\xfe"]}',
    "null bytes": b"\x00" * 64,
    "a number that is none": b'{"version": "4", "alerts": [], "truncatedAlerts": NaN}',
    "nested deep": b"[" * 200_000,
    "nested deep inside": b'{"version": "4", "alerts": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "no alert in it": json.dumps(webhook()).encode(),
    "another version": json.dumps(webhook(version="3")).encode(),
    "a list": b"[1, 2]",
    "a number with too many digits": b'{"version": "4", "alerts": [], "truncatedAlerts": ' + b"9" * 5000 + b"}",
    "alerts are no list": b'{"version": "4", "alerts": {}}',
}


async def test_what_cannot_be_read_is_kept_refused_in_a_sentence_and_joins_one_triage_incident(desk: Desk) -> None:
    answers = {name: await desk.post(body) for name, body in BAD.items()}
    for name, answer in answers.items():
        assert (answer.status_code, set(answer.json())) == (400, {"error", "delivery", "incident"}), name
    assert len({answer.json()["incident"] for answer in answers.values()}) == len(await desk.running()) == 1
    kept = {one["raw"]: one["disposition"] for one in desk.inbox.deliveries()}
    assert {kept[body] for body in BAD.values()} == {"triage"}
    incident, heard = await desk.told(answers["torn"].json()["incident"])
    assert (incident.service, len(heard)) == ("unknown", len(BAD))
    again = await desk.post(BAD["torn"])
    assert again.json() == answers["torn"].json()
    assert len((await desk.told(again.json()["incident"]))[1]) == len(BAD)


async def test_secrets_and_addresses_in_an_alert_go_no_further_than_the_door(desk: Desk) -> None:
    """Neither into what is kept of the delivery, nor into what is shown of the incident."""
    loud = desk.alert(fingerprint="", db_password="hunter2", owner="dana@example.com")
    loud["annotations"] = {"summary": "login with token=hunter2 fails for dana@example.com", "description": "https://u:hunter2@x"}
    answer = await desk.post(webhook(loud, {"status": "firing", "labels": {"password": "hunter2"}}))  # the second one cannot be read
    incidents = answer.json()["incidents"]
    assert answer.status_code == 202 and len(incidents) == 2
    told = [f"{await desk.told(incident)}" for incident in incidents]
    kept = [f"{row}" for row in [*desk.inbox.deliveries(), *desk.ledger.read(sa.select(alerts))]]
    assert not [text for text in [answer.text, *told, *kept] if "hunter2" in text or "dana@example.com" in text]
    assert any("[redacted]" in text for text in told) and all(json.loads(row["raw"]) for row in desk.inbox.deliveries())


async def test_too_long_a_body_is_kept_as_far_as_it_goes(desk: Desk) -> None:
    answer = await desk.post(b"x" * (LONGEST_BODY + 1))
    assert answer.status_code == 413
    (kept,) = desk.inbox.deliveries()
    assert (len(kept["raw"]), kept["truncated"], kept["incident_id"]) == (LONGEST_BODY, True, answer.json()["incident"])


async def test_an_alert_no_playbook_knows_joins_triage_beside_the_ones_that_are_known(desk: Desk) -> None:
    strange = (desk.alert(fingerprint="f2", playbook="volcano"), desk.alert(fingerprint="f3", playbook=""), {"status": "on fire"}, "what?")
    body = webhook(desk.alert(), *strange)  # type: ignore[arg-type]
    answer = (await desk.post(body)).json()
    assert answer["alerts"] == {"opened": 2, "joined": 1, "triage": 1}
    triage = next(known for known in answer["incidents"] if "triage" in known)
    _, heard = await desk.told(triage)
    assert [one.name for one in heard] == ["LlmProviderErrors", "LlmProviderErrors", "UnreadableAlert"]
    assert "alert 4: " in heard[-1].summary


async def test_text_that_draws_or_turns_around_is_cleaned(desk: Desk) -> None:
    evil = "\x1b[2J\u202eevil\x00\ud800 text"
    alert = desk.alert(service=evil)
    body = webhook({**alert, "labels": {**alert["labels"], evil: evil}, "annotations": {"summary": evil}})
    assert (await desk.post(body)).status_code == 202
    (name,) = await desk.running()
    incident, _ = await desk.told(name)
    assert (incident.title, incident.service, incident.labels["evil text"]) == ("evil text", "evil text", "evil text")


async def test_thousands_of_alerts_in_one_body_are_one_incident(desk: Desk) -> None:
    tiny = [{"status": "firing", "labels": {"a": str(n)}, "startsAt": "2026-11-23T10:00:00Z"} for n in range(2_000)]
    answer = (await desk.post(webhook(*tiny))).json()
    assert answer["alerts"] == {"opened": 1, "joined": 19, "counted": 1980}
    assert len(await desk.running()) == 1


async def test_a_body_for_a_hundred_services_opens_some_and_lets_a_person_look_at_the_rest(desk: Desk) -> None:
    answer = (await desk.post(webhook(*(desk.alert(fingerprint=f"f{n}", service=f"s{n}") for n in range(100))))).json()
    assert len(answer["incidents"]) == 26
    assert sum(answer["alerts"].values()) == 100


async def test_a_wrong_token_is_refused_and_nothing_is_kept(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "open sesame")
    guarded = desk.but(alert_token="env:TOKEN")
    assert (await guarded.post(webhook(desk.alert()), Authorization="Bearer guess")).status_code == 401
    assert desk.inbox.deliveries() == []
    assert (await guarded.post(webhook(desk.alert()), Authorization="Bearer open sesame")).status_code == 202


@pytest.mark.parametrize("token", ["", "open sesame"])
async def test_what_a_source_says_of_one_object_is_sealed_only_where_its_token_was_checked(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("TOKEN", "open sesame")
    at = desk.but(alert_token="env:TOKEN") if token else desk
    for fingerprint, status in (("f1", "firing"), ("f2", "firing")):
        await at.post(webhook(desk.alert(status, fingerprint, flag="tools.high_psu")), Authorization="Bearer open sesame")
    _, heard = await desk.told(desk.id)
    events = [one.event for one in heard]
    assert [event.of for event in events if event] == ["flag/tools.high_psu"] * 2
    expected = [CODES.seal(event.sealed(heard[0].dedup_key)) if token else "" for event in events if event]
    assert [event.seal for event in events if event] == expected


async def test_what_waited_on_the_record_is_not_sealed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever can write to the database could have put it there."""
    monkeypatch.setenv("TOKEN", "open sesame")
    away = desk.but(alert_token="env:TOKEN", temporal_address="127.0.0.1:9")
    body = webhook(desk.alert(flag="tools.high_psu"))
    assert (await away.post(body, Authorization="Bearer open sesame")).status_code == 503
    await away.receiver.intake.close()
    await desk.receiver.intake.look_again()
    await until(desk.running, "the incident")
    _, (alert,) = await desk.told(desk.id)
    assert alert.event is not None and (alert.event.of, alert.event.seal) == ("flag/tools.high_psu", "")


async def test_an_incident_opens_even_when_our_own_book_is_shut(desk: Desk, tmp_path: Path) -> None:
    bookless = Desk(desk.client, desk.settings, Ledger(f"sqlite:///{tmp_path}/never-migrated.db"), desk.service)
    assert (await bookless.post(webhook(desk.alert()))).json()["alerts"] == {"opened": 1}


async def test_declaring_by_hand_joins_what_an_alert_opened_and_the_other_way_round(desk: Desk) -> None:
    ours = Incident(service=desk.service, region="eu")
    first = await steering.declare(desk.client, desk.ledger, desk.settings, "2.2", ours)
    again = await steering.declare(desk.client, desk.ledger, desk.settings, "llm-provider-outage", ours)
    assert (first, again) == ((desk.id, True), (desk.id, False))
    assert (await desk.post(webhook(desk.alert()))).json()["incidents"] == [first.incident_id]
    other = await steering.declare(desk.client, desk.ledger, desk.settings, "2.2", Incident(service=desk.service, region="us"))
    assert other == (f"{desk.id}-2", True)
    assert await steering.say(desk.client, other.incident_id, "approve", by="dana", question=1) == "approved by dana"
    with pytest.raises(Refusal, match="known updates"):
        await steering.say(desk.client, other.incident_id, "decline", by="dana")
    with pytest.raises(CliError, match="not running on the server"):
        await steering.say(desk.client, "inc-20260101-none", "note", text="x", by="dana")
