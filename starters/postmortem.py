"""The draft of the blameless post-mortem, in the seed's headings (§4.2), from the record.

What we write stands between `<!-- generated:NAME -->` and `<!-- /generated:NAME HASH -->`. Drafting again renews only what still is as we
wrote it: text outside those marks, and a block that somebody edited or took out, stays theirs.
"""

import hashlib
import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from pydantic import JsonValue

from activities.action import Entry, Role
from activities.ledger import PROVEN, Done
from starters.text import plain, span
from workflows.incident import Given, Question, QuestionKind, QuestionState, Status, Step, StepState, Task

BUSINESS_DAYS = 5  # the seed's deadline for the post-mortem
BLOCK = re.compile(r"<!-- generated:(?P<name>[\w-]+) -->\n(?P<body>.*?)\n?<!-- /generated:(?P=name) (?P<hash>[0-9a-f]{12}) -->", re.DOTALL)

SKELETON = """# Post-mortem: {title}

{head}

## Summary
{summary}

What happened, why it mattered and what users noticed, in your words:

## Timeline (UTC)
{timeline}

### Questions, and who answered
{decisions}

## Root Causes & Contributing Factors
- Primary:
- Contributing:

{causes}

## What Went Well / What Didn’t
- +
- –

{experience}

## Remediations (DOR/owner/date)
{remediations}

## Attachments
Dashboards, traces, diffs, PRs:

{attachments}
"""


def draft(status: Status, entries: Sequence[Entry], effects: Sequence[Done], before: str = "", source: str = "the ledger") -> str:
    """The document. `before` is the one that people may have worked on: what they wrote in it stays."""
    blocks = {
        "head": _head(status, source),
        "summary": _summary(status),
        "timeline": _timeline(entries),
        "decisions": _decisions(status),
        "causes": _causes(status, entries),
        "experience": _experience(status, entries, effects),
        "remediations": _remediations(status),
        "attachments": _attachments(status, effects),
    }
    if BLOCK.search(before):
        return BLOCK.sub(lambda found: _renewed(found, blocks), before)
    marked = {name: _marked(name, body) for name, body in blocks.items()}
    fresh = SKELETON.format(title=_text(f"{status.incident_id} {status.title}"), **marked)
    return f"{before.rstrip()}\n\n{fresh}" if before.strip() else fresh


def facts(status: Status, entries: Sequence[Entry], effects: Sequence[Done]) -> dict[str, JsonValue]:
    """The numbers of the post-mortem, for programs. Durations in real seconds; `None` where it has not come to that."""
    return {
        "severity": int(status.severity),
        "peak_severity": int(status.peak_severity),
        "state": status.state.value,
        **{name: gap.total_seconds() if gap is not None else None for name, gap in _times(status).items()},
        "due": _due(status).isoformat() if status.resolved_at else None,
        "entries": len(entries),
        "questions": len(status.questions),
        "answers_verified": sum(given.verified for q in status.questions for given in q.given),
        "answers_self_declared": sum(not given.verified for q in status.questions for given in q.given),
        "measures_in_force": len(status.in_force),
        "effects": sum(done.outcome in PROVEN for done in effects),
        "effects_not_proven": sum(done.outcome not in PROVEN for done in effects),
        "follow_ups": len(status.follow_ups),
    }


def business_days_after(start: date, days: int) -> date:
    """The day that many business days later; the first day does not count. Weekends only: holidays are the owner's country's."""
    day = start
    while days:
        day += timedelta(days=1)
        days -= day.weekday() < 5
    return day


def _marked(name: str, body: str) -> str:
    return f"<!-- generated:{name} -->\n{body}\n<!-- /generated:{name} {_seal(body)} -->"


def _seal(body: str) -> str:
    return hashlib.sha256(body.strip().encode()).hexdigest()[:12]


def _renewed(found: re.Match[str], blocks: dict[str, str]) -> str:
    untouched = _seal(found["body"]) == found["hash"]
    return _marked(found["name"], blocks[found["name"]]) if untouched and found["name"] in blocks else found[0]


def _text(said: object) -> str:
    """Text from outside as it may stand in markdown: it opens no comment, no link and no table cell."""
    return re.sub(r"([\\`*|]|\](?=[(\[:]))", r"\\\1", plain(said).replace("&", "&amp;").replace("<", "&lt;"))


def _code(command: str) -> str:
    """A command word for word."""
    shown = plain(command).replace("-->", "-- >")
    fence = "`" * (max(map(len, re.findall(r"`+", shown)), default=0) + 1)
    return f"{fence}{shown}{fence}" if len(fence) == 1 else f"{fence} {shown} {fence}"


