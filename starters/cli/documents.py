"""`incident postmortem`, `checklist`, `by-hand`, `measures` and `evidence`: what is printed, kept and followed.

From the record: no server, no worker. Only `evidence --fetch` asks the evidence store.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel
from temporalio.exceptions import ApplicationError

from activities.action import Call, Refused
from activities.evidence.store import EvidenceStore
from activities.kit.holding import Hold, Thing
from activities.ledger.custody import Custody, ManifestLine
from activities.ledger.database import LedgerDown
from activities.ledger.holders import RecordedHolders
from activities.ledger.ledger import Ledger
from starters.cli import options
from starters.cli.look import provenance
from starters.cli.options import As, Which
from starters.cli.terminal import AsJson, draw, group, say, say_json, width
from starters.postmortem import paper
from starters.reading import Reader, whole
from starters.screens import by_hand, holders
from starters.screens import checklist as checklists
from starters.screens import evidence as manifest
from starters.screens.text import CliError, ago, typed

app = group()


@app.command()
def postmortem(
    incident: Which = "",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The file to write. What people wrote in it is kept.")] = None,
    as_json: AsJson = False,
) -> None:
    """Draft the post-mortem from the record."""
    from starters.postmortem import numbers  # noqa: PLC0415 - only here
    from starters.postmortem import postmortem as document  # noqa: PLC0415

    reader = options.reader()
    seen = reader.status(reader.find(incident))
    entries, _ = reader.timeline(seen.status.incident_id)
    effects, dashboards = reader.effects(seen.status.incident_id), {}
    with suppress(Refused):
        dashboards = dict(options.organisation(reader).read_communications().links.dashboards)
    kept: tuple[ManifestLine, ...] = ()
    with suppress(LedgerDown):
        kept = Custody(reader.ledger).lines(seen.status.incident_id)
    house = numbers.House(options.policy(reader), options.roster(reader), dashboards, kept)
    if as_json:
        return say_json({**provenance(seen), **numbers.facts(seen.status, entries, effects, house)})
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
        str, typer.Argument(metavar="INCIDENT", help="The incident whose ticks are shown. Default: an empty sheet.", show_default=False)
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Print the first-15-minutes checklist with its deadlines. For an incident: what is done, late and missed."""
    reader = options.reader()
    policy = options.policy(reader)
    if not incident:
        return say_json({"items": checklists.items(policy)}) if as_json else print("\n".join(checklists.sheet(policy, width())))
    seen = reader.status(reader.find(incident))
    status = seen.status
    if as_json:
        ticks = [tick.model_dump(mode="json") for tick in status.checklist]
        return say_json({**provenance(seen), "items": checklists.items(policy, status), "ticks": ticks})
    if not status.checklist:
        return print("\n".join(checklists.sheet(policy, width(), status)))
    draw(checklists.ticks(status, datetime.now(UTC), width()))
    return say(f"from {seen.source}, {ago(datetime.now(UTC) - seen.as_of)}")


@app.command("by-hand")
def rest_by_hand(incident: Which = "", as_json: AsJson = False) -> None:
    """Print the rest of a playbook as shell commands. Needs only the ledger: no server, no worker."""
    reader = options.reader()
    seen = whole(reader.status(reader.find(incident)))
    if as_json:
        status = seen.status
        parts: dict[str, Sequence[BaseModel]] = {"in_force": status.in_force, "steps": by_hand.under_way(status)}
        parts |= {"questions": status.asking, "tasks": status.tasks, "plan": status.plan}
        return say_json({**provenance(seen), **{name: [one.model_dump(mode="json") for one in part] for name, part in parts.items()}})
    effects = reader.effects(seen.status.incident_id)
    return print("\n".join(by_hand.rest(seen.status, effects, datetime.now(UTC), seen.source, seen.as_of)))


