"""The legal clocks of one incident (spec §10): a workflow with a lifetime of its own. Id `clocks-<incident>`.

They start provisionally at the first credible suspicion, outlive the incident, and end only when every clock is kept or does not apply.
They ask Legal, count, and tell people; they send nothing to anybody outside, and no clock is ever ended by automation (INV-10, 11).
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from temporalio import workflow

from activities.action import Role
from activities.clocks.clock import ClocksState
from activities.clocks.clocks import Clocks
from activities.clocks.orders import ClockRequest, EarlierOf, ReadClockTable
from activities.identity.codes import Identities, Sealed
from activities.kit.words.shell import command
from activities.organisation.organisation import Organisation, ReadAll
from workflows.clocks.alarms import Alarms
from workflows.clocks.assessing import Assessing
from workflows.clocks.hearing import MESSAGES, Hearing, request_of
from workflows.clocks.state import ClockBook
from workflows.engine.invoker import Invoker
from workflows.errors import NotAccepted, RetriesExhausted
from workflows.people.access import AccessCheck, person_of
from workflows.people.messages import Hears, Message, MessageReceiver, add_message_handlers
from workflows.people.notices import Notices


class ClockMessages(MessageReceiver): ...


add_message_handlers(ClockMessages, MESSAGES, request_of)


@workflow.defn
class LegalClocks(ClockMessages):
    @workflow.init
    def __init__(self, *given: Any) -> None:
        self.book = ClockBook(workflow.info().workflow_id, given, workflow.now())
        self.invoker = Invoker(self.book, self.book.record.counts, keys=self.book.record.id)
        self.notices = Notices(self.book, self.invoker)
        self.access = AccessCheck(self.book, self.invoker, self.notices)
        self.assessing = Assessing(self.book, self.invoker)
        self.alarms = Alarms(self.book, self.invoker, self.notices, self.assessing)
        self.hearing = Hearing(self.book, self.invoker, self.assessing)
        self._turn = asyncio.Lock()  # one change at a time: what was said is worked out in the order in which it came
        self._ready, self._events = False, 0

    @workflow.run
    async def run(self, *given: Any) -> ClocksState:
        await self._read()
        await self._adopt()
        self._ready = True
        async with self._turn:
            await self.assessing.again()
        while True:
            try:
                self._show()
                await self._wait()
                if self._may_end():
                    break
                if self._may_renew():
                    workflow.continue_as_new(self.book.renewed(self.invoker.counts))
                self._events += 1
                async with self._turn:
                    await self._tend()
            except asyncio.CancelledError:
                if self._all_over():
                    raise
                self.book.note("refused", "cancelled by an operator; the clocks run all the same: Legal says which of them does not apply")
        await self.notices.background.stop()
        return self.book.public()

    async def receive(self, name: str, given: Sequence[object]) -> str:
        """Act on one message. Raises `NotAccepted`."""
        await workflow.wait_condition(lambda: self._ready)
        self._events += 1
        request = request_of(name, given)
        vouched = name == "report" and bool(request.seal) and await self._vouched(name, request)
        sender = None if vouched else await self._identified(name, request)
        if name == "code":
            return self.notices.send_code(person_of(sender)) if sender else ""
        async with self._turn:
            await self._read()
            said = await self.hearing.take(name, request, sender)
            await self.assessing.again()
            self._show()
        return said

    @property
    def hears(self) -> Hears:
        return Hears(self.book, self.access)

    @workflow.query(description="Every clock, when it is due, and what Legal is asked")
    def state(self, *given: Any) -> ClocksState:
        return self.book.public()

    async def _vouched(self, name: str, request: ClockRequest) -> bool:
        record = self.book.record
        if not await self.invoker.quietly(Identities.vouched, Sealed(said=request.sealed(name, record.incident), seal=request.seal)):
            raise NotAccepted(f"{name}: the seal is not one of our workers'")
        return True

    async def _identified(self, name: str, request: ClockRequest) -> Any:
        """Who sent it. A code is bound to all that was sent with it."""
        words = request.model_dump(mode="json", exclude={"by", "code", "key", "seal"}, exclude_defaults=True)
        told = {key: str(value) for key, value in words.items()}
        return await self.access.identify(name, Message(by=request.by, code=request.code, fields=told))

    async def _read(self) -> None:
        """The policy and the table as they are now; where they cannot be read, as they were known last."""
        try:
            self.book.policy = await self.invoker.quietly(Organisation.policy, ReadAll())
        except RetriesExhausted as out:
            self.book.note("configuration", f"{out.why}; what was known before holds")
        try:
            self.book.table = await self.invoker.quietly(Clocks.table, ReadClockTable())
        except RetriesExhausted as out:
            self.book.note("configuration", f"the table of clocks cannot be read: {out.why}")

    async def _adopt(self) -> None:
        """Whatever the clocks knew before their workflow was ended: what Legal has said, what was sent, what people were told."""
        book, order = self.book, EarlierOf(incident=self.book.record.incident, run=workflow.info().run_id)
        if not book.anew:
            return
        try:
            earlier = await self.invoker.quietly(Clocks.earlier, order)
            why = earlier.unseen or (book.adopt(earlier.record) if earlier.record else "")
        except RetriesExhausted as out:
            why = out.why
        if why:
            book.note("not known", f"whether there were clocks before: {why}")

    async def _tend(self) -> None:
        """Whatever is due: a table that could not be read, Legal who was not asked yet, alarms."""
        record = self.book.record
        if self.book.table is None:
            await self._read()
            await self.assessing.again()
        await self.alarms.tend()
        if record.asked_at is None and record.clocks:
            await self._ask_legal()
        if not self._all_over():
            record.over_since = None
        elif record.over_since is None:
            record.over_since = workflow.now()
            await self.alarms.over()

    async def _ask_legal(self) -> None:
        """The one form, with a code to answer with: to whoever is Legal; where nobody is, to an executive."""
        book, record = self.book, self.book.record
        fields = ", ".join(record.asked[:12]) + (" …" if len(record.asked) > 12 else "")
        assess = command("incident", "clocks", "assess", record.incident, "personal_data=yes", "countries=DE,FR", "--code", "CODE")
        text = (
            f"Legal clocks run provisionally for {record.incident}: {len(record.clocks)}. Which of them apply? What is asked: {fields}. "
            f"{assess}; or in the Temporal UI the signal `assess` to {book.id}"
        )
        try:
            await self.notices.read_the_rota()
            people = book.assignments.holders((Role.LEGAL,)) or book.assignments.holders((Role.DUTY_EXECUTIVE,))
            if not people:
                raise RetriesExhausted("nobody on the roster is Legal or an executive")
            for person in people:
                await self.notices.tell(person, text, code=True)
        except RetriesExhausted as out:
            record.trouble, record.tell_at = (
                f"Legal could not be asked: {out.why}",
                workflow.now() + book.policy.for_people(book.policy.repage),
            )
            book.note("not told", record.trouble)
            return
        record.asked_at = workflow.now()
        book.note("asked", f"{', '.join(person.id for person in people)}: which clocks apply: {fields}")

    # -- waiting ----------------------------------------------------------------------------------------------------------------------

    async def _wait(self) -> None:
        """Until something is due, or there is nothing left to do. A message may move what is due, and is heard beside this."""
        while not (self._may_end() or self._may_renew()):
            due = self._due()
            if due is not None and due <= workflow.now():
                return
            with suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda seen=due: self._may_end() or self._may_renew() or self._due() != seen,  # type: ignore[misc]
                    timeout=due - workflow.now() if due else None, timeout_summary="the next alarm of a legal clock",
                )  # fmt: skip

    def _due(self) -> datetime | None:
        book, record, now = self.book, self.book.record, workflow.now()
        retry = record.tell_at or now
        times = [self.alarms.due(), retry if book.table is None or (record.asked_at is None and record.clocks) else None]
        if self._all_over():
            times.append(now if record.over_since is None else self._kept_until())
        return min((at for at in times if at is not None), default=None)

    def _kept_until(self) -> datetime | None:
        record, table = self.book.record, self.book.table
        return record.over_since + table.kept_for if record.over_since is not None and table is not None else None

    def _all_over(self) -> bool:
        clocks = self.book.record.clocks
        return bool(clocks) and all(clock.state.over for clock in clocks.values())

    def _may_end(self) -> bool:
        until = self._kept_until()
        return self._all_over() and until is not None and workflow.now() >= until and workflow.all_handlers_finished()

    def _may_renew(self) -> bool:
        table, info = self.book.table, workflow.info()
        long = (table is not None and self._events >= table.events_per_run) or info.is_continue_as_new_suggested()
        no_codes = not self.book.command_codes.good(workflow.now())  # the next run would not know them
        return long and self._ready and no_codes and workflow.all_handlers_finished()

    def _show(self) -> None:
        record = self.book.record
        workflow.set_current_details(
            "\n".join([f"Legal clocks of {record.incident}", *(f"* {line}" for line in record.lines(workflow.now()))])
        )
