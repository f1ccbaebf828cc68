"""The options that commands share, and what they need: the reader, the speaker, one conversation with the server."""

import getpass
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from pydantic import ValidationError

from activities.action import Refused
from starters.errors import CliError
from starters.reading import Reader, talk
from workflows.incident import Severity

if TYPE_CHECKING:
    from temporalio.client import Client

    from activities.organisation.people import Roster
    from activities.organisation.policy import Policy

T = TypeVar("T")

WHICH = "The incident: its id, or the beginning or end of it. Not needed while exactly one is open."
Which = Annotated[str, typer.Argument(metavar="INCIDENT", help=WHICH, show_default=False)]
Asked = Annotated[str, typer.Argument(metavar="QUESTION", help="Its number. Needed if several questions wait for you.", show_default=False)]
As = Annotated[str, typer.Option("--as", metavar="NAME", help="Who you are. Default: $INCIDENT_AS, else the user of this machine.")]
Why = Annotated[str, typer.Option("--reason", "-r", metavar="TEXT", help="Why. It is written on the timeline.")]
Code = Annotated[
    str, typer.Option("--code", "-c", metavar="CODE", help="The personal code that was sent to you. It makes the answer verified.")
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


def roster(looked_up: Reader) -> "Roster":
    """Who holds which role, as far as this machine knows. Empty if there is no file: the incident has its own roster."""
    from activities.organisation.organisation import Organisation  # noqa: PLC0415
    from activities.organisation.people import Roster  # noqa: PLC0415

    try:
        return Organisation(Path(looked_up.settings.organisation)).read_roster()
    except Refused:
        return Roster()


def policy(looked_up: Reader) -> "Policy":
    """The organisation's policy; the spec's defaults if there is no organisation's file. Raises `CliError` if the file is wrong."""
    from activities.organisation.organisation import Organisation  # noqa: PLC0415
    from activities.organisation.policy import Policy  # noqa: PLC0415

    where = Path(looked_up.settings.organisation)
    if not where.exists():
        return Policy()
    try:
        return Organisation(where).read_policy()
    except Refused as wrong:
        raise CliError(wrong.message, "incident doctor") from None


def dashboards(looked_up: Reader) -> dict[str, str]:
    """The dashboards that the organisation has linked, by name. None if there is no such file, or if it is wrong."""
    from activities.organisation.organisation import Organisation  # noqa: PLC0415

    try:
        return dict(Organisation(Path(looked_up.settings.organisation)).read_communications().links.dashboards)
    except Refused:
        return {}


def with_client(looked_up: Reader, conversation: "Callable[[Client], Awaitable[T]]") -> T:
    """One conversation with the Temporal server. Raises `CliError`."""
    from starters import steering  # noqa: PLC0415 - the SDK is slow to import, and reading does not need it

    async def talk_to_it() -> T:
        return await conversation(await steering.connect(looked_up.settings))

    return talk(talk_to_it())


def severity(typed: str) -> Severity:
    """A severity as people write it. Raises `CliError`."""
    try:
        return Severity.parse(typed)
    except ValueError as wrong:
        raise CliError(str(wrong), "incident reclassify --help") from None
