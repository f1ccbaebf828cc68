"""What an incident looks like. Pure: a status and an instant in, lines to print out. Readable at 3 a.m., at 80 columns, without colour."""

import re
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from textwrap import wrap

from rich.cells import cell_len, set_cell_size
from rich.console import Group
from rich.text import Text

from activities.action import Entry, Risk
from starters.screens.checklist import BOXES, counted, in_words
from starters.screens.text import ESCAPES, UNSEEN, ago, clock, plain, span
from workflows.engine.record.details import ICONS, banner
from workflows.incident import Phase, Question, QuestionKind
from workflows.status import InForce, ItemState, Planned, Status, Step, StepState, Task

QUESTION_LINES = 12
LOST = "lost"  # the state of an incident that no playbook runs any more (starters/alerts/reconciler.py)
USUAL = (Phase.TRIAGE, Phase.MITIGATION, Phase.RECOVERY, Phase.POST_INCIDENT)
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
    """The whole screen. `full` shows every step and every word; otherwise what is long ago or long is cut, visibly."""
    page = _Page(status, now, width, full)
    return Group(
        *page.header(),
        *page.people(),
        *page.questions(),
        *page.steps(),
        *page.ahead(),
        *page.waiting(),
        *page.measures(),
        *page.tasks("tasks for people", status.tasks),
        *page.tasks("follow-ups", status.follow_ups),
        page.foot(source, as_of or status.updated_at),
    )


