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

from activities.kit.words.escape import visible
from activities.ledger.effects import PROVEN, Done
from starters.screens.layout import USUAL
from starters.screens.questions import to_answer
from starters.screens.text import plain, span
from workflows.incident import Phase, Question, State
from workflows.status import InForce, Planned, Status, Step, StepState, Task

WIDTH = 100  # of comments; commands are never broken
HARMLESS = re.compile(r"[\w \[\]:./=?%,@+·×–→§…-]*")  # no shell runs anything of these, even where it takes no comments
UNDER_WAY = (StepState.RUNNING, StepState.ASKING, StepState.PAUSED, StepState.FAILED)
NO_COMMAND = "no command is on record"


class Standing(NamedTuple):
    """One measure that is in force, and the incident that imposed it."""

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
    steps = under_way(status)
    return list(
        _spaced(
            _head(status, now, source, as_of),
            _section("in force, latest first, and how to lift it", lifting(standing([status]), now), "nothing is in force"),
            _section("under way: check before you repeat", _steps(status, steps, effects, now), "no step is under way"),
            _section("waiting for people", _questions(status, now), "no question is open"),
            _section("tasks for people", _tasks(status.tasks), "no task is open"),
            _section("still to come", _plan(status), "nothing: the playbook is over" if status.state.over else ""),
        )
    )


def everywhere(found: Sequence[Standing], now: datetime, by_hand: bool) -> list[str]:
    """What is in force, latest first; with `by_hand` as commands that lift it, otherwise a line each."""
    if not found:
        return ["# nothing is in force" if by_hand else "nothing is in force"]
    if by_hand:
        head = f"{len(found)} measures in force, latest first: lift them in this order, and check the service after each"
        return [*comment(head), "", *lifting(found, now, named=True)]
    return [line for one in found for line in _listed(one, now)]


def lifting(found: Sequence[Standing], now: datetime, named: bool = False) -> list[str]:
    """The commands that lift measures, in this order, each under what it is."""
    lines: list[str] = []
    for status, measure in found:
        whose = f"{status.incident_id}: " if named else ""
        since = f"since {_at(measure.since)}, for {span(now - measure.since)}"
        lines += comment(f"[{measure.number}] {whose}{measure.name} {measure.target}, {since}")
        lines += comment(f"    {' · '.join(_about(measure))}")
        lines += _commands(measure.by_hand) or comment(f"    {NO_COMMAND}: {measure.lifts_by}")
    return lines


def told(one: Standing) -> dict[str, JsonValue]:
    measure: dict[str, JsonValue] = one.measure.model_dump(mode="json")
    return {"incident_id": one.incident.incident_id, "service": one.incident.service, "state": one.incident.state.value, **measure}


def _about(measure: InForce) -> list[str]:
    return [
        f"lift: {measure.lifts_by}",
        *(["not certain whether it is in force, its call never returned: check first"] if not measure.certain else []),
        *(["sticky: automation never lifts it, ask the person responsible"] if measure.sticky else []),
        *([f"held by {measure.held_by}: ask them first"] if measure.held_by else []),
    ]


def _listed(one: Standing, now: datetime) -> list[str]:
    status, measure = one
    held = f"held by {plain(measure.held_by)}" if measure.held_by else "sticky" if measure.sticky else ""
    sure = "" if measure.certain else "not certain, its call never returned"
    ended = f"the incident is {status.state}" if status.state.over else ""
    more = " · ".join(filter(None, [sure, held, ended]))
    return [
        f"{_at(measure.since)} {span(now - measure.since):>7}  {plain(measure.name)} {plain(measure.target)}"
        + (f"  ({more})" if more else ""),
        f"    {status.incident_id} [{measure.number}] · lift: {plain(measure.lifts_by)}",
    ]


def _head(status: Status, now: datetime, source: str, as_of: datetime) -> list[str]:
    outcome = f" · {status.outcome}" if status.outcome else ""
    return [
        *comment(f"{status.incident_id} §{status.section} {status.title}, by hand"),
        *comment(f"{status.severity.label} · {status.phase.title} · {status.state}{outcome} · commander: {status.commander or 'nobody'}"),
        *comment(f"from {source}, true at {as_of:%Y-%m-%d %H:%M:%S} UTC, {span(now - as_of)} ago. Later changes are not in it"),
        *(comment(f"the playbook waits for: {status.waiting_for}") if status.waiting_for else []),
        *comment("This is not a script: read, decide, run one command at a time, and check the service after each."),
        *comment("A playbook that runs again looks before it acts: what you did by hand is adopted, not repeated."),
    ]


