"""The draft of the blameless post-mortem, in the seed's headings (§4.2), from the record.

How drafting again keeps what people wrote in it: `paper.py`.
"""

from collections.abc import Sequence

from activities.action import Role
from activities.ledger.effects import PROVEN, Done
from activities.ledger.entry import Entry
from starters.postmortem import attachments, paper
from starters.postmortem.numbers import DEFAULTS, House, deadline, impact, times
from starters.postmortem.paper import text
from starters.screens import checklist
from starters.screens.curve import chart, grid, in_words
from starters.screens.text import span
from workflows.incident import QuestionKind, QuestionState
from workflows.status import ItemState, Status, StepState, Task

IN_TIME = (ItemState.DONE, ItemState.NOT_DUE, ItemState.NOT_APPLICABLE)
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

### Evidence
{evidence}

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
    good, bad = _went_well(status, effects), _went_badly(status, entries, effects)
    blocks = {
        "head": _head(status, source, house),
        "summary": _summary(status),
        "impact": _impact(status, entries),
        "timeline": _timeline(entries),
        "causes": _causes(status, entries),
        "experience": "\n".join(["Facts to start from:", *(f"- + {fact}" for fact in good), *(f"- – {fact}" for fact in bad)]),
        "remediations": "\n".join(_to_do(task, status, house) for task in (*status.follow_ups, *status.tasks))
        or "- [ ] nothing came out of the playbook — Owner — date",
        **attachments.blocks(status, entries, effects, house.dashboards),
        "evidence": attachments.evidence(house.evidence),
    }
    return paper.renewed(before, blocks, SKELETON, title=text(f"{status.incident_id} {status.title}"))


def _head(status: Status, source: str, house: House) -> str:
    peak = f" (at its worst {status.peak_severity.label})" if status.peak_severity != status.severity else ""
    due = "not known before it is resolved"
    if status.resolved_at:
        day, calendar = deadline(status, house, Role.INCIDENT_COMMANDER)
        due = f"{day} ({house.policy.post_mortem_days} business days after it was resolved; {text(calendar)})"
    others = [(role, who) for role, who in status.roles.items() if who and role is not Role.INCIDENT_COMMANDER]
    people = "".join(f" · **{role.title}:** {text(status.holder(role))}" for role, _ in others)
    commander = status.holder(Role.INCIDENT_COMMANDER) or status.commander or "nobody"
    return f"""\
- **Incident:** {status.incident_id} · playbook §{status.section} {status.playbook} · {status.severity.label}{peak} · {status.state}
- **Commander:** {text(commander)}{people}
- **Due:** {due}
- **Drafted from:** {text(source)}, version {status.version}, {status.entries} timeline entries"""


def _summary(status: Status) -> str:
    rows = [
        f"| Time to {name} (TT{name[0].upper()}) | {span(gap) if gap is not None else '–'}"
        f" | {'from declaration' if name == 'acknowledge' else 'from onset'} |"
        for name, gap in zip(("detect", "acknowledge", "mitigate", "resolve"), times(status).values(), strict=True)
    ]
    pace = [f"\nDurations are real time; the pace was {_paces(status)}."] if status.pace != 1 else []
    because = f" {status.severity.label} because {text('; '.join(status.because))}." if status.because else ""
    outcome = f" Outcome: {text(status.outcome)}." if status.outcome else ""
    reported = f"{text(status.title)} on {text(status.service or 'an unknown scope')}, reported by {text(status.source or 'a person')}"
    return "\n".join([f"{reported} with {status.alerts} alerts.{because}{outcome}", "", "| | | |", "|---|---|---|", *rows, *pace])


def _paces(status: Status) -> str:
    """The paces of a drill, in the order in which they held."""
    return ", then ".join(f"×{pace:g}" for _, pace in status.paces) or f"×{status.pace:g}"


def _impact(status: Status, entries: Sequence[Entry]) -> str:
    forms = (
        ("minutes", "{:g}, from onset until it was mitigated"),
        ("tenants", "{:d} at the most"),
        ("minutes × tenants", "{:g}, if all of them were affected all the time"),
        ("failed requests", "{:,.0f}"),
        ("share of four weeks' error budget", "{:.1%}"),
    )
    known = zip(forms, impact(status, entries).values(), strict=True)
    words = (("scope", status.scope), ("what users saw", status.impact))
    return "\n".join(
        [
            *(f"- {name}: {form.format(value) if value is not None else 'not measured'}" for (name, form), value in known),
            *(f"- {name}: {text(said)}" for name, said in words if said),
            *_drawn(status),
            *_matrix(status),
        ]
    )


