"""Lists: the incidents, and the timeline of one."""

from collections.abc import Collection, Iterable
from datetime import datetime

from rich.cells import cell_len
from rich.console import Group
from rich.text import Text

from activities.action import Entry
from starters.screens.layout import cut, row, wrapped
from starters.screens.text import ago, clock, plain
from workflows.status import ItemState, Status

LOST = "lost"  # the state of an incident that no playbook runs any more (starters/alerts/reconciler.py)


def incidents(rows: Iterable[tuple[Status, str, datetime]], now: datetime, width: int, lost: Collection[str] = ()) -> Group:
    """One line per incident. `lost`: those that the reconciler found without a playbook."""
    lines = [row(f"{'SEV':6}{'PHASE':15}{'STATE':13}{'ELAPSED':>9}  {'COMMANDER':11}{'INCIDENT'}", width, "bold")]
    for status, source, as_of in rows:
        elapsed = clock((status.closed_at or now) - (status.started_at or status.declared_at))
        commander = plain(status.commander) or "–"
        waits = f"॥ [{', '.join(str(q.number) for q in status.asking)}] " if status.asking else ""
        state = f"{status.severity.label:6}{status.phase:15}{LOST if status.incident_id in lost else status.state:13}{elapsed:>9}"
        missed = [tick.key.replace("_", " ") for tick in status.checklist if tick.state is ItemState.MISSED and not status.state.over]
        undone = f"MISSED: {', '.join(missed)} · " if missed else ""
        undone = f"SHADOW · {undone}" if status.shadow else undone
        line = f"{state}  {cut(commander, 10):11}{status.incident_id}"
        lines += [row(line, width), row(f"      {waits}{undone}{plain(status.title)} · from {source}, {ago(now - as_of)}", width, "dim")]
    return Group(*lines)


def timeline(entries: Iterable[Entry], width: int) -> Group:
    lines: list[Text] = []
    for entry in entries:
        head = f"{entry.number:>4} {entry.at:%H:%M:%S} {cut(plain(entry.kind), 12):12} "
        by = "" if entry.by == "automation" else f" ({plain(entry.by)})"
        for nth, line in enumerate(wrapped(plain(entry.text) + by, max(width - cell_len(head), 30), 99)):
            lines.append(Text((head if nth == 0 else " " * cell_len(head)) + line))
    return Group(*lines)
