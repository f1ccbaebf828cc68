"""What GitHub's events and those of a DLP mean: which incident they open, when they are over, and what is kept and said."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from activities.kit.words.redact import redact_body
from activities.ledger.inbox import Delivery
from activities.organisation.routing import AlertRoute, AlertSource
from starters.alerts.cases import UNREADABLE, Case
from starters.alerts.intake import LONGEST_BODY, cases_in
from starters.alerts.sources.github import EVENTS
from starters.alerts.sources.known import Known
from tests.alerts.sources.payloads import advisory, as_sent, dependabot, of_the_world, secret

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
DLP = AlertSource(
    signed_by="env:DLP_KEY", each="hits", action="state", firing=("open",), resolved=("closed",), noted=("assigned",),
    labels={"service": "asset.service", "rule": "rule.name"}, fixed={"playbook": "triage"}, identity=("id",), since=("seen_at",),
    summary="{rule.name} in {asset.service}: {count} matches", unsure={"rule.confidence": {"low": 0.3}},
)  # fmt: skip
OURS = Known(sources={"dlp": DLP}, repositories={"acme/api": "api"})


def case(event: Any, source: str, known: Known = OURS) -> Case:
    (found,), _ = cases_in(delivery(event if isinstance(event, bytes) else as_sent(event), source), known)
    return found


def delivery(raw: bytes, source: str, *, truncated: bool = False) -> Delivery:
    return Delivery(id="d-1", source=source, raw=raw, received_at=NOW, truncated=truncated)


OPENED = {
    "a leaked secret": (secret(), "secret_scanning_alert", "secret_compromise", "firing", 0.9),
    "one that is public": (secret("publicly_leaked"), "secret_scanning_alert", "secret_compromise", "firing", 0.9),
    "one that lets nobody in": (secret(validity="inactive"), "secret_scanning_alert", "secret_compromise", "firing", 0.5),
    "one that was dealt with": (secret("resolved"), "secret_scanning_alert", "secret_compromise", "resolved", 0.9),
    "a vulnerable dependency": (dependabot(), "dependabot_alert", "supply_chain_cve", "firing", 0.8),
    "one of development": (dependabot(scope="development"), "dependabot_alert", "supply_chain_cve", "firing", 0.5),
    "a low one": (dependabot(severity="low"), "dependabot_alert", "supply_chain_cve", "firing", 0.3),
    "one that is fixed": (dependabot("fixed"), "dependabot_alert", "supply_chain_cve", "resolved", 0.8),
    "one that was withdrawn": (dependabot(withdrawn="2026-11-30T11:00:00Z"), "dependabot_alert", "supply_chain_cve", "resolved", 0.8),
    "an advisory of ours": (advisory(), "repository_advisory", "supply_chain_cve", "firing", 0.8),
    "it was withdrawn": (advisory(withdrawn="2026-11-30T11:00:00Z"), "repository_advisory", "supply_chain_cve", "resolved", 0.8),
    "one of the world": (of_the_world(), "security_advisory", "supply_chain_cve", "firing", 0.5),
    "it was withdrawn as well": (of_the_world("withdrawn"), "security_advisory", "supply_chain_cve", "resolved", 0.5),
}


@pytest.mark.parametrize("name", OPENED)
def test_an_event_of_github_is_for_its_playbook(name: str) -> None:
    event, kind, playbook, status, confidence = OPENED[name]
    found = case(event, f"github.{kind}")
    assert (found.info.name, found.alert.status) == (playbook, status)
    assert float(found.alert.labels["confidence"]) == confidence and found.incident.confidence == confidence
    assert kind == "security_advisory" or found.incident.service == "api"


def test_what_opens_and_what_ends_it_are_one_alert() -> None:
    """Also when they are read again from what was kept."""
    first, last = case(secret(), "github.secret_scanning_alert"), case(secret("resolved"), "github.secret_scanning_alert")
    assert first.record.id == last.record.id
    again = case(redact_body(as_sent(secret())), "github.secret_scanning_alert")
    assert again.record.id == first.record.id and first.alert.labels["kind"] == again.alert.labels["kind"] == "OpenAI API Key"
    assert first.alert.name == "GitHubSecretFound" and "exposure" not in first.alert.labels
    assert case(secret(publicly_leaked=True), "github.secret_scanning_alert").alert.labels["exposure"] == "public"
    other = case(secret(number=43), "github.secret_scanning_alert")
    assert other.record.id != first.record.id


def test_an_advisory_is_one_incident_whoever_tells_of_it() -> None:
    assert case(dependabot(), "github.dependabot_alert").alert.dedup_key == "supply_chain_cve/api/GHSA-q2x7-8rv6-6q7h"


@pytest.mark.parametrize("action", ["assigned", "unassigned"])
def test_what_is_nobodys_business_is_only_kept(action: str) -> None:
    assert case(secret(action), "github.secret_scanning_alert").incident.confidence == 0


UNKNOWN = {
    "an action that nobody has described": (secret("teleported"), "github.secret_scanning_alert", "nobody has said what teleported means"),
    "no action": ({"alert": {}}, "github.dependabot_alert", "an event without an action"),
    "an event that nobody has described": ({"action": "created"}, "github.package", "take it out of the webhook"),
    "no identity": ({**secret(), "alert": {}}, "github.secret_scanning_alert", "does not say alert.number"),
    "no object": ([1, 2], "github.dependabot_alert", "it is no object"),
    "no JSON": (b"hello", "github.dependabot_alert", "not JSON"),
    "a source that is described no more": ({}, "gone", "nobody knows any more"),
    "nested deep": (b"[" * 200_000, "github.dependabot_alert", "nested too deep"),
    "hits that are no list": ({"hits": 3}, "dlp", "there is no list of events at hits"),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_is_not_described_is_kept_and_said(name: str) -> None:
    event, source, why = UNKNOWN[name]
    found = case(event, source)
    assert (found.info.name, found.alert.name) == ("triage", UNREADABLE) and why in found.alert.summary


def test_a_repository_that_is_of_no_service_is_for_people_to_place() -> None:
    found = case(secret(), "github.secret_scanning_alert", Known())
    assert found.info.name == "triage" and "that of no service" in found.incident.title


def test_a_dlp_tells_of_several_hits_and_each_is_read_by_itself() -> None:
    hits = [
        {"id": "h1", "state": "open", "asset": {"service": "api"}, "rule": {"name": "cards", "confidence": "high"}, "count": 3},
        {"id": "h2", "state": "closed", "asset": {"service": "api"}, "rule": {"name": "cards"}, "seen_at": "2026-11-30T11:00:00"},
        {"id": "h3", "state": "open", "asset": {"service": "api"}, "rule": {"name": "mail", "confidence": "low"}},
        {"id": "h4", "state": "lost"},
        {"state": "open"},
    ]
    found, why = cases_in(delivery(json.dumps({"hits": hits}).encode(), "dlp"), OURS)
    assert [one.alert.status for one in found] == ["firing", "resolved", "firing", "firing"] and not why
    assert found[0].incident.title == "cards in api: 3 matches" and found[2].incident.confidence == 0.3
    assert found[3].alert.name == UNREADABLE and "event 4: nobody has said what lost means; event 5" in found[3].alert.summary


def test_what_names_no_playbook_goes_by_the_routing_table() -> None:
    bare = DLP.model_copy(update={"fixed": {}})
    route = AlertRoute(match={"rule": "cards"}, playbook="tenant_isolation")
    known = Known(sources={"dlp": bare}, routes=(route,))
    hit = {"hits": [{"id": "h1", "state": "open", "asset": {"service": "api"}, "rule": {"name": "cards"}}]}
    assert case(hit, "dlp", known).info.name == "tenant_isolation"


def test_an_event_of_two_megabytes_is_said_and_its_beginning_kept() -> None:
    (found,), why = cases_in(delivery(b"x" * LONGEST_BODY, "dlp", truncated=True), OURS)
    assert found.alert.name == UNREADABLE and "longer than" in why


def test_no_word_of_an_event_gets_further_than_it_should() -> None:
    loud = {
        "hits": [{"id": "h1", "state": "open", "asset": {"service": "api"}, "rule": {"name": "card of dana@example.com, token=hunter2"}}]
    }
    assert not any(word in f"{case(loud, 'dlp')}" for word in ("hunter2", "dana@"))


def test_every_mapping_of_github_names_what_makes_two_events_the_same() -> None:
    assert all(one.identity and one.firing and 0 < one.confidence <= 1 for one in EVENTS.values())
