"""A document that is drafted by us and written by people: what we wrote may be renewed, what they wrote never is.

What we write stands between `<!-- generated:NAME -->` and `<!-- /generated:NAME HASH -->`. Renewing touches only a block that still is as we
wrote it. Text outside the marks, and a block that somebody edited, moved into other words or took out, stays theirs, byte for byte.
"""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from starters.screens.text import CliError, plain

BLOCK = re.compile(
    r"<!-- generated:(?P<name>[\w-]+) -->(?P<eol>\r?\n)(?P<body>.*?)(?:\r?\n)?<!-- /generated:(?P=name) (?P<hash>[0-9a-f]{12}) -->",
    re.DOTALL,
)


def renewed(before: str, blocks: Mapping[str, str], skeleton: str, title: str) -> str:
    """The document that people may have worked on, with our blocks as they are now.

    Where nothing of ours is left in it, the whole draft is put below what they have. `skeleton` has `{title}` and a `{name}` for each block.
    """

    def renew(found: re.Match[str]) -> str:
        name, untouched = found["name"], _seal(found["body"]) == found["hash"]
        return _marked(name, blocks[name], found["eol"]) if untouched and name in blocks else found[0]

    if BLOCK.search(before):
        return BLOCK.sub(renew, before)
    fresh = skeleton.format_map({name: _marked(name, body, "\n") for name, body in blocks.items()} | {"title": title})
    if not before.strip():
        return fresh
    return f"{before.rstrip()}\n\n{fresh}" if "\r\n" not in before else f"{before.rstrip()}\r\n\r\n" + fresh.replace("\n", "\r\n")


def theirs(before: str) -> list[str]:
    """The blocks that somebody edited: they are not renewed any more."""
    return [found["name"] for found in BLOCK.finditer(before) if _seal(found["body"]) != found["hash"]]


def read(path: Path) -> str:
    """What is in the file, line ends and all; nothing where there is none. Raises `CliError` when it is no text."""
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        raise CliError(f"{path} is not UTF-8 text; nothing was written", f"iconv -t UTF-8 {path}") from None
    except OSError as wrong:
        raise CliError(f"{path} cannot be read: {wrong.strerror}") from None


def write(path: Path, before: str, after: str) -> None:
    """Put the new text in the place of `before`, at once or not at all. Raises `CliError` when somebody wrote in it meanwhile."""
    there = path.resolve()
    new = there.with_name(f".{there.name}.new")
    try:
        there.parent.mkdir(parents=True, exist_ok=True)
        new.write_bytes(after.encode())
        if read(there) != before:
            new.unlink()
            raise CliError(f"somebody wrote in {path} just now; nothing of theirs was touched", "do the same again")
        if there.exists():
            new.chmod(there.stat().st_mode)
        new.replace(there)
    except OSError as wrong:
        raise CliError(f"{path} cannot be written: {wrong.strerror}") from None


def text(said: object) -> str:
    """Text from outside as it may stand in markdown: it opens no comment, no link and no table cell."""
    return re.sub(r"([\\`*|]|\](?=[(\[:]))", r"\\\1", plain(said).replace("&", "&amp;").replace("<", "&lt;"))


def code(command: str) -> str:
    shown = plain(command).replace("-->", "-- >")
    fence = _fence(shown, 1)
    return f"{fence}{shown}{fence}" if len(fence) == 1 else f"{fence} {shown} {fence}"


def listing(lines: list[str], kind: str) -> str:
    shown = "\n".join(re.sub(r"\s", " ", line).replace("-->", "-- >") for line in lines)
    fence = _fence(shown, 3)
    return f"{fence}{kind}\n{shown}\n{fence}"


def _fence(shown: str, least: int) -> str:
    """One mark more than the longest run of them inside."""
    return "`" * max(max(map(len, re.findall(r"`+", shown)), default=0) + 1, least)


def _marked(name: str, body: str, eol: str) -> str:
    return f"<!-- generated:{name} -->\n{body}\n<!-- /generated:{name} {_seal(body)} -->".replace("\n", eol)


def _seal(body: str) -> str:
    """What a block looked like when we wrote it; line ends and spaces at the end of a line are an editor's doing, not a person's."""
    lines = "\n".join(line.rstrip() for line in body.splitlines())
    return hashlib.sha256(lines.strip().encode()).hexdigest()[:12]
