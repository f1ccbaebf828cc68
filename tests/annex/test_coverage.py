"""`docs/coverage.md`: each row of Annex A, and by what a recorded incident has done it; and whom each playbook asks what.

`python -m tests.annex.test_coverage` writes it. A row that nothing does fails here.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.annex.rows import ANNEX, Row
from worker.playbooks import discover
from workflows.status import Status

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "coverage.md"
HEAD = """# What of the specification is done

Written by `python -m tests.annex.test_coverage` from the recorded incidents in `tests/histories/`. Rows are those of the
specification's Annex A. *Done* names the steps of a recorded incident, a task or a follow-up for a person;
where a row holds only in another world, the story that tells it.
"""
MOST = 3  # steps that are named


@cache
def recorded(playbook: str) -> tuple[Status, ...]:
    """The incidents of a playbook that were recorded; resolved ones first."""
    files = sorted((ROOT / "tests" / "histories").glob(f"{playbook}-*.status.json"))
    found = [Status.model_validate_json(file.read_text()) for file in files]
    return tuple(sorted(found, key=lambda one: one.state.value != "resolved"))


def done(playbook: str, row: Row) -> str:
    """By what a recorded incident has done it; empty: by nothing."""
    for status in recorded(playbook):
        steps = [step for step in status.steps if step.verb in row.by and step.state.value in ("done", "adopted")]
        if row.by and {step.verb for step in steps} == set(row.by):
            named = dict.fromkeys(f"`{step.verb}` {step.target}" for step in steps)
            return "; ".join([*list(named)[:MOST], *([f"and {len(named) - MOST} more"] if len(named) > MOST else [])])
        for kind, tasks, begins in (("task", status.tasks, row.task), ("follow-up", status.follow_ups, row.follow_up)):
            if begins and (task := next((one for one in tasks if one.text.startswith(begins)), None)):
                return f"{kind} for {task.owner.title}: {task.text}"
        if row.asks and (question := next((one for one in status.questions if one.asks.startswith(row.asks)), None)):
            return f"asked: {question.asks}"
        if row.calls and (called := next((one for one in status.called_in if one.section == row.calls), None)):
            return f"called in: §{called.section} {called.title}, because {called.why}"
        if row.resolved and status.resolved_at is not None:
            return "the incident was resolved: the stability gate has passed"
    return ""


def told(row: Row) -> str:
    """The story of a row, where there is one. Raises when it is not there."""
    if not row.story:
        return ""
    file, _, name = row.story.partition("::")
    tree = ast.parse((ROOT / "tests" / file).read_text())
    assert any(getattr(node, "name", "") == name for node in ast.walk(tree)), f"there is no story {row.story}"
    return f"when {row.only_when}: *{name.removeprefix('test_').replace('_', ' ')}*"


def questions(playbook: str) -> Iterator[str]:
    """Whom the recorded incidents of a playbook ask what, each question once."""
    seen: set[str] = set()
    for status in recorded(playbook):
        for one in status.questions:
            asks = one.asks.replace(status.incident_id, "ID").replace("|", "/")
            if asks not in seen:
                seen.add(asks)
                yield f"| {asks} | {one.risk.label} | {', '.join(role.title for role in one.roles)} | {one.silence.means()} |"


def rendered() -> str:
    lines = [HEAD]
    for name, info in discover().items():
        if name not in ANNEX:
            continue
        lines += [f"## §{info.card.section} {info.card.title}", "", "| row | asks for | done |", "|---|---|---|"]
        lines += [
            f"| {row.id} | {row.does} | {'; '.join(filter(None, (done(name, row), told(row)))).replace('|', '/')} |" for row in ANNEX[name]
        ]
        lines += ["", "| question | class | may answer | no answer |", "|---|---|---|---|", *questions(name), ""]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("playbook", "row"), [(name, row) for name, rows in ANNEX.items() for row in rows], ids=lambda one: getattr(one, "id", one)
)
def test_every_row_is_done(playbook: str, row: Row) -> None:
    assert done(playbook, row) or told(row), "no recorded incident has done it, and no story tells it"


def test_the_page_is_what_the_records_say() -> None:
    assert PAGE.read_text() == rendered(), "python -m tests.annex.test_coverage writes it anew"


def test_every_playbook_of_the_seed_has_its_rows() -> None:
    sections = {name for name, info in discover().items() if info.card.section.startswith("2.")}
    assert sections == set(ANNEX)


def test_a_row_that_nothing_does_is_noticed() -> None:
    assert not done("production_outage", Row("X1", "something else", by=("models.shift",)))
    with pytest.raises(AssertionError, match="there is no story"):
        told(Row("X2", "something", story="annex/test_coverage.py::test_nothing_of_that_name"))


if __name__ == "__main__":
    PAGE.write_text(rendered())
