"""`incident clocks`: which legal clocks run, when each is due, drafts to send, and how Legal answers.

The clocks of an incident are a workflow of their own and are spoken to directly, whether or not the incident is still open. Nothing here
sends anything to anybody outside: a person does, and tells the clock the receipt.
"""

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from activities.action import Refused
from activities.clocks.clock import PREFIX, ClocksState, in_words
from activities.clocks.drafts import draft_of
from activities.clocks.predicates import Facts
from activities.kit.words.code_names import OTHERS_READ, under_code_name
from starters.cli import options
from starters.cli.options import As, Code, Why
from starters.cli.terminal import AsJson, group, say, say_json
from starters.screens.text import CliError, typed

if TYPE_CHECKING:
    from temporalio.client import Client

app = group("Legal clocks: which run, when each is due, and how Legal answers.")

Whose = Annotated[str, typer.Argument(metavar="INCIDENT", help="The incident, by its full id.", show_default=False)]
Named = Annotated[str, typer.Argument(metavar="CLOCK", help="The clock: `incident clocks show` lists them.", show_default=False)]
Stage = Annotated[str, typer.Option("--stage", metavar="STAGE", help="The stage; the first one still to be sent if it is left out.")]
When = Annotated[str, typer.Option("--at", metavar="INSTANT", help="When: 2026-11-27T15:20Z. It needs a time zone.")]
COUNTRIES = ("countries",)
LISTS = {"data_sets", "counts"}


@app.command("list")
def list_clocks(as_json: AsJson = False) -> None:
    """List every incident whose clocks run, with what is due first."""
    states = _running()
    if as_json:
        return say_json([_json(one) if not under_code_name(one.incident) else _hidden(one) for one in states])
    now = datetime.now(UTC)
    for one in states:
        if under_code_name(one.incident):
            say(f"{OTHERS_READ}: {sum(not clock.state.over for clock in one.clocks.values())} clocks")
            continue
        say(f"{one.incident}:")
        for line in one.lines(now)[:6]:
            say(f"    {line}")
        if (more := len(one.lines(now)) - 6) > 0:
            say(f"    and {more} more: {typed('clocks', 'show', one.incident)}")
    return None if states else say("no legal clock runs")


@app.command()
def show(incident: Whose, as_json: AsJson = False) -> None:
    """Show every clock of one incident: its state, its deadline and why; and what Legal is asked."""
    state = _state(incident)
    if as_json:
        return say_json(_json(state))
    now = datetime.now(UTC)
    aware = state.events.get("aware", ())
    say(
        f"{incident}: aware since {min(start.at for start in aware):%Y-%m-%d %H:%M} UTC"
        if aware
        else f"{incident}: nothing was reported yet"
    )
    for line in state.lines(now):
        say(f"    {line}")
    for clock in state.ordered():
        if clock.state.over:
            say(f"    {in_words(clock, now)}")
    if state.asked:
        say("Legal is asked:")
        for name in state.asked:
            say(f"    {name}: {Facts.model_fields[name].description}")
        say(f"answer any of it: {typed('clocks', 'assess', incident, 'personal_data=yes', 'countries=DE,FR')}")
    return None


@app.command()
def regimes(as_json: AsJson = False) -> None:
    """List every row of the table of clocks, those that are off too, with source and version. `clocks.toml` changes it."""
    from activities.clocks.table import read_table  # noqa: PLC0415 - the calendars are slow to import

    try:
        table = read_table(options.organisation(options.reader()).path)
    except Refused as wrong:
        raise CliError(wrong.message, "incident doctor") from None
    if as_json:
        return say_json({name: row.model_dump(mode="json") for name, row in table.regimes.items()})
    for name, row in table.regimes.items():
        say(f"{name}{'' if row.on else ' (off)'}: {row.title}")
        for stage in row.stages:
            say(f"    {stage.name}: {' or '.join(rule.in_words() for rule in stage.due)}")
        say(f"    {row.version}; {row.source}; confidence: {row.confidence}")
    return None


