"""What people say to an incident: `incident approve`, `note`, `assign`, `pause` and the others. Each is one message, answered with a sentence."""

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated

import typer
from pydantic import JsonValue

from activities.action import Role
from starters.cli import options
from starters.cli.options import WHICH, As, Asked, Code, ForCommand, Which, Why
from starters.cli.terminal import group, say
from starters.reading import whole
from starters.screens.by_hand import comment
from starters.screens.text import CliError, typed
from workflows.status import imposed_by

ABOUT = ("hypothesis", "impact", "scope")
PROCEDURES = (
    "roll-back", "return-to-latest", "freeze", "flag", "read-only", "limit", "scale", "drain", "invalidate", "park-queue QUEUE", "call-in", "undo",
    "pin-secret", "revoke-all-sessions",
)  # fmt: skip
PARK = "park-queue"
TASKS = ("flush-cache", "purge-queue", "clamp-all", "rotate-secret")
ANSWERS = {
    "approve": "Say yes to a question.",
    "decline": "Say no to a question.",
    "wait": "Keep a question open, and have nobody paged about it for a while.",
    "retry": "Try a failed step again.",
    "skip": "Leave a failed step out.",
    "done-by-hand": "A failed step was done by hand: check it and continue.",
    "hand-over": "Stop the playbook at a failed step. People continue by hand.",
}

app = group()


def _declare(name: str, help_: str) -> None:
    def answer_with(incident: Which = "", question: Asked = "", as_: As = "", reason: Why = "", code: Code = "") -> None:
        _answer(name, (incident, question), as_, reason, code)

    app.command(name, help=help_)(answer_with)


for _name, _help in ANSWERS.items():
    _declare(_name, _help)


@app.command("do")
def do(
    words: Annotated[list[str], typer.Argument(
        metavar="[INCIDENT] PROCEDURE [KEY=VALUE]...",
        help=f"{', '.join(PROCEDURES)}. Or in the seed's words: orchestrator.autonomy=off, tenant/NAME/psu_daily_cap=100. "
             f"Or a setting, by the verb that changes it, with its fields: flags.switch_off flag=tools.high_psu on=false. "
             f"Or a task for people: {', '.join(TASKS)}.",
    )],
    service: Annotated[str, typer.Option(help="The service. Default: the incident's own.")] = "",
    flag: Annotated[str, typer.Option(help="For `flag`: the flag to switch off.")] = "",
    region: Annotated[str, typer.Option(help="For `drain`: the region.")] = "",
    rps: Annotated[float, typer.Option(help="For `limit`: requests per second that are let in.")] = 0.0,
    as_: As = "", reason: Why = "", code: ForCommand = "",
) -> None:  # fmt: skip
    """Run one universal procedure inside an open incident. It is asked, proven, undone and recorded like a step of the playbook."""
    names = [word for word in words if "=" not in word]
    fields: dict[str, JsonValue] = {key: value for key, _, value in (word.partition("=") for word in words if "=" in word)}
    if PARK in names[:-1]:
        fields["queue"] = names.pop(names.index(PARK) + 1)
    if len(names) == 2 and (names[0] in (*PROCEDURES, PARK, *TASKS) or "." in names[0]):
        names.reverse()  # the procedure may also come first
    if fields and "set" not in names and all("/" in key or "." in key for key in fields):
        names.append("set")  # the seed's words name themselves: orchestrator.autonomy=off
    *which, procedure = _exactly(names, 1, "do", "a procedure")
    wanted = {"procedure": procedure, "service": service, "flag": flag, "region": region, "rps": rps or None, "fields": fields}
    _say("".join(which), "do", as_, reason=reason, code=code, **wanted)


