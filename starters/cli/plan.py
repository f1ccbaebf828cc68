"""A plan on the screen: what would be done, what it would ask, how it is undone, and how each thing is done by hand."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from activities.action import Risk
from workflows.incident import Phase, Question
from workflows.status import Outcome, Status, Step


def picture(outcome: Outcome, width: int) -> Group:
    """The plan, phase by phase. `width`: columns."""
    status = outcome.rehearsed
    if status is None:
        return Group(Text("there is no plan"))
    return Group(*_lines(status, outcome, width))


def _lines(status: Status, outcome: Outcome, width: int) -> Iterator[RenderableType]:
    yield Text(f"PLAN §{status.section} {status.title} · {status.service} · {status.severity.label}", style="bold")
    yield Text("read only: nothing is changed, nobody is asked", style="dim")
    for reason in status.because:
        yield Text(f"  because {reason}", style="dim")
    for phase in dict.fromkeys((*(s.phase for s in status.steps), *(t.phase for t in status.tasks))):
        yield Text(f"\n{phase.title}", style="bold")
        yield from _phase(status, phase, width)
    if status.questions:
        yield Text("\nQuestions it would ask", style="bold")
        for question in status.questions:
            yield from _question(question)
    if status.outcome:
        yield Text(f"\nit would end so: {status.outcome}", style="yellow")


def _phase(status: Status, phase: Phase, width: int) -> Iterator[Text]:
    looked = [s for s in status.steps if s.phase is phase and s.risk is Risk.C0]
    if looked:
        names = ", ".join(dict.fromkeys(s.verb for s in looked))
        yield Text(f"  looked: {names}", style="dim")
    for step in status.steps:
        if step.phase is phase and step.risk >= Risk.C1:
            yield from _step(step)
    for task in status.tasks:
        if task.phase is phase:
            yield Text(f"  ☐ {task.owner.title}: {task.text}")
            yield from (Text(f"      $ {line}", style="cyan") for line in task.by_hand)


def _step(step: Step) -> Iterator[Text]:
    yield Text(f"  {step.number:>2} {step.risk.label} {step.says}")
    yield from (Text(f"      $ {line}", style="cyan") for line in step.by_hand)


def _question(question: Question) -> Iterator[Text]:
    who = " or ".join(role.title for role in question.roles)
    yield Text(f"  [{question.number}] {question.asks} ({question.risk.label}, {who})")
    if question.effect:
        yield Text(f"      effect: {question.effect}", style="dim")
    yield Text(f"      undo:   {question.inverse}", style="dim")
    yield from (Text(f"      {fact}", style="dim") for fact in question.facts)
    yield from (Text(f"      $ {line}", style="cyan") for line in question.by_hand)
