"""Text from outside is data wherever it goes: the commands that we print run nothing of it, and nothing of it draws on a screen."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from activities.action import Order
from activities.kit import escape, promql, urls
from tests.abuse import shells
from tests.abuse.orders import VARIANTS, Filled, every_order

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
# The rooms whose commands are not built by the kit yet. This list only ever gets shorter; an order that is clean must leave it.
NOT_BUILT_YET: frozenset[str] = frozenset()


def _json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _shown(text: str) -> str:
    """JSON in which nothing is unseen: it is written as its number."""
    return escape.UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


CHANNELS: tuple[Callable[[str], str], ...] = (
    str, escape.visible, escape.line, escape.slack, escape.markdown, escape.html, urls.segment, lambda text: promql.text(text)[1:-1],
    lambda text: urls.path(*text.split("/"))[1:], lambda text: json.dumps(text)[1:-1],
    lambda text: urls.query({"": text})[2:], lambda text: promql.text(escape.line(text))[1:-1],
)  # fmt: skip


def the_same_but_for(value: str, called: str, hostile: str) -> bool:
    """Whether a word is the harmless one, with the harmless text replaced by the hostile one as some channel writes it."""
    if value == called:
        return True
    said = [form for channel in CHANNELS for form in (channel(hostile), _json(channel(hostile)), _shown(_json(channel(hostile))))]
    return any(called == value.replace(BENIGN, form) for form in said)


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shells.stubs(tmp_path_factory.mktemp("abuse") / "bin")


@pytest.mark.parametrize("kind", [one for one in every_order() if one.__name__ not in NOT_BUILT_YET], ids=lambda one: one.__name__)
def test_commands_carry_it_as_data(kind: type[Order], tools: Path, tmp_path: Path) -> None:
    """Every word of every command is the same as with a harmless text, but for that text."""
    empty = tmp_path / "empty"
    empty.mkdir()
    for variant in range(VARIANTS):
        texts = {"benign": BENIGN, **HOSTILE}
        scripts = [Filled(text, variant).order(kind).by_hand() for text in texts.values()]
        assert all("\n" not in line and not escape.UNSEEN.search(line) for script in scripts for line in script), (
            "one line each, all of it visible"
        )
        harmless, *called = shells.run(scripts, tools, empty, tmp_path / f"log{variant}")
        for name, calls in zip(HOSTILE, called, strict=True):
            assert [len(call) for call in calls] == [len(call) for call in harmless], (name, calls)
            for before, after in zip(harmless, calls, strict=True):
                assert all(the_same_but_for(b, a, HOSTILE[name]) for b, a in zip(before, after, strict=True)), (name, before, after)
        assert not list(empty.iterdir()), "nothing but our own commands ran"
