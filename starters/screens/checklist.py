"""The first-15-minutes checklist as people see it: the printable sheet, and the ticks of an incident. Pure: values and an instant in, lines out."""

from collections.abc import Iterable
from datetime import datetime
from textwrap import wrap

from pydantic import JsonValue
from rich.console import Group
from rich.text import Text

from activities.action import Role
from activities.organisation.policy import Policy
from starters.screens.sheets import unmarked
from starters.screens.text import plain, span
from workflows.first_minutes.checklist import ITEMS, Item, due_at, late_by
from workflows.status import ItemState, ItemStatus, Status, pace_at

TITLE = "Global first‑15‑minutes checklist"  # seed §0.3
SEVERITIES = (1, 2, 3)  # those for which the spec has deadlines
SHORT = {Role.INCIDENT_COMMANDER: "IC", Role.OPS_LEAD: "Ops", Role.SECURITY_LEAD: "Sec", Role.COMMS_LEAD: "Comms", Role.LEGAL: "Legal"}
BOXES = {
    ItemState.DONE: ("[x]", "green"), ItemState.LATE: ("[x]", "yellow"), ItemState.MISSED: ("[!]", "bold red"), ItemState.OPEN: ("[ ]", ""),
    ItemState.NOT_DUE: ("[ ]", "dim"), ItemState.NOT_APPLICABLE: ("[-]", "dim"),
}  # fmt: skip


def sheet(policy: Policy, width: int, status: Status | None = None) -> list[str]:
    """The sheet to print and to tick by hand: each item, whose it is, and by when.

    Without an incident: minutes after the declaration at each severity. With one: the instants for it, in UTC.
    """
    columns = ["by (UTC)"] if status else [f"SEV-{severity}" for severity in SEVERITIES]
    lines = [*_row(TITLE, ["owner", *columns], width), *([_of(status)] if status else []), ""]
    for item in ITEMS:
        if status:
            due = _due(item, status, policy)
            cells = [f"{due:%H:%M:%S}" if due else "–"]
        else:
            within = [policy.first_minutes.due(item.key, severity) for severity in SEVERITIES]
            cells = [f"{one.total_seconds() / 60:g} min" if one is not None else "–" for one in within]
        box = "      - [ ] " if item.part_of else "- [ ] "
        lines += _row(unmarked(item.text), [SHORT.get(item.owner, item.owner.title), *cells], width, box)
    ticked = "The playbook has ticked nothing yet: tick by hand."
    return [*lines, "", ticked if status else "–: no deadline at that severity; people judge whether it is needed."]


def items(policy: Policy, status: Status | None = None) -> list[JsonValue]:
    """The items, for programs: deadlines in seconds by severity; with an incident the instant at which each is due for it."""
    told: list[JsonValue] = []
    for item in ITEMS:
        within: dict[str, JsonValue] = {
            f"SEV-{s}": due.total_seconds() for s in SEVERITIES if (due := policy.first_minutes.due(item.key, s))
        }
        instant = _due(item, status, policy) if status else None
        told.append({**item._asdict(), "within_seconds": within, "due_at": instant.isoformat() if instant else None})
    return told


def ticks(status: Status, now: datetime, width: int) -> Group:
    """The checklist of an incident as it stands: what is done, late, missed and open, with the evidence."""
    known = {tick.key: tick for tick in status.checklist}
    lines = [Text(f"{TITLE} · {_of(status)}", style="bold"), Text(counted(status.checklist)), Text("")]
    for item in ITEMS:
        lines += _ticked(item, known.pop(item.key, None), now, width)
    strangers = known.values()  # another version of ours wrote them
    return Group(*lines, *(Text(f"{BOXES[tick.state][0]} {plain(tick.key)}: {_said(tick, now)}") for tick in strangers))


def counted(checklist: Iterable[ItemStatus]) -> str:
    """How far it is, in one line: `9 done, 1 of them late · missed: freeze, scribe · 4 open`."""
    states = [tick.state for tick in checklist]
    late = states.count(ItemState.LATE)
    missed = [tick.key.replace("_", " ") for tick in checklist if tick.state is ItemState.MISSED]
    done = f"{states.count(ItemState.DONE) + late} done" + (f", {late} of them late" if late else "")
    return " · ".join(filter(None, [done, f"MISSED: {', '.join(missed)}" if missed else "", f"{states.count(ItemState.OPEN)} open"]))


def in_words(tick: ItemStatus, now: datetime | None = None) -> str:
    """One tick as a sentence: for logs; without `now` for a document, which is read at any time."""
    text = next((unmarked(item.text).rstrip(".") for item in ITEMS if item.key == tick.key), tick.key)
    return f"{text}: {_said(tick, now)}"


def _ticked(item: Item, tick: ItemStatus | None, now: datetime, width: int) -> list[Text]:
    indent = "      " if item.part_of else ""
    box, style = BOXES[tick.state] if tick else ("[?]", "yellow")
    evidence = f" · {plain(tick.evidence)}" if tick and tick.evidence else ""
    detail = f"{SHORT.get(item.owner, item.owner.title)} · {_said(tick, now) if tick else 'unknown'}{evidence}"
    room = width - len(indent) - 4
    return [
        *(Text(f"{indent}{'   ' if nth else box} {line}", style=style) for nth, line in enumerate(wrap(unmarked(item.text), room))),
        *(Text(f"{indent}    {line}", style="dim") for line in wrap(detail, room)),
    ]


def _said(tick: ItemStatus, now: datetime | None) -> str:
    due = f"{tick.due_at:%H:%M:%S} UTC" if tick.due_at else ""
    done = f"{tick.done_at:%H:%M:%S} UTC" if tick.done_at else ""
    match tick.state:
        case ItemState.DONE:
            return f"done {done}".strip()
        case ItemState.LATE:
            return f"done {done}, {span(late_by(tick, now))} late (due {due})"
        case ItemState.MISSED:
            return f"MISSED: was due {due}" + (f", {span(late_by(tick, now))} ago" if now else "")
        case ItemState.OPEN:
            return f"open, due {due}" + (f" (in {span(tick.due_at - now)})" if now and tick.due_at and tick.due_at > now else "")
        case ItemState.NOT_DUE:
            return "no deadline at this severity"
        case _:
            return "not applicable"


def _row(text: str, cells: list[str], width: int, box: str = "") -> list[str]:
    column = 10 if len(cells) == 2 else 7
    right = f"{cells[0]:<6}" + "".join(f"{cell:>{column}}" for cell in cells[1:])
    room = max(width - len(right) - len(box) - 2, 20)
    head, *rest = wrap(text, room) or [""]
    return [f"{box}{head:<{room}}  {right}".rstrip(), *(" " * len(box) + line for line in rest)]


def _due(item: Item, status: Status, policy: Policy) -> datetime | None:
    """At the pace that the incident has."""
    first = pace_at(status.paces, status.declared_at) if status.paces else status.pace
    return due_at(item.key, int(status.severity), status.declared_at, policy.model_copy(update={"pace": first}))


def _of(status: Status) -> str:
    return f"{status.incident_id} · {status.severity.label} · declared {status.declared_at:%Y-%m-%d %H:%M:%S} UTC"
