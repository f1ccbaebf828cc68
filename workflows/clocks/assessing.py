"""Which clocks run, and when each is due: worked out anew from the table and from all that was said, whenever something was said.

A clock is never taken away. It does not apply when Legal says so, by the form or for that very clock, and comes back when new facts say otherwise.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from temporalio import workflow

from activities.clocks.clock import Applies, Clock, ClockState, StageClock, Start
from activities.clocks.clocks import Clocks
from activities.clocks.orders import CountDeadlines, Counted, Wanted
from activities.clocks.predicates import EEA, Facts, applies
from activities.clocks.regimes import AWARE, CONFIRMED, STAGE, SUSPECTED, ClockTable, Regime, Rule, Stage, TenantTerms
from workflows.clocks.state import ClockBook
from workflows.engine.invoker import Invoker
from workflows.errors import RetriesExhausted

NOBODY_NAMED, OTHER_TENANTS = "tenants not named yet", "the other tenants"
MOST_TENANTS = 100  # with clocks of their own: all of it is kept in a workflow
UNWRITTEN = 24  # hours, where nobody has written down what the contract says
TWO_WORDS = {"high_risk": "high_risk_decided", "material": "materiality_determined"}  # decided by two; and the event that a yes is


class Assessing:
    def __init__(self, book: ClockBook, invoker: Invoker) -> None:
        self._book, self._record, self._invoker = book, book.record, invoker

    async def again(self) -> None:
        """Work everything out anew. What cannot be counted is said, and the clock is kept."""
        book, record = self._book, self._record
        if book.table is None:
            return
        record.trouble = book.table.trouble
        facts = self._facts(book.table)
        for name, row in book.table.regimes.items():
            if row.in_force(record.opened_at):
                self._open(name, row, book.table)
        for clock in record.clocks.values():
            self._decide(clock, facts)
        await self._count()
        for clock in record.clocks.values():
            self.judge(clock)

    def _facts(self, table: ClockTable) -> Facts:
        """What was said, over what is standing; and what takes two is yes on one word, and no only on both."""
        record = self._record
        said = record.facts.over(table.profile)
        for field, voices in record.voices.items():
            answers = [answer for _, answer in voices.values()]
            no = len(answers) > 1 and len({who for who, _ in voices.values()}) > 1 and not any(answers)
            said = said.model_copy(update={field: True if any(answers) else False if no else None})
        return said

    def _open(self, name: str, row: Regime, table: ClockTable) -> None:
        """A clock for each tenant or country that the row is for; a row without either has one."""
        for whom in self._for_whom(row, table):
            id = f"{name}/{whom}" if whom else name
            known = self._record.clocks.get(id)
            if known is None:
                terms = TenantTerms(notice_hours=self._shortest(table)) if whom == OTHER_TENANTS else table.tenants.get(whom, TenantTerms())
                own = _with_terms(row, terms)
                stages = [StageClock(name=stage.name) for stage in own.stages]
                self._record.clocks[id] = Clock(id=id, row=own, whom=whom, opened_at=workflow.now(), stages=stages)
                self._book.note("clock", f"{id} ({own.version}; {own.source})")

    def _for_whom(self, row: Regime, table: ClockTable) -> tuple[str, ...]:
        record = self._record
        if row.expand == "tenant":
            return self._tenants(table)
        if row.expand == "country":
            return tuple(place for place in record.facts.countries or () if not _listed(place, table))
        return ("",)

    def _shortest(self, table: ClockTable) -> int | None:
        """The least time that a contract gives of those without a clock of their own."""
        left = sorted(_hours(whom, table) for whom in self._record.tenants)[MOST_TENANTS:]
        return left[0] if left else None

    def _tenants(self, table: ClockTable) -> tuple[str, ...]:
        """Each has a clock of its own; of very many those whose contracts give the least time, and the others have one together."""
        named = self._record.tenants or (NOBODY_NAMED,)
        if len(named) <= MOST_TENANTS:
            return named
        return (*sorted(named, key=lambda whom: _hours(whom, table))[:MOST_TENANTS], OTHER_TENANTS)

    def _decide(self, clock: Clock, facts: Facts) -> None:
        """Whether it applies: Legal's word for this clock; or else what the form says."""
        before, decided = clock.applies, clock.decided
        answer, about = applies(clock.row.when, facts)
        if decided is not None and decided.applies is not Applies.UNKNOWN:
            clock.applies, clock.why, clock.asks = decided.applies, f"{decided.by}: {decided.reason}", ()
        elif answer is None:
            clock.applies, clock.why, clock.asks = Applies.UNKNOWN, "", about
        else:
            clock.applies = Applies.YES if answer else Applies.NO
            clock.why, clock.asks = "by the form" if answer else f"by the form: {about[0].replace('_', ' ')} is no", ()
        for stage, row in zip(clock.stages, clock.row.stages, strict=True):
            stage.applies = applies(row.when, facts)[0]
            if stage.open and row.done_by and (at := self._event(row.done_by)):
                stage.sent_at, stage.sent_by, stage.receipt = at[-1].at, at[-1].by, at[-1].reason
        if clock.applies is not before:
            self._book.note("applies", f"{clock.id}: {before} → {clock.applies}{f' ({clock.why})' if clock.why else ''}")

    def _event(self, name: str) -> tuple[Start, ...]:
        """Every start that was stated of an event. What two decide together counts for an alarm from the first word on."""
        return self._record.events.get(name, ())

    def starts(self, clock: Clock, since: str) -> tuple[datetime, datetime] | None:
        """The start that counts, and the earliest one that anybody has stated."""
        if since.startswith(STAGE):
            stage = clock.stage(since.removeprefix(STAGE))
            return (stage.sent_at, stage.sent_at) if stage is not None and stage.sent_at is not None else None
        contract = since in (SUSPECTED, CONFIRMED)
        general = self._event(AWARE if contract else since)
        stated = (*general, *(clock.moved if contract or since == AWARE else ()))
        confirmed = [start for start in (clock.moved if since == SUSPECTED else stated) if start.basis == "confirmed"]
        if not (confirmed if since == CONFIRMED else stated):
            return None
        earliest = min(start.at for start in stated)
        return (confirmed[-1].at if confirmed else earliest), earliest

    async def _count(self) -> None:
        wanted = [one for clock in self._record.clocks.values() for one in self._wanted(clock)]
        if not wanted:
            return
        try:
            answer = await self._invoker.quietly(Clocks.count, CountDeadlines(wanted=tuple(wanted)))
        except RetriesExhausted as out:
            self._record.trouble = f"deadlines could not be counted: {out.why}"
            self._book.note("not counted", out.why)
            return
        found = {one.key: one for one in answer.found}
        starts = {one.key: one.start for one in wanted}
        for clock in self._record.clocks.values():
            for stage, row in zip(clock.stages, clock.row.stages, strict=True):
                self._set(clock, stage, row, found, starts, answer.library)
        for key, why in answer.trouble.items():
            self._record.trouble = f"{key.rpartition('#')[0]}: {why}"
            self._book.note("not counted", self._record.trouble)

    def _wanted(self, clock: Clock) -> Iterator[Wanted]:
        for stage in clock.row.stages:
            for nth, rule in enumerate(stage.due):
                if (starts := self.starts(clock, rule.since)) is not None:
                    for which, start in zip(("counts", "earliest"), starts, strict=True):
                        yield Wanted(key=_key(clock, stage, nth, which), start=start, rule=rule)

    def _set(
        self, clock: Clock, stage: StageClock, row: Stage, found: dict[str, Counted], starts: dict[str, datetime], library: str
    ) -> None:  # fmt: skip
        """The earliest of several deadlines counts, and is alarmed about by the earliest start."""
        counted = [(found[key], rule, key) for nth, rule in enumerate(row.due) if (key := _key(clock, row, nth, "counts")) in found]
        if not counted:
            stage.counted = f"counted from {' or '.join(rule.since for rule in row.due)}, which has not happened"
            return
        due, rule, key = min(counted, key=lambda one: one[0].strict)
        alarms = [(found[k].strict, starts[k]) for nth, _ in enumerate(row.due) if (k := _key(clock, row, nth, "earliest")) in found]
        before = stage.deadline
        stage.deadline, stage.outer = due.strict, due.outer
        stage.alarm_at, stage.alarm_from = min(alarms)
        stage.counted = f"{rule.in_words()} {starts[key]:%Y-%m-%d %H:%M} UTC; {library}"
        if before != stage.deadline:
            moved = f" (before: {before:%Y-%m-%d %H:%M})" if before else ""
            self._book.note("deadline", f"{clock.id}, {stage.name}: {stage.deadline:%Y-%m-%d %H:%M} UTC{moved}, {stage.counted}")

    def judge(self, clock: Clock) -> None:
        """The state of a clock now. A deadline that has passed is missed whatever else is true of it."""
        before, at = clock.state, workflow.now()
        open_ = [stage for stage in clock.stages if stage.open]
        late = [stage for stage in open_ if (due := clock.due(stage)) is not None and due <= at]
        if clock.applies is Applies.NO:
            clock.state = ClockState.NOT_APPLICABLE
        elif not open_:
            clock.state = ClockState.COMPLETE
        elif late:
            clock.state = ClockState.MISSED
        elif clock.delay is not None and at < clock.delay.until:
            clock.state = ClockState.DELAYED
        elif any(stage.sent_at for stage in clock.stages):
            clock.state = ClockState.SUBMITTED
        else:
            clock.state = ClockState.RUNNING if clock.applies is Applies.YES else ClockState.PENDING_ASSESSMENT
        if clock.state is not before:
            self._book.note(str(clock.state), f"{clock.id}: {before} → {clock.state}")


