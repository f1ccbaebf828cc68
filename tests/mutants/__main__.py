"""Remove one protection at a time, in a copy of the tree, and run the tests that cover it: one of them must fail (`make mutate`)."""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import cache_from_source
from pathlib import Path
from shutil import copy2
from tempfile import TemporaryDirectory

from tests.mutants.mutant import GONE, ROOT, Mutant
from tests.mutants.table import MUTANTS

KILLED, SURVIVED, BROKEN = "killed", "SURVIVED", "BROKEN"  # broken: pytest could not even begin
VERDICTS = {0: SURVIVED, 1: KILLED}  # by pytest's exit code
LIMIT = 60  # seconds for one test: a story that waits for what never happens has failed


def copied(tree: Path) -> None:
    """Everything git knows and everything it would take, as it stands in the checkout."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            copy2(ROOT / name, tree / name)
    (tree / ".venv").symlink_to((ROOT / ".venv").resolve())


def run(tree: Path, tests: Iterable[str], *options: str) -> subprocess.CompletedProcess[str]:
    """Run tests in the copy, on the copy."""
    command = [sys.executable, "-m", "pytest", "-n", "0", "-p", "no:cacheprovider", "--tb=no", f"--timeout={LIMIT}", *options, *tests]
    return subprocess.run(
        command, cwd=tree, env={**os.environ, "PATIENCE": "20", "PYTHONPATH": str(tree)}, capture_output=True, text=True, check=False
    )


@contextmanager
def without(mutant: Mutant, tree: Path) -> Iterator[None]:
    """The copy without one protection. What Python has compiled is thrown away: two texts of one second look alike to it."""
    file = tree / mutant.file
    before = file.read_text()

    def becomes(text: str) -> None:
        file.write_text(text)
        Path(cache_from_source(str(file))).unlink(missing_ok=True)

    becomes(mutant.mutated(tree))
    try:
        yield
    finally:
        becomes(before)


def verdict(mutant: Mutant, tree: Path) -> str:
    if not mutant.applies(tree):
        return GONE
    with without(mutant, tree):
        return VERDICTS.get(run(tree, mutant.tests, "-x").returncode, BROKEN)


def judged(mutants: Sequence[Mutant], tree: Path) -> int:
    """How many were not killed. Each verdict is printed when it is known."""
    spared = 0
    for mutant in mutants:
        began, said = time.monotonic(), verdict(mutant, tree)
        spared += said != KILLED
        print(f"{said:<17} {time.monotonic() - began:5.1f} s  {mutant.name}", flush=True)
    print(f"{len(mutants) - spared} of {len(mutants)} killed")
    return spared


def chosen(argv: Sequence[str] | None) -> tuple[list[Mutant], bool]:
    """The mutants to judge, and whether they are only to be listed."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("part", nargs="?", default="", help="only the mutants that have this in their name or their file")
    parser.add_argument("--list", action="store_true", help="only list them")
    asked = parser.parse_args(argv)
    part = asked.part.lower()
    return [one for one in MUTANTS if part in one.name.lower() or part in one.file], asked.list


def main(argv: Sequence[str] | None = None) -> int:
    mutants, listing = chosen(argv)
    if listing or not mutants:
        print("\n".join(f"{one.file}: {one.name}" for one in mutants) or "there is no such mutant")
        return not mutants
    with TemporaryDirectory(prefix="mutants-") as home:
        tree = Path(home)
        copied(tree)
        tests = sorted({test for one in mutants for test in one.tests})
        whole = run(tree, tests)
        if whole.returncode:
            print(f"{whole.stdout}{whole.stderr}\nthese tests fail although nothing is missing: they would kill every mutant")
            return 2
        print(f"{len(tests)} tests pass while nothing is missing", flush=True)
        return min(judged(mutants, tree), 1)


if __name__ == "__main__":
    sys.exit(main())