def _times(status: Status) -> dict[str, timedelta | None]:
    """The four that everybody asks for."""
    onset = status.started_at or status.declared_at
    return {
        "detected_seconds": status.declared_at - onset,
        "acknowledged_seconds": status.acknowledged_at - status.declared_at if status.acknowledged_at else None,
        "mitigated_seconds": status.mitigated_at - onset if status.mitigated_at else None,
        "resolved_seconds": status.resolved_at - onset if status.resolved_at else None,
    }


def _due(status: Status) -> date:
    return business_days_after((status.resolved_at or status.updated_at).date(), BUSINESS_DAYS)


def _head(status: Status, source: str) -> str:
    peak = f" (at its worst {status.peak_severity.label})" if status.peak_severity != status.severity else ""
    due = f"{_due(status)} ({BUSINESS_DAYS} business days after it was resolved)" if status.resolved_at else "not yet: it is not resolved"
    crew = {role: who for role, who in status.roles.items() if who and role is not Role.INCIDENT_COMMANDER}
    playbook = f"playbook §{status.section} {status.playbook}"
    return "\n".join(
        (
            f"- **Incident:** {status.incident_id} · {playbook} · {status.severity.label}{peak} · {status.state}",
            f"- **Commander:** {_text(status.commander or 'nobody')}"
            + "".join(f" · **{role.title}:** {_text(who)}" for role, who in crew.items()),
            f"- **Due:** {due}",
            f"- **Drafted from:** {_text(source)}, version {status.version}, {status.entries} timeline entries",
        )
    )


def _summary(status: Status) -> str:
    rows = [
        f"| Time to {name} | {span(gap) if gap is not None else '–'} | {'from declaration' if name == 'acknowledge' else 'from onset'} |"
        for name, gap in zip(("detect", "acknowledge", "mitigate", "resolve"), _times(status).values(), strict=True)
    ]
    pace = [f"\nDurations are real ones; the pace was ×{status.pace:g}."] if status.pace != 1 else []
    because = f" {status.severity.label} because {_text('; '.join(status.because))}." if status.because else ""
    return "\n".join(
        [
            f"{_text(status.title)} on {_text(status.service or 'a scope nobody named')}, reported by {_text(status.source or 'a person')}"
            f" with {status.alerts} alerts.{because}{' Outcome: ' + _text(status.outcome) + '.' if status.outcome else ''}",
            "",
            "| | | |",
            "|---|---|---|",
            *rows,
            *pace,
        ]
    )


def _timeline(entries: Sequence[Entry]) -> str:
    days = {entry.at.date() for entry in entries}
    form = "%H:%M:%S" if len(days) <= 1 else "%m-%d %H:%M:%S"
    first = [f"On {min(days)}:"] if len(days) == 1 else []
    return "\n".join([*first, *(_line(entry, form) for entry in entries)]) or "- nothing is on the record"


def _line(entry: Entry, form: str) -> str:
    by = "" if entry.by == "automation" else f" ({_text(entry.by)})"
    return f"- {entry.at:{form}} {_text(entry.kind)} — {_text(entry.text)}{by}"


def _decisions(status: Status) -> str:
    return "\n".join(_decision(question) for question in status.questions) or "- nothing was asked"


def _decision(q: Question) -> str:
    waited = f" after {span(q.closed_at - q.asked_at)}" if q.closed_at else ""
    answers = "; ".join(_said(given) for given in q.given) or "nobody answered"
    return f"- [{q.number}] {_text(q.asks)} ({q.risk.label}) — **{q.state}**{waited}: {answers}"


def _said(given: Given) -> str:
    how = "verified" if given.verified else "**self-declared**, not verified"
    role = f" as {given.role.title}" if given.role else ""
    reason = f": “{_text(given.reason)}”" if given.reason else ""
    return f"{given.verdict} by {_text(given.by)}{role} ({how}) at {given.at:%H:%M:%S}{reason}"


def _causes(status: Status, entries: Sequence[Entry]) -> str:
    noted = [entry for entry in entries if entry.kind == "hypothesis"]
    guesses = [f"- said at {entry.at:%H:%M:%S} by {_text(entry.by)}: {_text(entry.text)}" for entry in noted]
    because = [f"- severity: {_text(reason)}" for reason in status.because]
    return "\n".join(["Hypotheses and facts on record:", *(guesses or ["- no hypothesis was noted"]), *because])


