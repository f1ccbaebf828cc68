"""The seed: the document that the product makes run, as its authors wrote it. Tests hold our words against these."""

import re
from pathlib import Path

DOCUMENT = Path(__file__).with_name("incident-playbooks.md").read_text("utf-8")


def section(heading: str) -> str:
    """What stands under a heading that begins so (`0.1`, `Appendix A`), up to the next one of its rank or above."""
    found = re.search(rf"^(#+) {re.escape(heading)}\b.*\n", DOCUMENT, re.MULTILINE)
    assert found, f"the seed has no section {heading!r}"
    rest = DOCUMENT[found.end() :]
    following = re.search(rf"^#{{1,{len(found[1])}}} \S", _without_code(rest), re.MULTILINE)
    return rest[: following.start()] if following else rest


def code(heading: str) -> str:
    """The one block of code in a section."""
    (block,) = re.findall(r"^```\w*\n(.*?)^```", section(heading), re.MULTILINE | re.DOTALL)
    return str(block)


def quoted(heading: str) -> list[str]:
    """The quotations of a section, each in one line."""
    return re.findall(r"^> (.*)$", section(heading), re.MULTILINE)


def rows(heading: str) -> list[tuple[str, ...]]:
    """The table of a section: its heading and its rows, cell by cell, without marks of emphasis."""
    lines = [line for line in section(heading).splitlines() if line.startswith("|") and not set(line) <= set("|-")]
    return [tuple(cell.strip().replace("**", "") for cell in line.strip("|").split("|")) for line in lines]


def _without_code(text: str) -> str:
    """The same length, with no line of code that looks like a heading."""
    return re.sub(r"^```.*?^```", lambda block: re.sub(r"^#", "-", block[0], flags=re.MULTILINE), text, flags=re.MULTILINE | re.DOTALL)