class _Page:
    """One incident, laid out in lines for one width and one instant."""

    def __init__(self, status: Status, now: datetime, width: int, full: bool) -> None:
        self.status = status
        self.now = now
        self.width = max(width, 60)
        self.full = full

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
            _ends(first, elapsed, self.width, "bold"),
            *([_row(f"▒ {banner(status)}", self.width, "bold reverse")] if status.shadow else []),
            _row(state, self.width, "bold red" if status.severity <= 2 and not status.state.over else "bold"),
            *self._lines(because, most=2),
            *self._said(),
            *([_row(f"॥ PAUSED by {plain(status.paused_by)}: looks and keeps people posted, changes nothing", self.width, "yellow")]
              if status.paused_by else []),
            *([_row("SOLO: nobody else can be reached; C2 is the commander's, C3 pages a second person", self.width, "yellow")]
              if status.solo else []),
        ]  # fmt: skip

    def _said(self) -> list[Text]:
        """What people say that it is, whom it hits and how."""
        newest = self.status.hypotheses if self.full else self.status.hypotheses[-1:]
        more = len(self.status.hypotheses) - len(newest)
        guesses = [f"hypothesis: {plain(said)}" + (f" (and {more} before: --full)" if more else "") for said in newest]
        about = [f"{name}: {plain(said)}" for name, said in (("scope", self.status.scope), ("impact", self.status.impact)) if said]
        return [line for said in (*about, *guesses) for line in self._lines(said, most=1)]

    def people(self) -> list[Text]:
        """Who commands, who does what, what the public reads, and when they hear more."""
        status = self.status
        assignments = [f"{role.title} {plain(who)}" for role, who in status.roles.items() if who and who != status.commander]
        assignments += [f"{role.title} offered to {plain(who)}" for role, who in status.offers.items()]
        commander = f"IC {plain(status.commander)}" if status.commander else "NO COMMANDER: incident ack " + status.incident_id
        places = [f"room {plain(status.room)}" if status.room else "", f"ticket {plain(status.ticket)}" if status.ticket else ""]
        public = f"status page: {plain(status.status_page) or 'nothing published'}"
        return [
            *self._lines(" · ".join([commander, *assignments])),
            *self._lines(" · ".join(filter(None, [public, *places, f"{status.alerts} alerts" if status.alerts else ""]))),
            *self._due(),
            *([_row(f"outcome: {plain(status.outcome)}", self.width, "bold")] if status.outcome else []),
        ]

    def _due(self) -> list[Text]:
        due = self.status.next_update_due
        if due is None or self.status.state.over:
            return []
        late = self.now - due
        if late > timedelta(0):
            return [_row(f"UPDATE OVERDUE by {span(late)} (was due {due:%H:%M:%S} UTC)", self.width, "bold red")]
        return [_row(f"next update in {span(-late)} ({due:%H:%M:%S} UTC)", self.width)]

    def questions(self) -> list[Text]:
        """What people must decide now, before anything else on the screen."""
        would = self.status.would_ask if self.full else self.status.would_ask[-3:]
        more = len(self.status.would_ask) - len(would)
        return [
            *(line for question in self.status.asking for line in self._question(question)),
            *([Text("")] if would else []),
            *(_row(f"○ [{q.number}] would ask {_roles(q)}: {plain(q.asks)}", self.width, "blue") for q in would),
            *([_row(f"  and {more} before: --full", self.width, "dim")] if more else []),
        ]

    def _question(self, q: Question) -> list[Text]:
        typed = self._typed(q)
        lines = [
            *self._pair("who", self._who(q)),
            *self._pair("effect", plain(q.effect), most=2 if len(typed) < 4 else 1),
            *self._pair("undo", plain(q.inverse)),
            *self._pair("facts", "; ".join(map(plain, q.facts)), most=2 if len(typed) < 4 else 1),
            *self._pair("silence", self._silence(q)),
        ]
        room = 99 if self.full else QUESTION_LINES - 1 - len(typed) - len(lines)
        by_hand = self._commands("by hand", q.by_hand, max(room, 1))
        return [Text(""), _row(f"॥ [{q.number}] {plain(q.asks)}", self.width, "bold yellow"), *lines, *by_hand, *typed]

    def _who(self, q: Question) -> str:
        roles = _roles(q)
        counted = f" · {len(q.answers)} of {q.quorum} said so" if q.quorum > 1 else ""
        told = f" · told {', '.join(map(plain, q.told))}" if q.told else ""
        return f"{roles} · {q.risk.label} · open for {span(self.now - q.asked_at)}{counted}{told}"

    def _silence(self, q: Question) -> str:
        when = f", from {q.expires_at:%H:%M:%S} UTC (in {span(q.expires_at - self.now)})" if q.expires_at else ""
        return f"no answer means: {q.silence.means()}{when}"

    def _typed(self, q: Question) -> list[Text]:
        """Exactly what to type, for every answer that this question takes."""
        ways = [typed(self.status.incident_id, q, option) for option in q.options]
        together = " | ".join(ways)
        shown = [together] if cell_len(together) <= self.width - 12 else ways
        ui = f'Temporal UI: signal {q.options[0]}, input (your code): "{q.number}-XXXX-XXXX"'
        return [*(self._pair("type" if nth == 0 else "or", way, "bold")[0] for nth, way in enumerate(shown)), *self._pair("or", ui)]

    def steps(self) -> list[Text]:
        """The tree of phases and steps; what is over and was long is folded."""
        lines = [Text("")]
        for phase in self._phases():
            mine = [step for step in self.status.steps if step.phase is phase]
            icon, style = self._phase_icon(phase, mine)
            shown = self._unfolded(phase, mine)
            folded = len(mine) - len(shown)
            more = f"  ({folded} more: --full)" if folded else ""
            lines += [_row(f"{icon} {phase.title}{more}", self.width, style), *(self._step(step) for step in shown)]
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
        left = f"{set_cell_size(name, 44) if cell_len(name) < 44 else _cut(name, 44)}  {_cut(said, spare)}"
        return _ends(left, span(took) if step.ended_at or took > timedelta(seconds=1) else "", self.width, STYLES[step.state])

    def ahead(self) -> list[Text]:
        """How far the first 15 minutes are, while anything of them is open or was missed; and how much is still to come."""
        status, lines = self.status, []
        unsettled = (ItemState.OPEN, ItemState.MISSED, ItemState.LATE)
        if any(tick.state in unsettled for tick in status.checklist) and (not status.state.over or self.full):
            missed = any(tick.state is ItemState.MISSED for tick in status.checklist)
            said = f"first 15 minutes: {counted(status.checklist)}"
            lines.append(_ends(said, "incident checklist INCIDENT", self.width, "red" if missed else ""))
        if status.plan and not status.state.over:
            said = f"still to come: {len(status.plan)} · next: {plain(status.plan[0].says)}"
            lines.append(_ends(said, "incident by-hand", self.width))
            lines += [line for step in status.plan if self.full for line in self._planned(step)]
        return lines

    def _planned(self, step: Planned) -> list[Text]:
        lines = self._lines(f"• {step.number} {step.phase.title}: {plain(step.says)}", most=2, indent="  ")
        return lines + self._commands("by hand", step.by_hand, 99)

    def waiting(self) -> list[Text]:
        """What the playbook waits for, in words."""
        return [_row(f"now: {plain(self.status.waiting_for)}", self.width, "cyan")] if self.status.waiting_for else []

    def measures(self) -> list[Text]:
        """What is imposed, since when, who holds it and how it is lifted."""
        if not self.status.in_force:
            return [_row("in force: nothing", self.width)]
        return [_row("in force", self.width, "bold"), *(line for measure in self.status.in_force for line in self._measure(measure))]

    def _measure(self, measure: InForce) -> list[Text]:
        ours = "sticky: lifted by people only" if measure.sticky else "lifted by us"
        held = f"held by {plain(measure.held_by)}" if measure.held_by else ours
        sure = "" if measure.certain else "perhaps, its try never came back · "
        name = f"  {measure.number} {measure.name} {plain(measure.target)}"
        lines = [_ends(f"{name}  {sure}{held}", span(self.now - measure.since), self.width, "" if measure.certain else "yellow")]
        return lines + (self._commands("lift", measure.by_hand, 99) if self.full else [])

    def tasks(self, title: str, tasks: Sequence[Task]) -> list[Text]:
        """Work that no system of ours can do."""
        lines = [line for task in tasks for line in self._task(task)]
        return [_row(title, self.width, "bold"), *lines] if lines else []

    def _task(self, task: Task) -> list[Text]:
        who = self.status.roles.get(task.owner, "")
        owner = task.owner.title + (f" ({plain(who)})" if who else "")
        lines = self._lines(f"☐ {owner}: {plain(task.text)}" + (f" · due {plain(task.due)}" if task.due else ""), most=2, indent="  ")
        return lines + (self._commands("by hand", task.by_hand, 99) if self.full else [])

    def foot(self, source: str, as_of: datetime) -> Text:
        """Who says so, and how long ago it was true."""
        status = self.status
        return _row(f"from {source}, {ago(self.now - as_of)} · version {status.version} · {status.entries} entries", self.width, "dim")

    def _lines(self, said: str, most: int = 2, indent: str = "") -> list[Text]:
        if not said:
            return []
        return [Text(indent + line) for line in _wrapped(said, self.width - len(indent), 99 if self.full else most)]

    def _pair(self, name: str, said: str, style: str = "", most: int = 1) -> list[Text]:
        if not said:
            return []
        lines = _wrapped(said, self.width - 12, 99 if self.full else most)
        return [Text.assemble(("    " + (name if nth == 0 else "").ljust(8), "dim"), (line, style)) for nth, line in enumerate(lines)]

    def _commands(self, name: str, commands: Sequence[str], room: int) -> list[Text]:
        """Commands are for copying: whole, continued with backslashes where they are long, or not at all."""
        lines = [part for command in commands for part in _continued(command, self.width - 12)]
        if len(lines) > room:
            lines = [f"{len(commands)} command{'s' if len(commands) > 1 else ''}: incident status {self.status.incident_id} --full"]
        return [Text.assemble(("    " + (name if nth == 0 else "").ljust(8), "dim"), line) for nth, line in enumerate(lines)]


