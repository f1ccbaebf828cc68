"""`incident alerts list` and `show`, with nothing alive but the ledger."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from activities.ledger.inbox import Delivery, Inbox
from activities.ledger.ledger import Ledger
from starters.alerts.intake import cases_in
from starters.cli import cli
from tests.alerts.desk import alert_of, body_of

NOON = datetime.now(UTC) - timedelta(hours=1)
Ran = Callable[..., tuple[int, str, str]]


@pytest.fixture
def inbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Inbox:
    """One delivery that was told, one that waits, one that could not be read."""
    monkeypatch.setenv("INCIDENT_LEDGER_URL", f"sqlite:///{tmp_path}/ledger.db")
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.migrate()
    inbox = Inbox(ledger)
    evil = alert_of("firing", "f2", NOON, alertname="\x1b[2JSlow", playbook="llm_provider_outage", db_password="hunter2")
    bodies = {
        "d-aa1": body_of(alert_of("firing", "f1", NOON, alertname="Errors", playbook="llm_provider_outage", service="chat"), evil),
        "d-aa2": body_of(alert_of("firing", "f3", NOON, alertname="Odd")),
        "d-bb3": b"\x1b[2J no JSON\n\x1b[31mred",
    }
    for nth, (name, raw) in enumerate(bodies.items()):
        delivery = Delivery(id=name, source="alertmanager", raw=raw, received_at=NOON + timedelta(minutes=nth))
        inbox.keep(delivery)
        if name != "d-aa2":
            (first, *rest), why = cases_in(delivery)
            became = [first.record.model_copy(update={"disposition": "opened", "incident_id": "inc-20261123-llm-chat"})]
            became += [one.record.model_copy(update={"disposition": "counted"}) for one in rest]
            inbox.settle(delivery, became[0].disposition, became, why=why, incident_id=became[0].incident_id)
    return inbox


@pytest.fixture
def incident(inbox: Inbox, capsys: pytest.CaptureFixture[str]) -> Ran:
    def run(*words: str) -> tuple[int, str, str]:
        code = cli.run(words)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_the_list_says_what_became_of_each_delivery_the_newest_first(incident: Ran) -> None:
    code, out, _ = incident("alerts", "list")
    assert code == 0 and [line.split()[2] for line in out.splitlines()] == ["d-bb3", "d-aa2", "d-aa1"]
    assert "WAITS" in out.splitlines()[1] and "inc-20261123-llm-chat" in out.splitlines()[2] and "not JSON" in out.splitlines()[0]
    _, out, _ = incident("alerts", "list", "--waiting", "--json")
    assert [(one["id"], one["disposition"], "raw" in one) for one in json.loads(out)] == [("d-aa2", "received", False)]


def test_a_delivery_is_shown_with_each_of_its_alerts_and_its_body_as_kept(incident: Ran) -> None:
    code, out, _ = incident("alerts", "show", "d-aa1")
    assert code == 0 and "\x1b" not in out and "hunter2" not in out
    assert "Errors firing since" in out and "opened · inc-20261123-llm-chat: incident status inc-20261123-llm-chat" in out
    assert "Slow firing since" in out and "counted" in out and '"db_password": "[redacted]"' in out
    _, out, _ = incident("alerts", "show", "bb3")
    assert "\x1b" not in out and "no JSON" in out and "red" in out
    _, out, _ = incident("alerts", "show", "d-aa2", "--json")
    told = json.loads(out)
    assert [(one["name"], one["disposition"]) for one in told["alerts"]] == [("Odd", "received")] and '"Odd"' in told["body"]


def test_what_is_not_there_or_not_one_is_a_sentence(incident: Ran, inbox: Inbox) -> None:
    assert "may mean d-aa1, d-aa2" in incident("alerts", "show", "d-aa")[2]
    code, _, err = incident("alerts", "show", "d-zz")
    assert code == 1 and "there is no delivery 'd-zz'" in err and "incident alerts list" in err
    inbox.ledger.engine.dispose()
    Path(str(inbox.ledger.engine.url.database)).unlink()
    code, _, err = incident("alerts", "list")
    assert code == 1 and "there is no ledger" in err