@app.command()
def undo(
    words: Annotated[list[str], typer.Argument(metavar="[INCIDENT] STEP", help=f"{WHICH} The step's number, as every notice of it says.")],
    by_hand: Annotated[bool, typer.Option("--by-hand", help="Only print the commands that undo it, from the record. Nothing is done.")] = False,
    as_: As = "", reason: Why = "", code: ForCommand = "",
) -> None:  # fmt: skip
    """Undo what one step imposed. Where lifting it is broad, people are asked as always; it is proven and recorded like any other lift."""
    which, step = _question("undo", words)
    if step is None:
        raise CliError("undo needs the number of a step; if several incidents are open, give the incident first", typed("undo", "--help"))
    if not by_hand:
        return _say(which, "do", as_, reason=reason, code=code, procedure="undo", fields={"step": str(step)})
    reader = options.reader()
    status = whole(reader.status(reader.find(which))).status
    imposed = {found.number: one for one in status.in_force if (found := imposed_by(status.steps, one)) is not None}
    if step not in imposed:
        listed = ", ".join(f"{number} ({one.name}: {one.target})" for number, one in sorted(imposed.items())) or "nothing"
        raise CliError(
            f"step {step} has imposed nothing that is in force; in force by a step: {listed}", typed("measures", status.incident_id)
        )
    for line in (*comment(f"{imposed[step].name} {imposed[step].target}: {imposed[step].lifts_by}"), *imposed[step].by_hand):
        print(line)
    return None


@app.command()
def answer(
    words: Annotated[list[str], typer.Argument(metavar="[INCIDENT] [QUESTION] VALUE", help=f"{WHICH} The value may be JSON.")],
    as_: As = "", reason: Why = "", code: Code = "",
) -> None:  # fmt: skip
    """Answer a question that wants a value."""
    _answer("answer", words[:-1], as_, reason, code, value=_value(words[-1]))


@app.command()
def note(
    words: Annotated[list[str], typer.Argument(metavar="[INCIDENT] TEXT", help="The text. An incident's full id may come first.")],
    hypothesis: Annotated[bool, typer.Option("--hypothesis", help="A possible cause. Ticket and status show it.")] = False,
    impact: Annotated[bool, typer.Option("--impact", help="What users see, how much of the traffic. Ticket and status show it.")] = False,
    scope: Annotated[bool, typer.Option("--scope", help="Which tenants, regions, features. Ticket and status show it.")] = False,
    about: Annotated[str, typer.Option(metavar="KIND", help="The same as one word: hypothesis, impact or scope.")] = "",
    which: Annotated[str, typer.Option("--incident", "-i", metavar="INCIDENT", help=WHICH)] = "",
    as_: As = "",
) -> None:
    """Write a line on the timeline. A hypothesis, an impact or a scope is also shown on the ticket and in the status."""
    if about not in ("", *ABOUT):
        raise CliError(f"a note is about a hypothesis, an impact or a scope, not about {about!r}", "incident note --help")
    said = {name for name, flag in zip(ABOUT, (hypothesis, impact, scope), strict=True) if flag} | ({about} - {""})
    if len(said) > 1:
        both = " and ".join(sorted(said))
        raise CliError(f"one note is about one thing, not about {both}: send one note for each", "incident note --help")
    if not which and len(words) > 1 and words[0].startswith("inc-"):
        which, words = words[0], words[1:]
    _say(which, "note", as_, text=" ".join(words), about="".join(said))


@app.command()
def done(
    words: Annotated[list[str], typer.Argument(metavar="[INCIDENT] TASK [NOTE]", help=f"{WHICH} The task's number, as `status` shows it.")],
    as_: As = "",
) -> None:  # fmt: skip
    """Tick a task for people. Who ticked it, and when, is shown."""
    at = next((n for n, word in enumerate(words[:2]) if re.fullmatch(r"\[?\d{1,4}\]?", word)), None)
    if at is None:
        raise CliError("done needs the task's number; if several incidents are open, give the incident first", "incident done --help")
    _say("".join(words[:at]), "done", as_, task=int(words[at].strip("[]")), text=" ".join(words[at + 1 :]))


@app.command()
def assign(
    words: Annotated[list[str], typer.Argument(metavar="[INCIDENT] ROLE NAME", help=f"{WHICH} Roles: {', '.join(Role)}.")],
    as_: As = "", reason: Why = "", code: ForCommand = "",
) -> None:  # fmt: skip
    """Give a role to a person. Needs a code if the role may approve."""
    *which, role, to = _exactly(words, 2, "assign", "a role and a name")
    wanted = role.lower().replace("-", "_").replace(" ", "_")
    if wanted not in set(Role):
        raise CliError(f"there is no role {role!r}; the roles are {', '.join(Role)}", "incident assign --help")
    options.on_roster(options.reader(), to)
    _say("".join(which), "assign", as_, role=wanted, to=to, reason=reason, code=code)


