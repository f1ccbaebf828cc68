"""The options that commands share, and what they need: the reader, the speaker, the organisation."""

import getpass
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import ValidationError

from activities.action import Refused
from starters.reading import Reader
from starters.screens.text import CliError
from workflows.incident import Severity

if TYPE_CHECKING:
    from activities.organisation.organisation import Organisation
    from activities.organisation.people import Roster
    from activities.organisation.policy import Policy

WHICH = "The incident: its id, or the beginning or end of it. Not needed while exactly one is open."
Which = Annotated[str, typer.Argument(metavar="INCIDENT", help=WHICH, show_default=False)]
Asked = Annotated[str, typer.Argument(metavar="QUESTION", help="Its number. Needed if several questions wait for you.", show_default=False)]
As = Annotated[str, typer.Option("--as", metavar="NAME", help="Who you are. Default: $INCIDENT_AS, else the user of this machine.")]
Why = Annotated[str, typer.Option("--reason", "-r", metavar="TEXT", help="Why. It is written on the timeline.")]
Code = Annotated[
    str, typer.Option("--code", "-c", metavar="CODE", help="The personal code that was sent to you. It makes the answer verified.")
]
ForCommand = Annotated[
    str, typer.Option("--code", "-c", metavar="CODE", help="A code for commands, from `incident code`. It makes the command verified.")
]
Full = Annotated[bool, typer.Option("--full", help="Show every step, every word and every command to do it by hand.")]


def reader() -> Reader:
    """The reader for this command. Raises `CliError` if the settings are wrong."""
    from worker.settings import Settings  # noqa: PLC0415

    try:
        return Reader(Settings())
    except ValidationError as wrong:
        first = wrong.errors()[0]
        key = ".".join(map(str, first["loc"])) or "settings"
        raise CliError(f"the settings are wrong: {key}: {first['msg']} (got {first['input']!r})", "incident doctor") from None
    except (ValueError, OSError) as wrong:
        raise CliError(f"the settings cannot be read: {wrong}", "incident doctor") from None


def speaker(looked_up: Reader, as_: str) -> str:
    """Who speaks. A given name must be on the roster. The incident checks every name again, and what that person may do."""
    given = as_ or os.environ.get("INCIDENT_AS", "")
    if given:
        on_roster(looked_up, given)
    return given or getpass.getuser()


def on_roster(looked_up: Reader, name: str) -> None:
    """Raises `CliError` if there is a roster here and this name is not on it."""
    known = roster(looked_up)
    if known.people and known.person(name) is None:
        raise CliError(f"{name!r} is not on the roster; the people on it are {', '.join(known.people)}", "incident doctor")


def organisation(looked_up: Reader) -> "Organisation":
    from activities.organisation.organisation import Organisation  # noqa: PLC0415

    return Organisation(Path(looked_up.settings.organisation))


def roster(looked_up: Reader) -> "Roster":
    """Who holds which role, as far as this machine knows. Empty if there is no file: the incident has its own roster."""
    from activities.organisation.people import Roster  # noqa: PLC0415

    try:
        return organisation(looked_up).read_roster()
    except Refused:
        return Roster()


def policy(looked_up: Reader) -> "Policy":
    """The organisation's policy; the spec's defaults if there is no organisation's file. Raises `CliError` if the file is wrong."""
    from activities.organisation.policy import Policy  # noqa: PLC0415

    book = organisation(looked_up)
    try:
        return book.read_policy() if book.path.exists() else Policy()
    except Refused as wrong:
        raise CliError(wrong.message, "incident doctor") from None


def severity(typed: str) -> Severity:
    try:
        return Severity.parse(typed)
    except ValueError as wrong:
        raise CliError(str(wrong), "incident reclassify --help") from None
