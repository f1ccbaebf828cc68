"""The clocks of one incident as they are now: what its workflow keeps, what the screens show, and what a draft is filled from."""

from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from activities.action import Role, Value
from activities.clocks.predicates import Facts
from activities.clocks.regimes import Regime

PREFIX = "clocks-"  # of the workflow's id; the incident's id follows


class Applies(StrEnum):
    UNKNOWN = "unknown"
    YES = "yes"
    NO = "no"


class ClockState(StrEnum):
    PENDING_ASSESSMENT = "pending assessment"
    RUNNING = "running"
    SUBMITTED = "submitted"
    COMPLETE = "complete"
    NOT_APPLICABLE = "not applicable"
    DELAYED = "delayed"
    MISSED = "missed"

    @property
    def over(self) -> bool:
        return self in (ClockState.COMPLETE, ClockState.NOT_APPLICABLE)


class Start(Value):
    """When an event was, as somebody said it. Nothing is overwritten: a corrected start stands beside the first one."""

    at: datetime
    basis: str  # provisional | confirmed
    by: str
    reason: str


class Signature(Value):
    """Somebody's word for exactly this text and these recipients."""

    role: Role
    by: str
    digest: str
    at: datetime


class Delay(Value):
    reference: str  # of the determination: whose, and which document
    until: datetime
    by: str
    at: datetime


class Decision(Value):
    applies: Applies
    by: str
    reason: str
    at: datetime


class Kept(BaseModel):
    model_config = ConfigDict(extra="forbid")


class StageClock(Kept):
    """One thing to be sent. `alarm_from`, `alarm_at`: by the earliest start that anybody has stated; `deadline`: by the one that counts."""

    name: str
    applies: bool | None = True
    counted: str = ""  # how the deadline was counted, in words; or why there is none yet
    deadline: datetime | None = None
    outer: datetime | None = None
    alarm_from: datetime | None = None
    alarm_at: datetime | None = None
    alarms: tuple[str, ...] = ()  # what people were told already
    overdue_at: datetime | None = None  # when they are told again that it is missed
    signatures: tuple[Signature, ...] = ()
    sent_at: datetime | None = None
    sent_by: str = ""
    receipt: str = ""
    digest: str = ""  # of the text that was signed and sent
    unsigned: str = ""  # why it was sent without the signatures that it needs

    @property
    def open(self) -> bool:
        return self.sent_at is None and self.applies is not False


class Clock(Kept):
    """One clock. `row`: the row of the table by which it runs. `whom`: the tenant or the country that it is for."""

    id: str
    row: Regime
    whom: str = ""
    opened_at: datetime
    applies: Applies = Applies.UNKNOWN
    why: str = ""  # why it applies or does not
    asks: tuple[str, ...] = ()  # the fields of the form that would decide it
    decided: Decision | None = None  # Legal's word for this very clock
    moved: tuple[Start, ...] = ()  # starts that Legal has stated for this clock alone
    delay: Delay | None = None
    stages: list[StageClock]
    state: ClockState = ClockState.PENDING_ASSESSMENT

    @property
    def title(self) -> str:
        return f"{self.row.title}{f' ({self.whom})' if self.whom else ''}"

    def stage(self, name: str) -> StageClock | None:
        """The stage of that name; without a name the first one that is still to be sent."""
        return next((one for one in self.stages if (one.name == name if name else one.open)), None)

    def due(self, stage: StageClock) -> datetime | None:
        """By when it has to be sent: while a delay is in force, its end."""
        if stage.deadline is None or self.delay is None:
            return stage.deadline
        return max(stage.deadline, self.delay.until)

    @property
    def next_due(self) -> tuple[datetime, StageClock] | None:
        """The earliest deadline that is not kept yet."""
        found = [(due, stage) for stage in self.stages if stage.open and (due := self.due(stage)) is not None]
        return min(found, key=lambda one: one[0], default=None) if not self.state.over else None


class ClocksState(Kept):
    """Everything about the clocks of one incident."""

    incident: str
    title: str = ""
    restricted: bool = False
    opened_at: datetime
    why: tuple[str, ...] = ()  # what was seen, each time that somebody reported
    facts: Facts = Facts()
    voices: dict[str, dict[Role, tuple[str, bool]]] = {}  # what Legal and an executive decide together: who has said what
    events: dict[str, tuple[Start, ...]] = {}
    tenants: tuple[str, ...] = ()
    clocks: dict[str, Clock] = {}
    trouble: str = ""  # what is wrong, in one sentence: nobody could be told, the organisation's own file does not count

    @property
    def ai_hold(self) -> bool:
        """Whether the AI system must not be altered in a way that affects the evaluation of causes, before authorities are informed."""
        return any(
            clock.row.ai_hold and clock.applies is Applies.YES and any(s.open for s in clock.stages) for clock in self.clocks.values()
        )

    @property
    def asked(self) -> tuple[str, ...]:
        """The fields of the form whose answer would decide something."""
        open_ = (clock for clock in self.clocks.values() if clock.applies is Applies.UNKNOWN)
        return tuple(dict.fromkeys(field for clock in open_ for field in clock.asks))

    def ordered(self) -> list[Clock]:
        """What is due first, first; what is over, last."""
        far = datetime.max.replace(tzinfo=self.opened_at.tzinfo)
        return sorted(self.clocks.values(), key=lambda c: (c.state.over, c.next_due[0] if c.next_due else far, c.id))

    def lines(self, now: datetime) -> tuple[str, ...]:
        """One line for each clock that is not over, and what must be known beside."""
        return (
            *([f"TROUBLE: {self.trouble}"] if self.trouble else []),
            *(
                ["AI HOLD: do not alter the AI system so that the evaluation of causes is affected; containment goes on"]
                if self.ai_hold
                else []
            ),
            *(in_words(clock, now) for clock in self.ordered() if not clock.state.over),
        )


def in_words(clock: Clock, now: datetime) -> str:
    """`gdpr-33-1 running: notification due 2026-11-30 15:20 UTC, in 66 h`."""
    said = f"{clock.id} {clock.state}"
    if clock.state.over:
        return f"{said}: {clock.why}" if clock.why else said
    if (found := clock.next_due) is None:
        waiting = next((stage for stage in clock.stages if stage.open), None)
        return f"{said}: {waiting.name}: {waiting.counted}" if waiting else said
    due, stage = found
    outer = f" (the law gives until {stage.outer:%Y-%m-%d %H:%M})" if stage.outer and due == stage.deadline else ""
    return f"{said}: {stage.name} due {due:%Y-%m-%d %H:%M} UTC{outer}, {left(due - now)}"


def left(duration: timedelta) -> str:
    """`in 66 h`, `in 45 min`, `3 days ago`."""
    minutes = round(abs(duration).total_seconds() / 60)
    hours = round(minutes / 60)
    shown = f"{round(hours / 24)} days" if hours >= 96 else f"{hours} h" if minutes >= 90 else f"{minutes} min"
    return "now" if minutes == 0 else f"in {shown}" if duration >= timedelta(0) else f"{shown} ago"
