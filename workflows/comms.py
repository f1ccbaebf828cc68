"""Communications, beside the phases: page, war room, ticket, status page, and the cadence that never waits for a step (seed §1.1, spec §6).

Nothing here stands before mitigation: every part runs in its own task, and a vendor that is down is noted and worked around, never fatal.
"""

import asyncio
import contextlib
import re
from collections.abc import Awaitable
from datetime import timedelta
from itertools import count

from temporalio import workflow

from activities import wording
from activities.action import Grant, Risk, Role, action_of
from activities.organisation import Organisation, Whole
from activities.pager import Acknowledge, AcknowledgementOf, Page, Pager, ResolvePage
from activities.status_page import Publish, StatusPage
from activities.status_page import State as PublicState
from activities.telemetry import Surface, Telemetry
from activities.tickets import OpenTicket, RewriteTicket, Tickets
from activities.war_room import OpenRoom, RoomPost, WarRoom
from workflows.cadence import Cadence, Duty
from workflows.incident import Phase, State, StepState
from workflows.invoker import Invoker, RanOut, Withheld
from workflows.questions import SLOW_PAGE, URGENT_PAGES, Questions
from workflows.roster import RUNGS
from workflows.severity import Facts, Scope, classify
from workflows.situation import Situation

# What the public may hear under one approval: the four states, and the plain updates between them (spec §6).
WORDINGS: tuple[tuple[PublicState, str], ...] = (
    ("investigating", "investigating@1"),
    ("identified", "identified@1"),
    ("identified", "update@1"),
    ("monitoring", "monitoring@1"),
    ("monitoring", "still-monitoring@1"),
    ("resolved", "resolved@1"),
)
UPDATES = {"investigating": "update@1", "identified": "update@1", "monitoring": "still-monitoring@1"}
APPROVED_FOR = timedelta(days=30)
ASK_PAGER_EVERY = timedelta(minutes=1)


