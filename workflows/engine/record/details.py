"""What the Temporal UI shows of an incident: markdown, made from its status. A person must be able to act on it within ten seconds.

It is shown in half a window, below the UI's own heading, and is sent to the UI's renderer as part of an address: so it is short. Only lists
are set tight there: lists of lists run into one line, and every empty line between paragraphs shows.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from activities.ledger.entry import Entry
from workflows.incident import Question
from workflows.status import InForce, Status, Step, StepState

ICONS = {
    StepState.RUNNING: "◌", StepState.ASKING: "॥", StepState.PAUSED: "॥", StepState.DONE: "✔", StepState.ADOPTED: "✔", StepState.FAILED: "✖",
    StepState.SKIPPED: "↷", StepState.DECLINED: "✖", StepState.TASK: "☐", StepState.ASSUMED: "○",
}  # fmt: skip
IN_A_BROWSER = {**ICONS, StepState.ASKING: "?", StepState.PAUSED: "‖"}  # a browser without an Indic font shows ॥ as an empty box
LONGEST = 6_000  # characters: a proxy before the UI may refuse a longer address
LONG = 300  # characters of one sentence
SHORT = 60  # and of one that only has to be recognised: a line
NEWEST = 8  # steps and lines of the timeline
HOW = (
    "More Actions → Send a Signal → pick the name → Data: your code *with its quotes* → Submit (the first click may only tidy the input: "
    "click again). Press R to refresh this page."
)


def details(status: Status, latest: Sequence[Entry] = ()) -> str:
    """Commander, phase, what is in force, the questions, each with what to send, its effect and undo, and when the next update is due.

    `latest`: the end of the timeline. A signal has no answer: its sender reads the result here.
    """
    asking, about = status.asking, _plain(status.service, SHORT) or "scope not known"
    parts = [
        f"### {status.severity.label} · §{status.section} {_plain(status.title, SHORT)} · {about}",
        "\n".join(f"- {line}" for line in _now(status)),
        *(_question(q) for q in reversed(asking)),
        *([f"**To answer:** {HOW}"] if asking else []),
        *_section("Would have been asked (shadow mode)", (f"[{q.number}] {_plain(q.asks)}" for q in reversed(status.would_ask[-NEWEST:]))),
        *_section("Latest", (f"{e.at:%H:%M:%S} {e.kind}: {_plain(e.text)}" for e in reversed(latest[-NEWEST:]))),
        *_section("Steps, newest first", (_step(s) for s in reversed(status.steps[-NEWEST:]))),
        *_section("Tasks for people", (f"☐ {t.number} {t.owner.title}: {_plain(t.text)}" for t in status.to_do)),
    ]
    return "\n\n".join(parts)[:LONGEST]


def _now(status: Status) -> list[str]:
    due = status.next_update_due
    overdue = " **(overdue)**" if due and due < status.updated_at else ""
    return [
        *([f"**{banner(status)}**"] if status.shadow else []),
        f"**Commander:** {status.commander or 'nobody yet'} · **Phase:** {status.phase.title} · **State:** {status.state}"
        + (f" · **PAUSED by {status.paused_by}**" if status.paused_by else "")
        + (" · **SOLO**: nobody else can be reached" if status.solo else ""),
        f"**Next update due:** {_clock(due)}{overdue} · **Status page:** {_plain(status.status_page) or 'nothing published'}"
        + (f" · **Room:** {_plain(status.room)}" if status.room else ""),
        f"**In force:** {_in_force(status.in_force)}",
        *([f"**Now:** {_plain(status.waiting_for)}"] if status.waiting_for else []),
        *([f"**{len(status.asking)} questions wait**, the newest first:"] if len(status.asking) > 1 else []),
        *((f"[{q.number}] {_plain(q.asks, SHORT)}" for q in reversed(status.asking)) if len(status.asking) > 1 else []),
    ]


def banner(status: Status) -> str:
    """What shadow mode means, in one line that nobody overlooks."""
    but = f" but {', '.join(status.may_write)}" if status.may_write else ""
    return f"SHADOW: nothing is changed{but}; steps and questions say what would be done"


def _in_force(measures: Iterable[InForce]) -> str:
    by_name: dict[str, list[str]] = {}
    for measure in measures:
        unsure = "" if measure.certain else " (perhaps)"
        held = f" (held by {measure.held_by})" if measure.held_by else ""
        by_name.setdefault(measure.name, []).append(f"{_plain(measure.target, SHORT)}{unsure}{held}")
    return "; ".join(f"{name}: {', '.join(targets)}" for name, targets in by_name.items()) or "none"


def _question(question: Question) -> str:
    who = " or ".join(role.title for role in question.roles)
    silence = question.silence.means() + (f", from {_clock(question.expires_at)}" if question.expires_at else "")
    heading = f"### Question {question.number}: {_plain(question.asks)}"
    first, *further = _effect(question.effect)
    lines = (
        _to_send(question), f"**Effect:** {first}", *further, f"**Undo:** {_plain(question.inverse)}",
        *map(_plain, question.facts), f"**Who:** {who} ({question.risk.label}) · **No answer:** {silence}",
    )  # fmt: skip
    return "\n".join((heading, "", *(f"- {line}" for line in lines)))


def _to_send(question: Question) -> str:
    first, *rest = (f"`{option}`" for option in question.options)
    if first == "`answer`":
        return f'**Send:** signal {first}, data `{{"question": {question.number}, "code": "{question.number}-XXXX-XXXX", "value": …}}`'
    others = f" (or {', '.join(rest)})" if rest else ""
    return f'**Send:** signal {first}{others}, data `"{question.number}-XXXX-XXXX"`: the code you were sent'


def _effect(effect: str) -> list[str]:
    """A plan of many steps: the first in full, of the others what is different. The status has every word."""
    first, *others = effect.split("; then ")
    return [_plain(first) or "–", *(_plain(f"then {_different(other, first)}", SHORT) for other in others)]


def _different(step: str, first: str) -> str:
    words = step.split()
    same = next((n for n, (one, other) in enumerate(zip(words, first.split(), strict=False)) if one != other), 0)
    return step if same < 3 else f"… {' '.join(words[same - 1 :])}"


def _step(step: Step) -> str:
    said = step.result if step.result.startswith(step.says) else f"{step.says} — {step.result}" if step.result else step.says
    return f"{IN_A_BROWSER[step.state]} {_plain(said)}"


def _section(heading: str, lines: Iterable[str]) -> list[str]:
    listed = "\n".join(f"- {line}" for line in lines)
    return [f"#### {heading}\n\n{listed}"] if listed else []


def _plain(text: str, longest: int = LONG) -> str:
    """One line that means to markdown what it says: titles and targets come from alerts and from people."""
    line = " ".join(text.split())
    line = line if len(line) <= longest else f"{line[: longest - 1].rstrip()}…"
    return re.sub(r"([\\`*_\[\]<>|])", r"\\\1", line)


def _clock(instant: datetime | None) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC" if instant else "–"
