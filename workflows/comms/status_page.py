"""What customers read: the status page, under one approval for the standard wording (ADR 8), and what happens when the page is down (spec §6).

Investigating → Identified → Monitoring → Resolved, and back from Monitoring to Identified. A post that the page did not take is sent to
support and executives, put on a second host where there is one, and backfilled later with its original time.
"""

import asyncio
from datetime import timedelta

from temporalio import workflow

from activities.action import Grant, Risk, Role
from activities.status_page.status_page import Publish, StatusPage
from activities.status_page.status_page import State as PublicState
from activities.texts import templates, wording
from workflows.comms.part import Part, Shared
from workflows.comms.stakeholders import Stakeholders
from workflows.errors import RetriesExhausted
from workflows.people.questions import ApprovalTerms

# What may be published under one approval: the four states, and the plain updates between them (spec §6).
WORDINGS: tuple[tuple[PublicState, str], ...] = (
    ("investigating", "investigating@1"),
    ("identified", "identified@1"),
    ("identified", "update@1"),
    ("monitoring", "monitoring@1"),
    ("monitoring", "still-monitoring@1"),
    ("resolved", "resolved@1"),
    ("resolved", "resolved-by-hand@1"),
)
LATER = "later, without another question: Identified, Monitoring, Resolved and the updates between; other words are asked again"
UPDATES = {"investigating": "update@1", "identified": "update@1", "monitoring": "still-monitoring@1"}
FINAL_WITHIN = timedelta(minutes=60)  # the seed's own promise in its Monitoring sentence
APPROVED_FOR = timedelta(days=30)
MOST_MISSED = 20  # posts that are kept for the page while it is down


