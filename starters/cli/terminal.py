"""What a command prints, and its exit code. Light: no SDK, no database.

Every error is one sentence and, if there is one, the command that fixes it. Exit codes: 0 done, 1 refused or not possible, 2 not understood.
"""

import json
import os
import shutil
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from activities.kit.words.redact import hide_codes
from starters.screens.text import CliError, plain

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
    except (typer.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:
        return 0
    except CliError as trouble:
        sentence, fix, code = trouble.sentence, trouble.fix, 1
    except Exception as broke:
        said = getattr(broke, "format_message", None)
        if said is not None:  # typer's error about arguments
            command = getattr(getattr(broke, "ctx", None), "command_path", NAME)
            sentence, fix, code = str(said()).replace("\n", " "), f"{command} --help", 2
        elif os.environ.get("INCIDENT_DEBUG"):
            raise
        else:
            sentence, code = f"unexpected error: {type(broke).__name__}: {broke}", 1
            fix = "INCIDENT_DEBUG=1 shows where; incident doctor"
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(Text(hide_codes(plain(sentence))))  # a code that was typed in the wrong place
    if fix:
        console.print(Text(f"    → {hide_codes(fix)}"))
    return code
