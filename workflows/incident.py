"""The nouns of an incident. Values only: no I/O, no clocks, no Temporal."""

import re
from collections.abc import Mapping
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from activities.kit.words.escape import line
from activities.kit.words.redact import Redacted, RedactedLabels, Typed
from activities.kit.words.shell import command
from activities.values import Concern, Curve, Risk, Role, Symptom, Value

LONGEST_FACT = 240  # characters of one thing that is shown of an alert


class Shown(BaseModel):
    """What is shown of an incident, and changes while it runs. Unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class Severity(IntEnum):
    """SEV-1 … SEV-5, P0 … P4 (seed §0.1). Worse is smaller."""

    SEV1 = 1
    SEV2 = 2
    SEV3 = 3
    SEV4 = 4
    SEV5 = 5

    @property
    def label(self) -> str:
        return f"SEV-{self.value}"

    @property
    def priority(self) -> str:
        return f"P{self.value - 1}"

    @classmethod
    def parse(cls, text: str | int) -> "Severity":
        """Read `SEV-2`, `sev2`, `2` or 2, and the seed's non-breaking hyphen too."""
        found = re.fullmatch(r"(?:sev[-\u2010\u2011\u2013 ]?)?([1-5])", str(text).strip(), re.IGNORECASE)
        if found is None:
            raise ValueError(f"{text!r} is not a severity; say SEV-1 to SEV-5")
        return cls(int(found[1]))


SEV1, SEV2, SEV3, SEV4, SEV5 = Severity


def worst(first: Severity, *others: Severity) -> Severity:
    return min((first, *others))


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
    MITIGATED = "mitigated"  # customer impact ended; temporary measures may still be in force
    RESOLVED = "resolved"  # gate passed; temporary measures are lifted, or kept by a named person
    HANDED_OVER = "handed over"  # a person carries on by hand; comms go on
    STOOD_DOWN = "stood down"  # ended by its commander before it was resolved
    CLOSED = "closed"

    @property
    def over(self) -> bool:
        return self in (State.RESOLVED, State.STOOD_DOWN, State.CLOSED)


class Card(Value):
    """What a playbook is, as data: its section of the seed, its title, its floor and its triggers."""

    section: str
    title: str
    short: str  # the part of an incident id that names the playbook: `llm` in `inc-20261123-llm-chat`
    floor: Severity
    lead: tuple[Role, ...]
    triggers: tuple[str, ...]
    sure: bool = False  # what triggers it leaves nothing to be unsure of: it begins at its floor, not at SEV-2 (seed §0.1)
    public: bool = True  # whether customers may read of it on the status page
    code_named: bool = False  # it may become restricted: its id is a code name from the start, because an id cannot be changed later
    restricted: bool = False  # need to know only: a private room under a code name, and no word outside without Legal and the commander

    @property
    def under_code_name(self) -> bool:
        return self.code_named or self.restricted

    proof: tuple[Symptom, ...] = tuple(Symptom)  # what counts as impact: it is mitigated, and stable, when none of these is left
    curve: Curve | None = None  # the symptom that no HTTP error shows: it counts instead of `proof`
    # Whether its alerts are about what customers meet: while one fires, nothing is called mitigated or stable.
    alerts_on_impact: bool = True
    concern: Concern = Concern.AVAILABILITY  # what decides who goes first when two incidents want one thing (spec §11)


class Incident(Value):
    """How an incident starts. A service is enough: `{"service": "chat"}`."""

    service: Typed = ""
    provider: Typed = ""
    region: Typed = ""
    title: Redacted = ""
    severity: Severity | None = None
    source: str = "person"  # person | alertmanager | …
    declared_by: Typed = ""
    dedup_key: str = ""
    confidence: float = Field(default=1.0, ge=0, le=1)
    started_at: datetime | None = None  # when the first bad sample was seen: the alert's startsAt
    delivery: str = ""  # the alert that opened it
    received: str = ""  # the body in which it came: `incident alerts show`
    text: Redacted = ""  # the first lines of what came
    urgency: Severity | None = None  # of the alert, as its source says it: it pages, and never classifies
    labels: RedactedLabels = {}
    rehearsal: bool = False  # only say what would be done: `incident plan`
    restricted: bool = False  # as on the card, for this one incident
    refused_input: str = ""  # what was typed into a form and could not be understood, kept word for word

    def as_received(self) -> tuple[str, ...]:
        """What its source told, for whoever has to find out what it is: how to see all of it, from whom, which alert, its words and labels."""
        if not self.received:
            return ()
        others = " ".join(f"{name}={value}" for name, value in self.labels.items() if name != "alertname")
        facts = (
            command("incident", "alerts", "show", self.received),
            f"from {self.source}: {self.labels.get('alertname', 'no alert that can be read')}",
            f"it says: {' / '.join(self.text.splitlines())}" if self.text else "",
            f"labels: {others}" if others else "",
        )
        return tuple(line(fact, LONGEST_FACT) for fact in facts if fact)


