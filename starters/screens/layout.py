"""How lines are laid out: for one width, readable at 80 columns and without colour."""

import re
from collections.abc import Sequence
from datetime import datetime
from textwrap import wrap

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from activities.kit.words.escape import visible
from starters.screens.text import typed
from workflows.incident import Phase
from workflows.status import Status

USUAL = (Phase.TRIAGE, Phase.MITIGATION, Phase.RECOVERY, Phase.POST_INCIDENT)


class Page:
    """One incident, laid out in lines for one width and one instant. `full`: nothing is cut."""

    def __init__(self, status: Status, now: datetime, width: int, full: bool) -> None:
        self.status = status
        self.now = now
        self.width = max(width, 60)
        self.full = full

    def lines(self, said: str, most: int = 2, indent: str = "") -> list[Text]:
        if not said:
            return []
        return [Text(indent + line) for line in wrapped(said, self.width - len(indent), 99 if self.full else most)]

    def pair(self, name: str, said: str, style: str = "", most: int = 1) -> list[Text]:
        if not said:
            return []
        lines = wrapped(said, self.width - 12, 99 if self.full else most)
        return [Text.assemble(("    " + (name if nth == 0 else "").ljust(8), "dim"), (line, style)) for nth, line in enumerate(lines)]

    def commands(self, name: str, commands: Sequence[str], room: int) -> list[Text]:
        """Commands are for copying: whole, continued with backslashes where they are long, or not at all."""
        lines = [part for command in commands for part in continued(command, self.width - 12)]
        if len(lines) > room:
            many = f"{len(commands)} command{'s' if len(commands) > 1 else ''}"
            lines = [f"{many}: {typed('status', self.status.incident_id, '--full')}"]
        return [Text.assemble(("    " + (name if nth == 0 else "").ljust(8), "dim"), line) for nth, line in enumerate(lines)]


def continued(command: str, width: int) -> list[str]:
    """A command as lines that can be copied: broken only at spaces outside quotes, with a backslash."""
    lines: list[str] = []
    for line in command.splitlines():
        words = re.findall(r"""(?:[^\s"']|"(?:\\.|[^"])*"|'[^']*'|["'])+""", visible(line))
        current = ""
        for word in words:
            if current and cell_len(current) + 3 + cell_len(word) > width:
                lines.append(current + " \\")
                current = "  " + word
            else:
                current = f"{current} {word}" if current else word
        lines.append(current)
    return lines


def wrapped(said: str, width: int, most: int) -> list[str]:
    lines = wrap(said, width, break_on_hyphens=False) or [""]
    return lines if len(lines) <= most else [*lines[: most - 1], cut(" ".join(lines[most - 1 :]), width)]


def cut(said: str, width: int) -> str:
    return said if cell_len(said) <= width else set_cell_size(said, width - 1) + "…"


def row(said: str, width: int, style: str = "") -> Text:
    return Text(cut(said, width), style=style, no_wrap=True)


def ends(left: str, right: str, width: int, style: str = "") -> Text:
    """Something at the left, something at the right end of the line."""
    if not right:
        return row(left.rstrip(), width, style)
    body = cut(left, width - cell_len(right) - 2)
    return Text(set_cell_size(body, width - cell_len(right)) + right, style=style, no_wrap=True)
