"""`incident list`, `status`, `watch` and `timeline`: how incidents are. Read from the ledger first; worker and server need not be alive."""

import json
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated

import typer
from pydantic import JsonValue
from rich.console import Console, Group
from rich.live import Live

from activities.ledger import capabilities
from activities.ledger.database import LedgerDown
from starters.cli import options
from starters.cli.options import Full, Which
from starters.cli.terminal import AsJson, draw, group, say, say_json, width
from starters.reading import IncidentView, Reader
from starters.screens import lists
from starters.screens.incident import render
from starters.screens.lists import changes
from starters.screens.text import CliError, ago
from workflows.incident import State
from workflows.status import ItemState, Status

LOOKS_PER_SECOND = 4
FINAL = (State.CLOSED, State.STOOD_DOWN)  # nothing changes after these; `watch` ends

app = group()


@app.command("list")
def list_incidents(
    everything: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False, as_json: AsJson = False
) -> None:
    """List the open incidents."""
    reader = options.reader()
    seen, lost = reader.incidents(open_only=not everything), reader.lost()
    if as_json:
        return say_json([_summary(one) | ({"state": lists.LOST} if one.status.incident_id in lost else {}) for one in seen])
    if not seen:
        return say("there is no incident on record" if everything else "no incident is open")
    return draw(lists.incidents(seen, datetime.now(UTC), width(), lost))


@app.command()
def status(
    incident: Which = "", full: Full = False, as_json: AsJson = False,
    live: Annotated[bool, typer.Option("--live", help="Ask the workflow itself, not the ledger.")] = False,
) -> None:  # fmt: skip
    """Show an incident: what happens, what is in force, what people must decide."""
    reader = options.reader()
    seen = reader.status(reader.find(incident), live)
    lacking = capabilities.lacking(reader.ledger)
    if as_json:
        told = {"status": seen.status.model_dump(mode="json"), "lacking": [one.model_dump(mode="json") for one in lacking]}
        return say_json({**provenance(seen), **told})
    draw(_picture(seen, width(), full))
    if seen.partial:
        say("only the server's own listing answered: steps and questions are not known until a worker runs again")
    for line in capabilities.in_words(lacking):
        say(line)
    return None


@app.command()
def watch(incident: Which = "", full: Full = False, as_json: AsJson = False) -> None:
    """Watch an incident live until it is over. Without a terminal: one line per change."""
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
            new = {question.number for question in seen.status.asking}
            if new - asked:
                console.bell()
            asked |= new
            if seen.status.state in FINAL:
                return None
            time.sleep(1 / LOOKS_PER_SECOND)


@app.command()
def timeline(incident: Which = "", as_json: AsJson = False) -> None:
    """Show the timeline, and whether somebody altered it."""
    reader = options.reader()
    which = reader.find(incident)
    entries, source = reader.timeline(which)
    broken = None
    with suppress(LedgerDown):
        broken = reader.ledger.verify(which).broken_at
    if as_json:
        told = [entry.model_dump(mode="json") for entry in entries]
        return say_json({"incident_id": which, "source": source, "intact": broken is None, "broken_at": broken, "entries": told})
    draw(lists.timeline(entries, width()))
    age = f", the last of them {ago(datetime.now(UTC) - entries[-1].at)}" if entries else ""
    say(f"{len(entries)} entries from {source}{age}")
    if broken is not None:
        raise CliError(f"entry {broken} is missing or was altered: the hash chain breaks there", "incident doctor")
    return None


def provenance(seen: IncidentView) -> dict[str, JsonValue]:
    """Where a status comes from and how old it is, for programs."""
    age = max((datetime.now(UTC) - seen.as_of).total_seconds(), 0.0)
    return {"incident_id": seen.status.incident_id, "source": seen.source, "as_of": seen.as_of.isoformat(), "age_seconds": round(age, 3)}


def _follow(reader: Reader, which: str, as_json: bool) -> None:
    """One line per change, for logs and pipes."""
    before: Status | None = None
    while before is None or before.state not in FINAL:
        time.sleep(1 / LOOKS_PER_SECOND if before else 0)
        seen = reader.status(which)
        if before is None or seen.status.version != before.version or seen.partial:
            if as_json:
                print(json.dumps({**provenance(seen), "status": seen.status.model_dump(mode="json")}), flush=True)
            else:
                for line in changes(before, seen.status):
                    print(f"{seen.status.updated_at:%H:%M:%S} {line}", flush=True)
        before = seen.status


def _picture(seen: IncidentView, columns: int, full: bool) -> Group:
    return render(seen.status, datetime.now(UTC), columns, seen.source, seen.as_of, full)


def _summary(seen: IncidentView) -> dict[str, JsonValue]:
    kept = ("playbook", "section", "title", "service", "severity", "phase", "state", "commander", "declared_at", "updated_at", "version")
    told = seen.status.model_dump(mode="json")
    asking: list[JsonValue] = [question.number for question in seen.status.asking]
    in_force: list[JsonValue] = [measure.name for measure in seen.status.in_force]
    missed: list[JsonValue] = [tick.key for tick in seen.status.checklist if tick.state is ItemState.MISSED]
    return {**provenance(seen), **{name: told[name] for name in kept}, "asking": asking, "in_force": in_force, "missed": missed}
