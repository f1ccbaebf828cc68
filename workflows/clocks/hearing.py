"""What people and workers say to the clocks of an incident, and who may say what (spec §4): determinations are people's, never automation's."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from temporalio import workflow

from activities.action import Risk, Role
from activities.clocks.clock import Applies, Clock, Decision, Delay, Signature, StageClock, Start
from activities.clocks.clocks import Clocks
from activities.clocks.orders import ClockRequest, DraftOf
from activities.clocks.predicates import MOST, Facts
from activities.clocks.regimes import EVENTS, TOGETHER
from activities.identity.codes import Identity
from activities.kit.words.shell import command
from activities.organisation.people import Person
from workflows.clocks.assessing import TWO_WORDS, Assessing
from workflows.clocks.state import KEEPS, ClockBook
from workflows.engine.invoker import Invoker
from workflows.errors import NotAccepted, RetriesExhausted
from workflows.people.access import person_of
from workflows.people.approvals import check_verified
from workflows.people.messages import read
from workflows.people.permissions import Capability
from workflows.people.permissions import whose as holders

MESSAGES = {
    "report": 'Start the clocks, or tell them more: {"by": "sam", "reason": "an export was seen", "at": "2026-11-27T15:20Z", "tenants": ["acme"]}',
    "assess": 'The one form, any part of it: {"by": "lou", "code": "0-…", "facts": {"personal_data": "yes", "countries": ["DE"], "encrypted": "no"}}',
    "applies": 'Whether one clock applies: {"clock": "gdpr-33-1", "applies": "yes|no|unknown", "by": "lou", "code": "0-…", "reason": "…"}',
    "started": 'When something was: {"event": "aware|materiality_determined|…", "at": "2026-11-27T15:20Z", "clock": "", "by": "lou", "reason": "…"}',
    "sign": 'Your word for exactly one text: {"clock": "gdpr-33-1", "stage": "notification", "digest": "…", "by": "lou", "code": "0-…"}',
    "submitted": 'A person has sent it: {"clock": "gdpr-33-1", "stage": "notification", "receipt": "DPC-81", "at": "…", "by": "lou", "code": "0-…"}',
    "delay": 'A delay by an authority: {"clock": "sec-8k", "reference": "…", "until": "2026-12-09T00:00Z", "by": "lou", "code": "0-…"}',
    "code": 'Have a code for these messages sent to your phone: "lou", or {"by": "lou"}',
}  # fmt: skip
MAY_REPORT = (Role.INCIDENT_COMMANDER, Role.DEPUTY, Role.OPS_LEAD, Role.SECURITY_LEAD, Role.LEGAL, Role.AI_ML_LEAD, Role.DB_LEAD)
OTHERS = "others, which nobody has looked at yet"  # among the data sets of a report
STARTS = 60  # reports, and starts of one event, that are kept
NOTICE, DECIDES = holders(Capability.NOTICE), holders(Capability.MATERIALITY)


class Need(NamedTuple):
    """Who may send a message, and the class of what it brings about."""

    roles: tuple[Role, ...]
    risk: Risk
    what: str


NEEDS: Mapping[str, Need] = {
    "report": Need(MAY_REPORT, Risk.C1, "report an exposure"),
    "assess": Need(DECIDES, Risk.C2, "fill in the form"),
    "applies": Need(NOTICE, Risk.C2, "say whether a clock applies"),
    "started": Need(DECIDES, Risk.C2, "state when something was"),
    "sign": Need(DECIDES, Risk.C3, "sign a text"),
    "submitted": Need(NOTICE, Risk.C3, "state that a notice was sent"),
    "delay": Need(NOTICE, Risk.C3, "state a delay"),
}


def request_of(name: str, given: Sequence[object]) -> ClockRequest:
    """What was sent by the message called `name`. Raises `NotAccepted`."""
    request = read(name, given, ClockRequest, MESSAGES, {"code": "by"})
    for field in ("at", "until"):
        instant = getattr(request, field)
        if instant is not None and instant.tzinfo is None:
            raise NotAccepted(f"{name}: {field} needs a time zone: 2026-11-27T15:20Z. {MESSAGES[name]}")
    return request


class Sender(NamedTuple):
    person: Person
    role: Role


class Hearing:
    def __init__(self, book: ClockBook, invoker: Invoker, assessing: Assessing) -> None:
        self._book, self._record, self._invoker, self._assessing = book, book.record, invoker, assessing

    async def take(self, name: str, request: ClockRequest, identity: Identity | None) -> str:
        """Take one message in. `identity`: None for a worker of ours. What is said back is one sentence. Raises `NotAccepted`."""
        if identity is None:
            return self._report(request, "automation", "provisional")
        sender = self._sender(name, identity)
        match name:
            case "report":
                return self._report(request, sender.person.id, "provisional")
            case "assess":
                return self._assess(request, sender)
            case "applies":
                return self._applies(request, sender)
            case "started":
                return self._started(request, sender)
            case "sign":
                return await self._sign(request, sender)
            case "submitted":
                return await self._submitted(request, sender)
            case _:
                return self._delay(request, sender)

    def _sender(self, name: str, identity: Identity) -> Sender:
        book, need, person = self._book, NEEDS[name], person_of(identity)
        guarded = need.risk >= book.policy.verified_from
        role = book.assignments.role_of(person, need.roles, sure=guarded)
        if role is None:
            whose = " or ".join(f"the {one.title}'s" for one in need.roles)
            raise NotAccepted(f"{person.id} may not {need.what}: that is {whose}")
        ask = f"`{command('incident', 'clocks', 'code', self._record.incident)}` sends you a code; send this again with it"
        check_verified(f"the message to {need.what}", need.risk, identity, book.policy, ask)
        return Sender(person, role)

    def _report(self, request: ClockRequest, by: str, basis: str) -> str:
        """First suspicion, or more of it. It only ever makes clocks run."""
        record, at = self._record, request.at or workflow.now()
        if request.key and request.key in record.done:
            return f"this was reported before: {len(record.clocks)} clocks"
        self._not_in_future(at, "the first suspicion")
        record.done = [*record.done, *([request.key] if request.key else [])][-KEEPS:]
        record.why = (*record.why, request.reason[:600] or "no reason given")[-STARTS:]
        record.title = record.title or request.title
        record.restricted = self._book.restricted = record.restricted or request.restricted
        record.tenants = tuple(dict.fromkeys((*record.tenants, *(one.strip()[:60] for one in request.tenants if one.strip()))))
        self._more(request.facts)
        self._add("aware", Start(at=at, basis=basis, by=by, reason=request.reason or "first credible suspicion"))
        self._book.note("reported", f"aware at {at:%Y-%m-%d %H:%M} UTC: {request.reason}", by=by)
        return (
            f"the legal clocks of {record.incident} run, provisionally from {min(s.at for s in record.events['aware']):%Y-%m-%d %H:%M} UTC"
        )

    def _more(self, said: Facts) -> None:
        """What is reported makes a clock run, and never ends one: a yes counts, a no does not, lists grow (INV-10)."""
        facts = self._record.facts
        more: dict[str, object] = {name: value for name, value in said.stated().items() if value is True}
        countries = tuple(dict.fromkeys((*(facts.countries or ()), *(said.countries or ()))))[:MOST]
        more |= {"countries": countries} if countries else {}
        if said.data_sets:  # until Legal has filled in the form, there may be others than were seen
            known = {name: role for name, role in facts.data_sets.items() if role != "unknown"}
            more["data_sets"] = dict([*{**said.data_sets, **known}.items()][: MOST - 1]) | {OTHERS: "unknown"}
        if said.counts:
            more["counts"] = dict(
                [*{**facts.counts, **{at: max(n, facts.counts.get(at, 0)) for at, n in said.counts.items()}}.items()][:MOST]
            )
        self._record.facts = facts.model_copy(update=more)

    def _assess(self, request: ClockRequest, sender: Sender) -> str:
        """Whatever was filled in. What takes two people is kept apart, by role."""
        record, given = self._record, {name: getattr(request.facts, name) for name in request.facts.model_fields_set}
        if not given:
            raise NotAccepted(f"assess: facts are empty. {MESSAGES['assess']}")
        if sender.role is not Role.LEGAL and (others := [name for name in given if name not in TWO_WORDS]):
            raise NotAccepted(f"{sender.person.id} may say whether it is material or a high risk; {', '.join(others)} is Legal's to say")
        together = [name for name in given if name in TWO_WORDS and given[name] is not None]
        for name in together:
            record.voices[name] = {**record.voices.get(name, {}), sender.role: (sender.person.id, given[name])}
            self._voted(name, sender)
        record.facts = record.facts.model_copy(update={name: value for name, value in given.items() if name not in TWO_WORDS})
        said = ", ".join(f"{name}={'unknown' if value is None else _shown(value)}" for name, value in sorted(given.items()))
        self._book.note("assessed", said, by=sender.person.id)
        waits = [name for name in together if not self._agreed(name)]
        second = (
            f"; {' and '.join(waits)} waits for {' or '.join(role.title for role in DECIDES if role is not sender.role)}" if waits else ""
        )
        return f"taken in: {said}{second}"

    def _voted(self, name: str, sender: Sender) -> None:
        """A yes is an event: the clock that counts from it runs from the first word, and is confirmed by the second."""
        answers = self._record.voices[name]
        if answers[sender.role][1]:
            basis = "confirmed" if self._agreed(name) else "provisional"
            first = self._record.events.get(TWO_WORDS[name], ())
            at = first[0].at if first else workflow.now()
            self._add(TWO_WORDS[name], Start(at=at, basis=basis, by=sender.person.id, reason=f"{name.replace('_', ' ')}: yes"))

    def _agreed(self, name: str) -> bool:
        voices = self._record.voices.get(name, {}).values()
        return len({who for who, _ in voices}) > 1 and len({answer for _, answer in voices}) == 1

    def _applies(self, request: ClockRequest, sender: Sender) -> str:
        clock, word = self._clock(request), request.applies.strip().casefold()
        if word not in set(Applies):
            raise NotAccepted(f"applies is yes, no or unknown. {MESSAGES['applies']}")
        if not request.reason.strip():
            raise NotAccepted("a decision about a clock needs a reason")
        applies = Applies(word)
        if applies is Applies.NO and any(name in TWO_WORDS for name in clock.row.when):
            name = next(name for name in clock.row.when if name in TWO_WORDS)
            raise NotAccepted(
                f"{clock.id}: Legal and an executive decide together whether it is {name.replace('_', ' ')}: assess {name}=no, each"
            )
        clock.decided = Decision(applies=applies, by=sender.person.id, reason=request.reason, at=workflow.now())
        self._book.note("decided", f"{clock.id} applies: {applies}: {request.reason}", by=sender.person.id)
        return f"{clock.id}: applies: {applies}"

    def _started(self, request: ClockRequest, sender: Sender) -> str:
        event, at = request.event.strip() or "aware", request.at
        if event not in EVENTS:
            raise NotAccepted(f"there is no event {event!r}; there are {', '.join(EVENTS)}")
        if sender.role is not Role.LEGAL and event not in TOGETHER:
            raise NotAccepted(f"{event} is Legal's to state")
        if at is None or not request.reason.strip():
            raise NotAccepted(f"a start needs an instant and a reason. {MESSAGES['started']}")
        self._not_in_future(at, event)
        both = sender.role in TOGETHER_ROLES and event in TOGETHER
        others = {start.by for start in self._record.events.get(event, ())} - {sender.person.id}
        basis = "provisional" if both and not others else "confirmed"
        start = Start(at=at, basis=basis, by=sender.person.id, reason=request.reason)
        if request.clock:
            clock = self._clock(request)
            if event != "aware":
                raise NotAccepted(f"{event} is the same for all clocks: leave the clock out")
            clock.moved = (*clock.moved, start)
        else:
            self._add(event, start)
        whose = f" for {request.clock}" if request.clock else ""
        self._book.note("started", f"{event}{whose}: {at:%Y-%m-%d %H:%M} UTC, {basis}: {request.reason}", by=sender.person.id)
        return f"{event}{whose}: {at:%Y-%m-%d %H:%M} UTC, {basis}; alarms follow the earliest start that was stated"

    async def _sign(self, request: ClockRequest, sender: Sender) -> str:
        """A signature is for exactly this text and these recipients."""
        clock, stage = self._stage(request)
        if sender.role not in clock.row.signs:
            raise NotAccepted(f"{clock.id} is signed by {' and '.join(role.title for role in clock.row.signs)}")
        if any(one.by == sender.person.id and one.role is not sender.role for one in stage.signatures):
            raise NotAccepted(f"{sender.person.id} has signed already; each role signs by another person")
        now = await self._digest(clock, stage)
        if request.digest != now:
            show = command("incident", "clocks", "draft", self._record.incident, clock.id, "--stage", stage.name)
            raise NotAccepted(f"the text or the recipients are not those of {request.digest[:12] or 'no digest'}: read it again: {show}")
        others = tuple(one for one in stage.signatures if one.role is not sender.role)
        stage.signatures = (*others, Signature(role=sender.role, by=sender.person.id, digest=now, at=workflow.now()))
        self._book.note("signed", f"{clock.id}, {stage.name}: text {now[:12]}, as {sender.role.title}", by=sender.person.id)
        missing = self._unsigned(clock, stage, now)
        return f"signed: {now[:12]}" + (f"; still to be signed by {missing}" if missing else "; a person may send it now")

    async def _submitted(self, request: ClockRequest, sender: Sender) -> str:
        """It was sent. What happened is recorded in any case; without signatures over this very text it takes a reason."""
        clock, stage = self._stage(request)
        at = request.at or workflow.now()
        if not request.receipt.strip():
            raise NotAccepted(f"a receipt is needed: its number, or where it is kept. {MESSAGES['submitted']}")
        self._not_in_future(at, "the submission")
        if stage.sent_at is not None:
            raise NotAccepted(f"{clock.id}, {stage.name}: sent already, at {stage.sent_at:%Y-%m-%d %H:%M} UTC, receipt {stage.receipt}")
        digest = await self._digest(clock, stage)
        missing = "" if clock.row.internal else self._unsigned(clock, stage, digest)
        if missing and not request.reason.strip():
            changed = "the text or the recipients changed after it was signed; " if stage.signatures else ""
            raise NotAccepted(f"{changed}this text is not signed by {missing}: sign it, or give a reason why it was sent without")
        stage.sent_at, stage.sent_by, stage.receipt, stage.digest = at, sender.person.id, request.receipt, digest
        stage.unsigned = f"not signed by {missing}: {request.reason}" if missing else ""
        stage.overdue_at = None
        late = (due := clock.due(stage)) is not None and at > due
        self._book.note(
            "submitted", f"{clock.id}, {stage.name}: receipt {request.receipt}{', LATE' if late else ''}"
            + (f"; {stage.unsigned}" if missing else ""), by=sender.person.id,
        )  # fmt: skip
        return (
            f"{clock.id}, {stage.name}: sent at {at:%Y-%m-%d %H:%M} UTC{', after its deadline' if late else ''}, receipt {request.receipt}"
        )

    def _delay(self, request: ClockRequest, sender: Sender) -> str:
        clock, now = self._clock(request), workflow.now()
        if not request.reference.strip() or request.until is None:
            raise NotAccepted(f"a delay needs the reference of the document and an end. {MESSAGES['delay']}")
        if request.until <= now:
            raise NotAccepted(f"the end of the delay, {request.until:%Y-%m-%d %H:%M} UTC, is past")
        clock.delay = Delay(reference=request.reference, until=request.until, by=sender.person.id, at=now)
        for stage in clock.stages:
            stage.overdue_at = None
        self._book.note("delayed", f"{clock.id} until {request.until:%Y-%m-%d %H:%M} UTC: {request.reference}", by=sender.person.id)
        return f"{clock.id} is delayed until {request.until:%Y-%m-%d %H:%M} UTC: {request.reference}"

    # -- small parts ------------------------------------------------------------------------------------------------------------------

    def _add(self, event: str, start: Start) -> None:
        """Both are kept, the first start and the corrected one; of very many the earliest and the latest."""
        stated = (*self._record.events.get(event, ()), start.model_copy(update={"reason": start.reason[:600]}))
        if len(stated) > STARTS:
            earliest = min(stated, key=lambda one: one.at)
            stated = (earliest, *[one for one in stated if one is not earliest][1 - STARTS :])
        self._record.events[event] = stated

    def _clock(self, request: ClockRequest) -> Clock:
        clock = self._record.clocks.get(request.clock)
        if clock is None:
            raise NotAccepted(f"there is no clock {request.clock!r}; there are {', '.join(sorted(self._record.clocks))}")
        return clock

    def _stage(self, request: ClockRequest) -> tuple[Clock, StageClock]:
        clock = self._clock(request)
        stage = clock.stage(request.stage)
        if stage is None:
            raise NotAccepted(f"{clock.id} has no such stage to be sent; there are {', '.join(one.name for one in clock.stages)}")
        return clock, stage

    async def _digest(self, clock: Clock, stage: StageClock) -> str:
        try:
            record = self._book.public().model_dump_json()
            order = DraftOf(incident=self._record.incident, clock=clock.id, stage=stage.name, record=record)
            return (await self._invoker.quietly(Clocks.draft, order)).digest
        except RetriesExhausted as out:
            raise NotAccepted(f"the draft cannot be filled just now: {out.why}") from None

    def _unsigned(self, clock: Clock, stage: StageClock, digest: str) -> str:
        """Whose signature over exactly this text is missing."""
        signed = {one.role for one in stage.signatures if one.digest == digest}
        return " and ".join(role.title for role in clock.row.signs if role not in signed)

    def _not_in_future(self, at: datetime, what: str) -> None:
        if at > workflow.now():
            raise NotAccepted(f"{what} cannot be in the future ({at:%Y-%m-%d %H:%M} UTC)")


TOGETHER_ROLES = frozenset(DECIDES)


def _shown(value: object) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)
