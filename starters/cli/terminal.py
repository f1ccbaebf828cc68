"""What a command prints, and its exit code. Light: no SDK, no database.

Every error is one sentence and, if there is one, the command that fixes it. Exit codes: 0 done, 1 refused or not possible, 2 not understood.
"""

import json
import os
import shutil
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from starters.errors import CliError
from starters.screens.text import plain

NAME = "incident"
AsJson = Annotated[bool, typer.Option("--json", help="As JSON, for programs. The keys do not change.")]


def group(about: str = "") -> typer.Typer:
    return typer.Typer(help=about, no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


def say(sentence: str) -> None:
    print(plain(sentence) if not sentence.startswith(" ") else "    " + plain(sentence))


def say_json(told: Any) -> None:
    print(json.dumps(told, indent=2, ensure_ascii=False))


def width() -> int:
    """Columns of the terminal; 100 without one."""
    return shutil.get_terminal_size((100, 40)).columns


def draw(picture: Any) -> None:
    Console(width=width(), highlight=False).print(picture)


def run(app: typer.Typer, arguments: Sequence[str]) -> int:
    """Do what was asked and return the exit code. An error is a sentence, never a traceback."""
    try:
        return int(app(list(arguments), prog_name=NAME, standalone_mode=False) or 0)
    except CliError as trouble:
        return _complain(trouble.sentence, trouble.fix)
    except (typer.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:
        return 0
    except Exception as broke:
        return _unexpected(broke)


def _unexpected(broke: Exception) -> int:
    said = getattr(broke, "format_message", None)
    if said is not None:  # typer's error about arguments
        command = getattr(getattr(broke, "ctx", None), "command_path", NAME)
        return _complain(str(said()).replace("\n", " "), f"{command} --help", code=2)
    if os.environ.get("INCIDENT_DEBUG"):
        raise broke
    return _complain(f"unexpected error: {type(broke).__name__}: {broke}", "INCIDENT_DEBUG=1 shows where; incident doctor")


def _complain(sentence: str, fix: str, code: int = 1) -> int:
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(Text(plain(sentence)))
    if fix:
        console.print(Text(f"    → {fix}"))
    return code


def leave(code: int) -> None:
    """End the process by `os._exit`: one that used the Temporal SDK may abort in the interpreter's own exit."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        code = 0
    os._exit(code)
