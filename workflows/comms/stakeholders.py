"""Support and executives are told, and somebody writes to the affected tenants (spec §5 row 11, §6). Delivery is read back.

Support gets the seed's macro, word for word or in the organisation's own words, fresh with every public post. Executives get five lines.
Nobody here learns of a restricted incident: need to know only, and its texts are Legal's and the commander's.
"""

from datetime import datetime

from temporalio import workflow

from activities.action import Refused, Role
from activities.chat.orders import Announce
from activities.chat.war_room import WarRoom
from activities.texts import wording
from workflows.comms.cadence import Duty
from workflows.comms.part import Part, Shared
from workflows.errors import RetriesExhausted
from workflows.incident import Phase

# What a phase is about, for people who do not know our phases.
DOING = {
    Phase.DECLARED: "people are being called", Phase.TRIAGE: "finding out what it is and how far it reaches",
    Phase.MITIGATION: "ending the impact on customers", Phase.RECOVERY: "returning to normal step by step",
}  # fmt: skip


class Stakeholders(Part):
    def __init__(self, shared: Shared) -> None:
        super().__init__(shared)
        self.page_link = ""  # the address of the public post, once the status page has returned it
        self._announcements = 0
        self._untold: dict[str, str] = {}  # the latest text for each channel that could not be reached
        self._by_person: set[str] = set()  # who must be told by a person, because no channel is named
        self._tenants_by: datetime | None = None
        self._know = False  # whether they were told of it at all

    async def tell(self, *, support: str = "", executives: bool = False) -> None:
        """Tell them the current state. `support`: what the new macro is for; empty: support is not told."""
        contacts = self._shared.words.contacts
        if self._state.restricted:
            whom = f"the Duty Executive and Legal ({', '.join(contacts.legal)})" if contacts.legal else "the Duty Executive and Legal"
            text = f"Restricted: tell {whom} in person what they need to know; write nothing outside the room"
            self._once({"in person"} - self._by_person, text, Role.INCIDENT_COMMANDER)
            return
        told = (("support", contacts.support_channel, support), ("executives", contacts.executives_channel, executives))
        wanted = {who: channel for who, channel, wish in told if wish}
        unnamed = [who for who, channel in wanted.items() if not channel and who not in self._by_person]
        missing = f"[contacts] names no {' and '.join(f'{who}_channel' for who in unnamed)}"
        text = f"Tell {' and '.join(unnamed)} the current state, now and at every update: {missing}"
        self._once(set(unnamed), text, Role.COMMS_LEAD)
        self._know = True
        texts = {"support": lambda: self._for_support(support), "executives": self._brief}
        await self._announce({channel: texts[who]() for who, channel in wanted.items() if channel})

    async def refresh(self, fresh_for: str) -> None:
        """The macro again, with every public post (spec §6). The post is on the timeline; this only when it does not arrive."""
        channel = self._shared.words.contacts.support_channel
        if channel and not self._state.restricted:
            self._know = True
            await self._announce({channel: self._for_support(fresh_for)}, quiet=True)

    async def over(self, word: str) -> None:
        """It is over, for those who were told of it."""
        if self._know:
            await self.tell(support=word, executives=True)

    async def say(self, text: str) -> None:
        """Something both have to know now, in these words."""
        contacts = self._shared.words.contacts
        if not self._state.restricted:
            await self._announce({channel: text for channel in (contacts.support_channel, contacts.executives_channel) if channel})

    async def try_again(self) -> None:
        """What did not arrive is sent again: it says itself when it was so."""
        waiting, self._untold = self._untold, {}
        await self._announce(waiting)

    def tenants(self) -> None:
        """Writing to the tenants concerned is Comms' work: stated, with its deadline; again only when the deadline is an earlier one."""
        state, customers, (first, others) = self._state, self._shared.words.contacts.customers, self._cadence.rhythm.tenants
        if first is None or not state.card.public:
            return
        by = state.declared_at + state.policy.paced(first)
        if self._tenants_by is not None and by >= self._tenants_by:
            return
        self._tenants_by = by
        rest = f", the others by {state.declared_at + state.policy.paced(others):%H:%M} UTC" if others else ""
        how = "only in words that Legal and the Incident Commander have approved" if state.restricted else "in the words of the macro"
        whom = f" ({', '.join(customers)})" if customers else ""
        text = f"Tell the affected tenants directly{whom}, {how}: those of the first tier by {by:%H:%M} UTC{rest}"
        state.task(text, Role.COMMS_LEAD)
        state.tasks[-1] = state.tasks[-1].model_copy(update={"due": f"{by:%H:%M} UTC"})

    async def _announce(self, to: dict[str, str], *, quiet: bool = False) -> None:
        if not to:
            return
        self._announcements += 1
        where = " and ".join(f"#{channel}" for channel in to)
        try:
            told = await self._quietly(WarRoom.announce, Announce(to=to, nth=self._announcements))
        except RetriesExhausted as out:
            if not out.refused:  # what is refused for ever must not wait before what comes next
                self._untold |= to
            self._state.note("not sent", f"{where}: {out.why}{'' if out.refused else '; sent again when chat is back'}")
            return
        if not quiet or told.after.get("untold"):
            self._state.note("told", f"{told.summary} (read back)")

    def _once(self, what: set[str], text: str, owner: Role) -> None:
        """What a person must pass on: stated once."""
        if what:
            self._by_person |= what
            self._state.task(text, owner)

    def _for_support(self, fresh_for: str) -> str:
        state, link = self._state, self._shared.words.links.status_page or self.page_link
        head = f"{state.id} at {workflow.now():%H:%M} UTC, {fresh_for}."
        if state.run_state.over:
            return f"{head} It is over: stop using the macro."
        try:
            macro = wording.macro(state.incident.service, link, self._shared.words.own("support@1"))
        except Refused as no:
            return f"{head} There is no macro ({no.message}): name [links] status_page"
        return f"{head} For customers who ask:\n> {macro}"

    def _brief(self) -> str:
        state, due = self._state, self._cadence.grid.get(Duty.BRIEF)
        forced = [measure.name for measure in state.measures.in_force()]
        open_now = [question.asks for question in state.approvals.questions if question.open]
        doing = (
            DOING.get(state.phase, state.phase.title),
            f"in force: {', '.join(dict.fromkeys(forced))}" if forced else "",
            f"waiting for a decision: {open_now[-1]}" if open_now else "",
        )
        return wording.brief(
            at=workflow.now(), incident=f"{state.id} ({state.card.title}, {state.incident.service or 'scope not known'})",
            severity=int(state.severity), phase=f"{state.phase.title}, {state.run_state}",
            impact="; ".join(reason.partition(": ")[2] or reason for reason in state.because[:1]),
            doing=state.outcome or "; ".join(filter(None, doing)), commander=state.commander(),
            next="none: it is over" if state.run_state.over else f"{due:%H:%M} UTC" if due else "on change",
        )  # fmt: skip
