"""What stands on one line each: the incidents, the timeline of one, and what is new of it since the last look."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from rich.cells import cell_len
from rich.console import Group
from rich.text import Text

from activities.ledger.entry import Entry
from starters.screens.checklist import BOXES, in_words
from starters.screens.layout import cut, roles, row, to_answer, wrapped
from starters.screens.text import ago, clock, plain
from workflows.engine.record.details import ICONS, banner
from workflows.incident import Question
from workflows.status import ItemState, Status, Step

LOST = "lost"  # the state of an incident that no playbook runs any more (starters/alerts/reconciler.py)


def incidents(rows: Iterable[tuple[Status, str, datetime]], now: datetime, width: int, lost: Collection[str] = ()) -> Group:
    """One line per incident. `lost`: those that the reconciler found without a playbook."""
    lines = [row(f"{'SEV':6}{'PHASE':15}{'STATE':13}{'ELAPSED':>9}  {'COMMANDER':11}{'INCIDENT'}", width, "bold")]
    for status, source, as_of in rows:
        elapsed = clock((status.closed_at or now) - (status.started_at or status.declared_at))
        commander = plain(status.commander) or "–"
        waits = f"॥ [{', '.join(str(q.number) for q in status.asking)}] " if status.asking else ""
        state = f"{status.severity.label:6}{status.phase:15}{LOST if status.incident_id in lost else status.state:13}{elapsed:>9}"
        missed = [tick.key.replace("_", " ") for tick in status.checklist if tick.state is ItemState.MISSED and not status.state.over]
        loudly = ("SHADOW · " if status.shadow else "") + (f"MISSED: {', '.join(missed)} · " if missed else "")
        lines.append(row(f"{state}  {cut(commander, 10):11}{status.incident_id}", width))
        lines.append(row(f"      {waits}{loudly}{plain(status.title)} · from {source}, {ago(now - as_of)}", width, "dim"))
    return Group(*lines)


def timeline(entries: Iterable[Entry], width: int) -> Group:
    lines: list[Text] = []
    for entry in entries:
        head = f"{entry.number:>4} {entry.at:%H:%M:%S} {cut(plain(entry.kind), 12):12} "
        by = "" if entry.by == "automation" else f" ({plain(entry.by)})"
        for nth, line in enumerate(wrapped(plain(entry.text) + by, max(width - cell_len(head), 30), 99)):
            lines.append(Text((head if nth == 0 else " " * cell_len(head)) + line))
    return Group(*lines)


def changes(before: Status | None, after: Status) -> list[str]:
    """What is new since the last look, one line each: for logs, and where there is no terminal."""
    if before is None:
        begun = f"{after.incident_id} {after.severity.label} {after.phase} {after.state} commander {plain(after.commander) or 'nobody yet'}"
        loudly = [banner(after)] if after.shadow else []
        return [*loudly, begun, *_steps([], after.steps), *(_asked(q, after.incident_id) for q in after.asking)]
    was, is_now = ({measure.number: measure for measure in status.in_force} for status in (before, after))
    ticks = {tick.key: tick.state for tick in before.checklist}
    return [
        *([banner(after)] if after.shadow and not before.shadow else []),
        *(f"{name.replace('_', ' ')}: {plain(old) or '–'} → {plain(new) or '–'}"
          for name in ("phase", "state", "commander", "paused_by", "status_page")
          if (old := getattr(before, name)) != (new := getattr(after, name))),
        *([f"severity: {after.severity.label} ({'; '.join(map(plain, after.because))})"] if before.severity != after.severity else []),
        *_steps(before.steps, after.steps),
        *_questions(before, after),
        *(f"in force: {m.name} {plain(m.target)}" for number, m in is_now.items() if number not in was),
        *(f"lifted: {m.name} {plain(m.target)}" for number, m in was.items() if number not in is_now),
        *(f"{BOXES[tick.state][0]} {in_words(tick, after.updated_at)}" for tick in after.checklist
          if tick.state in (ItemState.DONE, ItemState.LATE, ItemState.MISSED) and ticks.get(tick.key) != tick.state),
        *(f"{name}: {plain(said)}" for name, said in (("scope", after.scope), ("impact", after.impact)) if said and said != getattr(before, name)),
        *(f"hypothesis: {plain(said)}" for said in after.hypotheses if said not in before.hypotheses),
        *(f"☐ task for {t.owner.title}: {plain(t.text)}" for t in after.tasks[len(before.tasks) :]),
        *([f"now: {plain(after.waiting_for)}"] if after.waiting_for and before.waiting_for != after.waiting_for else []),
        *([f"outcome: {plain(after.outcome)}"] if before.outcome != after.outcome else []),
    ]  # fmt: skip


def _steps(before: Sequence[Step], after: Sequence[Step]) -> list[str]:
    known = {step.number: (step.state, step.result) for step in before}
    changed = [step for step in after if known.get(step.number) != (step.state, step.result)]
    return [f"{ICONS[s.state]} {s.verb} {plain(s.target)}: {plain(s.result or s.says)} ({s.state})" for s in changed]


def _questions(before: Status, after: Status) -> list[str]:
    known = {q.number: (q.state, len(q.answers)) for q in before.questions}
    closed = [q for q in after.questions if not q.open and not q.assumed and known.get(q.number) != (q.state, len(q.answers))]
    return [
        *(_asked(q, after.incident_id) for q in after.questions if q.number not in known and q.open),
        *(f"○ [{q.number}] would ask: {plain(q.asks)} ({q.risk.label}, {roles(q)})" for q in after.would_ask if q.number not in known),
        *(f"[{q.number}] {q.state} by {', '.join(plain(given.by) for given in q.answers) or 'nobody'}" for q in closed),
    ]


def _asked(q: Question, incident: str) -> str:
    return f"॥ [{q.number}] {plain(q.asks)} ({q.risk.label}): {to_answer(incident, q, q.options[0])}"
