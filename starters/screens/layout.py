"""How lines are laid out: for one width, readable at 80 columns and without colour. And what is typed to answer a question."""

import re
from textwrap import wrap

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from activities.action import Risk
from activities.kit.words.escape import visible
from starters.screens.text import typed
from workflows.incident import Phase, Question, QuestionKind

USUAL = (Phase.TRIAGE, Phase.MITIGATION, Phase.RECOVERY, Phase.POST_INCIDENT)


def roles(q: Question) -> str:
    return " or ".join(role.title for role in q.roles)


def to_answer(incident: str, q: Question, option: str) -> str:
    """The command that gives one answer to a question. From C2 on it needs the personal code that was sent."""
    verb, value = ("answer", ("VALUE",)) if q.kind is QuestionKind.FACT else (option.replace("_", "-"), ())
    code = ("--code", "CODE") if q.risk >= Risk.C2 and option != "decline" else ()
    return typed(verb, incident, str(q.number), *value, *code)


def continued(command: str, width: int) -> list[str]:
    """A command as lines that can be copied: broken only at spaces outside quotes, with a backslash."""
    lines: list[str] = []
    for line in command.splitlines():
        current = ""
        for word in re.findall(r"""(?:[^\s"']|"(?:\\.|[^"])*"|'[^']*'|["'])+""", visible(line)):
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
