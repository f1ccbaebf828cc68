"""A freeze is watched while it is held: what goes around it is paged within a minute, and recorded (spec §7.2).

The freeze of a service has one workflow, and that one watch: however many incidents hold it, a deploy pages once.
"""

import asyncio
from datetime import timedelta

from temporalio import workflow

from activities.action import Role
from activities.freeze.watch import FreezeSeen, FreezeWatch, WatchFreeze
from activities.paging.orders import Page, ResolvePage
from activities.paging.pager import Pager
from workflows.engine.invoker import Invoker
from workflows.errors import RetriesExhausted
from workflows.freeze.state import Freeze
from workflows.people.background import beside, ended
from workflows.people.questions import Questions
from workflows.waiting import waited

PAGED = (Role.INCIDENT_COMMANDER, Role.OPS_LEAD)


class Watching:
    def __init__(self, freeze: Freeze, invoker: Invoker, questions: Questions) -> None:
        self._freeze, self._record, self._invoker, self._questions = freeze, freeze.record, invoker, questions
        self._said: set[str] = set()  # what cannot be seen, as it was noted
        self.ending = False

    @property
    def _watched(self) -> object:
        """What one watch is for; another one begins when that changes. None: nothing was locked."""
        record = self._record
        if self.ending or not record.holders or record.before is None or record.proven_at is None:
            return None
        return record.since, record.before.head, tuple(e.token for e in record.exemptions)

    async def run(self) -> None:
        """Until `ending` is set. It is not cancelled: a cancel that meets the end of a wait is lost (`asyncio.wait_for`)."""
        while not self.ending:
            await workflow.wait_condition(lambda: self.ending or self._watched is not None)
            if (of := self._watched) is None:
                continue
            async with beside(self._invoker.quietly(FreezeWatch.watch, self._order())) as watch:
                await workflow.wait_condition(lambda: watch.done() or self._watched != of)
            if not watch.cancelled() and self._watched == of:
                await self._after(watch, of)

    async def _after(self, watch: asyncio.Task[FreezeSeen], of: object) -> None:
        freeze = self._freeze
        try:
            seen = watch.result()
        except RetriesExhausted as out:
            freeze.note("blind", f"nobody can see whether anything is deployed all the same: {out.why}")
            await self._page(f"the freeze of {self._record.service} is not watched: {out.why}")
            left = freeze.policy.paced(freeze.policy.repage)
        else:
            await self._tell(seen)
            left = seen.until - workflow.now()
        if left > timedelta(0):
            await waited(lambda: self._watched != of, left, "the next watch of the freeze")

    def _order(self) -> WatchFreeze:
        record, numbers = self._record, self._freeze.policy.freeze
        assert record.before is not None and record.since is not None  # noqa: S101 - narrows the types; `_watched` has seen to it
        return WatchFreeze(
            service=record.place, start=record.since, lock=record.before, exempted=tuple(e.artefact for e in record.exemptions),
            pushed=tuple(e.artefact for e in record.exemptions if e.purpose.pushes), known=tuple(one.id for one in record.passed),
            locked=record.locked, every=numbers.watch_every, lasting=numbers.watched_for,
        )  # fmt: skip

    async def _tell(self, seen: FreezeSeen) -> None:
        """Every deploy is on the record; what no exemption covers is paged, in one page for what was seen at once."""
        freeze, record, news = self._freeze, self._record, [] if seen.locked == self._record.locked else [_lock(seen.locked)]
        record.locked, record.passed = seen.locked, (*record.passed, *seen.passed)
        for one in seen.passed:
            freeze.note("deployed", f"{one.what}: {'under an exemption' if one.covered else 'around the freeze, under no exemption'}")
        around = [one.what for one in seen.passed if not one.covered]
        record.drift = tuple(dict.fromkeys((*record.drift, *around)))
        if not seen.locked:
            record.trouble = _lock(False)
        for unseen in set(seen.unseen) - self._said:
            freeze.note("not watched", unseen)
        self._said = set(seen.unseen)
        for line in news:
            freeze.note("lock", line)
        if paged := [*(f"deployed around the freeze: {what}" for what in around), *([] if seen.locked else news)]:
            await self._page(f"{record.service} is frozen for {record.names}, and {'; '.join(paged)}")

    async def _page(self, text: str) -> None:
        freeze, record = self._freeze, self._record
        try:
            await self._questions.notices.read_the_rota()
            named = [freeze.assignments.roster.person(holder.by) for holder in record.holders]
            people = {person.id: person for person in (*named, *freeze.assignments.holders(PAGED)) if person is not None}
            record.pages += 1
            page = Page(incident_id=record.id, people=tuple(people.values()), summary=text[:500], severity=1, nth=record.pages)
            await self._invoker.quietly(Pager.page, page)
            freeze.note("paged", f"{', '.join(people) or 'nobody on the roster'}: {text}")
        except RetriesExhausted as out:
            freeze.note("not told", f"{text}: nobody could be paged: {out.why}")

    async def stop(self, running: asyncio.Task[None]) -> None:
        self.ending = True
        await ended(running)

    async def over(self) -> None:
        """Nobody holds it any more: nothing is left to be woken for."""
        if self._record.pages:
            self._record.pages = 0
            try:
                await self._invoker.quietly(Pager.resolve, ResolvePage(incident_id=self._record.id))
            except RetriesExhausted as out:
                self._freeze.note("not told", f"the page could not be resolved: {out.why}")


def _lock(locked: bool) -> str:
    return "the branches are locked again" if locked else "somebody has unlocked the branches by hand"
