"""No mutant goes stale in silence: its text stands in its file, it is still Python, and its tests exist. `make mutate` runs them."""

import ast
import re
from functools import cache

import pytest

from tests.mutants.mutant import ROOT, Mutant
from tests.mutants.table import MUTANTS

TEST = re.compile(r"^(?:async )?def (test_\w+)\(", re.MULTILINE)


@cache
def told(file: str) -> frozenset[str]:
    """The tests of a file."""
    return frozenset(TEST.findall((ROOT / file).read_text()))


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_applies_and_has_its_tests(mutant: Mutant) -> None:
    assert mutant.applies(), f"{mutant.old!r} does not stand exactly once in {mutant.file}: say where the protection is now"
    assert mutant.new != mutant.old and ast.parse(mutant.mutated())
    assert mutant.tests
    for file, _, name in (test.partition("::") for test in mutant.tests):
        assert name.partition("[")[0] in told(file), f"{file} has no {name}"


def test_each_mutant_has_a_name_of_its_own() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