def _drawn(status: Status) -> list[str]:
    """The curve that matters, over the whole incident."""
    curves = (status.curve, status.curve.beside) if status.curve is not None else ()
    drawn = [(one, picture) for one in curves if one is not None and (picture := chart(one))]
    return [
        line for one, picture in drawn
        for line in ("", f"The {one.name}, {text(in_words(one))} at the end:", "", paper.listing(list(picture), "text"))
    ]  # fmt: skip


def _matrix(status: Status) -> list[str]:
    """Who had to do with whom, at the end."""
    matrix = status.matrix
    if matrix is None or not matrix.cells:
        return []
    said = f"The {text(matrix.name)}, {text(matrix.row)} by row and {text(matrix.column)} by column:"
    return ["", said, "", paper.listing(list(grid(matrix, 100, 20)), "text")]


def _timeline(entries: Sequence[Entry]) -> str:
    days = {entry.at.date() for entry in entries}
    form = "%H:%M:%S" if len(days) <= 1 else "%m-%d %H:%M:%S"
    lines = [f"On {min(days)}:"] if len(days) == 1 else []
    for entry in entries:
        by = "" if entry.by == "automation" else f" ({text(entry.by)})"
        lines.append(f"- {entry.at:{form}} {text(entry.kind)} — {text(entry.text)}{by}")
    return "\n".join(lines) or "- nothing is on the record"


def _causes(status: Status, entries: Sequence[Entry]) -> str:
    guesses = [f"- said at {e.at:%H:%M:%S} by {text(e.by)}: {text(e.text)}" for e in entries if e.kind == "hypothesis"]
    because = [f"- severity: {text(reason)}" for reason in status.because]
    return "\n".join(["Hypotheses and facts on record:", *(guesses or ["- no hypothesis was noted"]), *because])


def _went_well(status: Status, effects: Sequence[Done]) -> list[str]:
    """Facts to start from, as far as the record shows them: about the work and not about people."""
    gaps, proven = times(status), [done for done in effects if done.outcome in PROVEN]
    adopted = sum(done.adopted for done in proven)
    acknowledged, mitigated = gaps["acknowledged_seconds"], gaps["mitigated_seconds"]
    in_time = status.checklist and all(tick.state in IN_TIME for tick in status.checklist)
    return [
        *([f"acknowledged {span(acknowledged)} after declaration"] if acknowledged is not None else []),
        *([f"mitigated {span(mitigated)} after onset"] if mitigated is not None else []),
        *([f"{len(proven)} effects, each read back from the system concerned"] if proven else []),
        *([f"{adopted} of them were found done already and adopted"] if adopted else []),
        *(["every item of the first 15 minutes was done in time"] if in_time else []),
        *(["nothing we imposed is left in force"] if status.resolved_at and not status.in_force else []),
    ]


def _went_badly(status: Status, entries: Sequence[Entry], effects: Sequence[Done]) -> list[str]:
    answered = [(q.closed_at - q.asked_at, q.number) for q in status.questions if q.closed_at]
    longest, number = max(answered, key=lambda pair: pair[0], default=(None, 0))
    unverified = sum(not given.verified for q in status.questions for given in q.answers)
    overdue = sum(entry.kind == "overdue" for entry in entries)
    return [
        *(f"first 15 minutes: {text(checklist.in_words(tick))}" for tick in status.checklist if tick.state in (ItemState.MISSED, ItemState.LATE)),
        *([f"longest wait for an answer: {span(longest)}, question {number}"] if longest is not None else []),
        *(f"question {q.number} was {q.state}: {text(q.asks)}" for q in status.questions
          if q.state in (QuestionState.EXPIRED, QuestionState.DECLINED) or (q.kind is QuestionKind.REPAIR and not q.open)),
        *([f"{unverified} answers are self-declared: nobody proved who gave them"] if unverified else []),
        *(f"{text(step.verb)} {text(step.target)} {step.state}: {text(step.result)}" for step in status.steps
          if step.state in (StepState.FAILED, StepState.SKIPPED)),
        *(f"not proven: {text(done.verb)} {text(done.target)}: {done.outcome} {text(done.why)}" for done in effects
          if done.outcome not in PROVEN),
        *([f"updates were overdue {overdue} times"] if overdue else []),
        *(f"still in force: {text(m.name)} {text(m.target)}, held by {text(m.held_by or 'nobody')}" for m in status.in_force),
    ]  # fmt: skip


def _to_do(task: Task, status: Status, house: House) -> str:
    person = next(iter(house.roster.holders((task.owner,))), None)
    who = status.roles.get(task.owner, "") or (person.id if person else "")
    owner = task.owner.title + (f" ({text(who)})" if who else "")
    when = text(task.due)
    if not task.due or "business day" in task.due:
        when = deadline(status, house, task.owner)[0].isoformat() if status.resolved_at else "date"
    return f"- [{' ' if task.open else 'x'}] {text(task.text)} — {owner} — {when}"
