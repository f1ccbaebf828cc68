"""Who hears of a clock, and when (spec §10.1): at shares of the time, before the end, and again and again when it is missed.

The schedule follows the earliest start that anybody has stated. What could not be told is told again; nothing is ever sent to anybody outside.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from temporalio import workflow

from activities.action import Role
from activities.clocks.clock import Applies, Clock, ClockState, StageClock, left
from activities.clocks.regimes import AlarmNumbers, ClockTable
from activities.kit.words.code_names import under_code_name
from activities.kit.words.shell import command
from activities.organisation.people import Person
from activities.paging.orders import Page, ResolvePage
from activities.paging.pager import Pager
from activities.values import span
from workflows.clocks.assessing import Assessing, fraction
from workflows.clocks.state import ClockBook
from workflows.engine.invoker import Invoker
from workflows.errors import RetriesExhausted
from workflows.people.notices import SLOW_PAGE, URGENT_PAGES, Notices

MISSED = "missed"
MOST = 12  # lines in one message


class Mark(NamedTuple):
    """One alarm: when, what it is known by, what is said, and how much of the time has passed."""

    at: datetime
    key: str
    says: str
    share: float


class Alarm(NamedTuple):
    """What people are told now of one stage, and what is then told."""

    clock: Clock
    stage: StageClock
    mark: Mark
    told: tuple[str, ...]


class Alarms:
    def __init__(self, book: ClockBook, invoker: Invoker, notices: Notices, assessing: Assessing) -> None:
        self._book, self._record, self._invoker, self._notices, self._assessing = book, book.record, invoker, notices, assessing

    def due(self) -> datetime | None:
        """When the next alarm is."""
        table, record = self._book.table, self._record
        if table is None:
            return None
        times = [mark.at for clock, stage in self._open() for mark in _marks(clock, stage, table.alarms) if mark.key not in stage.alarms]
        times += [stage.overdue_at for _, stage in self._open() if stage.overdue_at is not None]
        times += [clock.delay.until for clock in record.clocks.values() if clock.delay and clock.state is ClockState.DELAYED]
        if not times:
            return None
        return max(min(times), record.tell_at) if record.tell_at is not None else min(times)

    async def tend(self) -> None:
        """Tell people whatever is due. Several alarms that came due together, after a time without workers say, are one: the gravest."""
        table, record, now = self._book.table, self._record, workflow.now()
        if table is None:
            return
        for clock in record.clocks.values():
            self._assessing.judge(clock)
        found = [alarm for clock, stage in self._open() if (alarm := self._now(clock, stage, table.alarms)) is not None]
        if not found:
            return
        if record.tell_at is not None and now < record.tell_at:
            return
        groups: dict[tuple[str, ...], list[Alarm]] = {}
        try:
            await self._notices.read_the_rota()
            for alarm in found:
                groups.setdefault(tuple(person.id for person in self._people(alarm.mark.share, table)), []).append(alarm)
            for ids, alarms in groups.items():
                await self._tell(tuple(p for who in ids if (p := self._book.assignments.roster.person(who))), alarms, table)
        except RetriesExhausted as out:
            record.untold += 1
            pause = self._book.policy.repage if record.untold < URGENT_PAGES else SLOW_PAGE
            record.tell_at = now + self._book.policy.for_people(pause)
            record.trouble = f"nobody could be told of a clock: {out.why}"
            self._book.note("not told", record.trouble)
        else:
            record.tell_at, record.untold, record.trouble = None, 0, table.trouble

    async def over(self) -> None:
        """Every clock is kept, or does not apply: nothing is left to be woken for."""
        if self._record.pages:
            self._record.pages = 0
            try:
                await self._invoker.quietly(Pager.resolve, ResolvePage(incident_id=self._book.id))
            except RetriesExhausted as out:
                self._book.note("not told", f"the page could not be resolved: {out.why}")

    def _open(self) -> Iterator[tuple[Clock, StageClock]]:
        for clock in self._record.clocks.values():
            if not clock.state.over:
                yield from ((clock, stage) for stage in clock.stages if stage.open)

    def _now(self, clock: Clock, stage: StageClock, numbers: AlarmNumbers) -> Alarm | None:
        at = workflow.now()
        fired = [mark for mark in _marks(clock, stage, numbers) if mark.at <= at and mark.key not in stage.alarms]
        if fired:
            gravest = max(fired, key=lambda mark: (mark.key.endswith(MISSED), mark.at, mark.share))
            return Alarm(clock, stage, gravest, tuple(mark.key for mark in fired))
        if stage.overdue_at is not None and stage.overdue_at <= at:
            return Alarm(clock, stage, Mark(at, MISSED, "STILL MISSED", 1.0), ())
        return None

    def _people(self, share: float, table: ClockTable) -> tuple[Person, ...]:
        """Legal; executives from a share of the time on; then the CEO's designee. Where nobody is on the roster for it, an executive is."""
        assignments, numbers = self._book.assignments, table.alarms
        legal, executives = assignments.holders((Role.LEGAL,)), assignments.holders((Role.DUTY_EXECUTIVE,))
        people = {person.id: person for person in legal or executives or assignments.holders((Role.INCIDENT_COMMANDER,))}
        if share >= numbers.executives_from:
            people |= {person.id: person for person in executives}
        if share >= numbers.ceo_from and (ceo := assignments.roster.person(numbers.ceo_designee)) is not None:
            people[ceo.id] = ceo
        return tuple(people.values())

    async def _tell(self, people: tuple[Person, ...], alarms: list[Alarm], table: ClockTable) -> None:
        """By page where a deadline is near or missed, else by direct message. Raises `RetriesExhausted`; then nothing counts as told."""
        record, now = self._record, workflow.now()
        if not people:
            raise RetriesExhausted("nobody on the roster is Legal, executive or commander")
        near = any((due := one.clock.due(one.stage)) is not None and due - now <= table.alarms.pages_within for one in alarms)
        text = self._text(alarms, table)
        if near:
            record.pages += 1
            page = Page(incident_id=self._book.id, people=people, summary=text[:500], severity=1, nth=record.pages)
            try:
                await self._invoker.quietly(Pager.page, page)
            except RetriesExhausted as out:  # one of them may be unknown to the pager: the others are told all the same
                self._book.note("not paged", out.why)
                await self._tell_each(people, text)
        else:
            await self._tell_each(people, text)
        for alarm in alarms:
            alarm.stage.alarms = (*alarm.stage.alarms, *alarm.told)
            if alarm.mark.key.endswith(MISSED):
                alarm.stage.overdue_at = now + table.alarms.missed_again
        self._book.note("alarm", f"{', '.join(person.id for person in people)}: {text}")

    async def _tell_each(self, people: tuple[Person, ...], text: str) -> None:
        """By direct message, or by page where that does not arrive. Raises `RetriesExhausted` when nobody was reached."""
        failed: list[str] = []
        for person in people:
            try:
                await self._notices.tell(person, text)
            except RetriesExhausted as out:
                failed.append(f"{person.id}: {out.why}")
        if len(failed) == len(people):
            raise RetriesExhausted("; ".join(failed))
        for why in failed:
            self._book.note("not told", why)

    def _text(self, alarms: list[Alarm], table: ClockTable) -> str:
        now, record = workflow.now(), self._record
        said = [_says(alarm, now, record.restricted) for alarm in sorted(alarms, key=lambda one: one.clock.due(one.stage) or now)]
        more = [f"and {len(said) - MOST} more"] if len(said) > MOST else []
        nobody = not table.alarms.ceo_designee and any(alarm.mark.share >= table.alarms.ceo_from for alarm in alarms)
        ceo = ["no CEO designee is named (clocks.toml, [alarms] ceo_designee)"] if nobody else []
        whose = "a restricted incident" if under_code_name(record.incident) else record.incident
        show = command("incident", "clocks", "show", record.incident)
        return f"Legal clocks of {whose}: {'; '.join((*said[:MOST], *more, *ceo))}. {show}"


