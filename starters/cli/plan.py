"""`incident plan`: what a playbook would do now, what it would ask, how each step is undone, and how it is done by hand. It only reads."""

import asyncio
import uuid
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group
from rich.text import Text

from activities.action import Risk
from activities.ledger import capabilities
from starters.cli import options
from starters.cli.terminal import AsJson, draw, group, say, say_json
from starters.screens.layout import roles
from starters.screens.text import CliError, plain
from workflows.incident import Incident, Phase
from workflows.status import Outcome, Status

if TYPE_CHECKING:
    from temporalio.client import Client

    from worker.settings import Settings

PLAN_WITHIN = 60.0  # seconds

app = group()


@app.command()
def plan(
    playbook: Annotated[str, typer.Argument(help="Its file name, section or workflow type. `incident playbooks` lists them.")],
    service: Annotated[str, typer.Option(help="The affected service.")],
    provider: Annotated[str, typer.Option(help="The suspected provider, if any.")] = "",
    region: Annotated[str, typer.Option(help="The region, if it is only one.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show what a playbook would do now: steps, effects, undo, questions, blast radius, and the commands to do it by hand. It only reads."""
    reader = options.reader()
    told = Incident(service=service, provider=provider, region=region, declared_by=options.speaker(reader, ""), rehearsal=True)
    outcome = reader.talk(lambda client: _rehearse(client, reader.settings, playbook, told))
    lacking = capabilities.lacking(reader.ledger)
    if as_json:
        return say_json({**outcome.model_dump(mode="json"), "lacking": [one.model_dump(mode="json") for one in lacking]})
    draw(picture(outcome))
    for line in capabilities.in_words(lacking):
        say(line)
    return None


async def _rehearse(client: "Client", settings: "Settings", name: str, told: Incident) -> Outcome:
    """Run a playbook as a rehearsal: real reads, and every change is only described. Raises `CliError`."""
    from temporalio.client import WorkflowFailureError  # noqa: PLC0415 - the SDK is slow to import

    from starters import steering  # noqa: PLC0415

    info, which = steering.playbook(name), f"plan-{uuid.uuid4().hex[:12]}"
    async with steering.plainly(client, which):
        handle = await client.start_workflow(info.type, told, result_type=Outcome, **steering.once(settings, info, told, which))
        try:
            outcome: Outcome = await asyncio.wait_for(handle.result(), PLAN_WITHIN)
        except TimeoutError:
            await handle.terminate("the plan took too long")
            raise CliError(f"the plan was not ready within {PLAN_WITHIN:g} s: is a worker running?", "incident doctor") from None
        except WorkflowFailureError as failed:
            raise CliError(f"the plan failed: {failed.cause}", "incident doctor") from None
    return outcome


def picture(outcome: Outcome) -> Group:
    status = outcome.rehearsed
    return Group(*_lines(status) if status else [Text("there is no plan")])


def _lines(status: Status) -> Iterator[Text]:
    yield _line("", f"PLAN §{status.section} {status.title} · {status.service} · {status.severity.label}", "bold")
    yield _line("", "read only: nothing is changed, nobody is asked", "dim")
    for reason in status.because:
        yield _line("  ", f"because {reason}", "dim")
    for phase in dict.fromkeys((*(s.phase for s in status.steps), *(t.phase for t in status.tasks))):
        yield Text(f"\n{phase.title}", style="bold")
        yield from _phase(status, phase)
    if status.questions:
        yield Text("\nQuestions it would ask", style="bold")
    for question in status.questions:
        yield _line("  ", f"[{question.number}] {question.asks} ({question.risk.label}, {roles(question)})")
        for said in (f"effect: {question.effect}" if question.effect else "", f"undo: {question.inverse}", *question.facts):
            yield from [_line("      ", said, "dim")] if said else []
        yield from _commands(question.by_hand)
    if status.outcome:
        yield Text("")
        yield _line("", f"it would end like this: {status.outcome}", "yellow")


def _phase(status: Status, phase: Phase) -> Iterator[Text]:
    steps = [step for step in status.steps if step.phase is phase]
    if looked := dict.fromkeys(step.verb for step in steps if step.risk is Risk.C0):
        yield _line("  ", f"looked: {', '.join(looked)}", "dim")
    for step in steps:
        if step.risk >= Risk.C1:
            yield _line("  ", f"{step.number} {step.risk.label} {step.says}")
            yield from _commands(step.by_hand)
    for task in status.tasks:
        if task.phase is phase:
            yield _line("  ", f"☐ {task.owner.title}: {task.text}")
            yield from _commands(task.by_hand)


def _commands(commands: Sequence[str]) -> Iterator[Text]:
    return (_line("      ", f"$ {command}", "cyan") for command in commands)


def _line(indent: str, said: str, style: str = "") -> Text:
    return Text(indent + plain(said), style=style)
