"""What is new since the last look, one line each: for logs, and where there is no terminal."""

from collections.abc import Sequence

from starters.screens.checklist import BOXES, in_words
from starters.screens.questions import roles, to_answer
from starters.screens.text import plain
from workflows.engine.record.details import ICONS, banner
from workflows.incident import Question
from workflows.status import InForce, ItemState, Status, Step


def changes(before: Status | None, after: Status) -> list[str]:
    """What is new since the last look, one line each: for logs and for terminals that are none."""
    if before is None:
        begun = f"{after.incident_id} {after.severity.label} {after.phase} {after.state} commander {plain(after.commander) or 'nobody yet'}"
        loudly = [banner(after)] if after.shadow else []
        return [*loudly, begun, *_new_steps([], after.steps), *(_asked(q, after.incident_id) for q in after.asking)]
    return [
        *([banner(after)] if after.shadow and not before.shadow else []),
        *(_turned(name, getattr(before, name), getattr(after, name)) for name in ("phase", "state", "commander", "paused_by", "status_page")
          if getattr(before, name) != getattr(after, name)),
        *([f"severity: {after.severity.label} ({'; '.join(map(plain, after.because))})"] if before.severity != after.severity else []),
        *_new_steps(before.steps, after.steps),
        *_new_questions(before, after),
        *_new_measures(before.in_force, after.in_force),
        *_new_ticks(before, after),
        *(f"{name}: {plain(said)}" for name, said in (("scope", after.scope), ("impact", after.impact)) if said and said != getattr(before, name)),
        *(f"hypothesis: {plain(said)}" for said in after.hypotheses if said not in before.hypotheses),
        *(f"☐ task for {t.owner.title}: {plain(t.text)}" for t in after.tasks[len(before.tasks) :]),
        *([f"now: {plain(after.waiting_for)}"] if after.waiting_for and before.waiting_for != after.waiting_for else []),
        *([f"outcome: {plain(after.outcome)}"] if before.outcome != after.outcome else []),
    ]  # fmt: skip


def _turned(name: str, old: object, new: object) -> str:
    return f"{name.replace('_', ' ')}: {plain(old) or '–'} → {plain(new) or '–'}"


def _new_steps(before: Sequence[Step], after: Sequence[Step]) -> list[str]:
    known = {step.number: (step.state, step.result) for step in before}
    changed = [step for step in after if known.get(step.number) != (step.state, step.result)]
    return [f"{ICONS[s.state]} {s.verb} {plain(s.target)}: {plain(s.result or s.says)} ({s.state})" for s in changed]


def _new_questions(before: Status, after: Status) -> list[str]:
    known = {q.number: (q.state, len(q.answers)) for q in before.questions}
    lines = [_asked(q, after.incident_id) for q in after.questions if q.number not in known and q.open]
    would = [f"○ [{q.number}] would ask: {plain(q.asks)} ({q.risk.label}, {roles(q)})" for q in after.would_ask if q.number not in known]
    closed = [q for q in after.questions if not q.open and not q.assumed and known.get(q.number) != (q.state, len(q.answers))]
    return lines + would + [f"[{q.number}] {q.state} by {', '.join(plain(given.by) for given in q.answers) or 'nobody'}" for q in closed]


def _asked(q: Question, incident: str) -> str:
    return f"॥ [{q.number}] {plain(q.asks)} ({q.risk.label}): {to_answer(incident, q, q.options[0])}"


def _new_ticks(before: Status, after: Status) -> list[str]:
    """What was ticked, and what was not in time."""
    known = {tick.key: tick.state for tick in before.checklist}
    telling = (ItemState.DONE, ItemState.LATE, ItemState.MISSED)
    fresh = [tick for tick in after.checklist if tick.state in telling and known.get(tick.key) != tick.state]
    return [f"{BOXES[tick.state][0]} {in_words(tick, after.updated_at)}" for tick in fresh]


def _new_measures(before: Sequence[InForce], after: Sequence[InForce]) -> list[str]:
    was, is_now = {m.number: m for m in before}, {m.number: m for m in after}
    return [
        *(f"in force: {m.name} {plain(m.target)}" for number, m in is_now.items() if number not in was),
        *(f"lifted: {m.name} {plain(m.target)}" for number, m in was.items() if number not in is_now),
    ]