def _roles(q: Question) -> str:
    return " or ".join(role.title for role in q.roles)


def typed(incident: str, q: Question, option: str) -> str:
    """The command that gives one answer to a question; from C2 on it carries the personal code that was sent."""
    verb = "answer" if q.kind is QuestionKind.FACT else option.replace("_", "-")
    value = " VALUE" if q.kind is QuestionKind.FACT else ""
    code = " --code CODE" if q.risk >= Risk.C2 and option != "decline" else ""
    return f"incident {verb} {incident} {q.number}{value}{code}"


def changes(before: Status | None, after: Status) -> list[str]:
    """What is new since the last look, one line each: for logs and for terminals that are none."""
    if before is None:
        begun = f"{after.incident_id} {after.severity.label} {after.phase} {after.state} commander {after.commander or 'nobody yet'}"
        loudly = [banner(after)] if after.shadow else []
        return [*loudly, begun, *_new_steps([], after.steps), *(_asked(q, after.incident_id) for q in after.asking)]
    return [
        *([banner(after)] if after.shadow and not before.shadow else []),
        *(_turned(name, getattr(before, name), getattr(after, name)) for name in ("phase", "state", "commander", "paused_by", "status_page")
          if getattr(before, name) != getattr(after, name)),
        *([f"severity: {after.severity.label} ({'; '.join(map(plain, after.because))})"] if before.severity != after.severity else []),
        *_new_steps(before.steps, after.steps),
        *_new_questions(before, after),
        *_new_measures(before.in_force, after.in_force),
        *_new_ticks(before, after),
        *(f"{name}: {plain(said)}" for name, said in (("scope", after.scope), ("impact", after.impact)) if said and said != getattr(before, name)),
        *(f"hypothesis: {plain(said)}" for said in after.hypotheses if said not in before.hypotheses),
        *(f"☐ task for {t.owner.title}: {plain(t.text)}" for t in after.tasks[len(before.tasks) :]),
        *([f"now: {plain(after.waiting_for)}"] if after.waiting_for and before.waiting_for != after.waiting_for else []),
        *([f"outcome: {plain(after.outcome)}"] if before.outcome != after.outcome else []),
    ]  # fmt: skip


