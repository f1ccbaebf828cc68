"""An incident by hand: what is in force and how to lift it, what is under way, what waits for people, and what is still to come.

Everything comes from the ledger, so it prints with the Temporal server and the worker down. Comments begin with `#`, and each command is one
whole line: what is printed can be kept in a file, read from top to bottom, and pasted line by line.
"""

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from textwrap import wrap
from typing import NamedTuple

from pydantic import JsonValue

from activities.action import Role
from activities.kit.words.escape import visible
from activities.ledger.effects import PROVEN, Done
from starters.screens.layout import USUAL, roles, to_answer
from starters.screens.text import plain, span
from workflows.incident import Phase, State
from workflows.status import InForce, Status, Step, StepState

WIDTH = 100  # of comments; commands are never broken
HARMLESS = re.compile(r"[\w \[\]:./=?%,@+·×–→§…-]*")  # no shell runs anything of these, even where it takes no comments
UNDER_WAY = (StepState.RUNNING, StepState.ASKING, StepState.PAUSED, StepState.FAILED)
NO_COMMAND = "no command is on record"


class Standing(NamedTuple):
    incident: Status
    measure: InForce


def standing(statuses: Iterable[Status]) -> list[Standing]:
    """Everything that is in force, latest first: the order in which it is lifted."""
    everything = [Standing(status, measure) for status in statuses for measure in status.in_force]
    return sorted(everything, key=lambda one: (one.measure.since, one.incident.incident_id, one.measure.number), reverse=True)


def under_way(status: Status) -> list[Step]:
    """The steps that were begun and are not done."""
    return [step for step in status.steps if step.state in UNDER_WAY]


def rest(status: Status, effects: Sequence[Done], now: datetime, source: str, as_of: datetime) -> list[str]:
    """The rest of a playbook, to be done by hand: comments and commands, one a line."""
    lines = list(_head(status, now, source, as_of))
    for title, part, otherwise in (
        ("in force, latest first, and how to lift it", lifting(standing([status]), now), "nothing is in force"),
        ("under way: check before you repeat", _steps(status, effects, now), "no step is under way"),
        ("waiting for people", _questions(status, now), "no question is open"),
        ("tasks for people", _tasks(status), "no task is open"),
        ("still to come", _plan(status), "nothing: the playbook is over" if status.state.over else ""),
    ):
        lines += ["", f"# -- {title} --", *(list(part) or comment(otherwise))]
    return lines


def everywhere(found: Sequence[Standing], now: datetime, by_hand: bool) -> list[str]:
    """What is in force, latest first; with `by_hand` as commands that lift it, otherwise a line each."""
    if not found:
        return ["# nothing is in force" if by_hand else "nothing is in force"]
    if by_hand:
        head = f"{len(found)} measures in force, latest first: lift them in this order, and check the service after each"
        return [*comment(head), "", *lifting(found, now, named=True)]
    return [line for one in found for line in _listed(one, now)]


def lifting(found: Sequence[Standing], now: datetime, named: bool = False) -> Iterator[str]:
    """The commands that lift measures, in this order, each under what it is."""
    for status, one in found:
        whose = f"{status.incident_id}: " if named else ""
        yield from comment(f"[{one.number}] {whose}{one.name} {one.target}, since {_at(one.since)}, for {span(now - one.since)}")
        sure = [] if one.certain else ["not certain whether it is in force, its call never returned: check first"]
        sticky = ["sticky: automation never lifts it, ask the person responsible"] if one.sticky else []
        held = [f"held by {one.held_by}: ask them first"] if one.held_by else []
        yield from comment(f"    {' · '.join([f'lift: {one.lifts_by}', *sure, *sticky, *held])}")
        yield from _commands(one.by_hand, f"    {NO_COMMAND}: {one.lifts_by}")


def told(one: Standing) -> dict[str, JsonValue]:
    measure: dict[str, JsonValue] = one.measure.model_dump(mode="json")
    return {"incident_id": one.incident.incident_id, "service": one.incident.service, "state": one.incident.state.value, **measure}


def _listed(one: Standing, now: datetime) -> list[str]:
    status, measure = one
    sure = "" if measure.certain else "not certain, its call never returned"
    held = f"held by {plain(measure.held_by)}" if measure.held_by else "sticky" if measure.sticky else ""
    more = " · ".join(filter(None, [sure, held, f"the incident is {status.state}" if status.state.over else ""]))
    said = f"{_at(measure.since)} {span(now - measure.since):>7}  {plain(measure.name)} {plain(measure.target)}"
    return [
        said + (f"  ({more})" if more else ""),
        f"    {status.incident_id} [{measure.number}] · lift: {plain(measure.lifts_by)}",
    ]


