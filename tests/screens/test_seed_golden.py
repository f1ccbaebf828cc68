"""Our words are the seed's words: every sentence, item, field and heading that we took over, held against the document itself."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from activities.organisation.policy import Policy
from activities.organisation.rhythm import FirstMinutesDeadlines
from activities.texts import templates, wording
from starters.postmortem import postmortem
from starters.screens import checklist, sheets
from tests import seed
from tests.screens import situations
from workflows.first_minutes.checklist import ITEMS
from workflows.incident import Severity, incident_id
from workflows.severity.classify import HEADINGS, MATRIX, RULE_OF_THUMB

GOLDEN = json.loads((Path(__file__).parents[1] / "severity_golden" / "seed_matrix.json").read_text("utf-8"))
AT = datetime(2026, 11, 23, 12, 34, 56, tzinfo=UTC)
PRINTED = checklist.sheet(Policy(), 160)


# --- §0.1, the severity matrix


def test_the_matrix_is_the_seeds_cell_by_cell() -> None:
    headings, *rows = seed.rows("0.1")
    assert headings == HEADINGS
    assert [tuple(row[1:]) for row in MATRIX] == rows
    assert [row.name for row in MATRIX] == [f"SEV‑{s.value} ({s.priority})" for s in Severity]


@pytest.mark.parametrize("row", seed.rows("0.1")[1:], ids=lambda row: row[0][:5])
def test_every_example_is_classified_as_the_matrix_says(row: tuple[str, ...]) -> None:
    name, *_, examples = row
    severity = Severity.parse(name.split()[0])
    assert [case["example"] for case in GOLDEN if case["severity"] == severity] == examples.split(", ")


def test_the_rule_of_thumb_is_the_seeds() -> None:
    assert seed.quoted("0.1") == [f"**Rule of thumb:** {RULE_OF_THUMB}"]


# --- §0.3, the checklist


SEED_ITEMS = re.findall(r"^- \[ \] (.*)$", seed.section("0.3"), re.MULTILINE)


def test_the_checklist_has_the_seeds_items_in_the_seeds_order() -> None:
    assert [item.text for item in ITEMS if item.seed] == SEED_ITEMS
    assert len(SEED_ITEMS) == 8
    assert checklist.TITLE in re.search(r"^### 0\.3 (.*)$", seed.DOCUMENT, re.MULTILINE)[1]  # type: ignore[index]


@pytest.mark.parametrize("text", SEED_ITEMS)
def test_every_item_of_the_seed_is_on_the_printed_sheet(text: str) -> None:
    assert [line for line in PRINTED if line.startswith(f"- [ ] {sheets.unmarked(text)}  ")]


def test_every_item_has_its_deadlines_and_every_part_its_whole() -> None:
    keys = [item.key for item in ITEMS]
    assert len(set(keys)) == len(keys)
    assert set(keys) == set(FirstMinutesDeadlines.model_fields)
    assert all(keys.index(item.part_of) < keys.index(item.key) for item in ITEMS if item.part_of)


def test_the_deadlines_are_the_specs() -> None:
    """Spec §5, minutes after the declaration at SEV-1, SEV-2, SEV-3; None: no deadline."""
    told = {
        "declare": (1, 1, 5), "commander": (5, 5, 15), "scribe": (5, 10, None), "cadence": (2, 2, 5), "freeze": (2, 2, None),
        "telemetry": (5, 5, 15), "evidence": (5, 5, 10), "war_room": (3, 5, 15), "blast_radius": (10, 10, 30), "leads": (10, 15, None),
        "playbook": (10, 10, 30), "status_page": (5, 10, None), "published": (10, 15, None), "told": (10, 15, None),
        "legal_clocks": (10, 10, 30), "checkpoint": (15, 15, 30),
    }  # fmt: skip
    first = Policy().first_minutes
    for key, minutes in told.items():
        due = tuple(first.due(key, severity) for severity in (1, 2, 3))
        assert due == tuple(timedelta(minutes=m) if m is not None else None for m in minutes), key
        assert first.due(key, 4) is None
    assert set(told) == set(FirstMinutesDeadlines.model_fields)


def test_the_cadence_that_the_checklist_names_is_the_policys() -> None:
    (minutes,) = re.findall(r"every (\d+) min for SEV‑1/2", seed.section("0.3"))
    assert {Policy().rhythm(severity).public for severity in (1, 2)} == {timedelta(minutes=int(minutes))}


# --- §1.1, what we say


@pytest.mark.parametrize(("nth", "name"), [(0, "identified@1"), (1, "monitoring@1")])
def test_the_status_page_sentences_are_the_seeds(nth: int, name: str) -> None:
    said = seed.quoted("1.1")[nth]
    (period,) = re.findall(r"\*\*(\d+ minutes)\*\*", said)
    assert templates.template(name).text == said.replace("hh:mm", "{at}").replace(period, "{next}")
    fields = wording.public(name, ("chat",), AT, timedelta(minutes=int(period.split()[0])))
    assert templates.fill(name, fields) == said.replace("hh:mm", "12:34").replace("{services}", "chat")


def test_the_support_macro_is_the_seeds() -> None:
    assert templates.template("support@1").text == seed.quoted("1.1")[2]
    assert len(seed.quoted("1.1")) == 3


def test_the_war_room_is_called_as_the_seed_says() -> None:
    assert "`#inc-YYYYMMDD-<short-name>`" in seed.section("1.1")
    assert re.fullmatch(r"inc-\d{8}-[a-z0-9-]+", incident_id(AT, "llm", "chat"))


# --- §4, the documents


def test_the_ticket_has_the_seeds_fields_in_the_seeds_order_and_line_by_line() -> None:
    theirs, ours = seed.code("4.1").strip().splitlines(), templates.template("ticket@1").text.splitlines()
    assert [re.sub(r"\*\*(.*?):\*\*.*", r"\1", line) for line in theirs] == [re.sub(r"\*\*(.*?):\*\*.*", r"\1", line) for line in ours]
    assert [re.findall(r"\*\*.*?:\*\*", line) for line in theirs] == [re.findall(r"\*\*.*?:\*\*", line) for line in ours]
    assert (theirs[0], ours[0]) == ("**Title:** [SEV‑X] <short description>", "**Title:** [{severity}] {title}")
    assert (theirs[2], ours[2]) == ("**IC:** <name> • **Scribe:** <name>", "**IC:** {commander} • **Scribe:** {scribe}")
    filled = wording.ticket(severity=2, title="x", start=datetime(2025, 1, 1, 12, 34, 56, tzinfo=UTC)).splitlines()
    assert filled[1] == theirs[1].replace("‑", "-") == "**Start:** 2025-01-01T12:34:56Z"


def test_the_post_mortem_has_the_seeds_headings_and_its_empty_lines_to_fill_in() -> None:
    template, document = seed.code("4.2"), postmortem.draft(situations.over(), situations.lines(), [])
    headings = [line for line in template.splitlines() if line.startswith("## ")]
    assert [line for line in document.splitlines() if line.startswith("## ")] == headings
    for line in ("- Primary:", "- Contributing:", "Dashboards, traces, diffs, PRs"):
        assert line in template and line in document
    for begun in ("- + ", "- – ", "- [ ] "):
        assert any(line.startswith(begun) for line in template.splitlines())
        assert any(line.startswith(begun) for line in document.splitlines())


def test_the_post_mortem_is_due_when_the_seed_says() -> None:
    (days,) = re.findall(r"### 4\.2 .*due within (\d) business days", seed.DOCUMENT)
    assert Policy().post_mortem_days == int(days)


# --- Appendix A


QUICK = re.findall(r"^\d\. (.*?)\s*$", seed.section("Appendix A"), re.MULTILINE)


def test_the_quick_sheet_is_appendix_a_line_by_line() -> None:
    assert list(sheets.QUICK_SHEET) == QUICK
    assert len(QUICK) == 5


@pytest.mark.parametrize(("number", "text"), list(enumerate(QUICK, start=1)))
def test_every_line_of_it_is_printed(number: int, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    sheets.quicksheet()
    assert f"{number}. {text}" in capsys.readouterr().out.splitlines()