def _experience(status: Status, entries: Sequence[Entry], effects: Sequence[Done]) -> str:
    good, bad = _went_well(status, effects), _went_badly(status, entries, effects)
    return "\n".join(["Facts to start from:", *(f"- + {fact}" for fact in good), *(f"- – {fact}" for fact in bad)])


def _went_well(status: Status, effects: Sequence[Done]) -> list[str]:
    gaps, proven = _times(status), [done for done in effects if done.outcome in PROVEN]
    adopted = sum(done.adopted for done in proven)
    acknowledged, mitigated = gaps["acknowledged_seconds"], gaps["mitigated_seconds"]
    return [
        *([f"acknowledged {span(acknowledged)} after declaration"] if acknowledged is not None else []),
        *([f"mitigated {span(mitigated)} after onset"] if mitigated is not None else []),
        *([f"{len(proven)} effects, each read back from the system concerned"] if proven else []),
        *([f"{adopted} of them were found done already and adopted"] if adopted else []),
        *(["nothing we imposed is left in force"] if status.resolved_at and not status.in_force else []),
    ]


def _went_badly(status: Status, entries: Sequence[Entry], effects: Sequence[Done]) -> list[str]:
    answered = [(q.closed_at - q.asked_at, q) for q in status.questions if q.closed_at]
    longest = max(answered, key=lambda pair: pair[0], default=None)
    unverified = sum(not given.verified for q in status.questions for given in q.given)
    overdue = sum(entry.kind == "overdue" for entry in entries)
    return [
        *([f"longest wait for an answer: {span(longest[0])}, question {longest[1].number}"] if longest else []),
        *(f"question {q.number} was {q.state}: {_text(q.asks)}" for q in status.questions
          if q.state in (QuestionState.EXPIRED, QuestionState.DECLINED) or (q.kind is QuestionKind.REPAIR and not q.open)),
        *([f"{unverified} answers are self-declared: nobody proved who gave them"] if unverified else []),
        *(_failed(step) for step in status.steps if step.state in (StepState.FAILED, StepState.SKIPPED)),
        *(f"not proven: {_text(done.verb)} {_text(done.target)}: {done.outcome} {_text(done.why)}" for done in effects
          if done.outcome not in PROVEN),
        *([f"updates were overdue {overdue} times"] if overdue else []),
        *(f"still in force: {_text(m.name)} {_text(m.target)}, held by {_text(m.held_by or 'nobody')}" for m in status.in_force),
    ]  # fmt: skip


def _failed(step: Step) -> str:
    return f"{_text(step.verb)} {_text(step.target)} {step.state}: {_text(step.result)}"


def _remediations(status: Status) -> str:
    due = _due(status).isoformat() if status.resolved_at else "date"
    lines = [*(_to_do(task, status, due) for task in status.follow_ups), *(_to_do(task, status, due) for task in status.tasks)]
    return "\n".join(lines) or "- [ ] nothing came out of the playbook — Owner — date"


def _to_do(task: Task, status: Status, due: str) -> str:
    who = status.roles.get(task.owner, "")
    when = due if not task.due or "business day" in task.due else plain(task.due)
    return f"- [ ] {_text(task.text)} — {task.owner.title}{f' ({_text(who)})' if who else ''} — {_text(when)}"


def _attachments(status: Status, effects: Sequence[Done]) -> str:
    links = [f"- {name}: {_text(where)}" for name, where in (("Room", status.room), ("Ticket", status.ticket)) if where]
    measures = [f"- {_text(m.name)} {_text(m.target)}, since {m.since:%H:%M:%S}, lifted by {_text(m.lifts_by)}" for m in status.in_force]
    head = ["| at (UTC) | verb | target | outcome | proven by | question | tries |", "|---|---|---|---|---|---|---|"]
    return "\n".join(
        [
            *links, "", "### Measures still in force", *(measures or ["- none"]), "", "### Effects", *(head if effects else ["- none"]),
            *(_row(done) for done in effects), *_hand(effects),
        ]
    ).strip()  # fmt: skip


def _row(done: Done) -> str:
    return " | ".join(
        (
            f"| {_clock(done.last_at)}", _text(done.verb), _text(done.target), done.outcome, _text(done.proven_by or done.why or "–"),
            str(done.question or "–"), f"{done.attempts} |",
        )
    )  # fmt: skip


def _hand(effects: Sequence[Done]) -> list[str]:
    """The same by hand, so that a reader can repeat it."""
    lines = [f"- {_text(done.verb)}: {_code(command)}" for done in effects for command in done.by_hand]
    return ["", "The same by hand:", *lines] if lines else []


def _clock(instant: datetime) -> str:
    return f"{instant:%m-%d %H:%M:%S}"