def _head(status: Status, now: datetime, source: str, as_of: datetime) -> Iterator[str]:
    outcome = f" · {status.outcome}" if status.outcome else ""
    commander = status.holder(Role.INCIDENT_COMMANDER) or status.commander or "nobody"
    for said in (
        f"{status.incident_id} §{status.section} {status.title}, by hand",
        f"{status.severity.label} · {status.phase.title} · {status.state}{outcome} · commander: {commander}",
        f"from {source}, true at {as_of:%Y-%m-%d %H:%M:%S} UTC, {span(now - as_of)} ago. Later changes are not in it",
        f"the playbook waits for: {status.waiting_for}" if status.waiting_for else "",
        "This is not a script: read, decide, run one command at a time, and check the service after each.",
        "A playbook that runs again looks before it acts: what you did by hand is adopted, not repeated.",
    ):
        yield from comment(said)


def _steps(status: Status, effects: Sequence[Done], now: datetime) -> Iterator[str]:
    tried = {done.key: done for done in effects}
    asked = {command: question.number for question in status.asking for command in question.by_hand}
    for step in under_way(status):
        yield from comment(f"{step.number}. {step.state}: {step.says} · {step.verb} {step.target} · {_since(step.started_at, now)}")
        if step.result:
            yield from comment(f"    {step.result}")
        if step.key and (done := tried.get(step.key)):
            yield from comment(f"    {_tried(done)}")
        if step.by_hand and all(command in asked for command in step.by_hand):
            yield from comment(f"    its commands are below, at question {asked[step.by_hand[0]]}")
        else:
            yield from _commands(step.by_hand)


def _tried(done: Done) -> str:
    if done.outcome in PROVEN:
        return f"already done, by our record, proven by {done.proven_by or 'reading it back'}: check, do not repeat"
    why = f" · {done.why}" if done.why else ""
    return f"attempts: {done.attempts}, the last at {_at(done.last_at)}: {done.outcome}{why}. It may have reached its target"


def _questions(status: Status, now: datetime) -> Iterator[str]:
    for q in status.asking:
        answers = " or ".join(to_answer(status.incident_id, q, option) for option in q.options)
        yield from comment(f"[{q.number}] {q.asks} · {q.risk.label} · {roles(q)} · {_since(q.asked_at, now)}")
        for said in (f"effect: {q.effect}", f"undo: {q.inverse}", f"when server and worker run again: {answers}"):
            yield from comment(f"    {said}")
        yield from _commands(q.by_hand)


def _tasks(status: Status) -> Iterator[str]:
    for task in status.to_do:
        yield from comment(f"{task.number}. {task.owner.title}: {task.text}" + (f" · due {task.due}" if task.due else ""))
        yield from map(visible, task.by_hand)


def _plan(status: Status) -> Iterator[str]:
    for phase in dict.fromkeys(step.phase for step in status.plan):
        yield from comment(f"{phase.title}:")
        for step in (step for step in status.plan if step.phase is phase):
            name = " ".join(filter(None, (step.verb, step.target)))
            yield from comment(f"{step.number}. {step.says}" + (f" · {name}" if name else ""))
            yield from _commands(step.by_hand, f"    {NO_COMMAND}: for people")
    if not status.plan and not status.state.over:
        order = list(Phase)
        ahead = [phase.title for phase in USUAL if order.index(phase) > order.index(status.phase)]
        by_hand = " · the playbook was handed over: people continue" if status.state is State.HANDED_OVER else ""
        yield from comment("the playbook has not yet said what comes next. Its section of the document says it")
        yield from comment(f"§{status.section} {status.title}: {' → '.join(ahead) or 'nothing after this phase'}{by_hand}")


def comment(said: str) -> list[str]:
    """A comment of any length, as lines. Each line is safe to paste: where a shell takes no comments (zsh), nothing in it is run."""
    indent = " " * (len(said) - len(said.lstrip()))
    lines = wrap(plain(said), WIDTH - len(indent), subsequent_indent="  ", break_on_hyphens=False, break_long_words=False)
    return [f"# {indent}{line if HARMLESS.fullmatch(line) else shlex.quote(line)}" for line in lines]


def _commands(commands: Sequence[str], otherwise: str = f"    {NO_COMMAND}") -> list[str]:
    """Whole and as they are: a command that somebody has to put together again is none. Only what would draw on the screen is taken out."""
    return [visible(command) for command in commands] or comment(otherwise)


def _at(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC"


def _since(begun: datetime, now: datetime) -> str:
    return f"for {span(max(now - begun, timedelta(0)))}"
