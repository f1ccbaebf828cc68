"""The screen, as people see it: golden pictures at 100 columns, and what must hold at any width."""

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console, Group

from activities.kit.words.escape import UNSEEN
from activities.organisation.policy import Policy
from starters.screens import by_hand, checklist, lists
from starters.screens.incident import render
from starters.screens.layout import continued
from starters.screens.lists import changes
from tests.screens import situations
from tests.screens.situations import NOW
from workflows.incident import State
from workflows.status import Status

HERE = Path(__file__).parent
PICTURES: dict[str, Callable[[], Group]] = {
    "asking": lambda: render(situations.asking(), NOW, 100),
    "asking_full": lambda: render(situations.asking(), NOW, 100, full=True),
    "asking_80": lambda: render(situations.asking(), NOW, 80, source="the worker", as_of=NOW),
    "repairing": lambda: render(situations.repairing(), NOW, 100),
    "over": lambda: render(situations.over(), NOW + timedelta(days=3), 100),
    "hostile": lambda: render(situations.hostile(), NOW, 100),
    "list": lambda: lists.incidents(
        [
            (situations.asking(), "the ledger", NOW),
            (situations.ticked(), "the ledger", NOW),
            (situations.over(), "the ledger", NOW - timedelta(days=3)),
        ],
        NOW,
        100,
    ),
    "ticked": lambda: render(situations.ticked(), NOW, 100),
    "ticked_80": lambda: render(situations.ticked(), NOW, 80),
    "ticked_full": lambda: render(situations.ticked(), NOW, 100, full=True),
    "checklist": lambda: checklist.ticks(situations.ticked(), NOW, 100),
    "checklist_80": lambda: checklist.ticks(situations.ticked(), NOW, 80),
    "timeline": lambda: lists.timeline(situations.lines(), 100),
}


SHEETS: dict[str, Callable[[], list[str]]] = {
    "sheet": lambda: checklist.sheet(Policy(), 100),
    "sheet_80": lambda: checklist.sheet(Policy(), 80),
    "sheet_of": lambda: checklist.sheet(Policy(), 100, situations.asking(pace=2.0)),
    "by_hand": lambda: by_hand.rest(situations.ticked(), [], NOW, "the ledger", NOW - timedelta(seconds=3)),
    "by_hand_over": lambda: by_hand.rest(situations.over(), [], NOW, "the ledger", NOW),
    "measures": lambda: by_hand.everywhere(by_hand.standing([situations.asking(), situations.holding()]), NOW, by_hand=False),
    "measures_by_hand": lambda: by_hand.everywhere(by_hand.standing([situations.asking(), situations.holding()]), NOW, by_hand=True),
}


def drawn(picture: Group, width: int = 100) -> str:
    console = Console(width=width, color_system=None, force_terminal=False, legacy_windows=False)
    with console.capture() as capture:
        console.print(picture)
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


@pytest.mark.parametrize("name", PICTURES)
def test_it_looks_as_it_did(name: str) -> None:
    """Redraw them with REDRAW=1, and read the difference."""
    golden, seen = HERE / f"{name}.txt", drawn(PICTURES[name](), 80 if name.endswith("_80") else 100)
    if os.environ.get("REDRAW"):
        golden.write_text(seen)
    assert seen == golden.read_text()


@pytest.mark.parametrize("name", SHEETS)
def test_what_is_printed_is_as_it_was(name: str) -> None:
    """Redraw them with REDRAW=1, and read the difference."""
    golden, seen = HERE / f"{name}.txt", "\n".join(SHEETS[name]()) + "\n"
    if os.environ.get("REDRAW"):
        golden.write_text(seen)
    assert seen == golden.read_text()


@pytest.mark.parametrize("width", [80, 100, 160])
@pytest.mark.parametrize("state", [situations.asking, situations.repairing, situations.hostile, situations.ticked])
def test_a_question_takes_twelve_lines_at_most_and_no_line_is_too_long(state: Callable[[], Status], width: int) -> None:
    seen = drawn(render(state(), NOW, width), width).splitlines()
    assert max(map(cell_len, seen)) <= width
    begun = next(nth for nth, line in enumerate(seen) if line.startswith("॥ ["))
    assert seen.index("", begun) - begun <= 12


