"""An incident by hand: what is in force and how to lift it, what is under way, what waits for people, and what is still to come.

Everything comes from the ledger's last word, so it prints with the Temporal server and the worker down. Comments begin with `#` and commands
stand alone and whole, so that what is printed can be kept in a file, read from top to bottom, and pasted line by line.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from textwrap import wrap
from typing import NamedTuple

from pydantic import JsonValue

from activities.ledger.ledger import PROVEN, Done
from starters.screens.screens import typed
from starters.screens.text import ESCAPES, UNSEEN, plain, span
from workflows.incident import Phase, Question, State
from workflows.status import InForce, Planned, Status, Step, StepState, Task

WIDTH = 100  # of comments; commands are never broken
UNDER_WAY = (StepState.RUNNING, StepState.ASKING, StepState.PAUSED, StepState.FAILED)
USUAL = (Phase.TRIAGE, Phase.MITIGATION, Phase.RECOVERY, Phase.POST_INCIDENT)
NO_COMMAND = "no command for it is on record"


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
            _section(
                "in force: what is imposed, latest first, and how to lift it", lifting(standing([status]), now), "nothing is in force"
            ),
            _section("under way: look before you repeat", _steps(status, steps, effects, now), "no step is under way"),
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
        head = f"{len(found)} measures in force, latest first: lift them in this order, and look at the service after each"
        return [*_comment(head), "", *lifting(found, now, named=True)]
    return [line for one in found for line in _listed(one, now)]


def lifting(found: Sequence[Standing], now: datetime, named: bool = False) -> list[str]:
    """The commands that lift measures, in this order, each under what it is."""
    lines: list[str] = []
    for status, measure in found:
        whose = f"{status.incident_id}: " if named else ""
        since = f"since {_at(measure.since)} ({span(now - measure.since)})"
        lines += _comment(f"[{measure.number}] {whose}{plain(measure.name)} {plain(measure.target)}, {since}")
        lines += _comment(f"    {'; '.join(_about(measure))}")
        lines += _commands(measure.by_hand) or _comment(f"    {NO_COMMAND}: {plain(measure.lifts_by)}")
    return lines


def told(one: Standing) -> dict[str, JsonValue]:
    measure: dict[str, JsonValue] = one.measure.model_dump(mode="json")
    return {"incident_id": one.incident.incident_id, "service": one.incident.service, "state": one.incident.state.value, **measure}


def _about(measure: InForce) -> list[str]:
    return [
        f"lift: {plain(measure.lifts_by)}",
        *(["it may be in force or not, its try never came back: look first"] if not measure.certain else []),
        *(["sticky: never lifted by automation; ask whoever answers for it"] if measure.sticky else []),
        *([f"held by {plain(measure.held_by)}: ask them first"] if measure.held_by else []),
    ]


def _listed(one: Standing, now: datetime) -> list[str]:
    status, measure = one
    held = f"held by {plain(measure.held_by)}" if measure.held_by else "sticky" if measure.sticky else ""
    sure = "" if measure.certain else "perhaps, its try never came back"
    ended = f"the incident is {status.state}" if status.state.over else ""
    more = " · ".join(filter(None, [sure, held, ended]))
    return [
        f"{_at(measure.since)} {span(now - measure.since):>7}  {plain(measure.name)} {plain(measure.target)}"
        + (f"  ({more})" if more else ""),
        f"    {status.incident_id} [{measure.number}] · lift: {plain(measure.lifts_by)}",
    ]


def _head(status: Status, now: datetime, source: str, as_of: datetime) -> list[str]:
    outcome = f"; {plain(status.outcome)}" if status.outcome else ""
    return [
        *_comment(f"{status.incident_id} §{status.section} {plain(status.title)}, by hand"),
        *_comment(
            f"{status.severity.label} · {status.phase.title} · {status.state}{outcome} · commander: {plain(status.commander) or 'nobody'}"
        ),
        *_comment(f"from {source}, true at {as_of:%Y-%m-%d %H:%M:%S} UTC, {span(now - as_of)} ago: what was done since is not in it"),
        *(_comment(f"the playbook waits for: {plain(status.waiting_for)}") if status.waiting_for else []),
        *_comment("Not a script: read, decide, run one command at a time, and look at the service after each."),
        *_comment("A playbook that comes back looks before it acts: what you did by hand is adopted, not repeated."),
    ]


def _steps(status: Status, steps: Sequence[Step], effects: Sequence[Done], now: datetime) -> list[str]:
    tried = {done.key: done for done in effects}
    asked = {command: question.number for question in status.asking for command in question.by_hand}
    lines: list[str] = []
    for step in steps:
        lines += _comment(
            f"{step.number}. {step.state}: {plain(step.says)} ({step.verb} {plain(step.target)}, {_since(step.started_at, now)})"
        )
        if step.result:
            lines += _comment(f"    {plain(step.result)}")
        if (done := tried.get(step.key)) and step.key:
            lines += _comment(f"    {_tried(done)}")
        if step.by_hand and all(command in asked for command in step.by_hand):
            lines += _comment(f"    its commands stand under question {asked[step.by_hand[0]]}")
        else:
            lines += _commands(step.by_hand) or _comment(f"    {NO_COMMAND}")
    return lines


def _tried(done: Done) -> str:
    if done.outcome in PROVEN:
        return f"the book says that it is done, proven by {plain(done.proven_by) or 'reading it back'}: look, do not repeat"
    tries = f"tried {done.attempts} times, last at {_at(done.last_at)}"
    why = f" ({plain(done.why)})" if done.why else ""
    return f"{tries}: {done.outcome}{why}. It may have reached its target"


def _questions(status: Status, now: datetime) -> list[str]:
    lines: list[str] = []
    for question in status.asking:
        roles = " or ".join(role.title for role in question.roles)
        lines += _comment(f"[{question.number}] {plain(question.asks)} ({question.risk.label}; {roles}, {_since(question.asked_at, now)})")
        lines += _comment(f"    effect: {plain(question.effect)}")
        lines += _comment(f"    undo: {plain(question.inverse)}")
        lines += _comment(f"    once server and worker are back: {_answers(status, question)}")
        lines += _commands(question.by_hand) or _comment(f"    {NO_COMMAND}")
    return lines


def _answers(status: Status, question: Question) -> str:
    return " | ".join(typed(status.incident_id, question, option) for option in question.options)


def _tasks(tasks: Sequence[Task]) -> list[str]:
    lines: list[str] = []
    for task in tasks:
        due = f" · due {plain(task.due)}" if task.due else ""
        lines += [*_comment(f"{task.number}. {task.owner.title}: {plain(task.text)}{due}"), *_commands(task.by_hand)]
    return lines


def _plan(status: Status) -> list[str]:
    if status.plan:
        return [line for phase in dict.fromkeys(p.phase for p in status.plan) for line in _planned(phase, status.plan)]
    if status.state.over:
        return []
    order = list(Phase)
    ahead = [phase.title for phase in USUAL if order.index(phase) > order.index(status.phase)]
    lines = _comment("the playbook has not said yet what comes after this; the section of the document does")
    by_hand = "; the playbook was handed over: people carry on" if status.state is State.HANDED_OVER else ""
    return [*lines, *_comment(f"§{status.section} {plain(status.title)}: {' → '.join(ahead) or 'nothing after this phase'}{by_hand}")]


def _planned(phase: Phase, plan: Sequence[Planned]) -> Iterator[str]:
    yield from _comment(f"{phase.title}:")
    for step in plan:
        if step.phase is phase:
            name = " ".join(filter(None, (step.verb, plain(step.target))))
            yield from _comment(f"{step.number}. {plain(step.says)}" + (f" ({name})" if name else ""))
            yield from _commands(step.by_hand) or _comment(f"    {NO_COMMAND}: for people")


def _section(title: str, lines: Sequence[str], otherwise: str) -> list[str]:
    return [f"# -- {title} --", *(lines or _comment(otherwise))]


def _spaced(*parts: Sequence[str]) -> Iterator[str]:
    for nth, part in enumerate(parts):
        yield from [""] * bool(nth)
        yield from part


def _comment(said: str) -> list[str]:
    """A comment of any length. Text from outside is one line before it comes here: it cannot end the comment and become a command."""
    indent = "# " + " " * (len(said) - len(said.lstrip()))
    return wrap(said.strip(), WIDTH, initial_indent=indent, subsequent_indent=indent + "  ", break_on_hyphens=False, break_long_words=False)


def _commands(commands: Sequence[str]) -> list[str]:
    """Whole and as they are: a command that somebody has to put together again is none. Only what would draw on the screen is taken out."""
    return [UNSEEN.sub("", ESCAPES.sub("", command)) for command in commands]


def _at(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC"


def _since(begun: datetime, now: datetime) -> str:
    return f"for {span(max(now - begun, timedelta(0)))}"
