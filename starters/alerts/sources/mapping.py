"""From an event to a report, by a mapping that is data (`[sources.<name>]`, `github.py`). What it does not describe is kept and said."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from activities.kit.words.redact import HIDDEN, redact_fields
from activities.organisation.routing import AlertSource, EventMapping
from starters.alerts.cases import Report, Unreadable, one_line

MOST_EVENTS = 200  # of one body
MISSING = "(not said)"
PLACE = re.compile(r"\{([\w.-]+)\}")
NOTED = "0"  # so sure that nobody is told


def read(raw: bytes, mapped: EventMapping, received_at: datetime) -> tuple[list[Report], list[str]]:
    """The events of a body, and a sentence about each that cannot be read. Raises `Unreadable` if it is no JSON of that kind."""
    whole = parsed(raw)
    events = found_at(whole, mapped.each) if isinstance(mapped, AlertSource) and mapped.each else [whole]
    if not isinstance(events, list):
        raise Unreadable(f"there is no list of events at {getattr(mapped, 'each', '')}")
    reports, strange = list[Report](), list[str]()
    if len(events) > MOST_EVENTS:
        strange.append(f"{len(events) - MOST_EVENTS} events more than are read of one body")
    for nth, event in enumerate(events[:MOST_EVENTS]):
        try:
            reports.append(_report(event, mapped, received_at))
        except Unreadable as why:
            strange.append(f"event {nth + 1}: {why}" if len(events) > 1 else str(why))
    return reports, strange


def parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw, parse_constant=_no_number)
    except RecursionError:
        raise Unreadable("the JSON is nested too deep") from None
    except ValueError as wrong:
        raise Unreadable(f"the body is not JSON: {wrong}") from None


def found_at(event: Any, path: str) -> Any:
    """What stands at a dotted path; None: nothing."""
    for part in path.split("."):
        if isinstance(event, Mapping):
            event = event.get(part)
        elif isinstance(event, list) and part.isdecimal() and int(part) < len(event):
            event = event[int(part)]
        else:
            return None
    return event


def _report(event: Any, mapped: EventMapping, received_at: datetime) -> Report:
    if not isinstance(event, Mapping):
        raise Unreadable("it is no object")
    action = _text(event, mapped.action)
    named = {*mapped.firing, *mapped.resolved, *mapped.noted}
    if named and action not in named:
        raise Unreadable(f"nobody has said what {one_line(action or 'an event without an action', 60)} means")
    identity = [_text(event, path) for path in mapped.identity]
    if not all(identity):
        raise Unreadable(f"it does not say {' or '.join(path for path, said in zip(mapped.identity, identity, strict=True) if not said)}")
    over = action in mapped.resolved or bool(mapped.ended_by and found_at(event, mapped.ended_by))
    said = {name: _called(mapped, name, _text(event, path)) for name, path in mapped.labels.items()}
    playbook = {"playbook": mapped.playbook} if mapped.playbook else {}
    sure = NOTED if action in mapped.noted else f"{_confidence(event, mapped):g}"
    labels = {**said, **mapped.fixed, **playbook, "confidence": sure, "action": action}
    summary = PLACE.sub(lambda place: _text(event, place[1]) or MISSING, mapped.summary)
    return Report(
        status="resolved" if over else "firing",
        labels=redact_fields({one_line(name, 100): one_line(text, 300) for name, text in labels.items() if text}),
        summary=one_line(summary, 200), starts_at=_since(event, mapped, received_at), fingerprint=json.dumps(identity),
    )  # fmt: skip


def _called(mapped: EventMapping, label: str, text: str) -> str:
    return mapped.words[label].get(text, "") if label in mapped.words else text


def _text(event: Any, path: str) -> str:
    """A word or a number; what was hidden when it was kept is not there."""
    found = found_at(event, path)
    if isinstance(found, bool):
        return "true" if found else "false"
    return str(found) if isinstance(found, str | int | float) and found != HIDDEN else ""


def _confidence(event: Any, mapped: EventMapping) -> float:
    """The least that any path says; what it does not describe counts for itself."""
    return min((says[word] for path, says in mapped.unsure.items() if (word := _text(event, path)) in says), default=mapped.confidence)


def _since(event: Any, mapped: EventMapping, received_at: datetime) -> datetime:
    for path in mapped.since:
        try:
            at = datetime.fromisoformat(_text(event, path))
        except ValueError:
            continue
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    return received_at


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number")
