"""`incident`: declare an incident, watch it, answer its questions, read its record.

Reading comes from the ledger first, so it works when the worker and the Temporal server are dead. Every error is one sentence and, where
there is one, the command that fixes it; the exit code says the rest: 0 done, 1 refused or in the way, 2 not understood.
"""

import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel, JsonValue
from rich.console import Console
from rich.live import Live

from activities.ledger import capabilities
from activities.ledger.ledger import LedgerDown
from starters.cli import freeze as freezing
from starters.cli import messages, options, slo, terminal
from starters.cli.options import As, AsJson, Full, Which
from starters.cli.terminal import draw, group, say, say_json, width
from starters.errors import CliError
from starters.postmortem import paper
from starters.reading import SERVER, IncidentView, Reader, whole
from starters.screens import by_hand, screens, shadow_report, sheets
from starters.screens import checklist as checklists
from starters.screens.text import ago
from workflows.incident import Incident, State
from workflows.status import ItemState, Status

LOOKS_PER_SECOND = 4
FOREVER = (State.CLOSED, State.STOOD_DOWN)  # nothing changes after these; `watch` ends

app = group((__doc__ or "").splitlines()[0])


@app.command()
def declare(
    playbook: Annotated[str, typer.Argument(help="Its file name, section or workflow type: `incident playbooks` lists them.")],
    service: Annotated[str, typer.Option(help="The service that suffers. Enough to start with.")] = "",
    provider: Annotated[str, typer.Option(help="The provider that is suspected, if any.")] = "",
    region: Annotated[str, typer.Option(help="The region, if it is only one.")] = "",
    title: Annotated[str, typer.Option(help="One line of what people see.")] = "",
    severity: Annotated[str, typer.Option(help="SEV-1 to SEV-5; left out, the playbook works it out.")] = "",
    as_: As = "",
) -> None:
    """Declare an incident: start a playbook. If one is open for the same thing, that is the answer."""
    from starters import steering  # noqa: PLC0415 - the SDK is slow to import, and reading does not need it

    reader = options.reader()
    told = Incident(
        service=service, provider=provider, region=region, title=title, declared_by=options.speaker(reader, as_),
        severity=options.severity(severity) if severity else None,
    )  # fmt: skip
    steering.playbook(playbook)
    declared = options.with_client(reader, lambda client: steering.declare(client, reader.ledger, reader.settings, playbook, told))
    words = "is declared" if declared.opened else "is open for the same thing already; nothing new was started"
    say(f"{declared.incident_id} {words}")
    say(f"watch it: incident watch {declared.incident_id}")


@app.command()
def plan(
    playbook: Annotated[str, typer.Argument(help="Its file name, section or workflow type: `incident playbooks` lists them.")],
    service: Annotated[str, typer.Option(help="The service that would suffer.")],
    provider: Annotated[str, typer.Option(help="The provider that would be suspected, if any.")] = "",
    region: Annotated[str, typer.Option(help="The region, if it is only one.")] = "",
    as_json: AsJson = False,
) -> None:
    """Say what a playbook would do now: it only reads. Steps, effects, undo, questions, blast radius, and each command to do it by hand."""
    from starters import steering  # noqa: PLC0415 - the SDK is slow to import, and reading does not need it
    from starters.cli import plan as planning  # noqa: PLC0415

    reader = options.reader()
    told = Incident(service=service, provider=provider, region=region, declared_by=options.speaker(reader, ""))
    steering.playbook(playbook)
    outcome = options.with_client(reader, lambda client: steering.rehearse(client, reader.settings, playbook, told))
    lacking = capabilities.lacking(reader.ledger)
    if as_json:
        return say_json({**outcome.model_dump(mode="json"), "lacking": [one.model_dump(mode="json") for one in lacking]})
    draw(planning.picture(outcome, width()))
    for line in capabilities.in_words(lacking):
        say(line)
    return None


@app.command("list")
def list_incidents(
    everything: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False, as_json: AsJson = False
) -> None:
    """List the incidents that are open."""
    reader = options.reader()
    seen, lost = reader.incidents(open_only=not everything), reader.lost()
    if as_json:
        return say_json([_summary(one) | ({"state": screens.LOST} if one.status.incident_id in lost else {}) for one in seen])
    if not seen:
        return say("no incident is open" if not everything else "there never was an incident")
    return draw(screens.listed(seen, datetime.now(UTC), width(), lost))


@app.command()
def status(
    incident: Which = "", full: Full = False, as_json: AsJson = False,
    live: Annotated[bool, typer.Option("--live", help="Ask the worker itself, not the ledger.")] = False,
) -> None:  # fmt: skip
    """Show how an incident is: what happens, what is in force, what people must decide."""
    reader = options.reader()
    seen = reader.status(reader.find(incident), live)
    lacking = capabilities.lacking(reader.ledger)
    if as_json:
        told = {"status": seen.status.model_dump(mode="json"), "lacking": [one.model_dump(mode="json") for one in lacking]}
        return say_json({**_provenance(seen), **told})
    _show(seen, full)
    for line in capabilities.in_words(lacking):
        say(line)
    return None


