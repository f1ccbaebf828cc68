"""`incident severity` and `quicksheet`: what people ask before there is an incident. Every fact can be told, every rule explains itself."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest

from starters.cli import facts, terminal
from starters.screens import sheets
from workflows.incident import Severity
from workflows.severity.classify import MATRIX, classify
from workflows.severity.facts import Cve, Facts

ROOT = Path(__file__).parents[2]
GOLDEN = json.loads((ROOT / "tests" / "severity_golden" / "seed_matrix.json").read_text("utf-8"))
THUMB = "If you’re unsure, page as SEV‑2 and adjust after triage."


class Ran:
    """What the command said, and how it ended."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *words: str) -> None:
        self.code = terminal.run(sheets.app, words)
        self.out, self.err = capsys.readouterr()
        assert "Traceback" not in self.out + self.err

    @property
    def told(self) -> Any:
        return json.loads(self.out)


def typed(told: dict[str, Any]) -> list[str]:
    """Facts as somebody would type them."""
    words: list[str] = []
    for name, value in told.items():
        flag = "--" + name.replace("_", "-")
        match value:
            case bool():
                words.append(flag if value else f"--no-{flag[2:]}")
            case dict():
                words += [word for key, each in value.items() for word in (flag, f"{key}={each}")]
            case list():
                words += [word for each in value for word in (flag, str(each))]
            case _:
                words += [flag, str(value).lower()]
    return words


