"""What a judge says, and the page where it stands (`docs/judges.md`). A judge that was not run this time keeps what it said before."""

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/judges.md"
NO_FAILURE, FAILURES = "no failure", "FAILURES"
NEVER_RUN = "not run yet"
ELSEWHERE = ("/usr/sbin", "/usr/lib/postgresql/15/bin", "/usr/lib/rabbitmq/bin")  # where Debian keeps programs beside the path
HEAD = """\
# Judges

Written by `make judge` (not part of CI): programs that we did not write judge our clients and our practice faces.
`make judge ONLY="redis patroni"` runs these alone, and keeps what the others said. A judge whose program is not installed has not run, and says so.

| judge | judged | verdict | when |
|---|---|---|---|
"""
ROW = re.compile(r"^\| (?!judge )(?P<judge>[a-z]+) \| (?P<judged>.+) \| (?P<outcome>[^|]+) \| (?P<when>[^|]*) \|$", re.M)


@dataclass(frozen=True)
class Verdict:
    """What a judge said of one thing. `outcome`: no failure, failures, or why it was not run."""

    judged: str
    command: str
    said: str
    outcome: str = NO_FAILURE
    when: str = ""

    @property
    def failed(self) -> bool:
        return self.outcome == FAILURES


@dataclass(frozen=True)
class Program:
    """A program that a judge needs, and the package of Debian that has it."""

    name: str
    package: str

    def found(self) -> str:
        """Where it is; empty where it is not installed."""
        return shutil.which(self.name) or next((where for place in ELSEWHERE if (where := shutil.which(self.name, path=place))), "")


@dataclass(frozen=True)
class Judge:
    """`run` is given an empty folder."""

    name: str
    run: Callable[[Path], Awaitable[Sequence[Verdict]]]
    needs: tuple[Program, ...] = ()

    def missing(self) -> str:
        """Why it cannot be run; empty where it can."""
        missing = [one for one in self.needs if not one.found()]
        programs = " and ".join(one.name for one in missing)
        packages = " ".join(dict.fromkeys(one.package for one in missing))
        return f"not run: {programs} {'is' if len(missing) == 1 else 'are'} not installed (apt-get install {packages})" if missing else ""


@dataclass
class Findings:
    """What a judge looked at, and what was wrong there."""

    seen: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def expect(self, what: str, right: bool, found: object = "") -> None:
        """One thing that must be so."""
        if right:
            self.seen.append(what)
        else:
            self.wrong.append(f"{what}: {found}" if found != "" else what)

    def verdict(self, judged: str, command: str) -> Verdict:
        lines = [*(f"✅ {one}" for one in self.seen), *(f"❌ {one}" for one in self.wrong)]
        return Verdict(judged, command, "\n".join(lines), FAILURES if self.wrong else NO_FAILURE)


class NotRun(Exception):
    """It could not be run; the message says why."""


def installed(name: str, *packages: str) -> Path:
    """The `bin` of the judge's own virtual environment, made when it is not there. Raises `NotRun` where the packages cannot be had."""
    place = ROOT / ".judge" / name
    python = place / "bin/python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
    ended = subprocess.run([str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *packages], check=False)
    if ended.returncode:
        raise NotRun(f"not run: pip cannot install {' '.join(packages)}")
    return place / "bin"


def suite(judged: str, files: Sequence[str], environment: Mapping[str, str], server: str) -> Verdict:
    """Tests of ours, on another server than they usually have: the variables name it."""
    words = ["-m", "pytest", "-n", "0", "-p", "no:cacheprovider", "--tb=line", *files]
    ended = subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [re.sub(r" in [0-9.]+s( \(.*\))?$", "", line) for line in ended.stdout.strip().splitlines()]
    told = [line[:200] for line in lines if line.startswith(("FAILED", "ERROR"))] + lines[-1:]
    shown = " ".join([*(f"{name}={value}" for name, value in environment.items()), "python", *words])
    return Verdict(judged, shown, "\n".join([server, *told]), FAILURES if ended.returncode else NO_FAILURE)


def version(program: str, *words: str) -> str:
    """The first line that it says of its version."""
    said = subprocess.run([program, *(words or ("--version",))], capture_output=True, text=True, check=False)
    return next(iter((said.stdout or said.stderr).strip().splitlines()), "unknown")


def today() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}"


def page(order: Sequence[str], run: Mapping[str, Sequence[Verdict]], before: str) -> str:
    """The page with what these judges said now, and what the others had said before."""
    kept = read(before)
    everything = [(name, run.get(name, kept.get(name, [Verdict("", "", "", NEVER_RUN)]))) for name in order]
    rows = [f"| {name} | {one.judged or '-'} | {one.outcome} | {one.when or '-'} |" for name, said in everything for one in said]
    text = HEAD + "\n".join(rows) + "\n"
    for _, said in everything:
        for one in said:
            if one.said:
                text += f"\n## {one.judged}\n\n```\n$ {one.command}\n{one.said}\n```\n"
    return text


def read(text: str) -> dict[str, list[Verdict]]:
    """What a page says, by judge."""
    found: dict[str, list[Verdict]] = {}
    for row in ROW.finditer(text):
        judged = "" if row["judged"] == "-" else row["judged"]
        section = re.search(rf"^## {re.escape(judged)}\n\n```\n\$ (?P<command>.*)\n(?P<said>(?:.*\n)*?)```$", text, re.M)
        command, said = (section["command"], section["said"].rstrip("\n")) if section else ("", "")
        found.setdefault(row["judge"], []).append(Verdict(judged, command, said, row["outcome"], "" if row["when"] == "-" else row["when"]))
    return found
