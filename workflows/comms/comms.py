"""Communications, beside the phases: page, war room, ticket, status page, support and executives, and the cadence that never waits for a step.

Each part is an object of its own; they are started here, learn here what happened, and share one clock (seed §1.1, spec §6).
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

from temporalio import workflow

from activities.action import Role, action_of
from activities.chat.war_room import WarRoom
from activities.organisation.organisation import Organisation, ReadAll
from activities.organisation.people import Person
from activities.paging.orders import ResolvePage
from activities.paging.pager import Pager
from activities.status_page.status_page import StatusPage
from activities.tickets.tickets import Tickets
from workflows.comms.cadence import Cadence, Duty
from workflows.comms.commander import Commander
from workflows.comms.long_incident import LongIncident
from workflows.comms.part import Part, Shared
from workflows.comms.severity_watch import SeverityWatch
from workflows.comms.stakeholders import Stakeholders
from workflows.comms.status_page import StatusPageUpdates
from workflows.comms.ticket import Ticket
from workflows.comms.war_room import Room
from workflows.engine.invoker import Invoker
from workflows.engine.state import IncidentState
from workflows.errors import RetriesExhausted
from workflows.incident import Phase, State
from workflows.people.background import BackgroundTasks, together
from workflows.people.questions import Questions
from workflows.waiting import waited

NEWS = ("done", "adopted", "failed", "granted", "declined", "mitigated", "severity", "blast radius")  # kinds of entries


class Comms(Part):
    def __init__(self, state: IncidentState, invoker: Invoker, questions: Questions) -> None:
        cadence = Cadence(state.policy, state.severity, workflow.now())
        shared = Shared(state, invoker, questions, cadence, BackgroundTasks(state))
        super().__init__(shared)
        self._commander, self._room, self._ticket = Commander(shared), Room(shared), Ticket(shared)
        self._stakeholders = Stakeholders(shared)
        self._public = StatusPageUpdates(shared, self._stakeholders)
        self._severity = SeverityWatch(shared)
        self._long = LongIncident(shared, lambda: self._cause_is_known, self.widen)
        self._noted = 0  # entries of the timeline at the last status that was due
        self._first_word = partial(self._stakeholders.tell, support="first word", executives=True)
        self._duties: dict[Duty, Callable[[], Awaitable[None]]] = {
            Duty.PUBLIC: self._public.update,
            Duty.RECLASSIFY: self._severity.classify_again,
            Duty.TELL: self._first_word,
            Duty.BRIEF: partial(self._stakeholders.tell, executives=True),
            Duty.REMIND: self._remind,
            Duty.PAGE_COMMS: partial(self._overdue, Role.COMMS_LEAD),
            Duty.PAGE_COMMANDER: partial(self._overdue, Role.INCIDENT_COMMANDER),
            Duty.HOLDING: self._public.publish_holding_statement,
        }  # the room's own status is posted when everything else that is due is done
        # What is told to one part only: something for the room; a hypothesis, the impact or the scope; who sent a message; who took command.
        self.say, self.notes_changed = self._room.say, self._ticket.update
        self.spoke, self.role_taken = self._commander.spoke, self._commander.separate_operations
        notices = questions.notices
        self.offer, self.remind, self.send_code, self.stop = notices.offer, notices.remind, notices.send_code, self._background.stop

    def start(self) -> None:
        state = self._state
        public = state.card.public and not state.assumes(action_of(StatusPage.publish))
        self._cadence.start(state.policy, state.severity, workflow.now(), public=public)
        state.next_update_due, state.severity_raised = self._cadence.public_due, self.severity_raised
        state.note("scribe", "the timeline bot is interim scribe: it writes from the first moment on")
        self._commander.check_for_others()
        self._background.run("communications", self._begin())

    def entered(self, phase: Phase) -> None:
        """A phase began: the public is told when it changes what they may expect; support and executives when there is something to say."""
        if phase is Phase.MITIGATION:
            self._public.wanted = "identified"
            self._stakeholders.tenants()
            self._background.run("support and executives", self._tell_first())
        elif phase is Phase.RECOVERY:
            self._public.wanted = "monitoring"
        self._background.run("status page", self._public.publish_wanted())
        self._ticket.update()

    def impact_returned(self) -> None:
        """The impact is back: Monitoring → Identified, which is allowed and honest."""
        self._public.wanted = "identified"
        self._cadence.widened = False
        self._background.run("status page", self._public.publish_wanted())

    def severity_raised(self) -> None:
        """Shorter intervals from now, and the new roles are paged."""
        self._cadence.quicken(self._state.severity, workflow.now())
        self._state.next_update_due = self._cadence.public_due
        self._stakeholders.tenants()
        self._commander.separate_operations()
        self._background.run("page", self._commander.page((Role.INCIDENT_COMMANDER, Role.OPS_LEAD), "severity raised"))
        self._background.run("status page", self._public.ask())

    def page(self, roles: tuple[Role, ...], why: str) -> None:
        """Wake whoever holds these roles, beside everything else."""
        self._background.run("page", self._commander.page(roles, why))

    @property
    def _cause_is_known(self) -> bool:
        return self._public.published in ("identified", "monitoring")

    def widen(self, person: Person, why: str) -> str:
        """The commander lets public updates come less often; it is announced in the room and to the public. Raises `NotAccepted`."""
        state = self._state
        wide = self._cadence.widen(workflow.now(), known=self._cause_is_known, why=why)
        text = f"public updates now come every {wide.total_seconds() / 60:g} min, says {person.id}: {why}"
        state.note("widened", text, by=person.id)
        self._room.say(f"The {text}")
        self._background.run("status page", self._public.update())
        return f"{state.id}: {text}"

    async def resolved(self) -> None:
        """The last words: Resolved on the page, in the room, on the ticket, to support and executives."""
        self._public.wanted = "resolved"
        await self._background.attempt("status page", self._public.publish_wanted())
        await self.closed("Resolved")

    async def closed(self, word: str) -> None:
        """The incident ended: our own people are told. Without being resolved, the public reads what the status page allows."""
        state, attempt = self._state, self._background.attempt
        self._room.say(f"{word}: {state.outcome}")
        await attempt("war room", self._room.tell())
        await attempt("ticket", self._ticket.rewrite())
        self._public.hand_over()
        await attempt("support and executives", self._stakeholders.over(word))
        if state.run_state in (State.RESOLVED, State.STOOD_DOWN):
            await attempt("page", self._quietly(Pager.resolve, ResolvePage(incident_id=state.id)))

    async def _begin(self) -> None:
        """How this organisation speaks first, because the very first page says where to meet; then everything at once."""
        try:
            self._shared.words = await self._quietly(Organisation.communications, ReadAll())
        except RetriesExhausted as out:
            self._state.note("configuration", f"{out.why}; the standard wording holds, without links and channels")
        parts = (
            ("page", Pager.page, self._commander.until_acknowledged), ("war room", WarRoom.open, self._open_room),
            ("ticket", Tickets.open, self._ticket.open), ("status page", StatusPage.publish, self._public.ask),
        )  # fmt: skip
        silent = [what for what, verb, _ in parts if self._state.assumes(action_of(verb))]
        if silent:
            self._state.note("shadow", f"nothing is sent by {', '.join(silent)}: they have no write access")
        for what, _, begin in (part for part in parts if part[0] not in silent):
            self._background.run(what, begin())
        self._background.run("cadence", self._keep_cadence())

    async def _open_room(self) -> None:
        await self._background.attempt("rota", self._questions.notices.read_the_rota())
        await self._room.open()
        await self._room.keep()

    async def _tell_first(self) -> None:
        """Support and executives, once there is something to say, and in time in any case."""
        if self._cadence.grid.pop(Duty.TELL, None) is not None:
            await self._first_word()

    async def _keep_cadence(self) -> None:
        while not self._background.ending:
            self._cadence.approved = bool(self._public.approved)
            self._cadence.classifying = self._severity.active
            due = self._cadence.next_instant()
            wait = max(due - workflow.now(), timedelta(0))
            timer = f"next duty of the comms cadence, {workflow.now() + wait:%H:%M:%S} UTC"
            await waited(self._something_new, wait, timer)
            if self._background.ending:
                return
            if self._state.new_facts and self._severity.active:
                await self._background.attempt(Duty.RECLASSIFY.value, self._severity.classify_again())
            self._state.new_facts = False
            if workflow.now() >= due:
                await self._tick()

    def _something_new(self) -> bool:
        approved = bool(self._public.approved) is not self._cadence.approved
        return self._background.ending or approved or self._state.new_facts

    async def _tick(self) -> None:
        """Everything that is due at one instant, at once; then the room gets it in one message."""
        self._room.held = True
        try:
            await self._try_again()
            duties, attempt = self._cadence.due(workflow.now()), self._background.attempt
            await together(*(attempt(duty.value, self._duties[duty]()) for duty in duties if duty is not Duty.ROOM))
            if Duty.ROOM in duties:
                self._ticket.update()
        finally:
            self._room.held = False
        if Duty.ROOM in duties:
            self._room.say(self._still_here())
        self._long.offer()

    async def _try_again(self) -> None:
        """What could not be sent, opened or published is tried again whenever something is due."""
        self._room.try_again()
        self._ticket.try_again()
        await self._background.attempt("status page", self._public.backfill())
        await self._background.attempt("support and executives", self._stakeholders.try_again())
        if self._public.lapsed:
            self._background.run("status page", self._public.ask())

    def _still_here(self) -> str:
        """The status that is due: one line, because the whole of it is pinned above."""
        state, entries = self._state, self._state.timeline.entries
        news = [entry.text for entry in entries[self._noted :] if entry.kind in NEWS]
        self._noted = len(entries)
        new = f"since the last one: {'; '.join(news[-3:])}" if news else "nothing new"
        due = f" · next public update {state.next_update_due:%H:%M} UTC" if state.next_update_due else ""
        line = f"{workflow.now():%H:%M} UTC · {state.severity.label} · {state.phase.title} · {new}{due} · the whole status is pinned"
        return line[:1000]

    def _owner(self, role: Role) -> str:
        return f"{role.title} {' or '.join(person.id for person in self._state.assignments.holders((role,))) or '(nobody on the roster)'}"

    async def _remind(self) -> None:
        due = f"{self._cadence.public_due:%H:%M:%S} UTC" if self._cadence.public_due else "soon"
        self._state.note("reminded", f"the status page update is due at {due}, and it is {self._owner(Role.COMMS_LEAD)}'s")
        people = self._state.assignments.holders((Role.COMMS_LEAD,))
        self.remind(people, f"{self._state.id}: the status page update is due at {due}; the question to you is open")

    async def _overdue(self, role: Role) -> None:
        owner = self._owner(role)
        self._state.note("overdue", f"the status page update is overdue; it is {owner}'s")
        await self._commander.page((role,), f"the status page update is overdue: {owner}")
