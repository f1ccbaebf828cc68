"""What a post-mortem has at its end: links, questions and decisions, who was told what, effects, what changed, and the same by hand."""

import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from pydantic import JsonValue

from activities.action import Entry
from activities.ledger.effects import Done
from starters.postmortem.paper import code, listing, text
from starters.screens.text import span
from workflows.incident import AcceptedAnswer, Question
from workflows.status import Status

LINK = re.compile(r"https?://[^\s<>\"'`|]+")
LINKS = 50  # at most; the timeline has the others
DIFF_LINES = 60  # of one effect
TOLD = ("paged", "acknowledged", "room", "ticket", "published", "overdue", "not sent", "vacant", "nobody", "escalated", "severity")


def blocks(
    status: Status, entries: Sequence[Entry], effects: Sequence[Done], dashboards: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Each part under the name of its block. `dashboards`: the organisation's, by name."""
    return {
        "links": _links(status, entries, effects, dashboards or {}),
        "decisions": _decisions(status),
        "comms": _comms(entries),
        "measures": _measures(status),
        "effects": _effects(effects),
        "diffs": _diffs(effects),
        "by_hand": _by_hand(effects),
    }


def _links(status: Status, entries: Iterable[Entry], effects: Iterable[Done], dashboards: Mapping[str, str]) -> str:
    """The room, the ticket, the dashboards, and every address that the record has."""
    found = [f"- {name}: {text(where)}" for name, where in (("Room", status.room), ("Ticket", status.ticket)) if where]
    found += [
        f"- Dashboard {text(name)}: {text(where)}" if name != where else f"- Dashboard: {text(where)}" for name, where in dashboards.items()
    ]
    said = [*((f"{e.at:%H:%M:%S} {e.kind}", e.text) for e in entries), *((d.verb, json.dumps(d.after)) for d in effects)]
    newest = {where.rstrip(".,;:)]"): whence for whence, words in reversed(said) for where in LINK.findall(words)}
    found += [f"- {text(whence)}: {text(where)}" for where, whence in reversed(list(newest.items())[:LINKS])]
    return "\n".join(found) or "- none is on record"


def _comms(entries: Iterable[Entry]) -> str:
    """Who was told what, and when: pages, room, ticket, status page; and what was overdue or did not get through."""
    return "\n".join(f"- {_clock(e.at)} {text(e.kind)} — {text(e.text)}" for e in entries if e.kind in TOLD) or "- nobody was told anything"


def _measures(status: Status) -> str:
    lines = [
        f"- {text(m.name)} {text(m.target)}, since {_clock(m.since)}, lifted by {text(m.lifts_by)}, held by {text(m.held_by or 'nobody')}"
        for m in status.in_force
    ]
    return "\n".join(lines) or "- none"


def _effects(effects: Sequence[Done]) -> str:
    head = ["| at (UTC) | verb | target | outcome | proven by | question | tries |", "|---|---|---|---|---|---|---|"]
    return "\n".join([*head, *map(_row, effects)]) if effects else "- none"


def _row(done: Done) -> str:
    return " | ".join(
        (
            f"| {_clock(done.last_at)}", text(done.verb), text(done.target), done.outcome, text(done.proven_by or done.why or "–"),
            str(done.question or "–"), f"{done.attempts} |",
        )
    )  # fmt: skip


def _diffs(effects: Iterable[Done]) -> str:
    """What each effect changed, as the systems showed it before and after."""
    shown = [(done, _diff(done.before, done.after)) for done in effects]
    return (
        "\n\n".join(f"{_clock(d.last_at)} {text(d.verb)} {text(d.target)}:\n\n{listing(lines, 'diff')}" for d, lines in shown if lines)
        or "- none"
    )


def _diff(before: dict[str, JsonValue], after: dict[str, JsonValue]) -> list[str]:
    if not before or before == after:
        return []
    old, new = (json.dumps(state, indent=1, sort_keys=True, ensure_ascii=False).splitlines() for state in (before, after))
    lines = [line for line in difflib.ndiff(old, new) if line[:1] in "+-"]
    return lines if len(lines) <= DIFF_LINES else [*lines[:DIFF_LINES], f"({len(lines) - DIFF_LINES} more lines)"]


def _by_hand(effects: Iterable[Done]) -> str:
    """The same by hand, so that a reader can repeat it."""
    return "\n".join(f"- {text(done.verb)}: {code(command)}" for done in effects for command in done.by_hand) or "- nothing was changed"


def _decisions(status: Status) -> str:
    return "\n".join(_decision(question) for question in status.questions) or "- nothing was asked"


def _decision(q: Question) -> str:
    waited = f" after {span(q.closed_at - q.asked_at)}" if q.closed_at else ""
    answers = "; ".join(_said(given) for given in q.answers) or "nobody answered"
    return f"- [{q.number}] {text(q.asks)} ({q.risk.label}) — **{q.state}**{waited}: {answers}"


def _said(given: AcceptedAnswer) -> str:
    how = "verified" if given.verified else "**self-declared**, not verified"
    role = f" as {given.role.title}" if given.role else ""
    reason = f": “{text(given.reason)}”" if given.reason else ""
    return f"{given.verdict} by {text(given.by)}{role} ({how}) at {given.at:%H:%M:%S}{reason}"


def _clock(instant: datetime) -> str:
    return f"{instant:%m-%d %H:%M:%S}"