@app.command("open")
def open_(
    incident: Whose,
    aware: Annotated[str, typer.Option("--aware", metavar="INSTANT", help="The first credible suspicion. Default: now.")] = "",
    tenant: Annotated[list[str] | None, typer.Option("--tenant", metavar="NAME", help="A tenant that may be concerned. Repeat it.")] = None,
    as_: As = "", reason: Why = "", code: Code = "",
) -> None:  # fmt: skip
    """Start the clocks of an incident by hand, or tell them more of what was seen. They run provisionally until Legal has answered."""
    if not reason:
        raise CliError("say what was seen: --reason", "incident clocks open --help")
    reader = options.reader()
    by = options.speaker(reader, as_)
    _start(incident)
    say(_say(incident, "report", by, reason=reason, tenants=list(tenant or ()), code=code, **({"at": _instant(aware)} if aware else {})))


@app.command()
def assess(
    incident: Whose,
    facts: Annotated[list[str], typer.Argument(metavar="FIELD=VALUE...", help="yes, no or unknown; countries=DE,FR; counts=US-CA:700")],
    as_: As = "", code: Code = "",
) -> None:  # fmt: skip
    """Fill in the one form, any part of it. Legal's; whether it is material or a high risk, together with an executive."""
    _order(incident, "assess", as_, facts=facts_of(facts), code=code)


@app.command()
def applies(
    incident: Whose, clock: Named, word: Annotated[str, typer.Argument(metavar="yes|no|unknown")],
    as_: As = "", reason: Why = "", code: Code = "",
) -> None:  # fmt: skip
    """Say whether one clock applies, with a reason. Legal's. `unknown` takes it back."""
    _order(incident, "applies", as_, clock=clock, applies=word, reason=reason, code=code)


@app.command()
def started(
    incident: Whose,
    event: Annotated[str, typer.Argument(metavar="EVENT", help="aware, materiality_determined, classified_major, fix_available …")],
    at: When, clock: Annotated[str, typer.Option("--clock", metavar="CLOCK", help="For this clock alone.")] = "",
    as_: As = "", reason: Why = "", code: Code = "",
) -> None:  # fmt: skip
    """State when something was. Both are kept, and alarms follow the earlier one."""
    _order(incident, "started", as_, event=event, at=_instant(at), clock=clock, reason=reason, code=code)


@app.command()
def draft(incident: Whose, clock: Named, stage: Stage = "", as_json: AsJson = False) -> None:
    """Print the draft of a notice, filled from the record. Nothing is sent."""
    state = _state(incident)
    found = state.clocks.get(clock)
    if found is None:
        raise CliError(f"{incident} has no clock {clock!r}", f"incident clocks show {incident}")
    try:
        made = draft_of(state, found, stage)
    except KeyError:
        raise CliError(
            f"{clock} has no such stage; it has {', '.join(one.name for one in found.stages)}", f"incident clocks show {incident}"
        ) from None
    if as_json:
        return say_json(made.model_dump(mode="json"))
    print(made.text)
    say("")
    say(f"text and recipients: {made.digest}")
    say(f"sign exactly this: {typed('clocks', 'sign', incident, clock, made.digest)}")
    return None


@app.command()
def sign(
    incident: Whose, clock: Named, digest: Annotated[str, typer.Argument(metavar="DIGEST", help="Of the text that you read.")],
    stage: Stage = "", as_: As = "", code: Code = "",
) -> None:  # fmt: skip
    """Give your word for exactly one text and its recipients, before a person sends it."""
    _order(incident, "sign", as_, clock=clock, stage=stage, digest=digest, code=code)


@app.command()
def submitted(
    incident: Whose, clock: Named, receipt: Annotated[str, typer.Option("--receipt", metavar="REFERENCE", help="Its number, or where it is kept.")],
    stage: Stage = "", at: When = "", as_: As = "", reason: Why = "", code: Code = "",
) -> None:  # fmt: skip
    """State that a person has sent it, with the receipt. Legal's. The reason: why it was sent without the signatures it needs."""
    more = {"at": _instant(at)} if at else {}
    _order(incident, "submitted", as_, clock=clock, stage=stage, receipt=receipt, reason=reason, code=code, **more)


