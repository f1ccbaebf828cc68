"""Restricted incidents: whoever is not on one learns nothing but that there is one."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from activities.freeze.orders import Holder
from activities.kit.holding import Hold
from activities.kit.words.code_names import code_name, to_others, under_code_name
from activities.ledger.ledger import Ledger
from activities.ledger.record import Record
from activities.values import Concern
from starters.cli.doctor import _restricted
from starters.reading import Reader
from starters.screens.text import CliError
from starters.steering import names
from tests.stage.drill import drill
from tests.stage.organisation import OTHERS, brisk
from worker.playbooks import PlaybookInfo, discover
from worker.settings import Settings
from workflows.incident import Incident
from workflows.playbooks.triage import Triage
from workflows.status import Status

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
HERON = "inc-20261129-amber-heron"


def test_its_id_is_a_code_name_from_the_start_and_the_same_for_all_who_ask() -> None:
    card = Triage.card.model_copy(update={"code_named": True})
    info = PlaybookInfo("prompt_injection", "PromptInjection", card, Triage)
    first, second, *_ = names(info, Incident(service="chat", started_at=NOW))
    assert under_code_name(first) and second == f"{first}-2" and under_code_name(second)
    assert "chat" not in first and "triage" not in first
    assert first == names(info, Incident(service="chat", started_at=NOW))[0]
    assert code_name(first) == first.removeprefix("inc-20261129-"), "the room is called as the incident is"
    usual = discover()["triage"]
    assert names(usual, Incident(service="chat", started_at=NOW))[0] == "inc-20261129-triage-chat"
    assert under_code_name(names(usual, Incident(service="chat", started_at=NOW, restricted=True))[0])


def test_what_it_holds_is_said_to_others_without_saying_what_it_is() -> None:
    hold = Hold(incident=HERON, key="k", need={}, says="deny egress to evil.example", concern=Concern.EXFILTRATION, since=NOW)
    assert hold.in_words() == to_others(HERON) == "a restricted incident: page Security"
    freeze = Holder(id=HERON, reason="an injection", by="sam", since=NOW)
    assert freeze.in_words() == "held since 2026-11-29 12:00 UTC by a restricted incident: page Security"


def test_it_is_in_no_list_and_only_whoever_knows_the_name_finds_it(tmp_path: Path) -> None:
    settings = Settings(ledger_url=f"sqlite:///{tmp_path / 'ledger.db'}")
    ledger = Ledger(settings.ledger_url)
    ledger.migrate()
    for incident, restricted in ((HERON, True), ("inc-20261129-llm-chat", False)):
        status = Status(
            incident_id=incident, playbook="P", section="2.3", title="t", severity=2, peak_severity=2, declared_at=NOW, updated_at=NOW,
            restricted=restricted, version=1,
        )  # fmt: skip
        ledger.write(Record(incident_id=incident, entries=(), status=status.model_dump(mode="json"), base=0))
    reader = Reader(settings)
    assert [seen.status.incident_id for seen in reader.incidents()] == ["inc-20261129-llm-chat"]
    assert reader.find("") == "inc-20261129-llm-chat"
    assert reader.find(HERON) == reader.find("amber-heron") == HERON
    with pytest.raises(CliError, match="there is no incident"):
        reader.find("amber-her")


async def test_the_servers_listing_tells_nothing_of_it(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=brisk(more=OTHERS)) as stage:
        incident = await stage.declare(restricted=True)
        await incident.commanded()
        await incident.verified("stand_down", "dana", reason="a drill")
        await incident.ends()
        told = (await incident.handle.describe()).typed_search_attributes.search_attributes
        assert not [pair for pair in told if pair.value and not pair.key.name.startswith("Temporal")]


def test_doctor_warns_while_they_share_a_namespace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = Triage.card.model_copy(update={"code_named": True})
    monkeypatch.setattr("starters.cli.doctor.discover", lambda: {"prompt_injection": PlaybookInfo("prompt_injection", "P", card, Triage)})
    shared = _restricted(Settings())
    assert shared.state == "warning" and "INCIDENT_RESTRICTED_SETTINGS" in shared.fix
    file = tmp_path / "restricted.env"
    assert _restricted(Settings(restricted_settings=str(file))).state == "broken"
    lines = ["INCIDENT_TEMPORAL_NAMESPACE=security", "INCIDENT_LEDGER_URL=sqlite:///security.db"]
    file.write_text("\n".join(lines))
    unaware = _restricted(Settings(restricted_settings=str(file)))
    assert unaware.state == "broken" and "INCIDENT_HOLDERS_URL" in unaware.fix
    file.write_text("\n".join([*lines, "INCIDENT_HOLDERS_URL=sqlite:///ledger.db", "INCIDENT_FREEZES_NAMESPACE=default"]))
    assert _restricted(Settings(restricted_settings=str(file))).state == "good"
