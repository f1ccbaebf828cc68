"""The result of a game day: the scorecard, the draft post-mortem, and what is shown of them."""

from datetime import UTC, datetime
from statistics import median

from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from starters.gameday.day import Day
from starters.gameday.scorecard import Scorecard, budget_burnt, score, standing_of
from starters.postmortem import postmortem
from starters.screens import shadow_report
from workflows.incident import State
from workflows.status import Status


def card_of(day: Day, status: Status) -> Scorecard:
    pace, end = day.options.pace, status.closed_at or datetime.now(UTC)
    done = [*day.ledger.effects(day.incident), *day.ledger.effects(f"freeze-{status.service}")]  # and of the freeze that it held
    return score(
        status, day.stage.effects(), done, broken_at=day.broken_at, detected_at=status.declared_at, pace=pace,
        burnt=budget_burnt(day.stage.practice, day.scenario.service, day.broken_at, end, pace),
        restored=standing_of(day.stage.world()) == day.before, killed="; ".join(day.killed),
        recovered=median(day.recovered) if day.recovered else None,
        spared=day.options.kills - len(day.killed) if day.options.kill else 0,
    )  # fmt: skip


def show(day: Day, status: Status, card: Scorecard) -> bool:
    """Write the scorecard and the draft post-mortem beside each other, and show them. Whether it passed.

    In shadow mode: what would have been done beside what people did; passed when it was resolved and no target saw anything of us.
    """
    written, draft, entries = day.stage.home / "scorecard.json", day.stage.home / "postmortem.md", day.ledger.timeline(day.incident)
    written.write_text(card.model_dump_json(indent=2) + "\n")
    draft.write_text(postmortem.draft(status, entries, day.ledger.effects(day.incident)))
    if not day.console.is_terminal:
        day.console.print(day.screen(status))
    if day.options.shadow:
        for line in (*shadow_report.lines(shadow_report.compare(status, entries)), f"effects: {card.effects}"):
            day.say(line)
        return card.effects == 0 and status.state is State.RESOLVED
    day.console.print(Panel(_table(card), title=f"{card.incident_id}  {'PASSED' if card.passed else 'NOT PASSED'}", expand=False))
    for line in (
        f"effects at the targets: {card.effects}, lost {card.effects_lost}, doubled {card.effects_doubled}",
        *(f"  not passed: {why}" for why in card.why_not),
        f"scorecard     {written}",
        f"post-mortem   {draft} (draft)",
    ):
        day.say(line)
    return card.passed


def _table(card: Scorecard) -> Table:
    table = Table(show_header=False, box=None)
    for name, value in (
        ("time to detect", span_of(card.detected_seconds)),
        ("time to acknowledge", span_of(card.acknowledged_seconds)),
        ("time to mitigate", span_of(card.mitigated_seconds)),
        ("time to resolve", span_of(card.resolved_seconds)),
        ("questions", f"{card.questions}, {card.answered_verified} answered with a personal code"),
        ("error budget burnt", "unknown" if card.error_budget_burnt is None else f"{card.error_budget_burnt:.1%} of four weeks'"),
        ("in force", "; ".join(card.measures_in_force) or "none"),
        ("the world", "as it was" if card.world_restored else "NOT as it was"),
        *((("killed", card.killed), ("recovered", f"{card.recovered_seconds} s after the restart (median)")) if card.killed else ()),
    ):
        table.add_row(name, escape(value))
    return table


def span_of(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min {rest:02d} s"
