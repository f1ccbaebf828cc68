"""What an incident looks like. Pure: a status and an instant in, lines to print out. Readable at 3 a.m., at 80 columns, without colour."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from rich.cells import cell_len, set_cell_size
from rich.console import Group
from rich.text import Text

from starters.screens.checklist import counted
from starters.screens.layout import USUAL, Page, cut, ends, row
from starters.screens.questions import Questions
from starters.screens.text import ago, clock, plain, span, typed
from workflows.engine.record.details import ICONS, banner
from workflows.incident import Phase
from workflows.status import InForce, ItemState, Planned, Status, Step, StepState, Task

STYLES = {
    StepState.RUNNING: "cyan", StepState.ASKING: "yellow", StepState.PAUSED: "yellow", StepState.DONE: "green", StepState.ADOPTED: "green",
    StepState.FAILED: "red", StepState.SKIPPED: "dim", StepState.DECLINED: "red", StepState.TASK: "magenta",
    StepState.ASSUMED: "blue",
}  # fmt: skip
WORDS = {
    StepState.ADOPTED: "adopted: ", StepState.DECLINED: "declined: ", StepState.SKIPPED: "skipped: ", StepState.PAUSED: "paused: ",
    StepState.ASKING: "waits for an answer: ", StepState.ASSUMED: "would: ",
}  # fmt: skip


def render(
    status: Status, now: datetime, width: int, source: str = "the ledger", as_of: datetime | None = None, full: bool = False
) -> Group:
    """The whole screen. `full` shows every step and every word; otherwise what is old or long is cut, and the cut is shown."""
    page = _Incident(status, now, width, full)
    return Group(
        *page.header(),
        *page.people(),
        *Questions(status, now, width, full).questions(),
        *page.steps(),
        *page.ahead(),
        *page.waiting(),
        *page.measures(),
        *page.tasks("tasks for people", status.tasks),
        *page.tasks("follow-ups", status.follow_ups),
        page.foot(source, as_of or status.updated_at),
    )


class _Incident(Page):
    """Everything about an incident but its questions."""

    def header(self) -> list[Text]:
        """Which incident, how bad and why, how far and for how long."""
        status = self.status
        over = status.closed_at or (status.resolved_at if status.state.over else None)
        elapsed = clock((over or self.now) - (status.started_at or status.declared_at))
        worse = f", was {status.peak_severity.label}" if status.peak_severity < status.severity else ""
        pace = f" · pace ×{status.pace:g}" if status.pace != 1 else ""
        first = f"{status.incident_id}  {plain(status.title)} §{status.section}"
        state = f"{status.severity.label}{worse} · {status.phase.title} · {status.state}{pace}"
        because = f"because {'; '.join(map(plain, status.because))}" if status.because else ""
        return [
            ends(first, elapsed, self.width, "bold"),
            *([row(f"▒ {banner(status)}", self.width, "bold reverse")] if status.shadow else []),
            row(state, self.width, "bold red" if status.severity <= 2 and not status.state.over else "bold"),
            *self.lines(because, most=2),
            *self._said(),
            *([row(f"॥ PAUSED by {plain(status.paused_by)}: automation watches and sends updates, and changes nothing", self.width, "yellow")]
              if status.paused_by else []),
            *([row("SOLO: nobody else can be reached; the commander decides C2, for C3 a second person is paged", self.width, "yellow")]
              if status.solo else []),
        ]  # fmt: skip

    def _said(self) -> list[Text]:
        """What people say that it is, whom it hits and how."""
        newest = self.status.hypotheses if self.full else self.status.hypotheses[-1:]
        more = len(self.status.hypotheses) - len(newest)
        guesses = [f"hypothesis: {plain(said)}" + (f" (and {more} earlier: --full)" if more else "") for said in newest]
        about = [f"{name}: {plain(said)}" for name, said in (("scope", self.status.scope), ("impact", self.status.impact)) if said]
        return [line for said in (*about, *guesses) for line in self.lines(said, most=1)]

    def people(self) -> list[Text]:
        """Who commands, who does what, what the public reads, and when they hear more."""
        status = self.status
        assignments = [f"{role.title} {plain(who)}" for role, who in status.roles.items() if who and who != status.commander]
        assignments += [f"{role.title} offered to {plain(who)}" for role, who in status.offers.items()]
        commander = f"IC {plain(status.commander)}" if status.commander else f"NO COMMANDER: {typed('ack', status.incident_id)}"
        places = [f"room {plain(status.room)}" if status.room else "", f"ticket {plain(status.ticket)}" if status.ticket else ""]
        public = f"status page: {plain(status.status_page) or 'nothing published'}"
        return [
            *self.lines(" · ".join([commander, *assignments])),
            *self.lines(" · ".join(filter(None, [public, *places, f"{status.alerts} alerts" if status.alerts else ""]))),
            *self._due(),
            *([row(f"outcome: {plain(status.outcome)}", self.width, "bold")] if status.outcome else []),
        ]

    def _due(self) -> list[Text]:
        due = self.status.next_update_due
        if due is None or self.status.state.over:
            return []
        late = self.now - due
        if late > timedelta(0):
            return [row(f"UPDATE OVERDUE by {span(late)} (was due {due:%H:%M:%S} UTC)", self.width, "bold red")]
        return [row(f"next update in {span(-late)} ({due:%H:%M:%S} UTC)", self.width)]

    def steps(self) -> list[Text]:
        """The tree of phases and steps; what is over and was long is folded."""
        lines = [Text("")]
        for phase in self._phases():
            mine = [step for step in self.status.steps if step.phase is phase]
            icon, style = self._phase_icon(phase, mine)
            shown = self._unfolded(phase, mine)
            folded = len(mine) - len(shown)
            more = f"  ({folded} more: --full)" if folded else ""
            lines += [row(f"{icon} {phase.title}{more}", self.width, style), *(self._step(step) for step in shown)]
        return lines

    def _phases(self) -> list[Phase]:
        entered = [phase for phase in self.status.phases if phase not in (Phase.DECLARED, Phase.CLOSED)]
        stepped = dict.fromkeys(step.phase for step in self.status.steps)
        seen = list(dict.fromkeys([*(p for p in stepped if p not in entered), *entered]))
        order = list(Phase)
        latest = max((order.index(phase) for phase in entered), default=0)
        ahead = [] if self.status.closed_at or self.status.state.value == "handed over" else [p for p in USUAL if order.index(p) > latest]
        return [*seen, *(phase for phase in ahead if phase not in seen)]

    def _phase_icon(self, phase: Phase, mine: Sequence[Step]) -> tuple[str, str]:
        if phase not in self.status.phases and not mine:
            return "•", "dim"
        if phase is self.status.phase and self.status.closed_at is None:
            return "◌", "bold cyan"
        return ("✖", "red") if any(step.state is StepState.FAILED for step in mine) else ("✔", "green")

    def _unfolded(self, phase: Phase, mine: Sequence[Step]) -> list[Step]:
        """Everything in the present phase that is not done, its last few done ones, and what went wrong before."""
        if self.full:
            return list(mine)
        last = 6 if phase is self.status.phase else 2
        odd = (StepState.DONE, StepState.ADOPTED, StepState.SKIPPED)
        return [step for nth, step in enumerate(mine) if step.state not in odd or nth >= len(mine) - last]

    def _step(self, step: Step) -> Text:
        took = (step.ended_at or self.now) - step.started_at
        said = WORDS.get(step.state, "") + plain(step.result if step.ended_at else step.result or step.says)
        name = f"  {ICONS[step.state]} {step.verb} {plain(step.target)}"
        spare = max(self.width - 46 - 8, 20)
        left = f"{set_cell_size(name, 44) if cell_len(name) < 44 else cut(name, 44)}  {cut(said, spare)}"
        return ends(left, span(took) if step.ended_at or took > timedelta(seconds=1) else "", self.width, STYLES[step.state])

    def ahead(self) -> list[Text]:
        """How far the first 15 minutes are, while anything of them is open or was missed; and how much is still to come."""
        status, lines = self.status, []
        unsettled = (ItemState.OPEN, ItemState.MISSED, ItemState.LATE)
        if any(tick.state in unsettled for tick in status.checklist) and (not status.state.over or self.full):
            missed = any(tick.state is ItemState.MISSED for tick in status.checklist)
            said = f"first 15 minutes: {counted(status.checklist)}"
            lines.append(ends(said, "incident checklist INCIDENT", self.width, "red" if missed else ""))
        if status.plan and not status.state.over:
            said = f"still to come: {len(status.plan)} · next: {plain(status.plan[0].says)}"
            lines.append(ends(said, "incident by-hand", self.width))
            lines += [line for step in status.plan if self.full for line in self._planned(step)]
        return lines

    def _planned(self, step: Planned) -> list[Text]:
        lines = self.lines(f"• {step.number} {step.phase.title}: {plain(step.says)}", most=2, indent="  ")
        return lines + self.commands("by hand", step.by_hand, 99)

    def waiting(self) -> list[Text]:
        """What the playbook waits for, in words."""
        return [row(f"now: {plain(self.status.waiting_for)}", self.width, "cyan")] if self.status.waiting_for else []

    def measures(self) -> list[Text]:
        """What is imposed, since when, who holds it and how it is lifted."""
        if not self.status.in_force:
            return [row("in force: nothing", self.width)]
        return [row("in force", self.width, "bold"), *(line for measure in self.status.in_force for line in self._measure(measure))]

    def _measure(self, measure: InForce) -> list[Text]:
        ours = "sticky: only people lift it" if measure.sticky else "lifted by automation"
        held = f"held by {plain(measure.held_by)}" if measure.held_by else ours
        sure = "" if measure.certain else "not certain: its call never returned · "
        name = f"  {measure.number} {measure.name} {plain(measure.target)}"
        lines = [ends(f"{name}  {sure}{held}", span(self.now - measure.since), self.width, "" if measure.certain else "yellow")]
        return lines + (self.commands("lift", measure.by_hand, 99) if self.full else [])

    def tasks(self, title: str, tasks: Sequence[Task]) -> list[Text]:
        """Work that no system of ours can do."""
        lines = [line for task in tasks for line in self._task(task)]
        return [row(title, self.width, "bold"), *lines] if lines else []

    def _task(self, task: Task) -> list[Text]:
        who = self.status.roles.get(task.owner, "")
        owner = task.owner.title + (f" ({plain(who)})" if who else "")
        lines = self.lines(f"☐ {owner}: {plain(task.text)}" + (f" · due {plain(task.due)}" if task.due else ""), most=2, indent="  ")
        return lines + (self.commands("by hand", task.by_hand, 99) if self.full else [])

    def foot(self, source: str, as_of: datetime) -> Text:
        """Who says so, and how long ago it was true."""
        status = self.status
        return row(f"from {source}, {ago(self.now - as_of)} · version {status.version} · {status.entries} entries", self.width, "dim")
