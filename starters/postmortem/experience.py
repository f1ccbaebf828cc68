"""What went well and what went badly, as far as the record shows it: facts to start from, about the work and not about people."""

from collections.abc import Sequence

from activities.action import Entry
from activities.ledger.effects import PROVEN, Done
from starters.postmortem.numbers import times
from starters.postmortem.paper import text
from starters.screens.checklist import in_words
from starters.screens.text import span
from workflows.incident import QuestionKind, QuestionState
from workflows.status import ItemState, Status, Step, StepState


def experience(status: Status, entries: Sequence[Entry], effects: Sequence[Done]) -> str:
    good, bad = _went_well(status, effects), _went_badly(status, entries, effects)
    return "\n".join(["Facts to start from:", *(f"- + {fact}" for fact in good), *(f"- – {fact}" for fact in bad)])


def _went_well(status: Status, effects: Sequence[Done]) -> list[str]:
    gaps, proven = times(status), [done for done in effects if done.outcome in PROVEN]
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