def _turned(name: str, old: object, new: object) -> str:
    return f"{name.replace('_', ' ')}: {plain(old) or '–'} → {plain(new) or '–'}"


def _new_steps(before: Sequence[Step], after: Sequence[Step]) -> list[str]:
    known = {step.number: (step.state, step.result) for step in before}
    changed = [step for step in after if known.get(step.number) != (step.state, step.result)]
    return [f"{ICONS[s.state]} {s.verb} {plain(s.target)}: {plain(s.result or s.says)} ({s.state})" for s in changed]


def _new_questions(before: Status, after: Status) -> list[str]:
    known = {q.number: (q.state, len(q.answers)) for q in before.questions}
    lines = [_asked(q, after.incident_id) for q in after.questions if q.number not in known and q.open]
    would = [f"○ [{q.number}] would ask: {plain(q.asks)} ({q.risk.label}, {_roles(q)})" for q in after.would_ask if q.number not in known]
    closed = [q for q in after.questions if not q.open and not q.assumed and known.get(q.number) != (q.state, len(q.answers))]
    return lines + would + [f"[{q.number}] {q.state} by {', '.join(given.by for given in q.answers) or 'nobody'}" for q in closed]


def _asked(q: Question, incident: str) -> str:
    return f"॥ [{q.number}] {plain(q.asks)} ({q.risk.label}): {typed(incident, q, q.options[0])}"


def _new_ticks(before: Status, after: Status) -> list[str]:
    """What was ticked, and what was not in time."""
    known = {tick.key: tick.state for tick in before.checklist}
    telling = (ItemState.DONE, ItemState.LATE, ItemState.MISSED)
    fresh = [tick for tick in after.checklist if tick.state in telling and known.get(tick.key) != tick.state]
    return [f"{BOXES[tick.state][0]} {in_words(tick, after.updated_at)}" for tick in fresh]


