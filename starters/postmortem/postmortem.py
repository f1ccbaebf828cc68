"""The draft of the blameless post-mortem, in the seed's headings (§4.2), from the record.

What we write stands between `<!-- generated:NAME -->` and `<!-- /generated:NAME HASH -->`. Drafting again renews only what still is as we
wrote it: text outside those marks, and a block that somebody edited or took out, stays theirs.
"""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from pydantic import JsonValue

from activities.action import Entry, Refused, Role
from activities.ledger.ledger import PROVEN, Done
from activities.organisation.business_days import business_days_after, day_of
from activities.organisation.people import Roster
from activities.organisation.policy import Policy
from starters.postmortem import attachments, paper
from starters.postmortem.paper import text
from starters.screens.checklist import in_words
from starters.screens.text import span
from workflows.incident import QuestionKind, QuestionState
from workflows.status import ItemState, Status, Step, StepState, Task

SKELETON = """# Post-mortem: {title}

{head}

## Summary
{summary}

What happened, why it mattered and what users noticed, in your words:

### Impact
{impact}

## Timeline (UTC)
{timeline}

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

{links}

### Questions and decisions
{decisions}

### Communications
{comms}

### Measures still in force
{measures}

### Effects
{effects}

### What was changed, from → to
{diffs}

### The same by hand
{by_hand}
"""


class House(NamedTuple):
    """Whose document it is: the numbers, who holds which role in which country, and where people look."""

    policy: Policy = Policy()
    roster: Roster = Roster()
    dashboards: dict[str, str] = {}


DEFAULTS = House()


def draft(
    status: Status, entries: Sequence[Entry], effects: Sequence[Done], before: str = "", source: str = "the ledger", house: House = DEFAULTS
) -> str:
    """The document. `before` is the one that people may have worked on: what they wrote in it stays."""
    blocks = {
        "head": _head(status, source, house),
        "summary": _summary(status),
        "impact": _impact_words(status, entries),
        "timeline": _timeline(entries),
        "causes": _causes(status, entries),
        "experience": _experience(status, entries, effects),
        "remediations": _remediations(status, house),
        **attachments.blocks(status, entries, effects, house.dashboards),
    }
    return paper.renewed(before, blocks, SKELETON, title=text(f"{status.incident_id} {status.title}"))


def facts(status: Status, entries: Sequence[Entry], effects: Sequence[Done], house: House = DEFAULTS) -> dict[str, JsonValue]:
    """The numbers of the post-mortem, for programs. Durations in real seconds; `None` where it has not come to that, or nobody knows."""
    return {
        "severity": int(status.severity),
        "peak_severity": int(status.peak_severity),
        "state": status.state.value,
        **{name: gap.total_seconds() if gap is not None else None for name, gap in _times(status).items()},
        "due": _due(status, house, Role.INCIDENT_COMMANDER).day.isoformat() if status.resolved_at else None,
        "impact": impact(status, entries)._asdict(),
        "checklist_missed": [tick.key for tick in status.checklist if tick.state is ItemState.MISSED],
        "checklist_late": [tick.key for tick in status.checklist if tick.state is ItemState.LATE],
        "entries": len(entries),
        "questions": len(status.questions),
        "answers_verified": sum(given.verified for q in status.questions for given in q.answers),
        "answers_self_declared": sum(not given.verified for q in status.questions for given in q.answers),
        "measures_in_force": len(status.in_force),
        "effects": sum(done.outcome in PROVEN for done in effects),
        "effects_not_proven": sum(done.outcome not in PROVEN for done in effects),
        "follow_ups": len(status.follow_ups),
    }


def _times(status: Status) -> dict[str, timedelta | None]:
    """The four that everybody asks for."""
    onset = status.started_at or status.declared_at
    return {
        "detected_seconds": status.declared_at - onset,
        "acknowledged_seconds": status.acknowledged_at - status.declared_at if status.acknowledged_at else None,
        "mitigated_seconds": status.mitigated_at - onset if status.mitigated_at else None,
        "resolved_seconds": status.resolved_at - onset if status.resolved_at else None,
    }


class Impact(NamedTuple):
    """What customers lost, where the record knows it. `None`: nobody measured it, which is not nothing."""

    minutes: float | None
    tenants: int | None
    tenant_minutes: float | None
    failed_requests: float | None
    budget_share: float | None  # of the error budget of four weeks


