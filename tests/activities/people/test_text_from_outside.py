"""Text from outside is read by people, does nothing in any channel, and carries no secret further."""

import time
from datetime import UTC, datetime

import pytest

from activities.action import Refused, Role
from activities.chat.orders import OpenRoom, Pinned, TellRoom
from activities.chat.war_room import WarRoom
from activities.kit.words.redact import redact, redact_fields
from activities.organisation.people import Person
from activities.paging.orders import Page, Remind
from activities.paging.pager import Pager
from activities.platform.change_feed import Change
from activities.texts import templates, wording
from practice.faces.pagerduty.records import Pages
from practice.faces.slack.records import Channels
from practice.world.world import World
from tests.activities.conftest import INCIDENT, MakeCall
from workflows.engine.record.timeline import Timeline
from workflows.incident import Alert, Incident
from workflows.people.messages import Message, incident_of, message_of

EVIL = "<!channel> <@U1> <https://evil.invalid|approve> & \x1b[2J\u202eevorppa"
SHOWN = "&lt;!channel&gt; &lt;@U1&gt; &lt;https://evil.invalid|approve&gt; &amp; evorppa"
DANA = Person(id="dana", name="Dana", roles=(Role.INCIDENT_COMMANDER,), slack="U_DANA", pager="P_DANA")
SECRETS = {
    "a password": ("login with password=hunter2-hunter2 please", "hunter2"),
    "a token in JSON": ('{"api_key": "abcdef123456", "n": 1}', "abcdef"),
    "a header": ("curl -H 'Authorization: Bearer abc.def-123' https://x", "abc.def"),
    "a user in an address": ("postgres://admin:s3cr3t@db.internal:5432/prod", "s3cr3t"),
    "a token in an address": ("https://hooks.example.com/x?sig=Zm9vYmFy&n=1", "Zm9v"),
    "a cloud key": ("key AKIAIOSFODNN7EXAMPLE was used", "AKIA"),
    "a vault token": ("hvs.CAESIJ0123456789abcdefghij", "hvs.CA"),
    "a forge token": ("ghp_0123456789abcdefghijABCDEFGHIJ", "ghp_0"),
    "a chat token": ("xoxb-1234567890-abcdefghij", "xoxb-1"),
    "a web token in a cookie": ("session-eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.s1gnature", "eyJzd"),
    "an address after a plus": ("from +postgres://admin:s3cr3t@db.internal/prod", "s3cr3t"),
    "a web token": ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.s1gnature", "eyJzd"),
    "a private key": ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "MIIE"),
    "an e-mail address": ("jane.doe+x@customer.example complained", "jane.doe"),
    "a personal code": ("my code is 3-7KQ2-M9KD.", "7KQ2"),
    "a code in small letters": ("--code=12-7kq2-m9kd", "7kq2"),
    "a code without a digit, as it is sent": ('{"code":"3-ABCD-EFGH"}', "ABCD"),
    "a code with a phone's dashes": ("3–7KQ2—M9KD", "M9KD"),
    "a code after a line end in JSON": ('"it is:\\n3-7KQ2-M9KD"', "7KQ2"),
}


@pytest.mark.parametrize("what", SECRETS)
def test_a_secret_is_hidden_and_the_rest_stays(what: str) -> None:
    text, secret = SECRETS[what]
    said = redact(f"before {text} after")
    assert secret not in said and "[redacted]" in said
    assert said.startswith("before ") and said.endswith(" after")
    assert redact(said) == said


@pytest.mark.parametrize(
    "plain",
    [
        "deploy api-00042 of chat, 500 tokens per second, author: dana, design: x", "error ratio 0.4 at 12:36 UTC (https://x.example/a?b=c)",
        "sha256:0a1b2c3d4e5f0a1b2c3d4e5f0a1b2c3d4e5f0a1b2c3d4e5f0a1b2c3d4e5f0000", "auth service is slow; cookie banner", "", "@channel",
        "pool 3-east-west, revision api-00042-k8s1-ab12, 550e8400-1234-41d4-a716-446655440000, on 2026-11-23", 'for example "3-4XQ2-M9KD"',
    ],
)  # fmt: skip
def test_what_is_no_secret_stays_word_for_word(plain: str) -> None:
    assert redact(plain) == plain