def _new_measures(before: Sequence[InForce], after: Sequence[InForce]) -> list[str]:
    was, is_now = {m.number: m for m in before}, {m.number: m for m in after}
    return [
        *(f"in force: {m.name} {plain(m.target)}" for number, m in is_now.items() if number not in was),
        *(f"lifted: {m.name} {plain(m.target)}" for number, m in was.items() if number not in is_now),
    ]


def listed(rows: Iterable[tuple[Status, str, datetime]], now: datetime, width: int, lost: Collection[str] = ()) -> Group:
    """One line per incident. `lost`: those that the reconciler found without a playbook."""
    lines = [_row(f"{'SEV':6}{'PHASE':15}{'STATE':13}{'ELAPSED':>9}  {'COMMANDER':11}{'INCIDENT'}", width, "bold")]
    for status, source, as_of in rows:
        elapsed = clock((status.closed_at or now) - (status.started_at or status.declared_at))
        commander = plain(status.commander) or "–"
        waits = f"॥ [{', '.join(str(q.number) for q in status.asking)}] " if status.asking else ""
        state = f"{status.severity.label:6}{status.phase:15}{LOST if status.incident_id in lost else status.state:13}{elapsed:>9}"
        missed = [tick.key.replace("_", " ") for tick in status.checklist if tick.state is ItemState.MISSED and not status.state.over]
        undone = f"MISSED: {', '.join(missed)} · " if missed else ""
        undone = f"SHADOW · {undone}" if status.shadow else undone
        row = f"{state}  {_cut(commander, 10):11}{status.incident_id}"
        lines += [_row(row, width), _row(f"      {waits}{undone}{plain(status.title)} · from {source}, {ago(now - as_of)}", width, "dim")]
    return Group(*lines)


def timeline(entries: Iterable[Entry], width: int) -> Group:
    lines: list[Text] = []
    for entry in entries:
        head = f"{entry.number:>4} {entry.at:%H:%M:%S} {_cut(plain(entry.kind), 12):12} "
        by = "" if entry.by == "automation" else f" ({plain(entry.by)})"
        for nth, line in enumerate(_wrapped(plain(entry.text) + by, max(width - cell_len(head), 30), 99)):
            lines.append(Text((head if nth == 0 else " " * cell_len(head)) + line))
    return Group(*lines)


def _continued(command: str, width: int) -> list[str]:
    """A command as lines that can be copied: broken only at spaces outside quotes, with a backslash."""
    lines: list[str] = []
    for line in command.splitlines():
        words = re.findall(r"""(?:[^\s"']|"(?:\\.|[^"])*"|'[^']*'|["'])+""", UNSEEN.sub("", ESCAPES.sub("", line)))
        current = ""
        for word in words:
            if current and cell_len(current) + 3 + cell_len(word) > width:
                lines.append(current + " \\")
                current = "  " + word
            else:
                current = f"{current} {word}" if current else word
        lines.append(current)
    return lines


def _wrapped(said: str, width: int, most: int) -> list[str]:
    lines = wrap(said, width, break_on_hyphens=False) or [""]
    return lines if len(lines) <= most else [*lines[: most - 1], _cut(" ".join(lines[most - 1 :]), width)]


def _cut(said: str, width: int) -> str:
    return said if cell_len(said) <= width else set_cell_size(said, width - 1) + "…"


def _row(said: str, width: int, style: str = "") -> Text:
    return Text(_cut(said, width), style=style, no_wrap=True)


def _ends(left: str, right: str, width: int, style: str = "") -> Text:
    """Something at the left, something at the right end of the line."""
    if not right:
        return _row(left.rstrip(), width, style)
    body = _cut(left, width - cell_len(right) - 2)
    return Text(set_cell_size(body, width - cell_len(right)) + right, style=style, no_wrap=True)