@app.command()
def delay(
    incident: Whose, clock: Named,
    reference: Annotated[str, typer.Option("--reference", metavar="TEXT", help="Whose determination, and which document.")],
    until: Annotated[str, typer.Option("--until", metavar="INSTANT", help="When the delay ends: 2026-12-09T00:00Z.")],
    as_: As = "", code: Code = "",
) -> None:  # fmt: skip
    """State a delay that law enforcement or the Attorney General has determined. Legal's. It needs a document and an end."""
    _order(incident, "delay", as_, clock=clock, reference=reference, until=_instant(until), code=code)


@app.command("code")
def code_(incident: Whose, as_: As = "") -> None:
    """Have a code sent to your phone, with which one of these messages is verified."""
    _order(incident, "code", as_)


def facts_of(said: list[str]) -> dict[str, Any]:
    """`personal_data=yes countries=DE,FR counts=US-CA:700 data_sets=chats:processor`. Raises `CliError`."""
    facts: dict[str, Any] = {}
    for one in said:
        name, equals, value = one.partition("=")
        if not equals or name not in Facts.model_fields:
            raise CliError(f"{one!r} is no field of the form; there are {', '.join(Facts.model_fields)}", "incident clocks assess --help")
        parts = [part for part in value.split(",") if part]
        if name in LISTS:
            facts[name] = dict(part.rpartition(":")[::2] for part in parts)
        else:
            facts[name] = parts if name in COUNTRIES else value
    return facts


def _instant(said: str) -> str:
    try:
        at = datetime.fromisoformat(said.replace("Z", "+00:00"))
    except ValueError:
        raise CliError(f"{said!r} is no instant; it is written 2026-11-27T15:20Z", "incident clocks --help") from None
    if at.tzinfo is None:
        raise CliError(f"{said!r} needs a time zone: 2026-11-27T15:20Z", "incident clocks --help")
    return at.isoformat()


def _running() -> list[ClocksState]:
    from activities.clocks.clocks import state_of  # noqa: PLC0415 - the SDK is slow to import
    from starters import steering  # noqa: PLC0415

    async def ask(client: "Client") -> list[ClocksState]:
        async with steering.plainly(client, "the list of clocks"):
            running = client.list_workflows(f"WorkflowId STARTS_WITH '{PREFIX}' AND ExecutionStatus = 'Running'")
            return await asyncio.gather(*[state_of(client, one.id.removeprefix(PREFIX)) async for one in running])

    return sorted(options.reader().talk(ask), key=lambda one: one.incident)


def _state(incident: str) -> ClocksState:
    from activities.clocks.clocks import state_of  # noqa: PLC0415 - as above
    from starters import steering  # noqa: PLC0415

    async def ask(client: "Client") -> ClocksState:
        async with steering.plainly(client, f"the clocks of {incident}"):
            return await state_of(client, incident)

    try:
        return options.reader().talk(ask)
    except Refused as none:
        raise CliError(none.message, f"incident clocks open {incident} --reason TEXT") from None


def _start(incident: str) -> None:
    """Begin their workflow, unless it runs."""
    from activities.clocks.clocks import begin  # noqa: PLC0415 - as above
    from starters import steering  # noqa: PLC0415

    reader = options.reader()

    async def start(client: "Client") -> None:
        async with steering.plainly(client, f"the clocks of {incident}"):
            await begin(client, incident, reader.settings.queues[0], reader.settings.task_patience)

    reader.talk(start)


def _order(incident: str, message: str, as_: str, **words: Any) -> None:
    reader = options.reader()
    by = options.speaker(reader, as_)
    _state(incident)
    say(_say(incident, message, by, **words))


def _say(incident: str, message: str, by: str, **words: Any) -> str:
    return options.reader().say(PREFIX + incident, message, by, **{name: value for name, value in words.items() if value not in ("", [])})


def _json(one: ClocksState) -> dict[str, Any]:
    return {**one.model_dump(mode="json"), "ai_hold": one.ai_hold, "asked": list(one.asked)}


def _hidden(one: ClocksState) -> dict[str, Any]:
    return {"incident": OTHERS_READ, "clocks": sum(not clock.state.over for clock in one.clocks.values())}