def test_an_overdue_update_a_missing_commander_and_a_blind_spot_are_said_in_words() -> None:
    seen = drawn(render(situations.asking(commander="", next_update_due=NOW - timedelta(minutes=3)), NOW, 100))
    assert "UPDATE OVERDUE by 3m00s" in seen
    assert "NO COMMANDER: incident ack inc-20261123-llm-chat" in seen
    assert "not certain: its call never returned" in seen


def test_a_long_command_is_broken_where_a_shell_takes_it() -> None:
    command = """curl -X PUT https://a.example/b -H 'If-Match: "7" and more' -d "{\\"a b\\": 1}" --fail --silent --max-time 10 x'y z'"""
    lines = continued(command, 60)
    assert len(lines) > 1
    assert " ".join(line.removesuffix(" \\").strip() for line in lines) == command


def test_what_changed_is_told_line_by_line() -> None:
    first = changes(None, situations.asking(questions=[]))
    assert first[0] == "inc-20261123-llm-chat SEV-2 mitigation open commander dana"
    later = changes(situations.asking(questions=[]), situations.asking(state=State.MITIGATED, in_force=[], waiting_for="the gate"))
    assert "state: open → mitigated" in later
    assert "lifted: high-PSU tools off tools.high_psu" in later
    assert "now: the gate" in later
    assert any(line.startswith("॥ [3] Send chat of 12 tenants") and line.endswith("3 --code CODE") for line in later)
    assert changes(situations.asking(), situations.asking(version=42)) == []


@settings(max_examples=60)
@given(st.text(max_size=300), st.integers(min_value=60, max_value=140))
def test_no_text_from_outside_moves_the_cursor_or_breaks_the_page(text: str, width: int) -> None:
    seen = drawn(render(situations.asking(title=text, waiting_for=text, because=(text,), room=text), NOW, width), width)
    assert not UNSEEN.search(seen.replace("\n", ""))
    assert max(map(cell_len, seen.splitlines())) <= width


def test_what_was_ticked_and_what_was_missed_is_told_line_by_line() -> None:
    later = changes(situations.ticked(checklist=[], hypotheses=(), scope="", impact=""), situations.ticked())
    assert "[!] Freeze deploys: change_freeze = ON: MISSED: was due 10:04:00 UTC, 12m29s ago" in later
    assert "[x] Scribe assigned: done 10:14:00 UTC, 2m00s late (due 10:12:00 UTC)" in later
    assert {"scope: 12 of 20 tenants, both regions", "hypothesis: a push at noon"} <= set(later)
    assert not [line for line in later if line.startswith(("[ ]", "[-]"))]
    assert changes(situations.ticked(), situations.ticked(version=53)) == []


@pytest.mark.parametrize("width", [80, 100])
def test_what_hangs_on_the_wall_fits_on_one_page(width: int) -> None:
    for lines in (checklist.sheet(Policy(), width), checklist.sheet(Policy(), width, situations.asking())):
        assert max(map(cell_len, lines)) <= width
        assert len(lines) <= 60


@settings(max_examples=60)
@given(st.text(max_size=200))
def test_no_text_from_outside_becomes_a_command(text: str) -> None:
    """Whatever an alert or a person called something: a line that is no comment is a command that an order said itself."""
    evil = f"{text}\nrm -rf /\r\n$(reboot)"
    status = situations.ticked(
        title=evil, waiting_for=evil, outcome=evil, commander=evil, steps=[s.model_copy(update={"says": evil, "target": evil, "result": evil})
        for s in situations.asking().steps],
        in_force=[m.model_copy(update={"name": evil, "target": evil, "held_by": evil, "lifts_by": evil}) for m in situations.asking().in_force],
        tasks=[t.model_copy(update={"text": evil, "due": evil}) for t in situations.asking().tasks],
        plan=[p.model_copy(update={"says": evil, "target": evil}) for p in situations.ticked().plan],
        questions=[situations.question(asks=evil, effect=evil, inverse=evil)],
    )  # fmt: skip
    ours = {command for part in (status.in_force, status.tasks, status.plan, status.questions) for one in part for command in one.by_hand}
    lines = by_hand.rest(status, [], NOW, "the ledger", NOW) + by_hand.everywhere(by_hand.standing([status]), NOW, by_hand=True)
    assert {line for line in lines if line and not line.startswith("#")} == ours
