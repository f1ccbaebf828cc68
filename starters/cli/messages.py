"""What people say to an incident: `incident approve`, `note`, `assign`, `pause` and the others. Each is one message, answered with a sentence."""

import json
import re
from collections.abc import Sequence
from typing import Annotated, cast

import typer
from pydantic import JsonValue

from activities.action import Role
from starters.cli import options
from starters.cli.options import WHICH, As, Asked, Code, Which, Why
from starters.cli.terminal import group, say
from starters.errors import CliError

ABOUT = ("hypothesis", "impact", "scope")
PROCEDURES = ("roll-back", "return-to-latest", "freeze", "flag", "read-only", "limit", "scale", "drain")
TASKS = ("flush-cache", "purge-queue", "clamp-all", "revoke-all-sessions", "rotate-secret")

app = group()


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


@app.command("do")
def do(
    words: Annotated[list[str], typer.Argument(
        metavar="[INCIDENT] PROCEDURE [KEY=VALUE]...",
        help=f"{', '.join(PROCEDURES)}; a setting by the verb that changes it, with its fields: flags.switch_off flag=tools.high_psu "
             f"on=false; or a task for people: {', '.join(TASKS)}.",
    )],
    service: Annotated[str, typer.Option(help="The service; left out, the incident's own.")] = "",
    flag: Annotated[str, typer.Option(help="For `flag`: which one is switched off.")] = "",
    region: Annotated[str, typer.Option(help="For `drain`: which region.")] = "",
    rps: Annotated[float, typer.Option(help="For `limit`: requests a second that are let in.")] = 0.0,
    as_: As = "", reason: Why = "",
) -> None:  # fmt: skip
    """Run one universal procedure inside an open incident: asked, proven, undone and recorded like a step of its playbook."""
    from starters import steering  # noqa: PLC0415

    names = [word for word in words if "=" not in word]
    fields = {key: value for key, _, value in (word.partition("=") for word in words if "=" in word)}
    if len(names) == 2 and (names[0] in (*PROCEDURES, *TASKS) or "." in names[0]):
        names.reverse()  # the procedure may also come first
    *incident, procedure = _exactly(names, 1, "do", "a procedure")
    reader = options.reader()
    which, by = reader.find("".join(incident), open_only=True), options.speaker(reader, as_)
    say(options.with_client(reader, lambda client: steering.do(
        client, which, procedure, by=by, service=service, flag=flag, region=region, rps=rps or None, fields=fields, reason=reason,
    )))  # fmt: skip


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
    hypothesis: Annotated[bool, typer.Option("--hypothesis", help="What you think it is; ticket and status show it.")] = False,
    impact: Annotated[bool, typer.Option("--impact", help="What users see, how much of the traffic; ticket and status show it.")] = False,
    scope: Annotated[bool, typer.Option("--scope", help="Which tenants, regions, features; ticket and status show it.")] = False,
    about: Annotated[str, typer.Option(metavar="KIND", help="The same as one word: hypothesis, impact or scope.")] = "",
    which: Annotated[str, typer.Option("--incident", "-i", metavar="INCIDENT", help=WHICH)] = "",
    as_: As = "",
) -> None:
    """Put a line on the timeline; a hypothesis, an impact or a scope also stands on the ticket and in the status."""
    if about not in ("", *ABOUT):
        raise CliError(f"a note is about a hypothesis, an impact or a scope, not about {about!r}", "incident note --help")
    said = {name for name, flag in zip(ABOUT, (hypothesis, impact, scope), strict=True) if flag} | ({about} - {""})
    if len(said) > 1:
        raise CliError(
            f"one note is about one thing, not about {' and '.join(sorted(said))}: send one after the other", "incident note --help"
        )
    if not which and len(words) > 1 and words[0].startswith("inc-"):
        which, words = words[0], words[1:]
    _say(which, "note", as_, text=" ".join(words), about="".join(said))


@app.command()
def assign(
    words: Annotated[list[str], typer.Argument(metavar="[INCIDENT] ROLE NAME", help=f"{WHICH} Roles: {', '.join(Role)}.")],
    as_: As = "", reason: Why = "",
) -> None:  # fmt: skip
    """Give somebody a role."""
    *which, role, to = _exactly(words, 2, "assign", "a role and a name")
    wanted = role.lower().replace("-", "_").replace(" ", "_")
    if wanted not in set(Role):
        raise CliError(f"there is no role {role!r}; there are {', '.join(Role)}", "incident assign --help")
    options.on_roster(options.reader(), to)
    _say("".join(which), "assign", as_, role=wanted, to=to, reason=reason)


@app.command()
def ack(incident: Which = "", as_: As = "") -> None:
    """Take the page: I am on it."""
    _say(incident, "acknowledge", as_)


@app.command()
def reclassify(
    words: Annotated[list[str], typer.Argument(metavar="[INCIDENT] SEVERITY", help=f"{WHICH} SEV-1 to SEV-5.")],
    as_: As = "", reason: Why = "",
) -> None:  # fmt: skip
    """Change the severity."""
    *which, severity = _exactly(words, 1, "reclassify", "a severity")
    _say("".join(which), "reclassify", as_, severity=options.severity(severity).label, reason=reason)


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
        raise CliError("standing down needs a reason", f'incident stand-down {incident} --reason "…"'.replace("  ", " "))
    _say(incident, "stand_down", as_, reason=reason, false_alarm=false_alarm)


def _answer(verdict: str, words: Sequence[str], as_: str, reason: str, code: str, **value: JsonValue) -> None:
    which, question = _question(verdict, [word for word in words if word])
    _say(which, verdict, as_, question=question, reason=reason, code=code, **value)


def _say(which: str, message: str, as_: str, **words: JsonValue) -> None:
    """Send one message to one incident and print the sentence it answers with."""
    from starters import steering  # noqa: PLC0415 - the SDK is slow to import, and reading does not need it

    reader = options.reader()
    incident, by = reader.find(which), options.speaker(reader, as_)
    say(options.with_client(reader, lambda client: steering.say(client, incident, message, by=by, **words)))


def _question(verdict: str, words: list[str]) -> tuple[str, int | None]:
    """The incident and the question out of what was typed: a short number is a question."""
    numbers = [word for word in words if re.fullmatch(r"\[?\d{1,4}\]?", word)]
    names = [word for word in words if word not in numbers]
    if len(numbers) > 1 or len(names) > 1:
        raise CliError(f"one incident and one question, please, not {' '.join(words)!r}", f"incident {verdict.replace('_', '-')} --help")
    return "".join(names), int(numbers[0].strip("[]")) if numbers else None


def _exactly(words: Sequence[str], count: int, command: str, wanted: str) -> list[str]:
    if not count <= len(words) <= count + 1:
        raise CliError(f"{command} wants {wanted}, and before that an incident if several are open", f"incident {command} --help")
    return list(words)


def _value(typed: str) -> JsonValue:
    try:
        return cast(JsonValue, json.loads(typed))
    except ValueError:
        return typed