class Comms:
    """Keeps everybody posted on time."""

    def __init__(self, situation: Situation, invoker: Invoker, questions: Questions) -> None:
        self._situation = situation
        self._invoker = invoker
        self._questions = questions
        self._cadence = Cadence.started(situation.policy, situation.severity, workflow.now())
        self._grant: Grant | None = None
        self._declined = False
        self._channel = ""
        self._ticket: int | None = None
        self._published: PublicState | None = None
        self._wanted: PublicState = "investigating"
        self._posts = 0
        self._pages = 0
        self._publishing = asyncio.Lock()
        self._ticketing = asyncio.Lock()
        self._beside: list[asyncio.Task[None]] = []
        self._ending = False

    def start(self) -> None:
        """Begin everything that runs beside the playbook."""
        situation = self._situation
        public = situation.card.public and not situation.assumes(action_of(StatusPage.publish))
        self._cadence = Cadence.started(situation.policy, situation.severity, workflow.now(), public=public)
        situation.next_update_due = self._cadence.public_due
        parts = (
            ("page", Pager.page, self._page_until_acknowledged), ("war room", WarRoom.open, self._open_room),
            ("ticket", Tickets.open, self._open_ticket), ("status page", StatusPage.publish, self._ask_to_publish),
        )  # fmt: skip
        silent = [what for what, verb, _ in parts if situation.assumes(action_of(verb))]
        if silent:
            situation.note("shadow", f"nothing is said outside by {', '.join(silent)}: they have no write access")
        for what, _, begin in parts:
            if what not in silent:
                self._run(what, begin())
        self._run("cadence", self._keep_cadence())

    async def stop(self) -> None:
        """Start nothing more, and wait until what was started has come to rest. Nothing is cancelled in the middle of a call."""
        self._ending = True
        await asyncio.gather(*self._beside, return_exceptions=True)

    def entered(self, phase: Phase) -> None:
        """A phase began: the public hears of it when it changes what they may expect."""
        told: dict[Phase, PublicState] = {Phase.MITIGATION: "identified", Phase.RECOVERY: "monitoring"}
        if phase in told:
            self._wanted = told[phase]
            self._run("status page", self._publish_wanted())
        self._run("war room", self._post_status())

    def regressed(self) -> None:
        """The impact is back: Monitoring → Identified, which is allowed and honest."""
        self._wanted = "identified"
        self._run("status page", self._publish_wanted())

    def raised(self) -> None:
        """The severity went up: shorter waits from now, and the new roles hear of it."""
        self._cadence.quicken(self._situation.severity, workflow.now())
        self._situation.next_update_due = self._cadence.public_due
        self._run("page", self._page((Role.INCIDENT_COMMANDER, Role.OPS_LEAD), "severity raised"))

    def remind(self, roles: tuple[Role, ...], why: str) -> None:
        """Page the owners of something that is not done in time."""
        self._run("page", self._page(roles, why))

    def said(self, text: str) -> None:
        """Something people in the war room should read now."""
        self._run("war room", self._post(text))

    def noted(self) -> None:
        """Somebody said what it is, whom it hits or how: the ticket says so too."""
        self._run("ticket", self._rewrite_in_turn())

    async def resolved(self) -> None:
        """The last words: Resolved on the page, in the room and on the ticket."""
        self._wanted = "resolved"
        await self._forgiving("status page", self._publish_wanted())
        await self._finish("Resolved")

    async def closed(self, word: str) -> None:
        """The incident ended without being resolved: our own people hear of it; the public hears what the status page allows."""
        await self._finish(word)

    def _run(self, what: str, work: Awaitable[None]) -> None:
        self._beside = [task for task in self._beside if not task.done()]
        self._beside.append(asyncio.create_task(self._forgiving(what, work)))

    async def _forgiving(self, what: str, work: Awaitable[None]) -> None:
        try:
            await work
        except Withheld:
            return  # shadow mode; the invoker noted what would have been said
        except RanOut as out:
            self._situation.note("not told", f"{what}: {out.why}")

    # -- the page ---------------------------------------------------------------------------------------------------------------------

    async def _page_until_acknowledged(self) -> None:
        """Primary, then deputy, then the duty executive, until somebody takes it (spec §4, IC vacancy)."""
        situation, policy = self._situation, self._situation.policy
        wait = policy.for_people(policy.rhythm(situation.severity).acknowledge)
        roles: tuple[Role, ...] = (Role.INCIDENT_COMMANDER, *situation.card.lead)
        for more in (None, *RUNGS):
            roles = (*roles, more) if more else roles
            await self._forgiving("page", self._page(roles, "acknowledge to take command"))
            if await self._acknowledged(wait):
                return
            situation.note("vacant", "nobody has taken command yet: IC_VACANT; broad actions hold")
        for nth in count():
            if await self._acknowledged(policy.for_people(policy.repage if nth < URGENT_PAGES else SLOW_PAGE)):
                return
            await self._forgiving("page", self._page(roles, "still nobody in command"))

    async def _acknowledged(self, wait: timedelta) -> bool:
        """Wait for somebody to take the page, told to us or to the pager; the pager is asked once a minute."""
        situation, deadline = self._situation, workflow.now() + wait
        look = max(situation.policy.paced(ASK_PAGER_EVERY), timedelta(seconds=2), wait / 5)
        while not self._taken() and (left := deadline - workflow.now()) > timedelta(0):
            with contextlib.suppress(TimeoutError):
                await workflow.wait_condition(self._taken, timeout=min(left, look), timeout_summary="acknowledgement of the page")
            if not self._taken():
                await self._ask_the_pager()
        if situation.acknowledged_at is not None:
            await self._forgiving("page", self._tell_the_pager())
        return self._taken()

    def _taken(self) -> bool:
        return self._situation.acknowledged_at is not None or self._ending

    async def _ask_the_pager(self) -> None:
        situation = self._situation
        try:
            said = await self._invoker.quietly(Pager.acknowledged, AcknowledgementOf(incident_id=situation.id))
        except RanOut:
            return  # asked again in a minute; that the page itself did not get through is noted where it was tried
        person = next((p for p in situation.crew.roster.people.values() if p.email and p.email == said.by_email), None)
        if person is not None and situation.acknowledged_at is None:
            situation.crew.assign(Role.INCIDENT_COMMANDER, person)
            situation.acknowledged_at = workflow.now()
            situation.note("acknowledged", f"{person.id} took the page and command", by=person.id)

    async def _tell_the_pager(self) -> None:
        person = self._situation.crew.roster.person(self._situation.commander())
        if person is not None:
            await self._invoker.quietly(Pager.acknowledge, Acknowledge(incident_id=self._situation.id, person=person))

    async def _page(self, roles: tuple[Role, ...], why: str) -> None:
        situation = self._situation
        situation.crew.roster = await self._invoker.quietly(Organisation.roster, Whole())
        people = situation.crew.holders(roles)
        if not people:
            situation.note("nobody", f"nobody on the roster is {' or '.join(r.title for r in roles)}; nobody was paged")
            return
        self._pages += 1
        summary = f"{situation.severity.label} §{situation.card.section} {situation.card.title} · {situation.incident.service} · {why}"
        await self._invoker.quietly(
            Pager.page,
            Page(incident_id=situation.id, people=people, summary=summary[:500], severity=int(situation.severity), nth=self._pages),
        )
        situation.note("paged", f"{', '.join(p.id for p in people)}: {why}")

    # -- the room and the ticket ------------------------------------------------------------------------------------------------------

    async def _open_room(self) -> None:
        situation = self._situation
        situation.crew.roster = await self._invoker.quietly(Organisation.roster, Whole())
        roles = (Role.INCIDENT_COMMANDER, Role.COMMS_LEAD, Role.OPS_LEAD, *situation.card.lead)
        opened = await self._invoker.quietly(
            WarRoom.open,
            OpenRoom(
                name=room_name(situation.id),
                topic=f"{situation.severity.label} §{situation.card.section} {situation.card.title} · {situation.incident.service}"[:250],
                people=situation.crew.holders(roles),
                pins=(f"Playbook §{situation.card.section}: {situation.card.title}", f"incident watch {situation.id}"),
            ),
        )
        self._channel = str(opened.after.get("channel", ""))
        situation.room = f"#{opened.after.get('name', situation.id)}"
        situation.note("room", f"war room {situation.room} is open")
        await self._post_status()

    async def _post_status(self) -> None:
        situation = self._situation
        impaired = situation.because[0] if situation.because else "blast radius not known yet"
        await self._post(
            wording.room(
                at=workflow.now(), severity=int(situation.severity), phase=situation.phase.title, radius=impaired,
                measures=[f"{m.name}: {m.target}" for m in situation.measures.in_force()],
                questions=[f"[{q.number}] {q.asks}" for q in situation.approvals.questions if q.open],
                next_update=f"{situation.next_update_due:%H:%M:%S} UTC" if situation.next_update_due else "",
            )
        )  # fmt: skip
        await self._rewrite_ticket()

    async def _post(self, text: str) -> None:
        if self._channel:
            self._posts += 1
            await self._invoker.quietly(WarRoom.post, RoomPost(channel=self._channel, text=text, nth=self._posts))

    async def _open_ticket(self) -> None:
        situation = self._situation
        opened = await self._invoker.quietly(
            Tickets.open, OpenTicket(incident_id=situation.id, title=self._title(), body=self._ticket_body())
        )
        self._ticket = int(str(opened.after.get("number", 0)))
        situation.ticket = str(opened.after.get("url", self._ticket))
        situation.note("ticket", f"ticket {situation.ticket}")

    async def _rewrite_ticket(self) -> None:
        if self._ticket is not None:
            await self._invoker.quietly(Tickets.rewrite, RewriteTicket(number=self._ticket, body=self._ticket_body()))

    async def _rewrite_in_turn(self) -> None:
        async with self._ticketing:  # a dozen notes at once are a dozen texts: the oldest must not come last
            await self._rewrite_ticket()

    def _title(self) -> str:
        situation = self._situation
        return f"[SEV‑{int(situation.severity)}] {situation.card.title} · {situation.incident.service}"[:250]

    def _ticket_body(self) -> str:
        situation = self._situation
        done = [e for e in situation.timeline.entries if e.kind in (StepState.DONE, StepState.ADOPTED, "granted", "declined", "mitigated")]
        hypotheses = [e.text for e in situation.timeline.entries if e.kind == "hypothesis"]
        due = f"{situation.next_update_due:%H:%M} UTC, status page and {situation.room or 'war room'}" if situation.next_update_due else ""
        return wording.ticket(
            severity=int(situation.severity), title=situation.card.title, start=situation.incident.started_at or situation.declared_at,
            commander=situation.commander(), scribe=situation.crew.name(Role.SCRIBE) or "timeline bot",
            scope=" · ".join(filter(None, (situation.incident.service, situation.scope))),
            impact="; ".join(filter(None, (situation.impact, *situation.because))), hypotheses=hypotheses,
            actions=[(e.at, e.text) for e in done[-100:]], next_update=due,
        )  # fmt: skip

    # -- the public -------------------------------------------------------------------------------------------------------------------

    def _publication(self, state: PublicState, template: str, *, holding: bool = False) -> Publish:
        situation = self._situation
        services = (situation.incident.service or "our platform",)
        rhythm = situation.policy.rhythm(situation.severity)
        period = situation.policy.stability.window if state == "resolved" else rhythm.public or timedelta(minutes=60)
        fields = wording.public(template, services, workflow.now(), timedelta(minutes=60) if template == "monitoring@1" else period)
        return Publish(
            incident_id=situation.id, services=services, state=state, title=f"Elevated errors affecting {wording.listing(services)}",
            body=wording.render(template, fields), nth=self._posts, holding=holding, template=template, fields=fields,
        )  # fmt: skip

    async def _ask_to_publish(self) -> None:
        """One question for the standard wording of this incident: what may be said is fixed, so nobody is asked at every update."""
        if self._situation.next_update_due is None or not await self._scope_known():
            return
        orders = [self._publication(state, template) for state, template in WORDINGS]
        decision = await self._questions.approval(
            StatusPage.publish,
            orders,
            asks="Publish this incident on the status page under the standard wording?",
            effect=f"the public reads first: “{orders[0].body}”",
            facts=("then, as it goes: Identified, Monitoring, Resolved and the updates between; other words are asked again",),
            lasting=APPROVED_FOR,
        )
        self._grant, self._declined = decision.grant, not decision.granted
        if self._grant:
            await self._publish_wanted()

    async def _scope_known(self) -> bool:
        """Nothing can be said to the public about a service that nobody has named yet."""
        await workflow.wait_condition(lambda: bool(self._situation.incident.service) or self._ending)
        return not self._ending

    async def _publish_wanted(self) -> None:
        async with self._publishing:
            if self._grant is None or self._published == self._wanted:
                return
            first = {
                "investigating": "investigating@1",
                "identified": "identified@1",
                "monitoring": "monitoring@1",
                "resolved": "resolved@1",
            }
            await self._publish(self._publication(self._wanted, first[self._wanted]), self._grant)

    async def _publish(self, order: Publish, grant: Grant) -> None:
        situation = self._situation
        self._posts += 1
        await self._invoker.quietly(StatusPage.publish, order.model_copy(update={"nth": self._posts}), grant=grant)
        self._published = order.state
        situation.status_page = order.state.capitalize()
        self._cadence.published(workflow.now())
        situation.next_update_due = self._cadence.public_due if order.state != "resolved" else None
        situation.note("published", f"status page: {order.body}")

    # -- the clock --------------------------------------------------------------------------------------------------------------------

    async def _keep_cadence(self) -> None:
        while not self._ending:
            wait = max(self._cadence.next_instant() - workflow.now(), timedelta(0))
            with contextlib.suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda: self._ending,
                    timeout=wait,
                    timeout_summary=f"next duty of the comms cadence, {workflow.now() + wait:%H:%M:%S} UTC",
                )
            for duty in [] if self._ending else self._cadence.due(workflow.now()):
                await self._forgiving(duty.value, self._carry_out(duty))

    async def _carry_out(self, duty: Duty) -> None:
        match duty:
            case Duty.ROOM:
                await self._try_again()
                await self._post_status()
            case Duty.RECLASSIFY:
                await self._classify_again()
            case Duty.REMIND if self._grant:
                # The words are approved: the update goes out in time, and nobody has to be reminded.
                if self._published in UPDATES:
                    await self._publish(self._publication(self._published, UPDATES[self._published]), self._grant)
            case Duty.PAGE_COMMS if not self._grant:
                await self._overdue(Role.COMMS_LEAD)
            case Duty.PAGE_COMMANDER if not self._grant:
                await self._overdue(Role.INCIDENT_COMMANDER)
            case Duty.HOLDING if not self._grant:
                await self._hold_the_line()
            case _:
                pass

    async def _try_again(self) -> None:
        """What could not be opened when the incident began is tried again with every status that is due."""
        if not self._channel:
            await self._forgiving("war room", self._open_room())
        if self._ticket is None:
            await self._forgiving("ticket", self._open_ticket())

    async def _classify_again(self) -> None:
        """Classify on the radius of now, until the impact has ended (spec §3: every 10 min at SEV-1/2). Automation may only raise."""
        situation = self._situation
        if situation.state is not State.OPEN or not situation.incident.service:
            return
        radius = await self._invoker.quietly(Telemetry.blast_radius, Surface(service=situation.incident.service))
        found = classify(
            Facts(
                err_ratio=radius.error_ratio_by_region,
                regions_total=len(radius.error_ratio_by_region) or None,
                tenant_ratio=radius.tenant_ratio,
                tenant_count=len(radius.tenants),
                duration_s=(workflow.now() - situation.declared_at).total_seconds() * situation.policy.pace,
                scope=Scope.FEATURE,
            )
        )
        if situation.raise_severity(found.severity, tuple(f"{r.rule}: {r.because}" for r in found.rules[:3])):
            self.raised()

    async def _overdue(self, owner: Role) -> None:
        self._situation.note("overdue", f"the status page update is overdue; it is {owner.title}'s")
        await self._page((owner,), "the status page update is overdue")

    async def _hold_the_line(self) -> None:
        """Silence of our own people is not a reason for silence towards customers; a *no* is (spec §6)."""
        situation = self._situation
        if self._declined or not situation.policy.holding_statement:
            return
        order = self._publication("investigating", "holding@1", holding=True)
        action = action_of(StatusPage.publish)
        signed = situation.policy.stood(action.name, workflow.now())
        if signed is None:
            situation.note("overdue", "no holding statement: policy holds no signed standing authorisation for status_page.publish")
            return
        grant = situation.approvals.standing(action.name, [order], signed, situation.policy.approval_valid[Risk.C2], workflow.now())
        await self._publish(order, grant)

    async def _finish(self, word: str) -> None:
        situation = self._situation
        await self._forgiving("war room", self._post(f"{word}: {situation.outcome}"))
        await self._forgiving("ticket", self._rewrite_ticket())
        if situation.state in (State.RESOLVED, State.STOOD_DOWN):
            await self._forgiving("page", self._resolve_page())

    async def _resolve_page(self) -> None:
        await self._invoker.quietly(Pager.resolve, ResolvePage(incident_id=self._situation.id))


def room_name(incident_id: str) -> str:
    """The channel of an incident: its id, as far as a channel may be called so (an id typed into a form may be anything)."""
    return re.sub(r"[^a-z0-9_-]+", "-", incident_id.lower()).strip("-")[:80] or "incident"