def test_without_facts_it_prints_the_matrix_and_the_rule_of_thumb(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "220")
    seen = Ran(capsys, "severity")
    for row in MATRIX:
        assert all(cell in seen.out for cell in row[1:]), row
    assert (seen.code, THUMB in seen.out) == (0, True)
    told = Ran(capsys, "severity", "--json").told
    assert [row["severity"] for row in told["severities"]] == [1, 2, 3, 4, 5]
    assert told["rule_of_thumb"] == THUMB


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case["example"])
def test_every_example_of_the_seed_can_be_typed_and_comes_out_as_the_matrix_says(
    case: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    told = Ran(capsys, "severity", *typed(case["facts"]), "--json").told
    assert (told["severity"], told["label"]) == (
        next(row.severity for row in MATRIX if case["example"] in row.examples.split(", ")),
        f"SEV-{case['severity']}",
    )
    assert told["rules"][0]["rule"] == case["rule"]
    assert Facts.model_validate(told["facts"]) == Facts.model_validate(case["facts"])


def _sample(name: str, kind: Any) -> tuple[list[str], Any]:
    """One value of a fact that is not its default, as typed and as the model keeps it."""
    flag = "--" + name.replace("_", "-")
    model, field = (Cve, name.removeprefix("cve_")) if name.startswith("cve_") else (Facts, name)
    default = model.model_fields[field].default
    if kind is bool or bool in get_args(kind):
        return ([flag], True) if default is not True else ([f"--no-{flag[2:]}"], False)
    if get_origin(kind) is dict:
        return ([flag, "eu=1"], {"eu": 1})
    if get_origin(kind) is frozenset:
        return ([flag, "eu", flag, "us"], frozenset({"eu", "us"}))
    if isinstance(kind, type) and hasattr(kind, "__members__"):
        member = next(m for m in reversed(list(kind)) if m is not default)  # type: ignore[call-overload]
        return ([flag, member.lower()], member)
    return ([flag, "0.5"], 0.5) if name in ("confidence",) or name.endswith("ratio") else ([flag, "7"], 7)


@pytest.mark.parametrize("name", facts.fields())
def test_every_fact_can_be_told(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    words, value = _sample(name, facts.fields()[name].annotation)
    told = Facts.model_validate(Ran(capsys, "severity", *words, "--json").told["facts"])
    seen = getattr(told.cve, name.removeprefix("cve_")) if name.startswith("cve_") else getattr(told, name)
    assert seen == value
    assert facts.fields()[name].description, "say what it is"


@pytest.mark.parametrize("name", facts.fields())
def test_every_fact_can_be_unknown_or_says_why_not(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    seen = Ran(capsys, "severity", "--unknown", name.replace("_", "-"), "--json")
    if seen.code:
        assert "cannot be unknown: leave it out, or say --unsure" in seen.err
        return
    told = Facts.model_validate(seen.told["facts"])
    value = getattr(told.cve, name.removeprefix("cve_")) if name.startswith("cve_") else getattr(told, name)
    assert value in (None, "UNKNOWN")


def test_it_explains_every_rule_that_fired_and_declares_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    seen = Ran(
        capsys, "severity", "--err-ratio", "eu-west=0.6", "--regions", "2", "--tenant-ratio", "0.3", "--data-exposure", "suspected",
        "--provider-down",
    )  # fmt: skip
    found = classify(Facts.model_validate(
        {"err_ratio": {"eu-west": 0.6}, "regions_major": 2, "tenant_ratio": 0.3, "data_exposure": "SUSPECTED", "provider_down": True}
    ))  # fmt: skip
    lines = seen.out.splitlines()
    assert lines[0] == "SEV-1 (P0) · Broad outage/data exposure"
    assert [line.split()[0] for line in lines[1 : 1 + len(found.rules)]] == [rule.rule for rule in found.rules]
    assert all(rule.because in seen.out for rule in found.rules)
    assert lines[-1] == "nothing was declared; to declare: incident declare PLAYBOOK --service NAME --severity SEV-1"


@pytest.mark.parametrize(
    "words",
    [["--unsure"], ["--unknown", "provider-down"], ["--scope", "core"], ["--provider-down"], ["--data-loss", "unknown"], ["--stale"]],
)
def test_what_is_unknown_is_a_sev_2_and_says_so(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    told = Ran(capsys, "severity", *words, "--json").told
    assert (told["severity"], told["unsure"]) == (2, True)
    assert f"not all facts that matter are known: {THUMB}" in Ran(capsys, "severity", *words).out


def test_a_known_sev_2_is_no_doubt_and_a_known_sev_5_neither(capsys: pytest.CaptureFixture[str]) -> None:
    for words, severity in ((["--db-failover"], 2), (["--scope", "cosmetic"], 5), (["--no-db-failover", "--scope", "cosmetic"], 5)):
        told = Ran(capsys, "severity", *words, "--json").told
        assert (told["severity"], told["unsure"]) == (severity, False)


def test_numbers_are_read_as_people_write_them(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--err-ratio", "eu=60%", "--duration", "6m", "--blind", "90s", "--sample-count", "eu=900", "--confidence", "80%"]
    known = Facts.model_validate(Ran(capsys, "severity", *words, "--json").told["facts"])
    assert (known.err_ratio, known.duration_s, known.monitoring_blind_s, known.confidence) == ({"eu": 0.6}, 360, 90, 0.8)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--err-ratio", "eu=many"], "--err-ratio eu: Input should be a valid number"),
        (["--err-ratio", "0.6"], "--err-ratio wants REGION=NUMBER, not '0.6'"),
        (["--err-ratio", "eu=1.5"], "--err-ratio eu: Input should be less than or equal to 1"),
        (["--tenant-count", "-3"], "--tenant-count: Input should be greater than or equal to 0"),
        (["--data-exposure", "maybe"], "--data-exposure: Input should be 'UNKNOWN', 'NONE', 'SUSPECTED' or 'CONFIRMED'"),
        (["--duration", "1.2.3"], "--duration-s: Input should be a valid number"),
        (["--unknown", "weather"], "there is no fact 'weather'"),
        (["--weather", "bad"], "No such option: --weather"),
    ],
)
def test_what_is_no_fact_is_a_sentence(words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    seen = Ran(capsys, "severity", *words)
    assert seen.code in (1, 2)
    assert seen.err.startswith(sentence)
    assert seen.err.endswith("    → incident severity --help\n")


def test_the_quick_sheet_is_one_page(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Ran(capsys, "quicksheet").out.splitlines()
    assert len(lines) <= 60
    assert max(map(len, lines)) <= 80
    assert [line["number"] for line in Ran(capsys, "quicksheet", "--json").told["lines"]] == [1, 2, 3, 4, 5]


def test_every_command_on_the_quick_sheet_exists() -> None:
    import typer.main

    from starters.cli import cli

    group: Any = typer.main.get_command(cli.app)
    assert not [command for commands in sheets.COMMANDS for command in commands if command.split()[1] not in group.commands]


@pytest.mark.parametrize("words", [["severity"], ["severity", "--provider-down"], ["severity", "--help"], ["quicksheet"]])
def test_it_answers_at_once_without_the_temporal_sdk_and_without_a_database(words: list[str]) -> None:
    program = (
        "import os, sys, starters.__main__ as entry; sys.argv = ['incident', *sys.argv[1:]]\n"
        "def ended(code):\n    sys.stdout.flush(); heavy = {m.partition('.')[0] for m in sys.modules}\n"
        "    print(code, sorted(heavy & {'temporalio', 'sqlalchemy', 'httpx'}), file=sys.stderr); os._exit(code)\n"
        "entry.leave = ended\nentry.main()"
    )
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.stderr.strip(), bool(done.stdout)) == ("0 []", True)


def test_it_is_the_same_command_under_its_full_name(capsys: pytest.CaptureFixture[str]) -> None:
    from starters.cli import cli

    alone = Ran(capsys, "severity", "--db-failover").out
    assert cli.run(["severity", "--db-failover"]) == 0
    assert capsys.readouterr().out == alone
    assert Severity.SEV2.label in alone
