"""The draft of the blameless post-mortem, in the seed's headings (§4.2), from the record.

What we write is between `<!-- generated:NAME -->` and `<!-- /generated:NAME HASH -->`. A new draft renews only the blocks that nobody
edited. Text outside the marks, and blocks that somebody edited or removed, are not touched.
"""

from collections.abc import Sequence

from activities.action import Entry, Role
from activities.ledger.effects import Done
from starters.postmortem import attachments, paper
from starters.postmortem.experience import experience
from starters.postmortem.numbers import DEFAULTS, House, deadline, impact, times
from starters.postmortem.paper import text
from starters.screens.text import span
from workflows.status import Status, Task

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
        "experience": experience(status, entries, effects),
        "remediations": _remediations(status, house),
        **attachments.blocks(status, entries, effects, house.dashboards),
    }
    return paper.renewed(before, blocks, SKELETON, title=text(f"{status.incident_id} {status.title}"))


def _impact_words(status: Status, entries: Sequence[Entry]) -> str:
    known = impact(status, entries)
    numbers = (
        ("minutes", known.minutes, "{:g}, from onset until it was mitigated"),
        ("tenants", known.tenants, "{:d} at the most"),
        ("minutes × tenants", known.tenant_minutes, "{:g}, if all of them were affected all the time"),
        ("failed requests", known.failed_requests, "{:,.0f}"),
        ("share of four weeks' error budget", known.budget_share, "{:.1%}"),
    )
    said = [(name, form.format(value) if value is not None else "not measured") for name, value, form in numbers]
    words = [("scope", status.scope), ("what users saw", status.impact)]
    return "\n".join([*(f"- {name}: {value}" for name, value in said), *(f"- {name}: {text(value)}" for name, value in words if value)])


def _owner(status: Status, house: House, role: Role) -> str:
    person = next(iter(house.roster.holders((role,))), None)
    who = status.roles.get(role, "") or (person.id if person else "")
    return role.title + (f" ({text(who)})" if who else "")


def _head(status: Status, source: str, house: House) -> str:
    peak = f" (at its worst {status.peak_severity.label})" if status.peak_severity != status.severity else ""
    due = "not known before it is resolved"
    if status.resolved_at:
        day, calendar = deadline(status, house, Role.INCIDENT_COMMANDER)
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
        for name, gap in zip(("detect", "acknowledge", "mitigate", "resolve"), times(status).values(), strict=True)
    ]
    pace = [f"\nDurations are real time; the pace was ×{status.pace:g}."] if status.pace != 1 else []
    because = f" {status.severity.label} because {text('; '.join(status.because))}." if status.because else ""
    return "\n".join(
        [
            f"{text(status.title)} on {text(status.service or 'an unknown scope')}, reported by {text(status.source or 'a person')}"
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


def _remediations(status: Status, house: House) -> str:
    lines = [_to_do(task, status, house) for task in (*status.follow_ups, *status.tasks)]
    return "\n".join(lines) or "- [ ] nothing came out of the playbook — Owner — date"


def _to_do(task: Task, status: Status, house: House) -> str:
    ours = not task.due or "business day" in task.due
    when = (deadline(status, house, task.owner).day.isoformat() if status.resolved_at else "date") if ours else text(task.due)
    return f"- [ ] {text(task.text)} — {_owner(status, house, task.owner)} — {when}"
