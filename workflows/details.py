"""What the Temporal UI shows of an incident: markdown, made from its status. A person must be able to act on it within ten seconds."""

from datetime import datetime

from workflows.incident import Question, Status, StepState

ICONS = {
    StepState.RUNNING: "◌", StepState.ASKING: "॥", StepState.HELD: "॥", StepState.DONE: "✔", StepState.ADOPTED: "✔", StepState.FAILED: "✖",
    StepState.SKIPPED: "↷", StepState.DECLINED: "✖", StepState.TASK: "☐",
}  # fmt: skip


def details(status: Status) -> str:
    """Commander, phase, what is in force, the question with its effect and inverse, what to send, and when the next update is due."""
    parts = [
        f"## {status.severity.label} · §{status.section} {status.title} · {status.service or 'scope not known'}",
        f"**Phase:** {status.phase.title} · **State:** {status.state} · **Commander:** {status.commander or 'nobody yet'}"
        + (f" · **PAUSED by {status.paused_by}**" if status.paused_by else ""),
        f"**Next update due:** {_clock(status.next_update_due)} · **Status page:** {status.status_page or 'nothing published'}"
        + (f" · **Room:** {status.room}" if status.room else ""),
        "**In force:** " + ("; ".join(f"{m.name} ({m.target})" for m in status.in_force) or "none"),
        *(_question(q) for q in status.asking),
        *([f"**Now:** {status.waiting_for}"] if status.waiting_for else []),
        *(["### Steps", "\n".join(f"- {ICONS[s.state]} {s.says} {'— ' + s.result if s.result else ''}" for s in status.steps[-12:])]
          if status.steps else []),
        *(["### Tasks for people", "\n".join(f"- ☐ {t.owner.title}: {t.text}" for t in status.tasks)] if status.tasks else []),
    ]  # fmt: skip
    return "\n\n".join(parts)[:18_000]


def headline(status: Status) -> str:
    """One line for the list of workflows."""
    waits = f" · waits for an answer to [{status.asking[0].number}]" if status.asking else ""
    return f"{status.severity.label} {status.phase.title} · {status.service}{waits}"


def _question(question: Question) -> str:
    who = " or ".join(role.title for role in question.roles)
    first, rest = question.options[0], question.options[1:]
    return "\n".join(
        (
            f"### ॥ Question {question.number}: {question.asks}",
            f"- **Effect:** {question.effect or '–'}",
            f"- **Undo:** {question.inverse}",
            *(f"- {fact}" for fact in question.facts),
            f"- **Who:** {who} ({question.risk.label}) · **No answer:** {question.silence.means()}"
            + (f", from {_clock(question.expires_at)}" if question.expires_at else ""),
            f'- **Send:** signal `{first}` with the code you were sent, as a JSON string: `"{question.number}-XXXX-XXXX"`'
            + (f" (or signal {', '.join(f'`{o}`' for o in rest)})" if rest else ""),
        )
    )


def _clock(instant: datetime | None) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC" if instant else "–"
