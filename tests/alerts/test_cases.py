"""From an alert to its incident, as tables: how urgently it pages, and what is shown of it."""

from datetime import UTC, datetime, timedelta

import pytest

from activities.feeds.feeds import FeedOf
from activities.flags.flags import Flag
from activities.ledger.inbox import Delivery
from activities.models.routes import RouteOf
from activities.organisation.routing import AlertRoute
from starters.alerts.cases import UNREADABLE, grouped
from starters.alerts.intake import cases_in
from starters.alerts.sources.known import Known
from tests.alerts.desk import CODES, alert_of, body_of
from workflows.incident import Severity

NOON, FIVE = datetime(2026, 11, 23, 12, tzinfo=UTC), timedelta(minutes=5)


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


@pytest.mark.parametrize(
    ("labels", "of"),
    [
        ({"flag": "tools.high_psu"}, Flag(flag="tools.high_psu").target()),
        ({"flag": "tools.high_psu", "service": "chat", "region": "eu"}, Flag(flag="tools.high_psu").target()),
        ({"feed": "prices"}, FeedOf(feed="prices").target()),
        ({"route": "chat"}, RouteOf(route="chat").target()),
        ({"provider": "aurora", "service": "chat"}, "provider/aurora"),
        ({"service": "chat"}, "service/chat"),
        ({"service": "chat", "region": "eu"}, "service/chat/eu"),
        ({"flag": "a", "provider": "aurora"}, ""),
        ({"flag": "a,b"}, ""),
        ({"flag": "a b"}, ""),
        ({"flag": ".*"}, ""),
        ({"alertname": "Odd"}, ""),
    ],
)
def test_an_alert_names_one_object_or_none(labels: dict[str, str], of: str) -> None:
    (case,), _ = cases_in(delivery(body_of(alert_of("firing", "f", NOON - FIVE, **labels))))
    event = case.alert.event
    assert (event.of if event else "") == of
    assert event is None or (event.at, event.seal) == (NOON - FIVE, "")
    assert case.sealed(CODES).alert.event == (event and event.model_copy(update={"seal": CODES.seal(event.sealed(case.alert.dedup_key))}))


def test_an_event_is_never_newer_than_its_delivery() -> None:
    (case,), _ = cases_in(delivery(body_of(alert_of("firing", "f", NOON + FIVE, flag="a"))))
    assert case.alert.event is not None and case.alert.event.at == NOON


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


def test_an_alert_that_names_no_playbook_goes_where_its_labels_say() -> None:
    """The first route that takes it; one that names its playbook keeps it, and one that nobody takes goes to triage."""
    routes = (
        AlertRoute(match={"alertname": "GpuBill*", "team": "ml"}, playbook="llm_provider_outage", service="{app}", provider="aurora"),
        AlertRoute(match={"alertname": "*"}, playbook="slo_burn", service="api"),
    )

    def brought(routes: tuple[AlertRoute, ...] = routes, **labels: str) -> tuple[str, str, str]:
        (case,), _ = cases_in(delivery(body_of(alert_of("firing", "f", NOON, **labels))), Known(routes))
        return case.info.name, case.incident.service, case.incident.provider

    assert brought(alertname="GpuBillDoubled", team="ML", app="chat") == ("llm_provider_outage", "chat", "aurora")
    assert brought(alertname="GpuBillDoubled", app="chat") == ("slo_burn", "api", "")
    assert brought(alertname="GpuBillDoubled", team="ml", app="chat", playbook="production_outage", service="web")[:2] == (
        "production_outage",
        "web",
    )
    assert brought(routes[:1], alertname="Odd")[0] == "triage"
    assert brought((AlertRoute(match={"alertname": "*"}, playbook="nonsense"),), alertname="Odd")[0] == "triage"
