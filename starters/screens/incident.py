"""What an incident looks like. Pure: a status and an instant in, lines to print out. Readable at 3 a.m., at 80 columns, without colour."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from rich.cells import cell_len, set_cell_size
from rich.console import Group
from rich.text import Text

from activities.action import Role
from starters.screens.checklist import counted
from starters.screens.curve import grid, in_words, sparkline
from starters.screens.layout import USUAL, continued, cut, ends, roles, row, to_answer, wrapped
from starters.screens.text import ago, clock, plain, span, typed
from workflows.engine.record.details import ICONS, banner
from workflows.incident import Phase, Question, State
from workflows.status import ItemState, Status, Step, StepState, Task, imposed_by

STYLES = {
    StepState.RUNNING: "cyan", StepState.ASKING: "yellow", StepState.PAUSED: "yellow", StepState.DONE: "green", StepState.ADOPTED: "green",
    StepState.FAILED: "red", StepState.SKIPPED: "dim", StepState.DECLINED: "red", StepState.TASK: "magenta",
    StepState.ASSUMED: "blue",
}  # fmt: skip
WORDS = {
    StepState.ADOPTED: "adopted: ", StepState.DECLINED: "declined: ", StepState.SKIPPED: "skipped: ", StepState.PAUSED: "paused: ",
    StepState.ASKING: "waits for an answer: ", StepState.ASSUMED: "would: ",
}  # fmt: skip
QUESTION_LINES = 12
ALL = 99  # lines: nothing is cut


def render(
    status: Status, now: datetime, width: int, source: str = "the ledger", as_of: datetime | None = None, full: bool = False
) -> Group:
    """The whole screen. `full` shows every step and every word; otherwise what is old or long is cut, and the cut is shown."""
    screen = _Screen(status, now, max(width, 60), full)
    age = ago(now - (as_of or status.updated_at))
    return Group(
        *screen.header(),
        *screen.people(),
        *(line for question in status.asking for line in screen.question(question)),
        *screen.would_ask(),
        *screen.steps(),
        *screen.ahead(),
        *([row(f"now: {plain(status.waiting_for)}", screen.width, "cyan")] if status.waiting_for else []),
        *screen.measures(),
        *screen.tasks("tasks for people", status.tasks),
        *screen.tasks("follow-ups", status.follow_ups),
        row(f"from {source}, {age} · version {status.version} · {status.entries} entries", screen.width, "dim"),
    )


@dataclass(frozen=True)
class _Screen:
    """One incident, laid out in lines for one width and one instant. `full`: nothing is cut."""

    status: Status
    now: datetime
    width: int
    full: bool

    def lines(self, said: str, most: int = 2, indent: str = "") -> list[Text]:
        lines = wrapped(said, self.width - len(indent), ALL if self.full else most) if said else []
        return [Text(indent + line) for line in lines]

    def named(self, name: str, lines: Sequence[str], style: str = "") -> list[Text]:
        """Lines with a name at the left of the first one."""
        return [Text.assemble(("    " + ("" if nth else name).ljust(8), "dim"), (line, style)) for nth, line in enumerate(lines)]

    def pair(self, name: str, said: str, most: int = 1) -> list[Text]:
        return self.named(name, wrapped(said, self.width - 12, ALL if self.full else most) if said else [])

    def commands(self, name: str, commands: Sequence[str], room: int = ALL) -> list[Text]:
        """Commands are for copying: whole, continued with backslashes where they are long, or not at all."""
        lines = [part for command in commands for part in continued(command, self.width - 12)]
        if len(lines) > room:
            many = f"{len(commands)} command{'s' if len(commands) > 1 else ''}"
            lines = [f"{many}: {typed('status', self.status.incident_id, '--full')}"]
        return self.named(name, lines)

    def header(self) -> Iterator[Text]:
        """Which incident, how bad and why, how far and for how long; and what people say that it is, whom it hits and how."""
        status, over = self.status, self.status.state.over
        elapsed = (status.closed_at or (status.resolved_at if over else None) or self.now) - (status.started_at or status.declared_at)
        yield ends(f"{status.incident_id}  {plain(status.title)} §{status.section}", clock(elapsed), self.width, "bold")
        if status.shadow:
            yield row(f"▒ {banner(status)}", self.width, "bold reverse")
        worse = f", was {status.peak_severity.label}" if status.peak_severity < status.severity else ""
        pace = f" · pace ×{status.pace:g}" if status.pace != 1 else ""
        state = f"{status.severity.label}{worse} · {status.phase.title} · {status.state}{pace}"
        yield row(state, self.width, "bold red" if status.severity <= 2 and not over else "bold")
        if status.because:
            yield from self.lines(f"because {'; '.join(map(plain, status.because))}")
        guesses = status.hypotheses if self.full else status.hypotheses[-1:]
        more = f" (and {len(status.hypotheses) - 1} earlier: --full)" if not self.full and len(status.hypotheses) > 1 else ""
        for name, said in (
            ("scope", status.scope),
            ("impact", status.impact),
            ("radius", status.blast_radius),
            *(("hypothesis", guess) for guess in guesses),
        ):
            if said:
                yield from self.lines(f"{name}: {plain(said)}{more if name == 'hypothesis' else ''}", most=1)
        for curve in (status.curve, status.curve.beside) if status.curve is not None else ():
            if curve is not None and curve.points:
                said = in_words(curve)
                drawn = sparkline(curve, max(self.width - len(said) - len(curve.name) - 6, 10))
                yield row(f"{curve.name}: {drawn}  {said}", self.width, "cyan")
        if (matrix := status.matrix) is not None and matrix.cells:
            yield row(f"{matrix.name} ({matrix.row} by row, {matrix.column} by column)", self.width, "cyan")
            yield from (row(f"  {plain(line)}", self.width) for line in grid(matrix, self.width - 2, 20 if self.full else 4))
        for one in status.suspects if self.full else status.suspects[:2]:
            yield from self.lines(f"suspect: {plain(one.in_words())}", most=1)
        for called in status.called_in:
            now = called.outcome or called.waiting_for or called.phase.title
            yield from self.lines(
                f"called in: §{called.section} {plain(called.title)} ({plain(called.why)}): {called.state}, {plain(now)}", most=1
            )
        if status.paused_by:
            yield row(
                f"॥ PAUSED by {plain(status.paused_by)}: automation watches and sends updates, and changes nothing", self.width, "yellow"
            )
        if status.solo:
            yield row("SOLO: nobody else can be reached; the commander decides C2, for C3 a second person is paged", self.width, "yellow")

    def people(self) -> Iterator[Text]:
        """Who commands, who does what, what the public reads, and when they hear more."""
        status = self.status
        ic, told = Role.INCIDENT_COMMANDER, status.holder
        commander = f"IC {plain(told(ic) or status.commander)}" if status.commander else f"NO COMMANDER: {typed('ack', status.incident_id)}"
        assigned = [f"{role.title} {plain(told(role))}" for role, who in status.roles.items() if who and who != status.commander]
        offered = [f"{role.title} offered to {plain(who)}" for role, who in status.offers.items()]
        yield from self.lines(" · ".join([commander, *assigned, *offered]))
        places = [f"{name} {plain(where)}" for name, where in (("room", status.room), ("ticket", status.ticket)) if where]
        alerts = [f"{status.alerts} alerts"] if status.alerts else []
        yield from self.lines(" · ".join([f"status page: {plain(status.status_page) or 'nothing published'}", *places, *alerts]))
        due = status.next_update_due
        if due and not status.state.over:
            late = self.now - due
            if late > timedelta(0):
                yield row(f"UPDATE OVERDUE by {span(late)} (was due {due:%H:%M:%S} UTC)", self.width, "bold red")
            else:
                yield row(f"next update in {span(-late)} ({due:%H:%M:%S} UTC)", self.width)
        if status.outcome:
            yield row(f"outcome: {plain(status.outcome)}", self.width, "bold")

    def question(self, q: Question) -> list[Text]:
        """What it does, who may answer, what silence means, and exactly what to type."""
        ways = [to_answer(self.status.incident_id, q, option) for option in q.options]
        ways = [" | ".join(ways)] if cell_len(" | ".join(ways)) <= self.width - 12 else ways
        ui = f'Temporal UI: signal {q.options[0]}, input (your code): "{q.number}-XXXX-XXXX"'
        to_type = [self.named("or" if nth else "type", [cut(way, self.width - 12)], "bold")[0] for nth, way in enumerate(ways)]
        to_type += self.pair("or", ui)
        most = 2 if len(to_type) < 4 else 1
        given = f" · {len(q.answers)} of {q.quorum} answers" if q.quorum > 1 else ""
        told = f" · sent to {', '.join(map(plain, q.told))}" if q.told else ""
        waits = q.waits_until is not None and q.waits_until > self.now
        kept = f"kept waiting by {plain(q.kept_by)} until {q.waits_until:%H:%M} UTC; " if waits else ""
        when = f", from {q.expires_at:%H:%M:%S} UTC (in {span(q.expires_at - self.now)})" if q.expires_at else ""
        lines = [
            *self.pair("who", f"{roles(q)} · {q.risk.label} · open for {span(self.now - q.asked_at)}{given}{told}"),
            *self.pair("effect", plain(q.effect), most),
            *self.pair("undo", plain(q.inverse)),
            *self.pair("facts", "; ".join(map(plain, q.facts)), most),
            *self.pair("silence", f"{kept}no answer means: {q.silence.means()}{when}"),
        ]
        room = ALL if self.full else QUESTION_LINES - 1 - len(to_type) - len(lines)
        asks = row(f"॥ [{q.number}] {plain(q.asks)}", self.width, "bold yellow")
        return [Text(""), asks, *lines, *self.commands("by hand", q.by_hand, max(room, 1)), *to_type]

    def would_ask(self) -> Iterator[Text]:
        """The questions that were not put to anybody, because it is shadow mode."""
        would = self.status.would_ask if self.full else self.status.would_ask[-3:]
        yield from [Text("")] if would else []
        yield from (row(f"○ [{q.number}] would ask {roles(q)}: {plain(q.asks)}", self.width, "blue") for q in would)
        if more := len(self.status.would_ask) - len(would):
            yield row(f"  and {more} earlier: --full", self.width, "dim")

    def steps(self) -> Iterator[Text]:
        """The tree of phases and steps; what is over and was long is folded."""
        yield Text("")
        for phase in self._phases():
            mine = [step for step in self.status.steps if step.phase is phase]
            shown = self._unfolded(phase, mine)
            more = f"  ({len(mine) - len(shown)} more: --full)" if len(mine) > len(shown) else ""
            icon, style = ("✖", "red") if any(step.state is StepState.FAILED for step in mine) else ("✔", "green")
            if phase not in self.status.phases and not mine:
                icon, style = "•", "dim"
            elif phase is self.status.phase and self.status.closed_at is None:
                icon, style = "◌", "bold cyan"
            yield row(f"{icon} {phase.title}{more}", self.width, style)
            yield from map(self._step, shown)

    def _phases(self) -> list[Phase]:
        entered = [phase for phase in self.status.phases if phase not in (Phase.DECLARED, Phase.CLOSED)]
        seen = [*(step.phase for step in self.status.steps if step.phase not in entered), *entered]
        order = list(Phase)
        latest = max(map(order.index, entered), default=0)
        over = self.status.closed_at or self.status.state is State.HANDED_OVER
        return list(dict.fromkeys([*seen, *(phase for phase in USUAL if order.index(phase) > latest and not over)]))

    def _unfolded(self, phase: Phase, mine: Sequence[Step]) -> list[Step]:
        """Everything in the present phase that is not done, its last few done ones, and what went wrong before."""
        last = 6 if phase is self.status.phase else 2
        settled = (StepState.DONE, StepState.ADOPTED, StepState.SKIPPED)
        return [step for nth, step in enumerate(mine) if self.full or step.state not in settled or nth >= len(mine) - last]

    def _step(self, step: Step) -> Text:
        took = (step.ended_at or self.now) - step.started_at
        said = WORDS.get(step.state, "") + plain(step.result if step.ended_at else step.result or step.says)
        name = f"  {ICONS[step.state]} {step.verb} {plain(step.target)}"
        left = f"{set_cell_size(cut(name, 44), 44)}  {cut(said, max(self.width - 54, 20))}"
        return ends(left, span(took) if step.ended_at or took > timedelta(seconds=1) else "", self.width, STYLES[step.state])

    def ahead(self) -> Iterator[Text]:
        """How far the first 15 minutes are, while anything of them is open or was missed; and how much is still to come."""
        status, states = self.status, {tick.state for tick in self.status.checklist}
        if states & {ItemState.OPEN, ItemState.MISSED, ItemState.LATE} and (not status.state.over or self.full):
            said = f"first 15 minutes: {counted(status.checklist)}"
            yield ends(said, "incident checklist INCIDENT", self.width, "red" if ItemState.MISSED in states else "")
        if status.plan and not status.state.over:
            said = f"still to come: {len(status.plan)} · next: {plain(status.plan[0].says)}"
            yield ends(said, "incident by-hand", self.width)
            for step in status.plan if self.full else ():
                yield from self.lines(f"• {step.number} {step.phase.title}: {plain(step.says)}", indent="  ")
                yield from self.commands("by hand", step.by_hand)

    def measures(self) -> Iterator[Text]:
        """What is imposed, since when, who holds it and how it is lifted."""
        yield row("in force", self.width, "bold") if self.status.in_force else row("in force: nothing", self.width)
        for one in self.status.in_force:
            held = (
                f"held by {plain(one.held_by)}" if one.held_by else "sticky: only people lift it" if one.sticky else "lifted by automation"
            )
            sure = "" if one.certain else "not certain: its call never returned · "
            said = f"  {one.number} {one.name} {plain(one.target)}  {sure}{held}"
            yield ends(said, span(self.now - one.since), self.width, "" if one.certain else "yellow")
            step = imposed_by(self.status.steps, one)
            if step is not None and not self.status.state.over:
                yield row(f"    → to undo: {typed('undo', self.status.incident_id, str(step.number))}", self.width)
            yield from self.commands("lift", one.by_hand) if self.full else ()

    def tasks(self, title: str, tasks: Sequence[Task]) -> Iterator[Text]:
        yield from [row(title, self.width, "bold")] if tasks else []
        for task in tasks:
            who = self.status.roles.get(task.owner, "")
            owner, due = task.owner.title + (f" ({plain(who)})" if who else ""), f" · due {plain(task.due)}" if task.due else ""
            ended = f" · done {task.done_at:%H:%M:%S} UTC by {plain(task.done_by)}" if task.done_at else ""
            said = f": {plain(task.said)}" if task.said else ""
            number = f"{task.number} " if tasks is self.status.tasks else ""  # what `incident done` takes; follow-ups are ticked elsewhere
            yield from self.lines(f"{'☐' if task.open else '☑'} {number}{owner}: {plain(task.text)}{due}{ended}{said}", indent="  ")
            yield from self.commands("by hand", task.by_hand) if self.full and task.open else ()
