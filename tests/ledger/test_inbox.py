"""The inbox: what was delivered to us is counted, and kept without the secrets in it."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from activities.ledger.inbox import BRIDGE, AlertRecord, Delivery, Inbox
from activities.ledger.ledger import Ledger
from tests.ledger.conftest import NOON

INCIDENT = "inc-20261123-chat"


def test_a_body_that_comes_again_is_counted_not_kept_twice(ledger: Ledger) -> None:
    inbox = Inbox(ledger)
    body = Delivery(id="d-1", source="alertmanager", raw=b"\x00{", received_at=NOON)
    assert [inbox.keep(body), inbox.keep(body)] == [1, 2]
    alert = {"id": "a-1", "source": "alertmanager", "fingerprint": "f", "starts_at": NOON, "name": "Errors", "dedup_key": "k"}
    joined = AlertRecord.model_validate(alert | {"status": "firing", "delivery": "d-1", "disposition": "joined", "incident_id": INCIDENT})
    for status in ("firing", "resolved"):
        inbox.settle(body, "joined", [joined.model_copy(update={"status": status})])
    (kept,) = inbox.deliveries()
    assert (kept["raw"], kept["count"], kept["disposition"]) == (b"\x00{", 2, "joined")
    known = inbox.known(["a-1", "a-2"])
    assert (known["a-1"].count, known["a-1"].status) == (2, "resolved")


def test_what_comes_again_late_or_has_to_wait_says_nothing_new_of_an_alert(ledger: Ledger) -> None:
    """What was told last stands; a delivery that holds an alert which waits is found again."""
    inbox = Inbox(ledger)
    body = Delivery(id="d-1", source="alertmanager", raw=b"{}", received_at=NOON)
    inbox.keep(body)
    assert [one.id for one in inbox.waiting()] == ["d-1"] and inbox.waiting(besides=["d-1"]) == []
    told = AlertRecord(
        id="a-1", source="alertmanager", fingerprint="f", starts_at=NOON, name="Errors", dedup_key="k", status="resolved", delivery="d-1",
        disposition="joined", incident_id=INCIDENT,
    )  # fmt: skip
    other = told.model_copy(update={"id": "a-2"})
    inbox.settle(body, "joined", [told, other])
    assert inbox.waiting() == []
    later = body.model_copy(update={"id": "d-2", "received_at": NOON + timedelta(minutes=1)})
    inbox.keep(later)
    fired = {"status": "firing", "nth": 2, "incident_id": ""}
    inbox.settle(later, "unreachable", [one.model_copy(update={**fired, "disposition": "unreachable"}) for one in (told, other)])
    assert [one.id for one in inbox.waiting()] == ["d-2"]
    known = inbox.known(["a-1", "a-2"])
    assert {(one.status, one.disposition, one.incident_id, one.nth, one.last_at) for one in known.values()} == {
        ("resolved", "joined", INCIDENT, 1, NOON)
    }
    inbox.settle(later, "late", [told.model_copy(update={"disposition": "late"})], again=True)
    late = inbox.known(["a-1"])["a-1"]
    assert (late.disposition, late.last_at, late.count) == ("late", NOON, 2)


def test_whoever_asks_for_an_id_at_the_same_moment_gets_the_same_one(ledger: Ledger) -> None:
    """Until it turns out not to be free, or the record had time to know it."""
    inbox = Inbox(ledger)
    assert [inbox.claim("k", "inc-1"), inbox.claim("k", "inc-2"), inbox.claim("other", "inc-2")] == ["inc-1", "inc-1", "inc-2"]
    assert inbox.claim("k", "inc-3", instead_of="inc-1") == "inc-3"
    assert inbox.claim("k", "inc-4", instead_of="inc-1") == "inc-3", "another was quicker"
    ledger.now = lambda: datetime.now(UTC) + BRIDGE + timedelta(seconds=1)
    assert inbox.claim("k", "inc-5") == "inc-5"


@pytest.mark.parametrize(
    "raw",
    [
        b'{"labels": {"db_password": "hunter2", "pin_token": ["hunter2", 4711], "service": "chat"}}',
        b'{"annotations": {"summary": "login with password=\\"hunter2\\" by dana@example.com", "x": 1}, "token": "hunter2"}',
        b'["https://u:hunter2@db.example.com/x?sig=hunter2"]',
    ],
)
def test_the_secrets_of_a_body_are_not_kept_and_json_stays_json(ledger: Ledger, raw: bytes) -> None:
    inbox = Inbox(ledger)
    inbox.keep(Delivery(id="d-1", source="alertmanager", raw=raw, received_at=NOON))
    (kept,) = inbox.deliveries()
    assert not any(hidden in kept["raw"] for hidden in (b"hunter2", b"4711", b"dana@example.com"))
    read, sent = json.loads(kept["raw"]), json.loads(raw)
    assert type(read) is type(sent) and len(read) == len(sent) and "[redacted]" in str(read)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"alerts": [{"labels": {"password": "hunter2", "ok": 1}, "x',
        b'{"alerts": [{"labels": {"password": "hunter2',
        b"token=hunter2 \xff\xfe",
    ],
    ids=["cut off", "cut off in the secret", "not UTF-8"],
)
def test_a_body_that_is_no_json_is_kept_without_its_secrets_too(ledger: Ledger, raw: bytes) -> None:
    inbox = Inbox(ledger)
    inbox.keep(Delivery(id="d-1", source="alertmanager", raw=raw, received_at=NOON, truncated=True))
    (kept,) = inbox.deliveries()
    assert b"hunter2" not in kept["raw"] and b"[redacted]" in kept["raw"] and kept["raw"][:6] == raw[:6]
    assert kept["raw"].endswith(b"\xff\xfe") == raw.endswith(b"\xff\xfe"), "bytes that are no text stay as they came"


def test_a_body_with_nothing_to_hide_is_kept_word_for_word(ledger: Ledger) -> None:
    inbox, raw = Inbox(ledger), b'{ "labels":{"service":"chat" },\n "n": 1e3, "n": NaN, "author": true }'
    inbox.keep(Delivery(id="d-1", source="alertmanager", raw=raw, received_at=NOON))
    assert inbox.deliveries()[0]["raw"] == raw