@app.command()
def watch(incident: Which = "", full: Full = False, as_json: AsJson = False) -> None:
    """Watch an incident live until it is over. Where there is no terminal: one line per change."""
    reader = options.reader()
    which = reader.find(incident)
    if as_json or not sys.stdout.isatty():
        return _follow(reader, which, as_json)
    console = Console(highlight=False)
    with Live(console=console, screen=False, auto_refresh=False, vertical_overflow="ellipsis") as picture:
        asked: set[int] = set()
        while True:
            seen = reader.status(which)
            picture.update(_picture(seen, console.width, full), refresh=True)
            fresh = {question.number for question in seen.status.asking}
            if fresh - asked:
                console.bell()
            asked |= fresh
            if seen.status.state in FOREVER:
                return None
            time.sleep(1 / LOOKS_PER_SECOND)


@app.command()
def timeline(incident: Which = "", as_json: AsJson = False) -> None:
    """Show the timeline, and whether anybody altered it."""
    reader = options.reader()
    which = reader.find(incident)
    entries, source = reader.timeline(which)
    try:
        chain = reader.ledger.verify(which)
    except LedgerDown:
        chain = None
    broken = chain.broken_at if chain else None
    if as_json:
        told = [entry.model_dump(mode="json") for entry in entries]
        return say_json({"incident_id": which, "source": source, "intact": broken is None, "broken_at": broken, "entries": told})
    draw(screens.timeline(entries, width()))
    age = f", the last of them {ago(datetime.now(UTC) - entries[-1].at)}" if entries else ""
    say(f"{len(entries)} entries from {source}{age}")
    if broken is not None:
        raise CliError(f"entry {broken} is missing or was altered: the hash chain breaks there", "incident doctor")
    return None


@app.command()
def postmortem(
    incident: Which = "",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write it there; what people wrote in that file is kept.")] = None,
    as_json: AsJson = False,
) -> None:
    """Draft the post-mortem from the record."""
    from starters.postmortem import postmortem as document  # noqa: PLC0415 - only here

    reader = options.reader()
    seen = reader.status(reader.find(incident))
    entries, _ = reader.timeline(seen.status.incident_id)
    effects, house = (
        reader.effects(seen.status.incident_id),
        document.House(options.policy(reader), options.roster(reader), options.dashboards(reader)),
    )
    if as_json:
        return say_json({**_provenance(seen), **document.facts(seen.status, entries, effects, house)})
    source = f"{seen.source}, as of {seen.as_of:%Y-%m-%d %H:%M:%S} UTC"
    if output is None:
        return print(document.draft(seen.status, entries, effects, source=source, house=house))
    before = paper.read(output)
    paper.write(output, before, document.draft(seen.status, entries, effects, before, source, house))
    if not before:
        return say(f"{output}: drafted")
    if theirs := paper.theirs(before):
        say(f"not renewed, because somebody edited it: {', '.join(theirs)}")
    return say(f"{output}: renewed; what people wrote is kept")


