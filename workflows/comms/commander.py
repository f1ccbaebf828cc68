"""Who commands: the page until somebody takes it, the vacancy ladder, and what changes when one person is alone (spec §4)."""

from datetime import datetime, timedelta
from itertools import count

from temporalio import workflow

from activities.action import Role
from activities.organisation.people import Person
from activities.paging.orders import Acknowledge, AcknowledgementOf, Page, Remind
from activities.paging.pager import Pager
from workflows.comms.part import Part
from workflows.errors import NotSentInShadow, RetriesExhausted
from workflows.incident import Severity
from workflows.people.notices import SLOW_PAGE, URGENT_PAGES
from workflows.people.roster import VACANCY
from workflows.waiting import waited

ASK_PAGER_EVERY = timedelta(minutes=1)


class Commander(Part):
    _pages = 0

    async def until_acknowledged(self) -> None:
        """Primary, then deputy, on-call manager, duty executive, until somebody takes it; then see whether they are alone."""
        state, policy = self._state, self._state.policy
        began, wait = workflow.now(), policy.for_people(policy.rhythm(state.severity).acknowledge)
        await self._climb(wait)
        if self._background.ending:
            return
        if person := state.assignments.roster.person(state.commander()):
            told = self._quietly(Pager.acknowledge, Acknowledge(incident_id=state.id, person=person))
            await self._background.attempt("page", told)
        await self._see_who_else(began + wait * (1 + len(VACANCY)))

    async def _climb(self, wait: timedelta) -> None:
        """Until somebody commands, or the incident has ended."""
        state, policy = self._state, self._state.policy
        roles: tuple[Role, ...] = (Role.INCIDENT_COMMANDER, *state.card.lead)
        await self._background.attempt("page", self.page(roles, "acknowledge to take command"))
        if await self._acknowledged(wait):
            return
        state.note("vacant", "nobody has taken command yet: IC_VACANT; broad actions hold")
        for role in VACANCY:
            if not state.assignments.holders((role,)):
                state.note("vacant", f"nobody on the roster is {role.title}: the next on the ladder is paged at once")
                continue
            roles = (*roles, role)
            await self._background.attempt("page", self.page(roles, f"nobody commands: {role.title}, acknowledge to take command"))
            if await self._acknowledged(wait):
                return
        for nth in count():
            if await self._acknowledged(policy.for_people(policy.repage if nth < URGENT_PAGES else SLOW_PAGE)):
                return
            await self._background.attempt("page", self.page(roles, "still nobody in command"))

    async def page(self, roles: tuple[Role, ...], why: str) -> None:
        """Wake whoever holds these roles now. The text says where to meet: chat may be down. If the pager is down, they get a message."""
        state, links = self._state, self._shared.words.links
        await self._questions.notices.read_the_rota(fresh=True)
        people = state.assignments.holders(roles)
        if not people:
            state.note("nobody", f"nobody on the roster is {' or '.join(r.title for r in roles)}; nobody was paged")
            return
        self._pages += 1
        bridge = " or ".join(filter(None, (links.bridge, links.bridge_number)))
        summary = f"{state.display_name} · {why}{f' · bridge {bridge}' if bridge else ''}"[:500]
        details = {name: value for name, value in (("incident", state.id), ("bridge", bridge), ("rota", links.rota)) if value}
        page = Page(incident_id=state.id, people=people, summary=summary, severity=int(state.severity), details=details, nth=self._pages)
        how = "paged"
        try:
            await self._quietly(Pager.page, page)
        except NotSentInShadow:
            raise  # and nobody is reached in another way either
        except RetriesExhausted as out:
            how = "paged by message"
            state.note("not sent", f"page: {out.why}")
            await self._quietly(Pager.remind, Remind(incident_id=state.id, people=people, text=summary, nth=self._pages))
        state.note(how, f"{', '.join(p.id for p in people)}: {why}")

    def check_for_others(self) -> None:
        """A roster with one person who can be reached: alone from the beginning."""
        reachable = self._state.assignments.reachable()
        if len(reachable) == 1:
            self._alone(reachable[0].id, "nobody else on the roster can be reached")

    def spoke(self, person: Person) -> None:
        """Somebody sent something: they can be reached, and a person who was alone is not alone any more."""
        state, assignments = self._state, self._state.assignments
        assignments.spoke(person, workflow.now())
        if assignments.solo and person.id != assignments.solo:
            state.note("solo", f"{person.id} has answered: {assignments.solo} is not alone any more")
            assignments.solo = ""

    def separate_operations(self) -> None:
        """At SEV-1 the commander must not lead operations too: somebody else is asked, and nothing waits for that."""
        state, assignments = self._state, self._state.assignments
        commander = state.commander()
        if state.severity is not Severity.SEV1 or assignments.solo or not commander or assignments.name(Role.OPS_LEAD) != commander:
            return
        state.note("roles", f"{commander} commands and leads operations: at SEV-1 another Ops Lead is needed")
        assignments.confirmed.pop(Role.OPS_LEAD, None)
        others = [person for person in assignments.holders((Role.OPS_LEAD, Role.DEPUTY)) if person.id != commander]
        self._questions.notices.remind(others, f"{commander} commands {state.id} and cannot lead operations too: take over as Ops Lead")

    async def _acknowledged(self, wait: timedelta) -> bool:
        """Wait for somebody to take the page, here or in the pager; the pager is asked once a minute."""
        deadline = workflow.now() + wait
        look = max(self._state.policy.paced(ASK_PAGER_EVERY), timedelta(seconds=2), wait / 5)
        while not self._taken() and (left := deadline - workflow.now()) > timedelta(0):
            if await waited(self._taken, min(left, look), "acknowledgement of the page") or self._taken():
                break
            for person in await self._by_the_pager():
                self.spoke(person)
                if self._state.acknowledged_at is None and self._state.assignments.may_command(person):
                    self._state.assignments.assign(Role.INCIDENT_COMMANDER, person, vouched=False, own=True)
                    self._state.acknowledged_at = workflow.now()
                    self._state.note("acknowledged", f"{person.id} took the page and command", by=person.id)
        return self._taken()

    def _taken(self) -> bool:
        return self._state.acknowledged_at is not None or self._background.ending

    async def _by_the_pager(self) -> list[Person]:
        """Who has taken the page, the first one first."""
        try:
            acknowledged = await self._quietly(Pager.acknowledged, AcknowledgementOf(incident_id=self._state.id))
        except RetriesExhausted:
            return []  # asked again in a minute; that the page itself did not get through is noted where it was tried
        by_email = {person.email.casefold(): person for person in self._state.assignments.roster.people.values() if person.email}
        return [by_email[email.casefold()] for email in acknowledged.emails if email.casefold() in by_email]

    async def _see_who_else(self, until: datetime) -> None:
        """Somebody commands. If nobody else answers until the ladder would have ended, they are alone."""
        state, assignments = self._state, self._state.assignments
        left = until - workflow.now()
        if left > timedelta(0) and not assignments.solo:
            await waited(lambda: len(assignments.last_message) > 1 or self._background.ending, left, "a second person")
        if assignments.solo or self._background.ending or len(assignments.last_message) > 1:
            return
        for person in await self._by_the_pager():
            if person.id not in assignments.last_message:
                self.spoke(person)
        if len(assignments.last_message) <= 1:
            self._alone(state.commander(), "nobody else has acknowledged within the ladder")

    def _alone(self, who: str, why: str) -> None:
        self._state.assignments.solo = who
        self._state.note("solo", f"{who} is alone: {why}; C2 is theirs, C3 pages a second person first")
