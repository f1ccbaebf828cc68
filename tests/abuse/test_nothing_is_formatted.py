"""A house rule: shell commands and PromQL are built by `activities/kit`, never formatted. What is formatted runs what is in it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
HOLE = "\0"  # where a value goes
TOOL = re.compile(r"(?<![\w-])(curl|kubectl|gcloud|gh|redis-cli|psql|celery|jq|xargs|python3 -c) [\0'\"$\w-]")
COMMANDS = (
    "declare|plan|status|watch|timeline|postmortem|checklist|by-hand|measures|approve|decline|answer|note|assign|ack|retry|skip|done-by-hand|"
    "hand-over|do|reclassify|pause|resume|widen|stand-down|report|slo|freeze [a-z]+"
)
OURS = re.compile(rf"(?<![\w-])incident ({COMMANDS}) (?:[A-Za-z-]+ )*{HOLE}")
SELECTOR = re.compile(rf"\{{\w+(=|=~|!=|!~)[\"']|\b[a-z_]+(=|=~|!=|!~)\"{HOLE}")


def formatted(tree: ast.AST) -> Iterator[str]:
    """Every text that is put together from parts, with a hole for each value."""
    for node in ast.walk(tree):
        match node:
            case ast.JoinedStr():
                yield "".join(str(part.value) if isinstance(part, ast.Constant) else HOLE for part in node.values)
            case ast.Call(func=ast.Attribute(attr="format" | "format_map", value=ast.Constant(value=str(text)))):
                yield re.sub(r"\{[^{}]*\}", HOLE, text.replace("{{", "{"))
            case ast.BinOp(op=ast.Mod(), left=ast.Constant(value=str(text))):
                yield re.sub(r"%[-\d.]*[sdfgr]", HOLE, text)
            case ast.BinOp(op=ast.Add(), left=ast.Constant(value=str(text))):
                yield text + HOLE
            case ast.BinOp(op=ast.Add(), right=ast.Constant(value=str(text))):
                yield HOLE + text


def wrong(source: str) -> list[str]:
    return [text for text in formatted(ast.parse(source)) if TOOL.search(text) or OURS.search(text) or SELECTOR.search(text)]


def test_no_command_and_no_query_is_formatted() -> None:
    files = [p for room in ("activities", "workflows", "worker", "starters") for p in sorted((ROOT / room).rglob("*.py"))]
    found = {p.relative_to(ROOT).as_posix(): lines for p in files if (lines := wrong(p.read_text()))}
    assert not {name: lines for name, lines in found.items() if not name.startswith("activities/kit/")}


@pytest.mark.parametrize(
    "source",
    [
        "f'curl -sS {url}'", "f'kubectl --context {region} get pods'", "'gcloud run deploy %s' % name", "'gh api {}'.format(path)",
        "'redis-cli DEL ' + key", "f'incident approve {incident} {number}'", "f'incident by-hand {incident}'",
        "f'requests_total{{service=\"{name}\"}}'", "f'service=\"{name}\"'", "'up{service=\"%s\"}' % name", "f'gh {command}'",
    ],
)  # fmt: skip
def test_the_rule_sees_it(source: str) -> None:
    assert wrong(source)


@pytest.mark.parametrize("source", ["f'{name} is high {level}'", "f'incident {name} is over'", "command('curl', url)", "f'{a} = {b}'"])
def test_the_rule_lets_the_rest_alone(source: str) -> None:
    assert not wrong(source)
