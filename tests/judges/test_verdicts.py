"""The page of the judges: what was not run this time stays as it was, and what could not be run says so."""

from pathlib import Path

from tests.judges.__main__ import JUDGES, asked
from tests.judges.verdicts import FAILURES, PAGE, Findings, Judge, Program, Verdict, page, read


async def never(folder: Path) -> list[Verdict]:
    raise AssertionError("it was run without its program")


async def breaks(folder: Path) -> list[Verdict]:
    raise ConnectionError("the server went away")


async def test_a_judge_whose_program_is_not_installed_says_so_and_is_not_run() -> None:
    needs = (Program("no-such-program", "its-package"), Program("sh", "dash"))
    (said,) = await asked(Judge("absent", never, needs))
    assert said.outcome == "not run: no-such-program is not installed (apt-get install its-package)" and not said.failed


async def test_a_judge_that_breaks_off_has_found_something() -> None:
    (said,) = await asked(Judge("broken", breaks))
    assert said.failed and "the server went away" in said.said


def test_what_others_have_said_is_kept_to_the_letter() -> None:
    before = page(("one", "two"), {"one": [Verdict("a thing", "a --b", "line 1\n\n* line 2", FAILURES, "then")], "two": []}, "")
    now = page(("one", "two"), {"two": [Verdict("another | thing", "c", "fine", when="now")]}, before)
    assert read(now)["one"] == [Verdict("a thing", "a --b", "line 1\n\n* line 2", FAILURES, "then")]
    assert page(("one", "two"), {}, now) == now and now.count("FAILURES") == 1


def test_one_thing_that_is_wrong_is_a_failure() -> None:
    findings = Findings()
    findings.expect("this is so", True)
    assert not findings.verdict("it", "c").failed
    findings.expect("and that", False, 3)
    verdict = findings.verdict("it", "c")
    assert verdict.failed and "❌ and that: 3" in verdict.said


def test_the_page_knows_every_judge() -> None:
    assert set(read(PAGE.read_text())) == set(JUDGES)
