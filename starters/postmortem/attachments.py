"""What a post-mortem has at its end: links, questions and decisions, who was told what, effects, what changed, and the same by hand."""

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from pydantic import JsonValue

from activities.ledger.custody import ManifestLine
from activities.ledger.effects import Done
from activities.ledger.entry import Entry
from starters.postmortem.paper import code, listing, text
from starters.screens.text import span
from workflows.incident import AcceptedAnswer, Question
from workflows.status import Status

LINK = re.compile(r"https?://[^\s<>\"'`|]+")
LINKS = 50  # at most; the timeline has the others
DIFF_LINES = 60  # of one effect
TOLD = ("paged", "acknowledged", "room", "ticket", "published", "overdue", "not sent", "vacant", "nobody", "escalated", "severity")


def blocks(status: Status, entries: Sequence[Entry], effects: Sequence[Done], dashboards: Mapping[str, str]) -> dict[str, str]:
    """Each part under the name of its block. `dashboards`: the organisation's, by name."""
    changed = [(done, lines) for done in effects if (lines := _diff(done.before, done.after))]
    measures = (
        f"- {text(m.name)} {text(m.target)}, since {_clock(m.since)}, lifted by {text(m.lifts_by)}, held by {text(m.held_by or 'nobody')}"
        for m in status.in_force
    )
    parts: dict[str, tuple[Iterable[str], str]] = {
        "links": (_links(status, entries, effects, dashboards), "- none is on record"),
        "decisions": (map(_decision, status.questions), "- nothing was asked"),
        "comms": ((f"- {_clock(e.at)} {text(e.kind)} — {text(e.text)}" for e in entries if e.kind in TOLD), "- nobody was told anything"),
        "measures": (measures, "- none"),
        "effects": (_table(effects), "- none"),
        "diffs": (
            (f"{_clock(d.last_at)} {text(d.verb)} {text(d.target)}:\n\n{listing(lines, 'diff')}\n" for d, lines in changed),
            "- none",
        ),
        "by_hand": ((f"- {text(done.verb)}: {code(typed)}" for done in effects for typed in done.by_hand), "- nothing was changed"),
    }
    return {name: "\n".join(lines).rstrip("\n") or otherwise for name, (lines, otherwise) in parts.items()}


def evidence(manifest: Sequence[ManifestLine]) -> str:
    """What was kept, where, under which hash, and who has handled it. Never what it holds."""
    lines = (
        f"- {_clock(line.at)} {text(line.asset)}, {line.bytes} bytes, sha256 {code(line.sha256)}, at {code(line.location)}; "
        f"{text(line.protection)}; until {line.held_until:%Y-%m-%d}; "
        + ", ".join(f"{one.act} {_clock(one.at)} by {text(one.who)}" for one in line.custody)
        for line in manifest
    )
    return "\n".join(lines) or "- nothing is on the manifest"


def _links(status: Status, entries: Iterable[Entry], effects: Iterable[Done], dashboards: Mapping[str, str]) -> Iterator[str]:
    """The room, the ticket, the dashboards, and every address that the record has."""
    yield from (f"- {name}: {text(where)}" for name, where in (("Room", status.room), ("Ticket", status.ticket)) if where)
    for name, where in dashboards.items():
        yield f"- Dashboard {text(name)}: {text(where)}" if name != where else f"- Dashboard: {text(where)}"
    said = [*((f"{e.at:%H:%M:%S} {e.kind}", e.text) for e in entries), *((d.verb, json.dumps(d.after)) for d in effects)]
    newest = {where.rstrip(".,;:)]"): whence for whence, words in reversed(said) for where in LINK.findall(words)}
    yield from (f"- {text(whence)}: {text(where)}" for where, whence in reversed(list(newest.items())[:LINKS]))


def _decision(q: Question) -> str:
    waited = f" after {span(q.closed_at - q.asked_at)}" if q.closed_at else ""
    return (
        f"- [{q.number}] {text(q.asks)} ({q.risk.label}) — **{q.state}**{waited}: {'; '.join(map(_said, q.answers)) or 'nobody answered'}"
    )


def _said(given: AcceptedAnswer) -> str:
    how = "verified" if given.verified else "**self-declared**, not verified"
    role = f" as {given.role.title}" if given.role else ""
    reason = f": “{text(given.reason)}”" if given.reason else ""
    return f"{given.verdict} by {text(given.by)}{role} ({how}) at {given.at:%H:%M:%S}{reason}"


def _table(effects: Sequence[Done]) -> Iterator[str]:
    if effects:
        yield from ("| at (UTC) | verb | target | outcome | proven by | question | tries |", "|---|---|---|---|---|---|---|")
    for done in effects:
        proof, question = text(done.proven_by or done.why or "–"), done.question or "–"
        yield f"| {_clock(done.last_at)} | {text(done.verb)} | {text(done.target)} | {done.outcome} | {proof} | {question} | {done.attempts} |"


def _diff(before: dict[str, JsonValue], after: dict[str, JsonValue]) -> list[str]:
    """What an effect changed, as the system showed it before and after."""
    if not before or before == after:
        return []
    old, new = (json.dumps(state, indent=1, sort_keys=True, ensure_ascii=False).splitlines() for state in (before, after))
    lines = [line for line in difflib.ndiff(old, new) if line[:1] in "+-"]
    return lines if len(lines) <= DIFF_LINES else [*lines[:DIFF_LINES], f"({len(lines) - DIFF_LINES} more lines)"]


def _clock(instant: datetime) -> str:
    return f"{instant:%m-%d %H:%M:%S}"
