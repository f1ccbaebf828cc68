"""What is shown of an incident: steps, measures, tasks, checklist, and the status that holds them all. Values only."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from activities.action import Risk, Role, Value
from workflows.incident import Phase, Question, Severity, Shown, State


class StepState(StrEnum):
    RUNNING = "running"
    ASKING = "asking"
    PAUSED = "paused"
    DONE = "done"
    ADOPTED = "adopted"
    FAILED = "failed"
    SKIPPED = "skipped"
    DECLINED = "declined"
    ASSUMED = "assumed"  # only noted: a plan, or shadow mode
    TASK = "task"  # handed to a person, because no system of ours can do it


class Step(Shown):
    number: int
    phase: Phase
    verb: str
    target: str
    says: str  # the effect in one sentence
    risk: Risk
    state: StepState
    started_at: datetime
    tried_at: datetime | None = None  # when the latest try began
    ended_at: datetime | None = None
    result: str = ""
    key: str = ""
    by_hand: tuple[str, ...] = ()
    owner: Role | None = None


class InForce(Shown):
    """A temporary measure that is imposed, with how to lift it."""

    number: int
    name: str
    target: str
    since: datetime
    sticky: bool
    certain: bool  # False: it may be in force; its try never came back
    lifts_by: str
    by_hand: tuple[str, ...] = ()
    held_by: str = ""  # a named person who took it over


def imposed_by(steps: Sequence[Step], one: InForce) -> Step | None:
    """The step that imposed a measure; None where that was no step of ours."""
    during = (s for s in steps if s.target == one.target and s.started_at <= one.since and (s.ended_at is None or one.since <= s.ended_at))
    return next((step for step in during if step.risk > Risk.C0), None)


class Standing(StrEnum):
    """What became of a suspected cause."""

    SUSPECTED = "suspected"
    ACTED_ON = "acted on now"
    RULED_OUT = "ruled out"  # its remedy was really applied, and did not help
    NOT_POSSIBLE = "remedy not possible"
    UNPROVEN = "remedy unproven"


class Suspect(Shown):
    """A possible cause with its evidence, and what became of it."""

    what: str
    score: float  # what its evidence amounts to: 0 to 1
    evidence: tuple[str, ...]
    standing: Standing
    why: str = ""
    remains: str = ""  # what can still be done about it

    def in_words(self) -> str:
        became = f"{self.standing}: {self.why}" if self.why else str(self.standing)
        return f"{self.what} ({self.score:.0%}, {became}): {'; '.join(self.evidence)}" + (f"; {self.remains}" if self.remains else "")


class Task(Shown):
    number: int
    text: str
    owner: Role
    by_hand: tuple[str, ...] = ()
    phase: Phase
    due: str = ""
    done_at: datetime | None = None
    done_by: str = ""  # who said that it is done
    said: str = ""  # and with which words

    @property
    def open(self) -> bool:
        return self.done_at is None


class Planned(Shown):
    """A step that is still to come, as far as the playbook can say now: enough to do it by hand."""

    number: int
    phase: Phase
    says: str  # the effect in one sentence
    by_hand: tuple[str, ...] = ()
    verb: str = ""
    target: str = ""


class ItemState(StrEnum):
    DONE = "done"
    LATE = "late"  # done, after it was due
    MISSED = "missed"  # due, and not done
    OPEN = "open"  # not done, and there is time yet
    NOT_DUE = "not due"  # it has no deadline at this severity: people judge whether it is needed
    NOT_APPLICABLE = "not applicable"  # its condition does not hold


class ItemStatus(Shown):
    key: str
    state: ItemState
    done_at: datetime | None = None
    due_at: datetime | None = None
    evidence: str = ""


MOST_POINTS, RECENT_POINTS = 120, 40  # of a curve that are kept; of these the newest are all kept


class DrawnCurve(Shown):
    """The curve that matters, as it was read: when and how high (None: unknown). What is old is drawn more coarsely."""

    name: str
    unit: str
    usual: float | None = None
    points: list[tuple[datetime, float | None]] = []
    beside: "DrawnCurve | None" = None  # what is drawn below it

    def further(self, at: datetime, shown: float | None, usual: float | None) -> "DrawnCurve":
        """The same with one more point."""
        points = [*self.points, (at, shown)]
        if len(points) > MOST_POINTS:
            points = [*points[:-RECENT_POINTS:2], *points[-RECENT_POINTS:]]
        return DrawnCurve(name=self.name, unit=self.unit, usual=usual, points=points)


class DrawnMatrix(Shown):
    """Who has to do with whom, and how often: `rows` say whose, `columns` who. `more`: how many pairs are not in it."""

    name: str
    row: str
    column: str
    cells: list[tuple[str, str, int]] = []
    more: int = 0


class CalledPlaybook(Shown):
    """A playbook that was called in, beside the first one."""

    playbook: str
    section: str
    title: str
    why: str
    state: State
    phase: Phase
    waiting_for: str = ""
    outcome: str = ""
    curve: DrawnCurve | None = None
    matrix: DrawnMatrix | None = None


class Status(Shown):
    """Everything that is true of an incident now: what `status` and `watch` show, and what the ledger keeps."""

    incident_id: str
    version: int = 0
    playbook: str
    section: str
    title: str
    service: str = ""
    scope: str = ""  # in people's own words, the newest: `incident note --scope`
    impact: str = ""  # likewise
    blast_radius: str = ""  # who is hit, as it was measured last
    curve: DrawnCurve | None = None
    matrix: DrawnMatrix | None = None
    hypotheses: tuple[str, ...] = ()
    suspects: tuple[Suspect, ...] = ()  # possible causes by automation's reading, the likeliest first
    severity: Severity
    peak_severity: Severity
    because: tuple[str, ...] = ()
    phase: Phase = Phase.DECLARED
    state: State = State.OPEN
    commander: str = ""
    roles: dict[Role, str] = {}
    self_declared: tuple[Role, ...] = ()  # of these, the roles that stand on a message without a code only
    source: str = ""
    dedup_key: str = ""
    alerts: int = 0
    started_at: datetime | None = None
    declared_at: datetime
    acknowledged_at: datetime | None = None
    mitigated_at: datetime | None = None
    resolved_at: datetime | None = None
    closed_at: datetime | None = None
    updated_at: datetime
    next_update_due: datetime | None = None
    status_page: str = ""
    room: str = ""
    ticket: str = ""
    paused_by: str = ""
    waiting_for: str = ""  # the timer or watch that the playbook is in now, in words
    phases: tuple[Phase, ...] = ()
    called_in: list[CalledPlaybook] = []
    steps: list[Step] = []
    in_force: list[InForce] = []
    questions: list[Question] = []
    tasks: list[Task] = []
    follow_ups: list[Task] = []
    checklist: list[ItemStatus] = []  # the first 15 minutes (seed §0.3)
    plan: list[Planned] = []  # what is still to come, in order
    entries: int = 0
    pace: float = 1.0
    paces: list[tuple[datetime, float]] = []  # from when on policy time went at which pace, where that has changed
    outcome: str = ""
    restricted: bool = False
    solo: bool = False  # only one person can be reached: they decide what is theirs and everybody else's
    offers: dict[Role, str] = {}  # roles that were offered to somebody and not accepted yet
    traces: tuple[str, ...] = ()  # trace ids that alerts brought
    mode: str = ""  # shadow: we look on, and say what we would do | live | empty: the policy was not read yet
    may_write: tuple[str, ...] = ()  # in shadow mode: the systems that may be written to nevertheless

    @property
    def shadow(self) -> bool:
        return self.mode == "shadow"

    def policy_time(self, start: datetime, end: datetime) -> timedelta:
        """How much policy time lies between two real instants."""
        return policy_time(self.paces or [(start, self.pace)], start, end)

    def holder(self, role: Role) -> str:
        """Who has a role, and that nobody proved it where it is so; empty when nobody has."""
        who = self.roles.get(role, "")
        return f"{who} (self-declared)" if who and role in self.self_declared else who

    @property
    def would_ask(self) -> list[Question]:
        """The questions that were not put to anybody, because it is shadow mode."""
        return [q for q in self.questions if q.assumed]

    @property
    def to_do(self) -> list[Task]:
        """The tasks for people that nobody has ticked."""
        return [task for task in self.tasks if task.open]

    @property
    def asking(self) -> list[Question]:
        return [q for q in self.questions if q.open]


def policy_time(paces: Sequence[tuple[datetime, float]], start: datetime, end: datetime) -> timedelta:
    """The policy time between two real instants, at the paces from each instant on; before the first, at the first."""
    turns = [*(at for at, _ in paces[1:] if start < at < end), end]
    gone, since = timedelta(0), start
    for until in turns:
        gone, since = gone + (until - since) * pace_at(paces, since), until
    return gone


def pace_at(paces: Sequence[tuple[datetime, float]], instant: datetime) -> float:
    """The pace that held at an instant; before the first, the first."""
    return next((pace for at, pace in reversed(paces) if at <= instant), paces[0][1])


class Outcome(Value):
    incident_id: str
    state: State
    summary: str
    in_force: tuple[str, ...] = ()
    mitigated_at: datetime | None = None
    resolved_at: datetime | None = None
    questions: int = 0
    rehearsed: Status | None = None  # what a plan came to: its steps, questions and tasks