def impact(status: Status, entries: Iterable[Entry]) -> Impact:
    """From the instants of the incident, and from the facts of timeline entries called `tenants` (the most: a radius only grows),
    `failed_requests` and `budget_share` (the newest). Minutes are policy time: real ones times the pace.
    """
    told = [entry.facts for entry in entries]
    tenants = [int(n) for n in _numbers(told, "tenants")]
    ended = status.mitigated_at or status.resolved_at
    lasted = (ended - (status.started_at or status.declared_at)).total_seconds() / 60 * status.pace if ended else None
    return Impact(
        minutes=round(lasted, 1) if lasted is not None else None,
        tenants=max(tenants, default=None),
        tenant_minutes=round(lasted * max(tenants), 1) if lasted is not None and tenants else None,
        failed_requests=next(reversed(_numbers(told, "failed_requests")), None),
        budget_share=next(reversed(_numbers(told, "budget_share")), None),
    )


def _numbers(told: Iterable[dict[str, JsonValue]], name: str) -> list[float]:
    return [value for facts_ in told if isinstance(value := facts_.get(name), int | float) and not isinstance(value, bool)]


def _impact_words(status: Status, entries: Sequence[Entry]) -> str:
    known = impact(status, entries)
    numbers = (
        ("minutes", known.minutes, "{:g}, from onset until it was mitigated"),
        ("tenants", known.tenants, "{:d} at the most"),
        ("minutes × tenants", known.tenant_minutes, "{:g}, if all of them were hit for all of that time"),
        ("failed requests", known.failed_requests, "{:,.0f}"),
        ("share of four weeks' error budget", known.budget_share, "{:.1%}"),
    )
    said = [(name, form.format(value) if value is not None else "not known: nobody measured it") for name, value, form in numbers]
    words = [("scope", status.scope), ("what users saw", status.impact)]
    return "\n".join([*(f"- {name}: {value}" for name, value in said), *(f"- {name}: {text(value)}" for name, value in words if value)])


class Due(NamedTuple):
    """The day of a deadline, and whose calendar made it."""

    day: date
    calendar: str


def _due(status: Status, house: House, owner: Role) -> Due:
    """Business days after the owner's day on which it was resolved, that day not counted, in the owner's country.

    Weekends only where no calendar is known, and the day of UTC where no time zone is.
    """
    person = house.roster.person(status.roles.get(owner, "")) or next(iter(house.roster.holders((owner,))), None)
    country = (person.country if person else "") or house.policy.country
    zone = (person.time_zone if person else "") or house.policy.time_zone
    days, resolved, where = house.policy.post_mortem_days, status.resolved_at or status.updated_at, f"the days of {zone or 'UTC'}"
    try:
        first = day_of(resolved, zone)
    except Refused as unknown:
        first, where = day_of(resolved), f"the days of UTC: {unknown.message}"
    try:
        last, calendar = business_days_after(first, days, country), f"holidays of {country.upper()}"
    except Refused as unknown:
        last, calendar = business_days_after(first, days), f"weekends only: {unknown.message}"
    return Due(last, f"{calendar if country else 'weekends only: no country is set'}; {where}")


def _owner(status: Status, house: House, role: Role) -> str:
    person = next(iter(house.roster.holders((role,))), None)
    who = status.roles.get(role, "") or (person.id if person else "")
    return role.title + (f" ({text(who)})" if who else "")


def _head(status: Status, source: str, house: House) -> str:
    peak = f" (at its worst {status.peak_severity.label})" if status.peak_severity != status.severity else ""
    due = "not yet: it is not resolved"
    if status.resolved_at:
        day, calendar = _due(status, house, Role.INCIDENT_COMMANDER)
        due = f"{day} ({house.policy.post_mortem_days} business days after it was resolved; {text(calendar)})"
    assignments = {role: who for role, who in status.roles.items() if who and role is not Role.INCIDENT_COMMANDER}
    playbook = f"playbook §{status.section} {status.playbook}"
    return "\n".join(
        (
            f"- **Incident:** {status.incident_id} · {playbook} · {status.severity.label}{peak} · {status.state}",
            f"- **Commander:** {text(status.commander or 'nobody')}"
            + "".join(f" · **{role.title}:** {text(who)}" for role, who in assignments.items()),
            f"- **Due:** {due}",
            f"- **Drafted from:** {text(source)}, version {status.version}, {status.entries} timeline entries",
        )
    )


