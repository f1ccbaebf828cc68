"""House rules of size: files and functions that can be read at once, and folders that can be taken in at a glance."""

import ast
from collections import Counter
from math import ceil
from pathlib import Path

import pytest

from tests.test_house import ROOT, tracked

NEARLY_ALL = 0.95
FILE, LONGEST_FILE = 250, 400  # lines: of nearly all files, of any file
FUNCTION = 25  # lines of nearly all functions
FOLDER = 12  # files directly in a folder, `__init__.py` not counted


@pytest.fixture(scope="module")
def sources() -> dict[Path, str]:
    """Every Python file of the repository, tests included."""
    return {path.relative_to(ROOT): path.read_text() for path in tracked() if path.suffix == ".py"}


def nearly_all(lengths: list[int]) -> int:
    """The length that nearly all of them keep to: the 95th percentile."""
    return sorted(lengths)[ceil(NEARLY_ALL * len(lengths)) - 1]


def test_nearly_all_is_the_95th_percentile() -> None:
    assert nearly_all(list(range(1, 101))) == 95
    assert nearly_all([1] * 94 + [99] * 6) == 99


def test_files_are_short(sources: dict[Path, str]) -> None:
    lengths = {path.as_posix(): len(source.splitlines()) for path, source in sources.items()}
    assert not {name: lines for name, lines in lengths.items() if lines > LONGEST_FILE}, "split it by theme"
    assert nearly_all(list(lengths.values())) <= FILE


def test_functions_are_short(sources: dict[Path, str]) -> None:
    nodes = [node for source in sources.values() for node in ast.walk(ast.parse(source))]
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert nearly_all([(node.end_lineno or 0) - node.lineno + 1 for node in functions]) <= FUNCTION


def test_folders_hold_few_files(sources: dict[Path, str]) -> None:
    held = Counter(path.parent.as_posix() for path in sources if path.name != "__init__.py")
    assert not {folder: files for folder, files in held.items() if files > FOLDER}, "give what belongs together a folder"