@pytest.mark.parametrize("unit", ["a.", "a-", "eyaaaaaaaaaa.", "a@", "token=", 'token="', "bearer ", "-----BEGIN PRIVATE KEY-----"])
def test_whoever_sends_much_does_not_keep_us_busy(unit: str) -> None:
    """Work grows with the length, not with its square: half a megabyte of dots once took two hours."""
    text, began = unit * (500_000 // len(unit)), time.process_time()
    redact(text)
    assert time.process_time() - began < 30


def test_what_enters_from_outside_is_without_secrets() -> None:
    secret = "password=hunter2"
    labels = {"service": "chat", "db_password": "hunter2", "url": "https://u:hunter2@x"}
    entered = [
        Incident(title=secret, labels=labels), Alert(delivery="d", dedup_key="k", status="firing", name="n", summary=secret, labels=labels),
        Change.model_validate({"id": "1", "kind": "deploy", "at": "2026-11-23T12:00:00Z", "actor": "dana", "what": secret, "details": labels}),
        message_of("note", [{"by": "dana", "text": secret, "reason": secret}]),
    ]  # fmt: skip
    assert not any("hunter2" in one.model_dump_json() for one in entered)
    assert redact_fields(labels)["service"] == "chat"


def test_a_code_stays_nowhere_but_in_its_own_field() -> None:
    """Of a message, of a start and of a line of the timeline."""
    code, text = "3-7KQ2-M9KD", "it is 3-7KQ2-M9KD"
    words = {name: text for name, of in Message.model_fields.items() if of.annotation is str and name != "code"}
    sent = message_of("answer", [{**words, "severity": text, "value": [{text: text}], "fields": {text: text}, "code": code}])
    assert sent.code == code and code not in str(sent.model_dump(exclude={"code"}))
    started = incident_of([{"service": text, "declared_by": text, "labels": {"a": text}}]), incident_of(["chat", code])
    entry = Timeline().note(datetime.now(UTC), "note", text, by=text, said=text)
    assert not any(code in one.model_dump_json() for one in (*started, entry))


async def test_in_slack_it_calls_nobody_and_links_nowhere(war_room: WarRoom, pager: Pager, world: World, call: MakeCall) -> None:
    opened = await war_room.open(OpenRoom(name=INCIDENT, topic=EVIL, people=(DANA,), pins={"status": EVIL}), call())
    (room,) = (channel for channel in world.state.part(Channels).values() if channel["name"] == INCIDENT)
    pin = room["pins"][0]
    order = TellRoom(channel=room["id"], says=(EVIL,), pins={"status": Pinned(ts=pin, text=f"{EVIL} now")}, nth=1)
    await war_room.tell(order, call(key="tell/1"))
    assert (await war_room.tell(order, call(key="tell/1"))).adopted and not opened.after["not_sent"]
    assert [message["text"] for message in room["messages"]] == [f"{SHOWN} now", SHOWN] and room["topic"] == SHOWN
    await pager.remind(Remind(incident_id=INCIDENT, people=(DANA,), text=EVIL, nth=1), call(key="remind/1"))
    assert world.state.people["dana"].inbox[-1]["text"] == SHOWN


async def test_a_topic_of_any_length_is_set_once(war_room: WarRoom, world: World, call: MakeCall) -> None:
    order = OpenRoom(name=INCIDENT, topic="&" * 10_000, people=())
    await war_room.open(order, call())
    assert (await war_room.open(order, call(again=True))).adopted
    assert len([entry for entry in world.effects.entries if entry["route"] == "slack.conversations.setTopic"]) == 1


async def test_on_the_page_nothing_draws_on_a_screen(pager: Pager, world: World, call: MakeCall) -> None:
    page = Page(incident_id=INCIDENT, people=(DANA,), summary=EVIL + "x" * 2_000, severity=1, details={"service": EVIL})
    await pager.page(page, call())
    (incident,) = world.state.part(Pages).values()
    assert len(incident["title"]) == 1_024 and not {"\x1b", "\u202e"} & set(incident["title"])
    assert "\x1b" not in str(world.state.people["dana"].inbox[-1]["details"]["service"])


def test_in_a_ticket_it_is_text() -> None:
    evil = "[approve](https://evil.invalid) <script> @everyone `x` password=hunter2"
    at = datetime(2026, 11, 23, tzinfo=UTC)
    body = wording.ticket(severity=1, title=evil, start=at, commander=evil, impact=evil, hypotheses=[evil], actions=[(at, evil)])
    assert "\\[approve\\]\\(h" in body and "https://" not in body and "\\<script\\>" in body
    assert "@e" not in body and "hunter2" not in body


@pytest.mark.parametrize("own", ["{at} {next} <b>{services}</b>", "{at} {next} > {services}"])
def test_a_public_text_of_ones_own_is_plain_text(own: str) -> None:
    with pytest.raises(Refused, match="plain text"):
        templates.template("identified@1", own)
