"""Text from outside is data wherever it goes: the commands that we print run nothing of it, and nothing of it draws on a screen."""

import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from activities.kit.words import escape, glob, promql, sql, urls
from tests.abuse import shells
from tests.abuse.orders import VARIANTS, Filled, every_order, room

BENIGN = "benign"
HOSTILE = {
    "substitution": "$(touch x)",
    "backtick": "`touch x`",
    "quote": "'; touch x; '",
    "double quote": '"; touch x; "',
    "lines": "a\ntouch x\n#",
    "variable": "$HOME ${HOME} !! ~ * ? [a-z] {a,b} #",
    "redirection": "> x < y | touch x & touch x",
    "path": "../../admin",
    "promql": '"} or up{',
    "slack": "<!channel><@U1><https://evil.invalid|approve>",
    "markdown": "[approve](https://evil.invalid) ![x](x) <script>alert(1)</script>",
    "terminal": "\x1b[2J\x1b]0;x\x07\r\x08",
    "right to left": "\u202eevorppa\u202c\u200b",
    "long": "x" * 10_000,
}  # fmt: skip
ORDERS = {f"{room(one)}.{one.__name__}": one for one in every_order()}


CHANNELS: tuple[Callable[[str], str], ...] = (
    str, escape.visible, escape.line, escape.slack, escape.markdown, urls.segment, lambda text: promql.text(text)[1:-1],
    lambda text: urls.path(*text.split("/"))[1:], lambda text: json.dumps(text)[1:-1],
    lambda text: urls.query({"": text})[2:], lambda text: promql.text(escape.line(text))[1:-1],
    lambda text: re.sub(r"[\r\n]+", " ", text), glob.literal, glob.bracketed, lambda text: escape.visible(sql.named(text)[1:-1]),
    lambda text: escape.line(sql.named(text)[1:-1]), lambda text: escape.line(sql.quoted(text)[1:-1]),
    lambda text: text.lower().replace("_", "-"),
)  # fmt: skip


@cache
def written(hostile: str) -> str:
    """A pattern for a text as any channel writes it."""
    return f"(?:{'|'.join(dict.fromkeys(re.escape(channel(hostile)) for channel in CHANNELS))})"


def the_same_but_for(hostile: str, before: object, after: object) -> bool:
    """Whether a word is the harmless one, with the harmless text replaced by the hostile one as some channel writes it."""
    if isinstance(before, str) and isinstance(after, str):
        if before[:1] in "{[" and (said := _json(before)) is not None:
            return the_same_but_for(hostile, said, _json(after))
        if BENIGN not in before:
            return before == after
        if before.replace(BENIGN, hostile) == after:
            return True
        return re.fullmatch(written(hostile).join(map(re.escape, before.split(BENIGN))), after) is not None
    if isinstance(before, dict) and isinstance(after, dict):
        return the_same_but_for(hostile, [*before, *before.values()], [*after, *after.values()])
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(the_same_but_for(hostile, b, a) for b, a in zip(before, after, strict=True))
    return before == after


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shells.stubs(tmp_path_factory.mktemp("abuse") / "bin")


@pytest.mark.parametrize("name", ORDERS)
def test_commands_carry_it_as_data(name: str, tools: Path, tmp_path: Path) -> None:
    """Every word of every command is the same as with a harmless text, but for that text."""
    kind, empty = ORDERS[name], tmp_path / "empty"
    empty.mkdir()
    for variant in range(VARIANTS):
        texts = {"benign": BENIGN, **HOSTILE}
        scripts = [Filled(text, variant).order(kind).by_hand() for text in texts.values()]
        assert all("\n" not in line and not escape.UNSEEN.search(line) for script in scripts for line in script), (
            "one line each, all of it visible"
        )
        harmless, *called = shells.run(scripts, tools, empty, tmp_path / f"log{variant}")
        for text, calls in zip(HOSTILE, called, strict=True):
            assert len(calls) == len(harmless), (text, calls)
            for before, after in zip(harmless, calls, strict=True):
                assert the_same_but_for(HOSTILE[text], list(before), list(after)), (text, before, after)
        assert not list(empty.iterdir()), "nothing but our own commands ran"
