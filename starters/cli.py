"""`incident`: declare an incident, watch it, answer its questions, read its record.

Reading comes from the ledger first, so it works when the worker and the Temporal server are dead. Every error is one sentence and, where
there is one, the command that fixes it; the exit code says the rest: 0 done, 1 refused or in the way, 2 not understood.
"""

import json
import os
import re
import shutil
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from pydantic import JsonValue, ValidationError
from rich.console import Console
from rich.live import Live
from rich.text import Text

from activities.action import Refused, Role
from activities.ledger import LedgerDown
from starters import screens
from starters.reading import SERVER, Reader, Seen, talk
from starters.trouble import Trouble
from workflows.incident import Incident, State, Status
from workflows.severity import Severity

if TYPE_CHECKING:
    from temporalio.client import Client


LOOKS_PER_SECOND = 4
FOREVER = (State.CLOSED, State.STOOD_DOWN)  # nothing changes after these; `watch` ends

app = typer.Typer(
    name="incident", help=f"{(__doc__ or '').splitlines()[0]}", no_args_is_help=True, add_completion=False, rich_markup_mode=None,
    pretty_exceptions_enable=False,
)  # fmt: skip

WHICH = "The incident: its id, or the beginning or end of it. May be left out while exactly one is open."
Which = Annotated[str, typer.Argument(metavar="INCIDENT", help=WHICH, show_default=False)]
Asked = Annotated[str, typer.Argument(metavar="QUESTION", help="Its number; needed when several wait for you.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON, for programs; the keys stay as they are.")]
As = Annotated[str, typer.Option("--as", metavar="NAME", help="Who is speaking: $INCIDENT_AS, or else the user of this machine.")]
Why = Annotated[str, typer.Option("--reason", "-r", metavar="TEXT", help="Why; it goes on the timeline.")]
Code = Annotated[str, typer.Option("--code", "-c", metavar="CODE", help="The personal code you were sent; it makes the answer verified.")]
Full = Annotated[bool, typer.Option("--full", help="Every step, every word and every command to do it by hand.")]


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

    reader = _reader()
    told = Incident(
        service=service, provider=provider, region=region, title=title, declared_by=_speaker(reader, as_),
        severity=_severity(severity) if severity else None,
    )  # fmt: skip
    steering.playbook(playbook)
    declared = _with_client(reader, lambda client: steering.declare(client, reader.ledger, reader.settings, playbook, told))
    words = "is declared" if declared.opened else "is open for the same thing already; nothing new was started"
    _print(f"{declared.incident_id} {words}")
    _print(f"watch it: incident watch {declared.incident_id}")


@app.command("list")
def list_incidents(
    everything: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False, as_json: AsJson = False
) -> None:
    """List the incidents that are open."""
    seen = _reader().incidents(open_only=not everything)
    if as_json:
        return _json([_summary(one) for one in seen])
    if not seen:
        return _print("no incident is open" if not everything else "there never was an incident")
    return _draw(screens.listed(seen, datetime.now(UTC), _width()))


@app.command()
def status(
    incident: Which = "", full: Full = False, as_json: AsJson = False,
    live: Annotated[bool, typer.Option("--live", help="Ask the worker itself, not the ledger.")] = False,
) -> None:  # fmt: skip
    """Show how an incident is: what happens, what is in force, what people must decide."""
    reader = _reader()
    seen = reader.status(reader.find(incident), live)
    if as_json:
        return _json({**_provenance(seen), "status": seen.status.model_dump(mode="json")})
    return _show(seen, full)


@app.command()
def watch(incident: Which = "", full: Full = False, as_json: AsJson = False) -> None:
    """Watch an incident live until it is over. Where there is no terminal: one line per change."""
    reader = _reader()
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
    reader = _reader()
    which = reader.find(incident)
    entries, source = reader.timeline(which)
    try:
        chain = reader.ledger.verify(which)
    except LedgerDown:
        chain = None
    broken = chain.broken_at if chain else None
    if as_json:
        told = [entry.model_dump(mode="json") for entry in entries]
        return _json({"incident_id": which, "source": source, "intact": broken is None, "broken_at": broken, "entries": told})
    _draw(screens.timeline(entries, _width()))
    age = f", the last of them {screens.ago(datetime.now(UTC) - entries[-1].at)}" if entries else ""
    _print(f"{len(entries)} entries from {source}{age}")
    if broken is not None:
        raise Trouble(f"entry {broken} is missing or was altered: the hash chain breaks there", "incident doctor")
    return None