def _summary(status: Status) -> str:
    rows = [
        f"| Time to {name} (TT{name[0].upper()}) | {span(gap) if gap is not None else '–'}"
        f" | {'from declaration' if name == 'acknowledge' else 'from onset'} |"
        for name, gap in zip(("detect", "acknowledge", "mitigate", "resolve"), _times(status).values(), strict=True)
    ]
    pace = [f"\nDurations are real ones; the pace was ×{status.pace:g}."] if status.pace != 1 else []
    because = f" {status.severity.label} because {text('; '.join(status.because))}." if status.because else ""
    return "\n".join(
        [
            f"{text(status.title)} on {text(status.service or 'a scope nobody named')}, reported by {text(status.source or 'a person')}"
            f" with {status.alerts} alerts.{because}{' Outcome: ' + text(status.outcome) + '.' if status.outcome else ''}",
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
    by = "" if entry.by == "automation" else f" ({text(entry.by)})"
    return f"- {entry.at:{form}} {text(entry.kind)} — {text(entry.text)}{by}"


def _causes(status: Status, entries: Sequence[Entry]) -> str:
    noted = [entry for entry in entries if entry.kind == "hypothesis"]
    guesses = [f"- said at {entry.at:%H:%M:%S} by {text(entry.by)}: {text(entry.text)}" for entry in noted]
    because = [f"- severity: {text(reason)}" for reason in status.because]
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
        *(["every item of the first 15 minutes was done in time"] if _all_in_time(status) else []),
        *(["nothing we imposed is left in force"] if status.resolved_at and not status.in_force else []),
    ]


def _went_badly(status: Status, entries: Sequence[Entry], effects: Sequence[Done]) -> list[str]:
    answered = [(q.closed_at - q.asked_at, q) for q in status.questions if q.closed_at]
    longest = max(answered, key=lambda pair: pair[0], default=None)
    unverified = sum(not given.verified for q in status.questions for given in q.answers)
    overdue = sum(entry.kind == "overdue" for entry in entries)
    late = [tick for tick in status.checklist if tick.state in (ItemState.MISSED, ItemState.LATE)]
    return [
        *(f"first 15 minutes: {text(in_words(tick))}" for tick in late),
        *([f"longest wait for an answer: {span(longest[0])}, question {longest[1].number}"] if longest else []),
        *(f"question {q.number} was {q.state}: {text(q.asks)}" for q in status.questions
          if q.state in (QuestionState.EXPIRED, QuestionState.DECLINED) or (q.kind is QuestionKind.REPAIR and not q.open)),
        *([f"{unverified} answers are self-declared: nobody proved who gave them"] if unverified else []),
        *(_failed(step) for step in status.steps if step.state in (StepState.FAILED, StepState.SKIPPED)),
        *(f"not proven: {text(done.verb)} {text(done.target)}: {done.outcome} {text(done.why)}" for done in effects
          if done.outcome not in PROVEN),
        *([f"updates were overdue {overdue} times"] if overdue else []),
        *(f"still in force: {text(m.name)} {text(m.target)}, held by {text(m.held_by or 'nobody')}" for m in status.in_force),
    ]  # fmt: skip


def _all_in_time(status: Status) -> bool:
    fine = (ItemState.DONE, ItemState.NOT_DUE, ItemState.NOT_APPLICABLE)
    return bool(status.checklist) and all(tick.state in fine for tick in status.checklist)


def _failed(step: Step) -> str:
    return f"{text(step.verb)} {text(step.target)} {step.state}: {text(step.result)}"


def _remediations(status: Status, house: House) -> str:
    lines = [_to_do(task, status, house) for task in (*status.follow_ups, *status.tasks)]
    return "\n".join(lines) or "- [ ] nothing came out of the playbook — Owner — date"


def _to_do(task: Task, status: Status, house: House) -> str:
    ours = not task.due or "business day" in task.due
    when = (_due(status, house, task.owner).day.isoformat() if status.resolved_at else "date") if ours else text(task.due)
    return f"- [ ] {text(task.text)} — {_owner(status, house, task.owner)} — {when}"