class StatusPageUpdates(Part):
    def __init__(self, shared: Shared, stakeholders: Stakeholders) -> None:
        super().__init__(shared)
        self._stakeholders = stakeholders
        self.wanted: PublicState = "investigating"
        self.published: PublicState | None = None
        self._grant: Grant | None = None
        self._asked = self._declined = False
        self._under_restriction = False  # whether the grant is Legal's and the commander's
        self._missed: list[tuple[Publish, Grant]] = []
        self._second_host = True  # until it says that there is none
        self._posts = 0
        self._on_page: dict[str, str] = {}  # the incident's id on each host
        self._publishing = asyncio.Lock()

    @property
    def approved(self) -> Grant | None:
        """What the standard wording is published under. A yes from before it was restricted does not count after that."""
        return self._grant if self._under_restriction or not self._state.restricted else None

    @property
    def lapsed(self) -> bool:
        """It was restricted after the yes: that yes is no more."""
        return self._grant is not None and self.approved is None

    async def ask(self) -> None:
        """One question for the standard wording of this incident: the texts are fixed, so nobody is asked at every update.

        For a restricted incident both Legal and the Incident Commander have to say yes, and nobody in their place (INV-16).
        """
        state = self._state
        if self._cadence.public_due is None or (self._asked and not self.lapsed):
            return
        self._asked, self._grant, restricted = True, None, state.restricted
        await workflow.wait_condition(lambda: bool(state.incident.service) or state.run_state.over)
        if not state.incident.service:
            return
        orders = [self._publication(state, template) for state, template in WORDINGS]
        state.note("draft", f"status page, waiting for approval: {orders[0].body}")
        terms = ApprovalTerms(
            asks="Publish this incident on the status page under the standard wording?",
            effect=f"the public reads first: “{orders[0].body}”",
            facts=(LATER, *(("it is restricted: only what customers notice, never a cause",) if restricted else ())),
            lasting=APPROVED_FOR,
            roles=(Role.LEGAL, Role.INCIDENT_COMMANDER) if restricted else (),
            least=Risk.C3 if restricted else Risk.C2,
            strict=restricted,
        )
        decision = await self._questions.approval(StatusPage.publish, orders, terms)
        self._grant, self._declined, self._under_restriction = decision.grant, not decision.granted, restricted
        if self._declined:
            self._cadence.ended()
            state.next_update_due = None
            state.note("not public", f"{decision.by or 'nobody'} does not want it published: the status page says nothing of it")
        await self.publish_wanted()

    async def publish_wanted(self) -> None:
        """The state that is wanted, unless it is what the public knows."""
        async with self._publishing:
            if (grant := self.approved) and self.published != self.wanted:
                # It says that a service *has been stable* only when that was proven.
                by_hand = self.wanted == "resolved" and self._state.stable_for is None
                template = "resolved-by-hand@1" if by_hand else f"{self.wanted}@1"
                await self._publish(self._publication(self.wanted, template), grant)

    async def update(self) -> None:
        """The plain update that is due."""
        async with self._publishing:
            if (grant := self.approved) and self.published in UPDATES:
                await self._publish(self._publication(self.published, UPDATES[self.published]), grant)

    async def publish_holding_statement(self) -> None:
        """Silence of our own people is not a reason for silence towards customers; a *no* is, and so is a restriction (spec §6)."""
        state = self._state
        if self._declined or self._grant or state.restricted or not state.policy.holding_statement:
            return
        order = self._publication(self.published or "investigating", "holding@1", holding=True)
        grant = await self._shared.invoker.unasked.standing_grant(StatusPage.publish, order)
        if grant is None:
            state.note("overdue", "no holding statement: policy holds no signed standing authorisation for status_page.publish")
            return
        async with self._publishing:
            await self._publish(order, grant)

    async def backfill(self) -> None:
        """What the page did not take is posted in its order, each with its original time."""
        async with self._publishing:
            latest = self._missed[-1][0].state if self._missed else None
            if latest is not None and await self._fill():
                self._published(latest, "status page")
                await self._stakeholders.say(f"{self._state.id}: the status page is back; what it missed has been filled in.")

    def hand_over(self) -> None:
        """The incident is over: what the page still says, or does not say, is a person's from here."""
        if self._missed:
            by_hand = tuple(line for order, _ in self._missed for line in order.by_hand())
            self._state.task("The status page is down and lacks these posts: publish them when it is back", Role.COMMS_LEAD, by_hand)
        elif self.published not in (None, "resolved"):
            state = str(self.published).capitalize()
            self._state.task(f"The status page still says {state}, and no playbook follows it any more: end it", Role.COMMS_LEAD)

    async def _fill(self) -> bool:
        """True when the page lacks nothing any more that it may still take. What it refuses for ever keeps nothing else waiting."""
        done = 0
        while self._missed:
            order, grant = self._missed[0]
            try:
                await self._send(order, grant)
                done += 1
            except RetriesExhausted as out:
                if not out.refused:
                    break  # the page is still down; that was noted when it went down
                self._state.note("not sent", f"status page: {out.why}; it stays unsaid: {order.body}")
                self._state.task("The status page refuses a post: put it there by hand", Role.COMMS_LEAD, order.by_hand())
            self._missed.pop(0)
        if done:
            self._state.note("backfilled", f"status page: {done} posts, with their original times")
        return not self._missed

    async def _publish(self, order: Publish, grant: Grant) -> None:
        where = "status page"
        try:
            if not await self._fill():
                raise RetriesExhausted("it still lacks earlier posts")
            await self._send(order, grant)
        except RetriesExhausted as out:
            where = await self._without_the_page(order, grant, out.why)
        self.published = order.state
        if where:
            self._published(order.state, where)
            self._state.note("published", f"{where}: {order.body}")
            if order.state != "resolved":  # that it is over, support is told with everybody else
                self._background.run("support", self._stakeholders.refresh(f"status page: {order.state.capitalize()}"))

    def _published(self, said: PublicState, where: str) -> None:
        """Something was published: the next update is due one period later."""
        state = self._state
        state.status_page = said.capitalize() + ("" if where == "status page" else f" ({where}; the status page is down)")
        self._cadence.published(workflow.now())
        if said == "resolved":
            self._cadence.ended()
        state.next_update_due = self._cadence.public_due

    async def _send(self, order: Publish, grant: Grant) -> None:
        self._posts += 1
        numbered = order.model_copy(update={"nth": self._posts, "page_incident": self._on_page.get(order.host, "")})
        effect = await self._quietly(StatusPage.publish, numbered, grant=grant)
        self._on_page[order.host] = str(effect.after.get("id", ""))
        self._stakeholders.page_link = str(effect.after.get("url") or "") or self._stakeholders.page_link

    async def _without_the_page(self, order: Publish, grant: Grant, why: str) -> str:
        """Keep the post for later, and try the second host. Returns where the public can read it now; empty: nowhere."""
        state = self._state
        self._missed = [*self._missed, (order.model_copy(update={"at": workflow.now()}), grant)][-MOST_MISSED:]
        state.note("not sent", f"status page: {why}; kept, and backfilled with its time: {order.body}")
        where = ""
        if self._second_host:
            try:
                await self._send(order.model_copy(update={"host": "second status page"}), grant)
                where = "second status page"
            except RetriesExhausted as out:
                self._second_host = not out.refused
                state.note("not sent", f"second status page: {out.why}")
        read = f"It is on the {where}" if where else "The public reads nothing yet"
        await self._stakeholders.say(f"{state.id}: the status page is down. {read}; for customers who ask: “{order.body}”")
        return where

    def _publication(self, said: PublicState, template: str, *, holding: bool = False) -> Publish:
        state, own = self._state, self._shared.words.own(template)
        services = (state.incident.service or "our platform",)
        period = FINAL_WITHIN if template == "monitoring@1" else self._cadence.period or FINAL_WITHIN
        if said == "resolved":
            period = state.stable_for or state.policy.stability.window
        fields = wording.public(template, services, workflow.now(), period, own)
        return Publish(
            incident_id=state.id, services=services, state=said, title=f"Elevated errors affecting {wording.listing(services)}",
            body=templates.render(template, fields, own), nth=self._posts, holding=holding, template=template, fields=fields, own=own,
        )  # fmt: skip