@app.command()
def postmortem(
    incident: Which = "",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write it there; what people wrote in that file is kept.")] = None,
    as_json: AsJson = False,
) -> None:
    """Draft the post-mortem from the record."""
    from starters import postmortem as document  # noqa: PLC0415 - only here

    reader = _reader()
    seen = reader.status(reader.find(incident))
    entries, _ = reader.timeline(seen.status.incident_id)
    try:
        effects = reader.ledger.effects(seen.status.incident_id)
    except LedgerDown:
        effects = []
    if as_json:
        return _json({**_provenance(seen), **document.facts(seen.status, entries, effects)})
    before = output.read_text() if output and output.exists() else ""
    text = document.draft(seen.status, entries, effects, before, source=f"{seen.source}, as of {seen.as_of:%Y-%m-%d %H:%M:%S} UTC")
    if output is None:
        print(text)
        return None
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text)
    return _print(f"{output}: {'renewed; what people wrote is kept' if before else 'drafted'}")


@app.command()
def playbooks(as_json: AsJson = False) -> None:
    """List the playbooks that can be declared."""
    from worker.playbooks import discover  # noqa: PLC0415 - imports every playbook

    known = sorted(discover().values(), key=lambda info: [int(part) for part in info.card.section.split(".")])
    if as_json:
        return _json([{"name": one.name, "workflow_type": one.type, **one.card.model_dump(mode="json")} for one in known])
    for one in known:
        print(f"§{one.card.section:5}{one.name:26}{one.card.floor.label}  {one.card.title}")
    return None


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Check everything this product needs, and say how to mend what is broken."""
    from starters import doctor as checks  # noqa: PLC0415 - imports the SDK

    found = checks.examine()
    if as_json:
        _json([check._asdict() for check in found])
    else:
        for check in found:
            _print(f"{check.mark} {check.name}: {check.said}")
            if check.fix:
                _print(f"    → {check.fix}")
    raise typer.Exit(1 if any(check.state == "broken" for check in found) else 0)


@app.command()
def approve(incident: Which = "", question: Asked = "", as_: As = "", reason: Why = "", code: Code = "") -> None:
    """Say yes to a question."""
    _answer("approve", (incident, question), as_, reason, code)


@app.command()
def decline(incident: Which = "", question: Asked = "", as_: As = "", reason: Why = "", code: Code = "") -> None:
    """Say no to a question."""
    _answer("decline", (incident, question), as_, reason, code)


@app.command()
def retry(incident: Which = "", question: Asked = "", as_: As = "", reason: Why = "", code: Code = "") -> None:
    """Try a failed step again."""
    _answer("retry", (incident, question), as_, reason, code)


@app.command()
def skip(incident: Which = "", question: Asked = "", as_: As = "", reason: Why = "", code: Code = "") -> None:
    """Leave a failed step out."""
    _answer("skip", (incident, question), as_, reason, code)


@app.command()
def done_by_hand(incident: Which = "", question: Asked = "", as_: As = "", reason: Why = "", code: Code = "") -> None:
    """A failed step was done by hand: look at it and go on."""
    _answer("done_by_hand", (incident, question), as_, reason, code)


@app.command()
def hand_over(incident: Which = "", question: Asked = "", as_: As = "", reason: Why = "", code: Code = "") -> None:
    """Stop the playbook at a failed step and carry on by hand."""
    _answer("hand_over", (incident, question), as_, reason, code)


@app.command()
def answer(
    words: Annotated[list[str], typer.Argument(metavar="[INCIDENT] [QUESTION] VALUE", help=f"{WHICH} The value may be JSON.")],
    as_: As = "", reason: Why = "", code: Code = "",
) -> None:  # fmt: skip
    """Answer a question that wants a value."""
    _answer("answer", words[:-1], as_, reason, code, value=_value(words[-1]))


@app.command()
def note(
    words: Annotated[list[str], typer.Argument(metavar="[INCIDENT] TEXT", help="The text; an incident's full id may come first.")],
    about: Annotated[str, typer.Option(metavar="KIND", help="hypothesis, impact or scope.")] = "",
    which: Annotated[str, typer.Option("--incident", "-i", metavar="INCIDENT", help=WHICH)] = "",
    as_: As = "",
) -> None:
    """Put a line on the timeline."""
    if about not in ("", "hypothesis", "impact", "scope"):
        raise Trouble(f"a note is about a hypothesis, an impact or a scope, not about {about!r}", "incident note --help")
    if not which and len(words) > 1 and words[0].startswith("inc-"):
        which, words = words[0], words[1:]
    _say(which, "note", as_, text=" ".join(words), about=about)


@app.command()
def assign(
    words: Annotated[list[str], typer.Argument(metavar="[INCIDENT] ROLE NAME", help=f"{WHICH} Roles: {', '.join(Role)}.")],
    as_: As = "", reason: Why = "",
) -> None:  # fmt: skip
    """Give somebody a role. One that somebody holds is offered: it changes hands when it is accepted."""
    *which, role, to = _exactly(words, 2, "assign", "a role and a name")
    wanted = role.lower().replace("-", "_").replace(" ", "_")
    if wanted not in set(Role):
        raise Trouble(f"there is no role {role!r}; there are {', '.join(Role)}", "incident assign --help")
    _on_roster(_reader(), to)
    _say("".join(which), "assign", as_, role=wanted, to=to, reason=reason)


@app.command()
def ack(incident: Which = "", as_: As = "") -> None:
    """Take the page, or accept the role that you were offered: I am on it."""
    _say(incident, "acknowledge", as_)


@app.command()
def reclassify(
    words: Annotated[list[str], typer.Argument(metavar="[INCIDENT] SEVERITY", help=f"{WHICH} SEV-1 to SEV-5.")],
    as_: As = "", reason: Why = "",
) -> None:  # fmt: skip
    """Change the severity."""
    *which, severity = _exactly(words, 1, "reclassify", "a severity")
    _say("".join(which), "reclassify", as_, severity=_severity(severity).label, reason=reason)


@app.command()
def pause(incident: Which = "", as_: As = "", reason: Why = "") -> None:
    """Hold automation before its next change; it goes on looking and keeping people posted."""
    _say(incident, "pause", as_, reason=reason)


@app.command()
def resume(incident: Which = "", as_: As = "", reason: Why = "") -> None:
    """Let automation go on."""
    _say(incident, "resume", as_, reason=reason)


@app.command()
def widen(
    incident: Which = "", as_: As = "",
    reason: Annotated[str, typer.Option("--reason", "-r", metavar="TEXT", help="The cause that is known, and that it is stable.")] = "",
) -> None:  # fmt: skip
    """Let public updates come less often, once the cause is known and stable; it is announced."""
    _say(incident, "widen", as_, reason=reason)


@app.command()
def stand_down(
    incident: Which = "", as_: As = "",
    reason: Annotated[str, typer.Option("--reason", "-r", metavar="TEXT", help="Why. Needed.")] = "",
    false_alarm: Annotated[bool, typer.Option("--false-alarm", help="Nothing was wrong; refused while measures are in force.")] = False,
) -> None:  # fmt: skip
    """End an incident: what the playbook imposed is lifted, latest first."""
    if not reason:
        raise Trouble("standing down needs a reason", f'incident stand-down {incident} --reason "…"'.replace("  ", " "))
    _say(incident, "stand_down", as_, reason=reason, false_alarm=false_alarm)


def _answer(verdict: str, words: Sequence[str], as_: str, reason: str, code: str, **value: JsonValue) -> None:
    which, question = _question(verdict, [word for word in words if word])
    _say(which, verdict, as_, question=question, reason=reason, code=code, **value)


def _say(which: str, message: str, as_: str, **words: JsonValue) -> None:
    """Send one message to one incident and print the sentence it answers with."""
    from starters import steering  # noqa: PLC0415 - the SDK is slow to import, and reading does not need it

    reader = _reader()
    incident, by = reader.find(which), _speaker(reader, as_)
    _print(_with_client(reader, lambda client: steering.say(client, incident, message, by=by, **words)))


def _question(verdict: str, words: list[str]) -> tuple[str, int | None]:
    """The incident and the question out of what was typed: a short number is a question."""
    numbers = [word for word in words if re.fullmatch(r"\[?\d{1,4}\]?", word)]
    names = [word for word in words if word not in numbers]
    if len(numbers) > 1 or len(names) > 1:
        raise Trouble(f"one incident and one question, please, not {' '.join(words)!r}", f"incident {verdict.replace('_', '-')} --help")
    return "".join(names), int(numbers[0].strip("[]")) if numbers else None


def _exactly(words: Sequence[str], count: int, command: str, wanted: str) -> list[str]:
    if not count <= len(words) <= count + 1:
        raise Trouble(f"{command} wants {wanted}, and before that an incident if several are open", f"incident {command} --help")
    return list(words)


def _value(typed: str) -> JsonValue:
    try:
        return cast(JsonValue, json.loads(typed))
    except ValueError:
        return typed


def _severity(typed: str) -> Severity:
    try:
        return Severity.parse(typed)
    except ValueError as wrong:
        raise Trouble(str(wrong), "incident reclassify --help") from None


def _speaker(reader: Reader, as_: str) -> str:
    """Who speaks. A name that was given must be on the roster; the incident checks every name again, and what it may do."""
    given = as_ or os.environ.get("INCIDENT_AS", "")
    if given:
        _on_roster(reader, given)
    from starters import steering  # noqa: PLC0415

    return given or steering.me()


def _on_roster(reader: Reader, name: str) -> None:
    from activities.organisation import Organisation  # noqa: PLC0415

    try:
        roster = Organisation(Path(reader.settings.organisation)).read_roster()
    except Refused:
        return  # no roster here: the incident knows it
    if roster.people and roster.person(name) is None:
        raise Trouble(f"nobody called {name!r} is on the roster; there are {', '.join(roster.people)}", "incident doctor")


def _reader() -> Reader:
    from worker.settings import Settings  # noqa: PLC0415

    try:
        return Reader(Settings())
    except ValidationError as wrong:
        first = wrong.errors()[0]
        key = ".".join(map(str, first["loc"])) or "settings"
        raise Trouble(f"the settings are not right: {key}: {first['msg']} (got {first['input']!r})", "incident doctor") from None
    except (ValueError, OSError) as wrong:
        raise Trouble(f"the settings cannot be read: {wrong}", "incident doctor") from None


def _with_client(reader: Reader, conversation: "Any") -> Any:
    from starters import steering  # noqa: PLC0415

    async def talk_to_it() -> Any:
        client: Client = await steering.connect(reader.settings)
        return await conversation(client)

    return talk(talk_to_it())


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


def _show(seen: Seen, full: bool) -> None:
    _draw(_picture(seen, _width(), full))
    if seen.partial:
        _print("only the server's own listing answered: steps and questions are not known until a worker runs again")


def _picture(seen: Seen, width: int, full: bool) -> Any:
    return screens.render(seen.status, datetime.now(UTC), width, seen.source, seen.as_of, full)


def _provenance(seen: Seen) -> dict[str, JsonValue]:
    age = max((datetime.now(UTC) - seen.as_of).total_seconds(), 0.0)
    return {"incident_id": seen.status.incident_id, "source": seen.source, "as_of": seen.as_of.isoformat(), "age_seconds": round(age, 3)}


def _summary(seen: Seen) -> dict[str, JsonValue]:
    kept = ("playbook", "section", "title", "service", "severity", "phase", "state", "commander", "declared_at", "updated_at", "version")
    told = seen.status.model_dump(mode="json")
    asking: list[JsonValue] = [question.number for question in seen.status.asking]
    in_force: list[JsonValue] = [measure.name for measure in seen.status.in_force]
    return {**_provenance(seen), **{name: told[name] for name in kept}, "asking": asking, "in_force": in_force}


def _json(told: Any) -> None:
    print(json.dumps(told, indent=2, ensure_ascii=False))


def _width() -> int:
    return shutil.get_terminal_size((100, 40)).columns


def _draw(picture: Any) -> None:
    Console(width=_width(), highlight=False).print(picture)


def _print(sentence: str) -> None:
    print(screens.plain(sentence) if not sentence.startswith(" ") else "    " + screens.plain(sentence))


def run(arguments: Sequence[str]) -> int:
    """Do what was asked; the exit code. Whatever happens is a sentence, never a traceback."""
    try:
        return int(app(list(arguments), prog_name="incident", standalone_mode=False) or 0)
    except Trouble as trouble:
        return _complain(trouble.sentence, trouble.fix)
    except (typer.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:
        return 0
    except Exception as broke:
        return _unexpected(broke)


def _unexpected(broke: Exception) -> int:
    said = getattr(broke, "format_message", None)
    if said is not None:  # what typer says about arguments it does not understand
        command = getattr(getattr(broke, "ctx", None), "command_path", "incident")
        return _complain(str(said()).replace("\n", " "), f"{command} --help", code=2)
    if os.environ.get("INCIDENT_DEBUG"):
        raise broke
    return _complain(f"something we did not expect: {type(broke).__name__}: {broke}", "INCIDENT_DEBUG=1 shows where; incident doctor")


def _complain(sentence: str, fix: str, code: int = 1) -> int:
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(Text(screens.plain(sentence)))
    if fix:
        console.print(Text(f"    → {fix}"))
    return code


def main() -> None:
    """The command. Leaves by `os._exit`: a process that used the Temporal SDK may abort in the interpreter's own exit."""
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        code = 0
    os._exit(code)
