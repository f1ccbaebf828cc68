"""The nouns of an incident. Values only: no I/O, no clocks, no Temporal."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from activities.action import Entry, Grant, Risk, Role, Value
from workflows.first_minutes.checklist import Tick
from workflows.severity.severity import Severity

# "If you're unsure, page as SEV-2 and adjust after triage" (seed §0.1, rule of thumb).
UNSURE = Severity.SEV2


class Phase(StrEnum):
    """Where an incident is. The playbook enters one block after another (seed §2: Triggers → Triage → … → Post-incident)."""

    DECLARED = "declared"
    TRIAGE = "triage"
    MITIGATION = "mitigation"
    FORENSICS = "forensics"
    NOTIFICATIONS = "notifications"
    RECOVERY = "recovery"
    POST_INCIDENT = "post-incident"
    CLOSED = "closed"

    @property
    def title(self) -> str:  # type: ignore[override]
        return self.value.capitalize()


class State(StrEnum):
    """What may be claimed about it (spec §7.3)."""

    OPEN = "open"
    MITIGATED = "mitigated"  # customer impact ended, perhaps on a crutch
    RESOLVED = "resolved"  # gate passed, crutches removed or accepted
    HANDED_OVER = "handed over"  # a person carries on by hand; comms go on
    STOOD_DOWN = "stood down"  # ended by its commander before it was resolved
    CLOSED = "closed"

    @property
    def over(self) -> bool:
        """True when nothing of ours runs any more."""
        return self in (State.RESOLVED, State.STOOD_DOWN, State.CLOSED)


class Card(Value):
    """What a playbook is, as data: its section of the seed, its title, its floor and its triggers."""

    section: str
    title: str
    short: str  # the part of an incident id that names the playbook: `llm` in `inc-20261123-llm-chat`
    floor: Severity
    lead: tuple[Role, ...]
    triggers: tuple[str, ...]
    sure: bool = (
        False  # what triggers it leaves nothing to be unsure of: it begins at its floor, not at SEV-2 until somebody knows (seed §0.1)
    )
    public: bool = True  # whether customers may hear of it on the status page
    restricted: bool = False  # need to know only: a private room under a code name, and no word outside without Legal and the commander


class Incident(Value):
    """How an incident starts. A service is enough: `{"service": "chat"}`."""

    service: str = ""
    provider: str = ""
    region: str = ""
    title: str = ""
    severity: Severity | None = None
    source: str = "person"  # person | alertmanager | …
    declared_by: str = ""
    dedup_key: str = ""
    confidence: float = Field(default=1.0, ge=0, le=1)
    started_at: datetime | None = None  # when the first bad sample was seen: the alert's startsAt
    delivery: str = ""  # the alert delivery that opened it
    labels: dict[str, str] = {}
    rehearsal: bool = False  # only say what would be done: `incident plan`
    restricted: bool = False  # as on the card, for this one incident
    refused_input: str = ""  # what was typed into a form and could not be understood, kept word for word


class Alert(Value):
    """One delivery of an alert to an incident that is open."""

    delivery: str
    dedup_key: str
    status: str  # firing | resolved
    name: str
    summary: str = ""
    labels: dict[str, str] = {}
    starts_at: datetime | None = None


class Joined(Value):
    """What an incident says to an alert that came for it."""

    mine: bool  # False: this incident id belongs to another dedup key; open the next one
    alerts: int


class QuestionKind(StrEnum):
    """What sort of answer is wanted."""

    APPROVAL = "approval"  # approve | decline
    REPAIR = "repair"  # retry | done by hand | skip | hand over
    CONFIRMATION = "confirmation"  # approve | decline, nothing is imposed by it
    FACT = "fact"  # a JSON value


class Silence(StrEnum):
    """What no answer means (spec §2.5.5). It never means yes."""

    HOLD = "hold"
    SAFE = "safe"
    SKIP = "skip"
    ABORT = "abort"

    def means(self) -> str:
        """As it stands under the question."""
        return {
            "hold": "we keep waiting and page again",
            "safe": "the safe action that policy authorised beforehand",
            "skip": "this step is left out, on the record",
            "abort": "the playbook stops and hands over",
        }[self.value]


class QuestionState(StrEnum):
    OPEN = "open"
    GRANTED = "granted"
    DECLINED = "declined"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class Answer(Value):
    """What a person said. Either a personal code, or a name that stays self-declared."""

    verdict: str  # approve | decline | retry | skip | done_by_hand | hand_over | a fact
    question: int | None = None
    by: str = ""
    reason: str = ""
    code: str = ""
    value: JsonValue = None


class Given(Value):
    verdict: str
    by: str
    role: Role | None
    verified: bool
    at: datetime
    reason: str = ""
    value: JsonValue = None


class Question(BaseModel):
    """Something a named person must decide, bound by digest to exactly what will be done (spec §2.5)."""

    model_config = ConfigDict(extra="forbid")

    number: int
    kind: QuestionKind
    asks: str
    effect: str
    inverse: str
    by_hand: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    risk: Risk
    roles: tuple[Role, ...]
    quorum: int = 1
    proposer: str = ""
    covers: tuple[str, ...] = ()
    digest: str
    options: tuple[str, ...] = ("approve", "decline")
    silence: Silence = Silence.HOLD
    asked_at: datetime
    expires_at: datetime | None = None  # when silence takes its meaning; None: never
    rung: int = 0
    told: tuple[str, ...] = ()
    strict: bool = False  # the roles named and nobody else: the ladder pages again and adds nobody
    vetoes: tuple[Role, ...] = ()  # who may say no without being asked (spec §4)
    alone_from: datetime | None = None  # from when one person, who is alone, may decide by breaking the glass
    broke_glass: bool = False
    state: QuestionState = QuestionState.OPEN
    assumed: bool = False  # nobody was asked: a plan, or shadow mode
    given: list[Given] = []
    closed_at: datetime | None = None

    @property
    def open(self) -> bool:
        return self.state is QuestionState.OPEN


class StepState(StrEnum):
    RUNNING = "running"
    ASKING = "asking"
    HELD = "held"
    DONE = "done"
    ADOPTED = "adopted"
    FAILED = "failed"
    SKIPPED = "skipped"
    DECLINED = "declined"
    ASSUMED = "assumed"  # only said: a plan, or shadow mode
    TASK = "task"  # handed to a person, because no system of ours can do it


class Step(BaseModel):
    """One durable step of the playbook, as it stands on the screen."""

    model_config = ConfigDict(extra="forbid")

    number: int
    phase: Phase
    verb: str
    target: str
    says: str  # the effect in one sentence
    risk: Risk
    state: StepState
    started_at: datetime
    ended_at: datetime | None = None
    result: str = ""
    key: str = ""
    by_hand: tuple[str, ...] = ()
    owner: Role | None = None


class InForce(BaseModel):
    """A temporary measure that is imposed, with how to lift it."""

    model_config = ConfigDict(extra="forbid")

    number: int
    name: str
    target: str
    since: datetime
    sticky: bool
    certain: bool  # False: it may be in force; its try never came back
    lifts_by: str
    by_hand: tuple[str, ...] = ()
    held_by: str = ""  # a named person who took it over


class Task(BaseModel):
    """Work for a person, stated in plan, status and timeline; never silent."""

    model_config = ConfigDict(extra="forbid")

    number: int
    text: str
    owner: Role
    by_hand: tuple[str, ...] = ()
    phase: Phase
    due: str = ""


class Planned(BaseModel):
    """A step that is still to come, as far as the playbook can say now: enough to do it by hand."""

    model_config = ConfigDict(extra="forbid")

    number: int
    phase: Phase
    says: str  # the effect in one sentence
    by_hand: tuple[str, ...] = ()
    verb: str = ""
    target: str = ""


class Status(BaseModel):
    """Everything that is true of an incident now: what `status` and `watch` show, and what the ledger keeps."""

    model_config = ConfigDict(extra="forbid")

    incident_id: str
    version: int = 0
    playbook: str
    section: str
    title: str
    service: str = ""
    scope: str = ""  # in people's own words, the newest: `incident note --scope`
    impact: str = ""  # likewise
    hypotheses: tuple[str, ...] = ()
    severity: Severity
    peak_severity: Severity
    because: tuple[str, ...] = ()
    phase: Phase = Phase.DECLARED
    state: State = State.OPEN
    commander: str = ""
    roles: dict[Role, str] = {}
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
    steps: list[Step] = []
    in_force: list[InForce] = []
    questions: list[Question] = []
    tasks: list[Task] = []
    follow_ups: list[Task] = []
    checklist: list[Tick] = []  # the first 15 minutes (seed §0.3)
    plan: list[Planned] = []  # what is still to come, in order
    entries: int = 0
    pace: float = 1.0
    outcome: str = ""
    restricted: bool = False
    solo: bool = False  # only one person can be reached: they decide what is theirs and everybody else's
    offers: dict[Role, str] = {}  # roles that were offered to somebody and not accepted yet
    traces: tuple[str, ...] = ()  # trace ids that alerts brought
    mode: str = ""  # shadow: we look on, and say what we would do | live | empty: the policy was not read yet
    may_write: tuple[str, ...] = ()  # in shadow mode: the systems that may be written to all the same

    @property
    def shadow(self) -> bool:
        return self.mode == "shadow"

    @property
    def would_ask(self) -> list[Question]:
        """The questions that were not put to anybody, because it is shadow mode."""
        return [q for q in self.questions if q.assumed]

    @property
    def asking(self) -> list[Question]:
        """The questions that wait for an answer."""
        return [q for q in self.questions if q.open]


class Outcome(Value):
    incident_id: str
    state: State
    summary: str
    in_force: tuple[str, ...] = ()
    mitigated_at: datetime | None = None
    resolved_at: datetime | None = None
    questions: int = 0
    grants: tuple[Grant, ...] = ()
    last_entry: Entry | None = None
    rehearsed: Status | None = None  # what a plan came to: its steps, questions and tasks


def incident_id(day: datetime, short: str, service: str, nth: int = 1) -> str:
    """`inc-YYYYMMDD-<short-name>` (seed §1.1): workflow id, war-room name and ticket key at once."""
    words = "-".join(word for word in (short, service) if word)
    name = "".join(c if c.isalnum() or c == "-" else "-" for c in words.lower()).strip("-")[:40]
    return f"inc-{day:%Y%m%d}-{name}" + (f"-{nth}" if nth > 1 else "")