@app.command()
def checklist(
    incident: Annotated[
        str, typer.Argument(metavar="INCIDENT", help="Whose ticks to show; left out, the sheet to print.", show_default=False)
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Print the first-15-minutes checklist, with deadlines by severity; with an incident, what is done, late and missed."""
    reader = options.reader()
    policy = options.policy(reader)
    if not incident:
        return say_json({"items": checklists.items(policy)}) if as_json else _print_lines(checklists.sheet(policy, width()))
    seen = reader.status(reader.find(incident))
    if as_json:
        return say_json({**_provenance(seen), "items": checklists.items(policy, seen.status), "ticks": _dumped(seen.status.checklist)})
    if not seen.status.checklist:
        return _print_lines(checklists.sheet(policy, width(), seen.status))
    draw(checklists.ticks(seen.status, datetime.now(UTC), width()))
    return say(f"from {seen.source}, {ago(datetime.now(UTC) - seen.as_of)}")


@app.command("by-hand")
def rest_by_hand(incident: Which = "", as_json: AsJson = False) -> None:
    """Print the rest of a playbook as shell commands. Needs the ledger only: no server, no worker."""
    reader = options.reader()
    seen = whole(reader.status(reader.find(incident)))
    status = seen.status
    if as_json:
        parts: dict[str, Sequence[BaseModel]] = {
            "in_force": status.in_force, "steps": by_hand.under_way(status), "questions": status.asking, "tasks": status.tasks,
            "plan": status.plan,
        }  # fmt: skip
        return say_json({**_provenance(seen), **{name: _dumped(part) for name, part in parts.items()}})
    return _print_lines(by_hand.rest(status, reader.effects(status.incident_id), datetime.now(UTC), seen.source, seen.as_of))


@app.command()
def measures(
    incident: Annotated[
        str, typer.Argument(metavar="INCIDENT", help="Of which incident; left out, of all of them.", show_default=False)
    ] = "",
    commands: Annotated[bool, typer.Option("--by-hand", help="The commands that lift everything, latest first.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what is in force, everywhere or of one incident; with --by-hand, how to lift it. Needs the ledger only: no server, no worker."""
    reader = options.reader()
    seen = [whole(reader.status(reader.find(incident)))] if incident else reader.holding()
    found = by_hand.standing(one.status for one in seen)
    if as_json:
        return say_json({"read": [_provenance(one) for one in seen], "in_force": [by_hand.told(one) for one in found]})
    _print_lines(by_hand.everywhere(found, datetime.now(UTC), commands))
    for one in seen if found else []:
        if one.status.in_force:
            print(f"# {one.status.incident_id}: from {one.source}, {ago(datetime.now(UTC) - one.as_of)}")
    return None


@app.command()
def playbooks(as_json: AsJson = False) -> None:
    """List the playbooks that can be declared."""
    from worker.playbooks import discover  # noqa: PLC0415 - imports every playbook

    known = sorted(discover().values(), key=lambda info: [int(part) for part in info.card.section.split(".")])
    if as_json:
        return say_json([{"name": one.name, "workflow_type": one.type, **one.card.model_dump(mode="json")} for one in known])
    for one in known:
        print(f"§{one.card.section:5}{one.name:26}{one.card.floor.label}  {one.card.title}")
    return None


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Check everything this product needs, and say how to mend what is broken."""
    from starters.cli import doctor as checks  # noqa: PLC0415 - imports the SDK

    found = checks.examine()
    if as_json:
        say_json([check._asdict() for check in found])
    else:
        for check in found:
            say(f"{check.mark} {check.name}: {check.said}")
            if check.fix:
                say(f"    → {check.fix}")
    raise typer.Exit(1 if any(check.state == "broken" for check in found) else 0)


def _follow(reader: Reader, which: str, as_json: bool) -> None:
    """One line per change, for logs and pipes."""
    before: Status | None = None
    while True:
        seen = reader.status(which)
        if before is None or seen.status.version != before.version or seen.source == SERVER:
            if as_json:
                print(json.dumps({**_provenance(seen), "status": seen.status.model_dump(mode="json")}), flush=True)
            else:
                for line in screens.changes(before, seen.status):
                    print(f"{seen.status.updated_at:%H:%M:%S} {line}", flush=True)
        before = seen.status
        if seen.status.state in FOREVER:
            return
        time.sleep(1 / LOOKS_PER_SECOND)


def _show(seen: IncidentView, full: bool) -> None:
    draw(_picture(seen, width(), full))
    if seen.partial:
        say("only the server's own listing answered: steps and questions are not known until a worker runs again")


def _picture(seen: IncidentView, width: int, full: bool) -> Any:
    return screens.render(seen.status, datetime.now(UTC), width, seen.source, seen.as_of, full)


def _print_lines(lines: Sequence[str]) -> None:
    print("\n".join(lines))


def _dumped(parts: Sequence[BaseModel]) -> list[JsonValue]:
    return [part.model_dump(mode="json") for part in parts]


def _provenance(seen: IncidentView) -> dict[str, JsonValue]:
    age = max((datetime.now(UTC) - seen.as_of).total_seconds(), 0.0)
    return {"incident_id": seen.status.incident_id, "source": seen.source, "as_of": seen.as_of.isoformat(), "age_seconds": round(age, 3)}


def _summary(seen: IncidentView) -> dict[str, JsonValue]:
    kept = ("playbook", "section", "title", "service", "severity", "phase", "state", "commander", "declared_at", "updated_at", "version")
    told = seen.status.model_dump(mode="json")
    asking: list[JsonValue] = [question.number for question in seen.status.asking]
    in_force: list[JsonValue] = [measure.name for measure in seen.status.in_force]
    missed: list[JsonValue] = [tick.key for tick in seen.status.checklist if tick.state is ItemState.MISSED]
    return {**_provenance(seen), **{name: told[name] for name in kept}, "asking": asking, "in_force": in_force, "missed": missed}


app.add_typer(messages.app)
app.add_typer(sheets.app)
app.add_typer(shadow_report.app)
app.add_typer(slo.app)
app.add_typer(freezing.app, name="freeze")


def run(arguments: Sequence[str]) -> int:
    """Do what was asked; the exit code. Whatever happens is a sentence, never a traceback."""
    return terminal.run(app, arguments)