def _steps(status: Status, steps: Sequence[Step], effects: Sequence[Done], now: datetime) -> list[str]:
    tried = {done.key: done for done in effects}
    asked = {command: question.number for question in status.asking for command in question.by_hand}
    lines: list[str] = []
    for step in steps:
        lines += comment(f"{step.number}. {step.state}: {step.says} · {step.verb} {step.target} · {_since(step.started_at, now)}")
        if step.result:
            lines += comment(f"    {step.result}")
        if (done := tried.get(step.key)) and step.key:
            lines += comment(f"    {_tried(done)}")
        if step.by_hand and all(command in asked for command in step.by_hand):
            lines += comment(f"    its commands are below, at question {asked[step.by_hand[0]]}")
        else:
            lines += _commands(step.by_hand) or comment(f"    {NO_COMMAND}")
    return lines


def _tried(done: Done) -> str:
    if done.outcome in PROVEN:
        return f"already done, by our record, proven by {done.proven_by or 'reading it back'}: check, do not repeat"
    why = f" · {done.why}" if done.why else ""
    return f"attempts: {done.attempts}, the last at {_at(done.last_at)}: {done.outcome}{why}. It may have reached its target"


def _questions(status: Status, now: datetime) -> list[str]:
    lines: list[str] = []
    for question in status.asking:
        roles = " or ".join(role.title for role in question.roles)
        lines += comment(f"[{question.number}] {question.asks} · {question.risk.label} · {roles} · {_since(question.asked_at, now)}")
        lines += comment(f"    effect: {question.effect}")
        lines += comment(f"    undo: {question.inverse}")
        lines += comment(f"    when server and worker run again: {_answers(status, question)}")
        lines += _commands(question.by_hand) or comment(f"    {NO_COMMAND}")
    return lines


def _answers(status: Status, question: Question) -> str:
    return " or ".join(to_answer(status.incident_id, question, option) for option in question.options)


def _tasks(tasks: Sequence[Task]) -> list[str]:
    lines: list[str] = []
    for task in tasks:
        due = f" · due {task.due}" if task.due else ""
        lines += [*comment(f"{task.number}. {task.owner.title}: {task.text}{due}"), *_commands(task.by_hand)]
    return lines


def _plan(status: Status) -> list[str]:
    if status.plan:
        return [line for phase in dict.fromkeys(p.phase for p in status.plan) for line in _planned(phase, status.plan)]
    if status.state.over:
        return []
    order = list(Phase)
    ahead = [phase.title for phase in USUAL if order.index(phase) > order.index(status.phase)]
    lines = comment("the playbook has not yet said what comes next. Its section of the document says it")
    by_hand = " · the playbook was handed over: people continue" if status.state is State.HANDED_OVER else ""
    return [*lines, *comment(f"§{status.section} {status.title}: {' → '.join(ahead) or 'nothing after this phase'}{by_hand}")]


def _planned(phase: Phase, plan: Sequence[Planned]) -> Iterator[str]:
    yield from comment(f"{phase.title}:")
    for step in plan:
        if step.phase is phase:
            name = " ".join(filter(None, (step.verb, step.target)))
            yield from comment(f"{step.number}. {step.says}" + (f" · {name}" if name else ""))
            yield from _commands(step.by_hand) or comment(f"    {NO_COMMAND}: for people")


def _section(title: str, lines: Sequence[str], otherwise: str) -> list[str]:
    return [f"# -- {title} --", *(lines or comment(otherwise))]


def _spaced(*parts: Sequence[str]) -> Iterator[str]:
    for nth, part in enumerate(parts):
        yield from [""] * bool(nth)
        yield from part


def comment(said: str) -> list[str]:
    """A comment of any length, as lines. Each line is safe to paste: where a shell takes no comments (zsh), nothing in it is run."""
    indent = " " * (len(said) - len(said.lstrip()))
    lines = wrap(plain(said), WIDTH - len(indent), subsequent_indent="  ", break_on_hyphens=False, break_long_words=False)
    return [f"# {indent}{line if HARMLESS.fullmatch(line) else shlex.quote(line)}" for line in lines]


def _commands(commands: Sequence[str]) -> list[str]:
    """Whole and as they are: a command that somebody has to put together again is none. Only what would draw on the screen is taken out."""
    return [visible(command) for command in commands]


def _at(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC"


def _since(begun: datetime, now: datetime) -> str:
    return f"for {span(max(now - begun, timedelta(0)))}"
