"""Words for a person: errors, durations, ages, and commands of our own. Light: no SDK, no database."""

from datetime import timedelta

from activities.kit.words.escape import line
from activities.kit.words.shell import Command, command

plain = line  # text from outside as it may stand on a screen: one line, nothing that moves the cursor


class CliError(Exception):
    """Why it was not done, in one sentence; `fix` is the command that helps. `unreachable`: the same may work later."""

    def __init__(self, sentence: str, fix: str = "", *, unreachable: bool = False) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.fix = fix
        self.unreachable = unreachable


class Refusal(CliError):
    """The incident received the message and refused it, and why."""


def typed(*words: str) -> Command:
    """A command of our own CLI, as a person can type it."""
    return command("incident", *words)


def span(duration: timedelta) -> str:
    """A duration as people say it: `15m44s`, `3h05m`, `2d04h`."""
    seconds = max(int(duration.total_seconds()), 0)
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3600:
        return f"{seconds // 60}m{seconds % 60:02}s"
    if seconds < 86400:
        return f"{seconds // 3600}h{seconds % 3600 // 60:02}m"
    return f"{seconds // 86400}d{seconds % 86400 // 3600:02}h"


def ago(duration: timedelta) -> str:
    """An age: `just now`, `12s old`."""
    return "just now" if duration < timedelta(seconds=1) else f"{span(duration)} old"


def clock(duration: timedelta) -> str:
    seconds = max(int(duration.total_seconds()), 0)
    return f"{seconds // 3600:02}:{seconds % 3600 // 60:02}:{seconds % 60:02}"