@app.command("code")
def send_code(incident: Which = "", as_: As = "") -> None:
    """Have a code for commands sent to you, by direct message or else by page. It is never shown here."""
    _say(incident, "code", as_)


@app.command()
def ack(incident: Which = "", as_: As = "", code: ForCommand = "") -> None:
    """Acknowledge the page: you are on it. Or accept the role that you were offered, with the code that came with the offer."""
    _say(incident, "acknowledge", as_, code=code)


@app.command()
def reclassify(
    words: Annotated[list[str], typer.Argument(metavar="[INCIDENT] SEVERITY", help=f"{WHICH} SEV-1 to SEV-5.")],
    as_: As = "", reason: Why = "", code: ForCommand = "",
) -> None:  # fmt: skip
    """Change the severity. Lowering it needs a code."""
    *which, severity = _exactly(words, 1, "reclassify", "a severity")
    _say("".join(which), "reclassify", as_, severity=options.severity(severity).label, reason=reason, code=code)


@app.command()
def pause(incident: Which = "", as_: As = "", reason: Why = "") -> None:
    """Stop automation before its next change. It continues to watch and to send updates."""
    _say(incident, "pause", as_, reason=reason)


@app.command()
def resume(incident: Which = "", as_: As = "", reason: Why = "", code: ForCommand = "") -> None:
    """Let automation continue. Needs a code."""
    _say(incident, "resume", as_, reason=reason, code=code)


@app.command()
def widen(
    incident: Which = "", as_: As = "",
    reason: Annotated[str, typer.Option("--reason", "-r", metavar="TEXT", help="The known cause, and that it is stable.")] = "",
    code: ForCommand = "",
) -> None:  # fmt: skip
    """Send public updates less often, once the cause is known and stable. The change is announced."""
    _say(incident, "widen", as_, reason=reason, code=code)


@app.command()
def stand_down(
    incident: Which = "", as_: As = "",
    reason: Annotated[str, typer.Option("--reason", "-r", metavar="TEXT", help="Why. Required.")] = "",
    false_alarm: Annotated[bool, typer.Option("--false-alarm", help="Nothing was wrong. Refused while measures are in force.")] = False,
    code: ForCommand = "",
) -> None:  # fmt: skip
    """End an incident. The measures that the playbook imposed are lifted, latest first. Needs a code if any of them is broad."""
    if not reason:
        raise CliError("standing down needs a reason", f'{typed("stand-down", *filter(None, [incident]))} --reason "…"')
    _say(incident, "stand_down", as_, reason=reason, false_alarm=false_alarm, code=code)


def _answer(name: str, words: Sequence[str], as_: str, reason: str, code: str, **value: JsonValue) -> None:
    which, question = _question(name, [word for word in words if word])
    _say(which, name.replace("-", "_"), as_, question=question, reason=reason, code=code, **value)


def _say(which: str, message: str, as_: str, **words: JsonValue) -> None:
    reader = options.reader()
    incident, by = reader.find(which, open_only=message == "do"), options.speaker(reader, as_)
    say(reader.say(incident, message, by, **words))


def _question(command: str, words: list[str]) -> tuple[str, int | None]:
    """The incident and the question out of what was typed: a short number is a question."""
    numbers = [word for word in words if re.fullmatch(r"\[?\d{1,4}\]?", word)]
    names = [word for word in words if word not in numbers]
    if len(numbers) > 1 or len(names) > 1:
        raise CliError(f"give one incident and one question, not {' '.join(words)!r}", typed(command, "--help"))
    return "".join(names), int(numbers[0].strip("[]")) if numbers else None


def _exactly(words: Sequence[str], count: int, command: str, wanted: str) -> list[str]:
    if not count <= len(words) <= count + 1:
        raise CliError(f"{command} needs {wanted}; if several incidents are open, give the incident first", typed(command, "--help"))
    return list(words)


def _value(text: str) -> JsonValue:
    value: JsonValue = text
    with suppress(ValueError):
        value = json.loads(text)
    return value
