"""From an alert to its incident, as tables: how urgently it pages, and what is shown of it."""

from datetime import UTC, datetime, timedelta

import pytest

from activities.ledger.inbox import Delivery
from starters.alerts.cases import UNREADABLE, grouped
from starters.alerts.intake import cases_in
from tests.alerts.desk import alert_of, body_of
from workflows.incident import Severity

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def delivery(raw: bytes) -> Delivery:
    return Delivery(id="d-1", source="alertmanager", raw=raw, received_at=NOON)


@pytest.mark.parametrize(
    ("labels", "urgency"),
    [
        ({"severity": "critical"}, 1),
        ({"severity": " PAGE "}, 1),
        ({"severity": "error"}, 2),
        ({"severity": "warning"}, 3),
        ({"priority": "P4"}, 4),
        ({"severity": "warning", "priority": "P1"}, 1),
        ({"severity": "purple"}, 2),  # as its playbook, and triage is SEV-2
        ({}, 2),
    ],
)
def test_an_alert_pages_as_urgently_as_its_rule_says(labels: dict[str, str], urgency: int) -> None:
    """And never classifies: the incident's severity is not set by it."""
    (case,), _ = cases_in(delivery(body_of(alert_of("firing", "f", NOON, alertname="Odd", **labels))))
    assert (case.alert.urgency, case.incident.urgency, case.incident.severity) == (Severity(urgency), Severity(urgency), None)


def test_the_gravest_of_a_delivery_is_told_first_and_the_resolved_ones_last() -> None:
    alerts = [alert_of(status, f"{status}{said}", NOON, severity=said) for status, said in
              (("resolved", "critical"), ("firing", "info"), ("firing", "critical"))]  # fmt: skip
    (group,) = grouped(cases_in(delivery(body_of(*alerts)))[0])
    assert [(case.alert.status, case.alert.urgency) for case in group] == [("firing", 1), ("firing", 4), ("resolved", 1)]


def test_what_came_goes_with_the_incident_that_it_opens() -> None:
    odd = alert_of("firing", "f", NOON, alertname="Odd") | {
        "annotations": {"summary": "s", "description": "one\n\n\x1b[2Jtwo\nthree\nfour"}
    }
    (case,), _ = cases_in(delivery(body_of(odd)))
    assert (case.incident.received, case.incident.text) == ("d-1", "s\none\ntwo") == (case.alert.received, case.incident.text)
    (case,), why = cases_in(delivery(b"password=hunter2 is no JSON"))
    assert case.alert.name == UNREADABLE and "not JSON" in why
    assert case.incident.text == "password=[redacted] is no JSON"


def test_an_alert_is_the_same_when_it_is_read_from_what_was_kept() -> None:
    """Without a fingerprint of its source's, and with a secret among its labels."""
    sent = alert_of("firing", "", NOON, db_password="hunter2", alertname="Odd")
    kept = alert_of("firing", "", NOON, db_password="[redacted]", alertname="Odd")
    ids = {cases_in(delivery(body_of(one)))[0][0].record.id for one in (sent, kept)}
    assert len(ids) == 1
    later = alert_of("firing", "", NOON + timedelta(seconds=1), db_password="hunter2", alertname="Odd")
    assert cases_in(delivery(body_of(later)))[0][0].record.id not in ids