@app.command()
def measures(
    incident: Annotated[str, typer.Argument(metavar="INCIDENT", help="The incident. Default: all of them.", show_default=False)] = "",
    commands: Annotated[bool, typer.Option("--by-hand", help="Print the commands that lift everything, latest first.")] = False,
    drop: Annotated[bool, typer.Option("--drop", help="INCIDENT needs nothing any more; changes nothing outside.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the measures in force. With --by-hand: how to lift them. Needs only the ledger: no server, no worker."""
    reader = options.reader()
    if drop:
        return _drop(reader, reader.find(incident))
    seen = [whole(reader.status(reader.find(incident)))] if incident else reader.holding()
    hidden = [] if incident else [one for one in seen if one.status.restricted and one.status.in_force]
    seen = [one for one in seen if one not in hidden]
    found = by_hand.standing(one.status for one in seen)
    if as_json:
        return say_json(
            {"read": [provenance(one) for one in seen], "in_force": [by_hand.told(one) for one in found], "restricted": len(hidden)}
        )
    lines = by_hand.everywhere(found, datetime.now(UTC), commands)
    if hidden:
        lines += by_hand.comment(f"beside these, {len(hidden)} restricted incidents have measures in force: page Security")
    together = holders.shared(_held(reader))
    lines += [line for said in together for line in by_hand.comment(said)] if commands else together
    for one in seen:
        if one.status.in_force:
            lines += by_hand.comment(f"{one.status.incident_id}: from {one.source}, {ago(datetime.now(UTC) - one.as_of)}")
    return print("\n".join(lines))


@app.command()
def evidence(
    incident: Which = "",
    fetch: Annotated[str, typer.Option(metavar="SHA256", help="Write this piece to --output. That you looked at it is kept.")] = "",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The file for --fetch.")] = None,
    as_: As = "",
    as_json: AsJson = False,
) -> None:
    """Show the manifest of an incident's evidence: what was kept, where, its hash, until when, and who has handled it."""
    reader = options.reader()
    which = reader.find(incident)
    if fetch:
        return _fetch(reader, which, fetch, output, options.speaker(reader, as_))
    try:
        lines = Custody(reader.ledger).lines(which)
    except LedgerDown as down:
        raise CliError(f"the manifest cannot be read: {down}", "incident doctor") from None
    if as_json:
        return say_json({"incident_id": which, "evidence": [line.model_dump(mode="json") for line in lines]})
    if not lines:
        return say(f"nothing is on the manifest of {which}")
    for line in lines:
        for said in manifest.in_words(line):
            print(said)
    loose = sum(not line.write_once for line in lines)
    return say(f"{len(lines)} pieces of evidence; {loose} of them are not write-once" if loose else f"{len(lines)} pieces of evidence")


def _fetch(reader: Reader, incident: str, sha256: str, output: Path | None, by: str) -> None:
    if output is None:
        raise CliError("--fetch needs a file to write to", f"{typed('evidence', incident, '--fetch', sha256)} --output FILE")
    if output.exists():
        raise CliError(f"{output} is there already; evidence is written over nothing")
    content = asyncio.run(_read(reader, incident, sha256, by))
    with output.open("xb") as file:
        file.write(content)
    return say(f"{output}: {len(content)} bytes; it is on the manifest that {by} has looked at it")


async def _read(reader: Reader, incident: str, sha256: str, by: str) -> bytes:
    from worker.wiring import building  # noqa: PLC0415 - opens clients, which no other command of these does

    call = Call(incident_id=incident, key=f"{incident}/evidence/{sha256}/0", at=datetime.now(UTC))
    async with AsyncExitStack() as stack:
        try:
            store: EvidenceStore = building(reader.settings, stack, {Ledger: reader.ledger}).part(EvidenceStore)
            return await store.read(call, sha256, by=f"{by} (self-declared)")
        except ApplicationError as no:
            raise CliError(no.message, "incident doctor") from None
        except OSError as away:
            raise CliError(f"the evidence store does not answer: {away}", "incident doctor") from None


def _held(reader: Reader) -> Mapping[Thing, Sequence[Hold]]:
    try:
        return RecordedHolders(reader.ledger).read()
    except LedgerDown:
        return {}


def _drop(reader: Reader, incident: str) -> None:
    """What an ended or lost incident held is left to the others. A running one lets go by itself: its lift does more than that."""
    if not reader.status(incident).status.state.over and incident not in reader.lost():
        raise CliError(f"the playbook of {incident} runs: it lets go when it ends", typed("stand-down", incident, "--reason", "…"))
    things = sorted({thing.target for thing in RecordedHolders(reader.ledger).drop(incident)})
    return say(f"{incident} needs nothing any more; it held {', '.join(things) or 'nothing'}. Nothing was changed outside")