def _says(alarm: Alarm, now: datetime, restricted: bool) -> str:
    """Of a restricted incident no tenant is named outside of its own screens."""
    clock, stage = alarm.clock, alarm.stage
    named = clock.id.partition("/")[0] if restricted else clock.id
    due = clock.due(stage) or now
    undecided = ", applicability not decided" if clock.applies is Applies.UNKNOWN else ""
    return f"{alarm.mark.says}: {named}, {stage.name} due {due:%Y-%m-%d %H:%M} UTC, {left(due - now)}{undecided}"


def _marks(clock: Clock, stage: StageClock, numbers: AlarmNumbers) -> Iterator[Mark]:
    """Every alarm of one stage. Those of a deadline that was moved are others than those before."""
    due = clock.due(stage)
    if stage.alarm_at is None or stage.alarm_from is None or due is None:
        return
    begins, ends = stage.alarm_from, stage.alarm_at
    whole = (ends - begins).total_seconds()
    if due == stage.deadline:  # while a delay is in force only its end is alarmed about
        for share in numbers.shares:
            at = fraction(begins, ends, share)
            yield Mark(at, f"{_stamp(ends)}/{share:.0%}", f"{share:.0%} of the time has passed", share)
        yield from _before(ends, whole, numbers)
        if due > ends:
            yield Mark(ends, f"{_stamp(ends)}/provisional end", "by the first start that was stated the time is over", numbers.ceo_from)
    if due != ends:
        yield from _before(due, whole, numbers)
    yield Mark(due, f"{_stamp(due)}/{MISSED}", "MISSED", 1.0)


def _before(end: datetime, whole: float, numbers: AlarmNumbers) -> Iterator[Mark]:
    for before in numbers.before:
        if before < timedelta(seconds=whole):
            yield Mark(end - before, f"{_stamp(end)}/T-{before}", f"{span(before)} left", 1 - before.total_seconds() / whole)


def _stamp(at: datetime) -> str:
    return f"{at:%Y%m%dT%H%M}"