def _key(clock: Clock, stage: Stage, nth: int, which: str) -> str:
    return f"{clock.id}#{stage.name}#{nth}#{which}"


def _own_hours(whom: str, table: ClockTable) -> int | None:
    terms = table.tenants.get(whom)
    return terms.notice_hours if terms else None


def _hours(whom: str, table: ClockTable) -> int:
    return _own_hours(whom, table) or UNWRITTEN


def _with_terms(row: Regime, terms: TenantTerms) -> Regime:
    """The row with what a contract says. Nothing written down, or a longer time than the row's, changes nothing of a law."""
    if not row.terms or terms.notice_hours is None:
        return row
    own = Rule(since=CONFIRMED if terms.starts == "confirmed" else SUSPECTED, unit="hours", n=terms.notice_hours)
    stages = tuple(one.model_copy(update={"due": (own,) if row.terms == "replace" else (*one.due, own)}) for one in row.stages)
    return row.model_copy(update={"stages": stages})


def _listed(place: str, table: ClockTable) -> bool:
    """Whether a row that is on knows this country."""
    country = place.partition("-")[0]
    named = {condition.removeprefix("country:") for row in table.regimes.values() if row.on for condition in row.when}
    return country in EEA or country in ("GB", "UK", "US") or country in named


def fraction(start: datetime, end: datetime, share: float) -> datetime:
    return start + timedelta(seconds=(end - start).total_seconds() * share)
