"""Who commands: the page until somebody takes it, the vacancy ladder, and what changes when one person is alone (spec §4)."""

import contextlib
from datetime import datetime, timedelta
from itertools import count

from temporalio import workflow

from activities.action import Role
from activities.organisation.communications import Links
from activities.organisation.people import Person
from activities.paging.orders import Acknowledge, AcknowledgementOf, NotePage, Page, Remind, ResolvePage
from activities.paging.pager import Pager
from workflows.engine.background import BackgroundTasks
from workflows.engine.invoker import Invoker
from workflows.engine.state import IncidentState
from workflows.errors import NotSentInShadow, RetriesExhausted
from workflows.incident import Severity
from workflows.people.questions import SLOW_PAGE, URGENT_PAGES, Questions
from workflows.people.roster import VACANCY

ASK_PAGER_EVERY = timedelta(minutes=1)


class Command:
    """Finds a commander, and knows whether there is anybody else."""

    def __init__(self, state: IncidentState, invoker: Invoker, questions: Questions, beside: BackgroundTasks) -> None:
        self._state = state
        self._invoker = invoker
        self._questions = questions
        self._background = beside
        self._pages = 0
        self._notes = 0
        self.links = Links()

    async def until_acknowledged(self) -> None:
        """Primary, then deputy, on-call manager, duty executive, until somebody takes it; then see whether they are alone."""
        state, policy = self._state, self._state.policy
        began, wait = workflow.now(), policy.for_people(policy.rhythm(state.severity).acknowledge)
        if not await self._climb(wait):
            return
        await self._background.forgiving("page", self._tell_the_pager())
        await self._see_who_else(began + wait * (1 + len(VACANCY)))

    async def _climb(self, wait: timedelta) -> bool:
        """True when somebody commands, False when the incident ended before that."""
        state, policy = self._state, self._state.policy
        roles: tuple[Role, ...] = (Role.INCIDENT_COMMANDER, *state.card.lead)
        await self._background.forgiving("page", self.page(roles, "acknowledge to take command"))
        if await self._acknowledged(wait):
            return not self._background.ending
        state.note("vacant", "nobody has taken command yet: IC_VACANT; broad actions hold")
        for rung in VACANCY:
            if not state.assignments.holders((rung,)):
                state.note("vacant", f"nobody on the roster is {rung.title}: the next rung is paged at once")
                continue
            roles = (*roles, rung)
            await self._background.forgiving("page", self.page(roles, f"nobody commands: {rung.title}, acknowledge to take command"))
            if await self._acknowledged(wait):
                return not self._background.ending
        for nth in count():
            if await self._acknowledged(policy.for_people(policy.repage if nth < URGENT_PAGES else SLOW_PAGE)):
                return not self._background.ending
            await self._background.forgiving("page", self.page(roles, "still nobody in command"))
        return False

    async def page(self, roles: tuple[Role, ...], why: str) -> None:
        """Wake whoever holds these roles now. The text says where to meet: chat may be down. Where the pager is, they get a message."""
        state = self._state
        await self._questions.read_the_rota(fresh=True)
        people = state.assignments.holders(roles)
        if not people:
            state.note("nobody", f"nobody on the roster is {' or '.join(r.title for r in roles)}; nobody was paged")
            return
        self._pages += 1
        meet = f" · bridge {self._bridge()}" if self._bridge() else ""
        summary = f"{state.called} · {why}{meet}"[:500]
        details = {name: said for name, said in (("incident", state.id), ("bridge", self._bridge()), ("rota", self.links.rota)) if said}
        page = Page(incident_id=state.id, people=people, summary=summary, severity=int(state.severity), details=details, nth=self._pages)
        how = "paged"
        try:
            await self._invoker.quietly(Pager.page, page)
        except NotSentInShadow:
            raise  # and nobody is reached in another way either
        except RetriesExhausted as out:
            how = "paged by message"
            state.note("not told", f"page: {out.why}")
            await self._invoker.quietly(Pager.remind, Remind(incident_id=state.id, people=people, text=summary, nth=self._pages))
        state.note(how, f"{', '.join(p.id for p in people)}: {why}")

    async def note(self, text: str) -> None:
        """A note on the page: it reaches everybody on it also while chat is down."""
        self._notes += 1
        await self._invoker.quietly(Pager.note, NotePage(incident_id=self._state.id, text=text, nth=self._notes))

    async def end_the_page(self) -> None:
        await self._invoker.quietly(Pager.resolve, ResolvePage(incident_id=self._state.id))

    def only_one(self) -> None:
        """A roster with one person who can be reached: alone from the beginning."""
        reachable = self._state.assignments.reachable()
        if len(reachable) == 1:
            self._alone(reachable[0].id, "nobody else on the roster can be reached")

    def heard(self, person: Person) -> None:
        """Somebody spoke: they can be reached, and whoever was alone is not any more."""
        state, assignments = self._state, self._state.assignments
        assignments.hear(person, workflow.now())
        if assignments.solo and person.id != assignments.solo:
            state.note("solo", f"{person.id} was heard of: {assignments.solo} is not alone any more")
            assignments.solo = ""

    def crowded(self) -> None:
        """At SEV-1 whoever commands must not lead operations too: somebody else is found for it, and nothing waits for that."""
        state, assignments = self._state, self._state.assignments
        commander = state.commander()
        if state.severity is not Severity.SEV1 or assignments.solo or not commander or assignments.name(Role.OPS_LEAD) != commander:
            return
        state.note("roles", f"{commander} commands and leads operations: at SEV-1 another Ops Lead is needed")
        assignments.on_it.pop(Role.OPS_LEAD, None)
        others = [person for person in assignments.holders((Role.OPS_LEAD, Role.DEPUTY)) if person.id != commander]
        self._questions.remind(others, f"{commander} commands {state.id} and cannot lead operations too: take over as Ops Lead")

    # -- the pager --------------------------------------------------------------------------------------------------------------------

    def _bridge(self) -> str:
        return " or ".join(filter(None, (self.links.bridge, self.links.bridge_number)))

    async def _acknowledged(self, wait: timedelta) -> bool:
        """Wait for somebody to take the page, told to us or to the pager; the pager is asked once a minute."""
        deadline = workflow.now() + wait
        look = max(self._state.policy.paced(ASK_PAGER_EVERY), timedelta(seconds=2), wait / 5)
        while not self._taken() and (left := deadline - workflow.now()) > timedelta(0):
            with contextlib.suppress(TimeoutError):
                await workflow.wait_condition(self._taken, timeout=min(left, look), timeout_summary="acknowledgement of the page")
            if not self._taken():
                await self._ask_the_pager()
        return self._taken()

    def _taken(self) -> bool:
        return self._state.acknowledged_at is not None or self._background.ending

    async def _ask_the_pager(self) -> None:
        state = self._state
        for nth, person in enumerate(await self._by_the_pager()):
            self.heard(person)
            if nth == 0 and state.acknowledged_at is None:
                state.assignments.assign(Role.INCIDENT_COMMANDER, person)
                state.acknowledged_at = workflow.now()
                state.note("acknowledged", f"{person.id} took the page and command", by=person.id)

    async def _by_the_pager(self) -> list[Person]:
        """Who has taken the page, the first one first."""
        state = self._state
        try:
            said = await self._invoker.quietly(Pager.acknowledged, AcknowledgementOf(incident_id=state.id))
        except RetriesExhausted:
            return []  # asked again in a minute; that the page itself did not get through is noted where it was tried
        by_email = {person.email.casefold(): person for person in state.assignments.roster.people.values() if person.email}
        return [by_email[email.casefold()] for email in said.emails if email.casefold() in by_email]

    async def _tell_the_pager(self) -> None:
        person = self._state.assignments.roster.person(self._state.commander())
        if person is not None:
            await self._invoker.quietly(Pager.acknowledge, Acknowledge(incident_id=self._state.id, person=person))

    # -- alone ------------------------------------------------------------------------------------------------------------------------

    async def _see_who_else(self, until: datetime) -> None:
        """Somebody commands. If nobody else is heard of until the ladder would have ended, they are alone."""
        state, assignments = self._state, self._state.assignments
        left = until - workflow.now()
        if left > timedelta(0) and not assignments.solo:
            with contextlib.suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda: len(assignments.heard) > 1 or self._background.ending, timeout=left, timeout_summary="a second person"
                )
        if assignments.solo or self._background.ending or len(assignments.heard) > 1:
            return
        for person in await self._by_the_pager():
            if person.id not in assignments.heard:
                self.heard(person)
        if len(assignments.heard) <= 1:
            self._alone(state.commander(), "nobody else has acknowledged within the ladder")

    def _alone(self, who: str, why: str) -> None:
        state = self._state
        state.assignments.solo = who
        state.note("solo", f"{who} is alone: {why}; C2 is theirs, C3 pages a second person first")
