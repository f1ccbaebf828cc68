"""From an alert to its incident: which playbook it is for, which incident it joins, and what opens when no playbook knows it."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from activities.identity.codes import Codes
from activities.kit.words.escape import line, visible
from activities.kit.words.redact import redact, redact_body
from activities.ledger.inbox import AlertRecord, Delivery
from activities.organisation.routing import AlertRoute, routed
from starters import steering
from starters.openings import dedup_key
from starters.screens.text import CliError
from worker.playbooks import PlaybookInfo, discover
from workflows.incident import UNSURE, Alert, Incident, Severity, SourceEvent, incident_id

BUCKET = timedelta(minutes=30)  # unknown alerts of one source within this time join one triage incident
OBSERVE_BELOW = 0.6  # spec §2.3: an alert less sure than this is only observed
MOST_AT_ONCE = 25  # incidents that one delivery may open; the rest of it is triage
UNREADABLE = "UnreadableAlert"
FIRST_LINES, LONGEST_LINE = 3, 200  # of the text that came, as it is shown beside a question
# What rules call severity, as urgency of a page. It never feeds the severity of an incident (design §7).
URGENCY = {
    Severity.SEV1: {"critical", "page", "emergency", "fatal", "disaster", "p1", "sev1", "sev-1"},
    Severity.SEV2: {"error", "high", "major", "p2", "sev2", "sev-2"},
    Severity.SEV3: {"warning", "warn", "medium", "minor", "average", "p3", "sev3", "sev-3"},
    Severity.SEV4: {"info", "information", "low", "ticket", "notice", "p4", "sev4", "sev-4"},
}


# Labels that name an object, as orders call what they act on. The service is where it happens: it is the object where no other is named.
OBJECTS = ("flag", "feed", "route", "provider", "revision", "tenant")
ONE = re.compile(r"\w+(/[\w.@:-]+)+")  # one thing: no list and no pattern


class Unreadable(Exception):
    """A body that cannot be understood, and why."""


class Report(NamedTuple):
    """One alert as its source reported it. Its text is one line, without secrets."""

    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    summary: str
    starts_at: datetime
    fingerprint: str
    text: str = ""  # its first lines


class Case(NamedTuple):
    """An alert, the playbook it is for, and the incident it would open. `ids`: those the incident may have, if not the usual ones."""

    info: PlaybookInfo
    incident: Incident
    alert: Alert
    record: AlertRecord
    ids: tuple[str, ...] = ()

    def beginning(self, nth: int) -> "Case":
        """The same, as the alert that begins to fire for the nth time since the same instant: an incident hears of each."""
        name = f"{self.record.id}-{nth}" if nth > 1 else self.record.id
        told = name if self.record.status == "firing" else f"{name}-resolved"
        return self._replace(
            incident=self.incident.model_copy(update={"delivery": told}), alert=self.alert.model_copy(update={"delivery": told}),
            record=self.record.model_copy(update={"nth": nth}),
        )  # fmt: skip

    def sealed(self, codes: Codes) -> "Case":
        """The same, with our seal under what it says of one object: its source was checked."""
        event = self.alert.event
        if event is None:
            return self
        event = event.model_copy(update={"seal": codes.seal(event.sealed(self.alert.dedup_key))})
        return self._replace(alert=self.alert.model_copy(update={"event": event}))


def first_lines(text: str) -> str:
    """The beginning of a text from outside, line by line."""
    lines = [one_line(said, LONGEST_LINE) for said in visible(text).splitlines()]
    return "\n".join([said for said in lines if said][:FIRST_LINES])


def one_line(text: object, longest: int) -> str:
    """Text from outside as it is kept: one line, nothing that draws on a screen, no secret and no address."""
    return line(redact(line(text)), longest)


def cases_of(delivery: Delivery, reports: Iterable[Report], routes: Sequence[AlertRoute] = ()) -> list[Case]:
    """`routes`: where alerts go that name no playbook."""
    found: list[Case] = []
    keys: set[str] = set()
    for sent in reports:
        report = sent._replace(labels=routed(sent.labels, routes))
        case = _case_of(delivery, report)
        if case.alert.dedup_key not in keys and len(keys) >= MOST_AT_ONCE:
            case = _unknown(delivery, report, f"more than {MOST_AT_ONCE} incidents in one delivery")
        keys.add(case.alert.dedup_key)
        found.append(case)
    return found


def grouped(cases: Iterable[Case]) -> list[list[Case]]:
    """The alerts of each incident together, firing ones first, the gravest of them before all; each alert once."""
    groups: dict[str, dict[str, Case]] = {}
    for case in sorted(cases, key=lambda case: (case.alert.status, case.alert.urgency or UNSURE)):
        groups.setdefault(case.alert.dedup_key, {})[f"{case.record.id}{case.record.status}"] = case
    return [list(group.values()) for group in groups.values()]


def unreadable(delivery: Delivery, why: str) -> Case:
    """The triage incident that is told of what cannot be read."""
    text = first_lines(redact_body(delivery.raw).decode(errors="replace"))
    report = Report("firing", {}, one_line(why, 300), delivery.received_at, delivery.id, text)
    return _triage(delivery, report, delivery.id, why, UNREADABLE)


def _case_of(delivery: Delivery, report: Report) -> Case:
    """The incident of an alert: its label `playbook` names the playbook, its other labels the scope."""
    labels = report.labels
    try:
        info = steering.playbook(labels["playbook"])
    except KeyError:
        return _unknown(delivery, report, "the alert names no playbook")
    except CliError as unknown:
        return _unknown(delivery, report, unknown.sentence)
    # A clock that is far off is not believed, because the incident's id carries the day.
    plausible = delivery.received_at - timedelta(days=14) < report.starts_at < delivery.received_at + timedelta(minutes=5)
    incident = Incident(
        service=labels.get("service", ""), provider=labels.get("provider", ""), region=labels.get("region", ""),
        source=delivery.source, title=report.summary, confidence=_confidence(labels),
        started_at=report.starts_at.astimezone(UTC) if plausible else delivery.received_at, labels=labels,
    )  # fmt: skip
    return _case(delivery, report, _alert_id(delivery, report), info, incident, dedup_key(info, incident))


def _unknown(delivery: Delivery, report: Report, why: str) -> Case:
    """A readable alert that no playbook knows."""
    return _triage(delivery, report, _alert_id(delivery, report), f"{report.summary} ({why})")


def _triage(delivery: Delivery, report: Report, name: str, why: str, called: str = "") -> Case:
    """The triage incident of this source and half hour."""
    since = datetime.fromtimestamp(delivery.received_at.timestamp() // BUCKET.total_seconds() * BUCKET.total_seconds(), UTC)
    key = f"triage/{delivery.source}/{since:%Y-%m-%dT%H:%M}"
    incident = Incident(
        service=report.labels.get("service") or "unknown", title=one_line(why, 200), source=delivery.source, labels=report.labels,
    )  # fmt: skip
    info = discover()["triage"]
    ids = tuple(incident_id(since, info.card.short, f"{delivery.source}-{since:%H%M}", nth) for nth in range(1, 10))
    return _case(delivery, report, name, info, incident, key, called)._replace(ids=ids)


def _case(delivery: Delivery, report: Report, name: str, info: PlaybookInfo, incident: Incident, key: str, called: str = "") -> Case:
    """`name`: of this alert since this instant. `called`: what it is called, where no label says it."""
    urgency = _urgency(report.labels, info)
    alert = Alert(
        delivery=name, dedup_key=key, status=report.status, received=delivery.id, urgency=urgency,
        name=called or report.labels.get("alertname", "UnnamedAlert"), summary=report.summary, labels=report.labels,
        starts_at=report.starts_at, event=_event(delivery, report),
    )  # fmt: skip
    record = AlertRecord(
        id=name, source=delivery.source, fingerprint=one_line(report.fingerprint, 100), starts_at=report.starts_at,
        name=alert.name, dedup_key=key, status=report.status, delivery=delivery.id,
    )  # fmt: skip
    told = {"dedup_key": key, "received": delivery.id, "text": report.text, "urgency": urgency}
    return Case(info, incident.model_copy(update=told), alert, record).beginning(1)


def _event(delivery: Delivery, report: Report) -> SourceEvent | None:
    """What it says of the one object that it names. It is as old as the alert, however often that is sent."""
    of, at = object_of(report.labels), min(report.starts_at, delivery.received_at).astimezone(UTC)
    says = one_line(f"{delivery.source}: {report.summary}", LONGEST_LINE)
    return SourceEvent(of=of, says=says, at=at, confidence=_confidence(report.labels)) if of else None


def object_of(labels: Mapping[str, str]) -> str:
    """The one object that the labels name; empty where there is none, or more than one."""
    named = [f"{kind}/{labels[kind]}" for kind in OBJECTS if labels.get(kind)]
    named += [f"credential/{labels['inventory_id']}"] if labels.get("inventory_id") else []  # a label called "credential" is hidden whole
    if not named and labels.get("service"):
        named = ["/".join(filter(None, ("service", labels["service"], labels.get("region"))))]
    return named[0] if len(named) == 1 and ONE.fullmatch(named[0]) else ""


def _urgency(labels: dict[str, str], info: PlaybookInfo) -> Severity:
    """How urgently it pages: as its rule says; without a word about it, as the playbook that it is for."""
    said = {labels.get(name, "").strip().casefold() for name in ("severity", "priority")}
    return min((urgency for urgency, words in URGENCY.items() if words & said), default=info.card.floor)


def _confidence(labels: dict[str, str]) -> float:
    """How sure the rule is (spec §2.3). Without the label it is sure; with a wrong value it is only a suggestion."""
    try:
        said = float(labels.get("confidence", "1"))
    except ValueError:
        said = float("nan")
    return said if 0 <= said <= 1 else OBSERVE_BELOW


def _alert_id(delivery: Delivery, report: Report) -> str:
    """One alert since one instant, whatever else was in the body that brought it."""
    told = json.dumps([delivery.source, report.fingerprint, report.starts_at.isoformat()])
    return f"a-{hashlib.sha256(told.encode()).hexdigest()[:20]}"