class SourceEvent(Value):
    """What an alert says of the one object that its labels name. `seal`: the receiver's, that its source was checked; empty: it was not."""

    of: str  # as orders call what they act on: `flag/tools.high_psu`
    says: str
    at: datetime
    confidence: float = Field(default=1.0, ge=0, le=1)
    seal: str = ""

    def sealed(self, dedup_key: str) -> dict[str, JsonValue]:
        """What the seal is put under: the event, and for which incident it is."""
        return {"source_event": self.model_dump(mode="json", exclude={"seal"}), "dedup_key": dedup_key}


class Alert(Value):
    """One delivery of an alert to an incident that is open."""

    delivery: str
    dedup_key: str
    status: str  # firing | resolved
    name: str
    summary: Redacted = ""
    labels: RedactedLabels = {}
    starts_at: datetime | None = None
    received: str = ""  # as in `Incident`
    urgency: Severity | None = None
    event: SourceEvent | None = None  # None: it names no object, or several


class Exposure(NamedTuple):
    """Data may have been seen, lost or changed: what was seen, and since when there is a credible suspicion. Legal clocks start with it."""

    why: str
    aware_at: datetime
    tenants: tuple[str, ...] = ()
    personal_data: bool = False
    malicious: bool = False
    facts: Mapping[str, JsonValue] = {}  # what else is known, as the form of the clocks calls it: countries, counts, roles


class Joined(Value):
    """What an incident says to an alert that came for it."""

    mine: bool  # False: this incident id belongs to another dedup key; open the next one
    alerts: int


class QuestionKind(StrEnum):
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
        """As it is shown under the question."""
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
    """What a person sent: with a personal code, or with a name that stays self-declared."""

    verdict: str  # approve | decline | retry | skip | done_by_hand | hand_over | wait | a fact
    question: int | None = None
    by: str = ""
    reason: str = ""
    code: str = ""
    value: JsonValue = None


WAIT = "wait"  # an answer to any question that decides nothing: it stays open, and nobody is paged about it for a while


class AcceptedAnswer(Value):
    verdict: str
    by: str
    role: Role | None
    verified: bool
    at: datetime
    reason: str = ""
    value: JsonValue = None


class QuestionDraft(Shown):
    """What is asked, of whom, and what a yes would do."""

    kind: QuestionKind = QuestionKind.CONFIRMATION
    asks: str
    roles: tuple[Role, ...]
    effect: str = ""
    inverse: str = "nothing to undo"
    by_hand: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    risk: Risk = Risk.C2
    covers: tuple[str, ...] = ()  # the digests of the orders that a yes covers
    options: tuple[str, ...] = ("approve", "decline")
    silence: Silence = Silence.HOLD
    proposer: str = ""  # who chose this option: not one of the two who grant it at C3
    strict: bool = False  # the roles named and nobody else: the ladder pages again and adds nobody
    vetoes: tuple[Role, ...] = ()  # who may say no without being asked (spec §4)


class Question(QuestionDraft):
    """Something a named person must decide, bound by digest to exactly what will be done (spec §2.5)."""

    number: int
    quorum: int = 1
    digest: str
    sendings: int = 0  # how often it was sent; the codes of each sending are others
    read: int = 0  # so many of these others may have read: their codes count no more
    asked_at: datetime
    expires_at: datetime | None = None  # when silence takes its meaning; None: never
    waits_until: datetime | None = None  # somebody wants it to wait: nobody is paged about it before
    kept_by: str = ""  # who wants that
    escalation: int = 0  # how many further roles were added, because nobody answered
    told: tuple[str, ...] = ()  # who was sent the question
    alone_from: datetime | None = None  # from when one person, who is alone, may decide alone (break-glass)
    broke_glass: bool = False
    state: QuestionState = QuestionState.OPEN
    assumed: bool = False  # nobody was asked: a plan, or shadow mode
    answers: list[AcceptedAnswer] = []
    closed_at: datetime | None = None

    @property
    def open(self) -> bool:
        return self.state is QuestionState.OPEN

    def takes(self, verdict: str) -> bool:
        return verdict in self.options or verdict == WAIT


def incident_id(day: datetime, short: str, service: str, nth: int = 1) -> str:
    """`inc-YYYYMMDD-<short-name>` (seed §1.1): workflow id, war-room name and ticket key at once."""
    words = "-".join(word for word in (short, service) if word)  # for one under a code name: that, and nothing else
    name = "".join(c if c.isalnum() or c == "-" else "-" for c in words.lower()).strip("-")[:40]
    return f"inc-{day:%Y%m%d}-{name}" + (f"-{nth}" if nth > 1 else "")
