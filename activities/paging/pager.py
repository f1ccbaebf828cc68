"""Pages and questions to our own people: PagerDuty, with Slack's direct messages beside it. An incident has one page, under its id.

A question goes to each person alone, with their code; personal codes never leave this file except towards Slack and PagerDuty.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from functools import partial
from typing import NamedTuple

from temporalio.exceptions import ApplicationError

from activities.action import Call, Effect, NotYet, Refused, Risk, System, action
from activities.chat.slack import Slack
from activities.identity.codes import COMMANDS, Codes, place
from activities.kit.create_once import once
from activities.kit.words.redact import redact
from activities.organisation.people import Person
from activities.paging.orders import (
    Acknowledge,
    Acknowledgement,
    AcknowledgementOf,
    Ask,
    NotePage,
    Page,
    Remind,
    ResolvePage,
    SendSigningCode,
    ToPeople,
)
from activities.paging.page import Pages, Summons, Wanted
from activities.paging.pagerduty import PagerDuty, marked
from activities.texts import wording

# Real seconds for each try of a direct message: a Slack that hangs must leave time for the page within one attempt. The second try finds by
# our key what the first one sent, when only the reply was lost: a code is on a page only where Slack does not show the message.
_MESSAGE_TRIES = (3.0, 2.0)


class NobodyReached(Exception):
    """Neither a message nor a page got through to anybody: worth another try, as with every unknown outcome."""


class Delivery(NamedTuple):
    """Whether one person was reached, and why not; `already`: by an earlier attempt; `refused`: no other try would reach them."""

    person: Person
    reached: bool
    already: bool = False
    why: str = ""
    refused: bool = False


class Pager(System):
    def __init__(self, pagerduty: PagerDuty, slack: Slack, codes: Codes) -> None:
        self._pagerduty = pagerduty
        self._slack = slack
        self._codes = codes
        self._pages = Pages(pagerduty)

    @action("pager.page", risk=Risk.C0, writes=True)
    async def page(self, order: Page, call: Call) -> Effect:
        """Page people once. Refused: PagerDuty knows no such user or key. NotYet: it accepted it, and the incident does not show it."""
        wanted = {f"{call.key}/{person.id}": Wanted(person.pager, order.summary) for person in order.people if person.pager}
        facts = order.model_dump(include={"incident_id", "summary", "severity", "details"})
        incident, adopted = await self._pages.summon(call, Summons(**facts, wanted=wanted, again=order.nth > 1))
        paged, no_pager = ([one.id for one in order.people if bool(one.pager) is has] for has in (True, False))
        return order.done(
            "the incident, looked up by its key, shows who was called",
            order.effect() + (f"; no pager: {', '.join(no_pager)}" if no_pager else ""),
            adopted=adopted,
            after={"id": incident["id"], "paged": paged, "no_pager": no_pager},
        )

    @action("pager.ask", risk=Risk.C0, writes=True)
    async def ask(self, order: Ask, call: Call) -> Effect:
        """Put the question to everybody, once each; who cannot get the message gets a page that carries the code. NobodyReached: nobody."""
        of_question = (order.incident_id, order.question, order.question_digest, order.sending)
        codes = {person.id: self._codes.mint(person.id, *of_question) for person in order.people}
        written = await asyncio.gather(*(self._send_question(order, call, person, codes[person.id]) for person in order.people))
        missed = {one.person.id for one in written if not one.reached}
        to_page = [person for n, person in enumerate(order.people) if (n == 0 and order.wakes) or person.id in missed]
        paged = await asyncio.gather(*(self._page_question(order, call, one, codes[one.id], one.id in missed) for one in to_page))
        return _delivered(order, f"question {order.question}", written, paged)

    @action("pager.remind", risk=Risk.C0, writes=True)
    async def remind(self, order: Remind, call: Call) -> Effect:
        """Tell each of them once, by message or else by page. NobodyReached: nobody."""
        texts = {person.id: self._reminder(order, person) for person in order.people}
        written = await asyncio.gather(*(self._message(call, person, texts[person.id]) for person in order.people))
        missed = [one.person for one in written if not one.reached]
        paged = (self._page_one(call, order.incident_id, person, order.text[:500], texts[person.id]) for person in missed)
        return _delivered(order, f"reminder {order.nth}", written, await asyncio.gather(*paged))

    @action("pager.send_signing_code", risk=Risk.C0, writes=True)
    async def send_signing_code(self, order: SendSigningCode, call: Call) -> Effect:
        """Send each of them the code for signing a standing policy, by direct message only: others may read a page. NobodyReached: nobody."""
        codes = {person.id: self._codes.mint(person.id, place(order.policy), 0, order.text_digest) for person in order.people}
        texts = {who: wording.signing(policy=order.policy, text=order.text, person=who, code=code) for who, code in codes.items()}
        sent = await asyncio.gather(*(self._message(call, person, texts[person.id]) for person in order.people))
        return _delivered(order, "the code", sent, ())

    @action("pager.note", risk=Risk.C0, writes=True)
    async def note(self, order: NotePage, call: Call) -> Effect:
        """Note it once. NotYet: there is no page yet, or the page does not show the note."""
        incident = await self._pagerduty.incident_of(call, order.incident_id)
        if incident is None:
            raise NotYet("PagerDuty shows no incident to put a note on")

        async def find() -> str | None:
            return next((note for note in await self._pagerduty.notes(call, incident["id"]) if f"[{call.key}]" in note), None)

        make = partial(self._pagerduty.add_note, call, incident["id"], marked(order.text, call.key))
        there = await once(call, order.target(), find, make)
        return order.done("the incident's notes show it", adopted=there.adopted)

    @action("pager.acknowledged")
    async def acknowledged(self, order: AcknowledgementOf, call: Call) -> Acknowledgement:
        """Who took the page first. The log is read, because a resolved incident forgets who acknowledged it."""
        incident = await self._pagerduty.incident_of(call, order.incident_id)
        if incident is None:
            return Acknowledgement()
        log = [line for line in await self._pagerduty.log(call, incident["id"]) if line["type"] == "acknowledge_log_entry"]
        agents = dict.fromkeys(str(line["agent"]["id"]) for line in sorted(log, key=lambda line: str(line["created_at"])))
        users = [await self._pagerduty.user(call, agent) for agent in agents]
        return Acknowledgement(emails=tuple(str(user["email"]).casefold() for user in users if user))

    @action("pager.acknowledge", risk=Risk.C0, writes=True)
    async def acknowledge(self, order: Acknowledge, call: Call) -> Effect:
        """Acknowledge as that person. NotYet: PagerDuty accepted it, and the incident is still triggered."""
        incident = await self._pagerduty.incident_of(call, order.incident_id)
        adopted = incident is None or incident["status"] != "triggered"
        if incident is not None and not adopted:
            await self._pagerduty.acknowledge(call, incident["id"], order.person.email)
            incident = await self._pagerduty.incident(call, incident["id"])
            if incident["status"] == "triggered":
                raise NotYet("PagerDuty accepted the acknowledgement, but still pages")
        status = incident["status"] if incident else ""
        seen = {"": "there is no page to take", "resolved": "the page is resolved already: it calls nobody"}
        proof = f"the incident, fetched by its id, is {status}" if incident else "no incident carries the key"
        return order.done(proof, seen.get(status, f"{order.person.name} has the page"), adopted=adopted)

    @action("pager.resolve", risk=Risk.C0, writes=True)
    async def resolve(self, order: ResolvePage, call: Call) -> Effect:
        """End the page. NotYet: PagerDuty accepted it, and the incident is still open.

        Where no page is to be seen the event is sent all the same: a page that PagerDuty shows later ends by it too.
        """
        incident = await self._pagerduty.incident_of(call, order.incident_id)
        adopted = incident is None or incident["status"] == "resolved"
        if incident is None or not adopted:
            await self._pagerduty.resolve(call, order.incident_id)
            incident = await self._pagerduty.incident_of(call, order.incident_id)
            if incident is not None and incident["status"] != "resolved":
                raise NotYet("PagerDuty accepted the event, but the incident is still open")
        if incident is None:
            return order.done("no incident carries the key", "there is no page to resolve", adopted=adopted)
        return order.done("the incident, looked up by its key, is resolved", adopted=adopted)

    async def _send_question(self, order: Ask, call: Call, person: Person, code: str) -> Delivery:
        text = wording.question(
            incident=order.incident_id, number=order.question, title=order.title, lines=order.lines, options=order.options, code=code,
            rung=order.rung, nth=order.nth,
        )  # fmt: skip
        return await self._message(call, person, text)

    def _reminder(self, order: Remind, person: Person) -> str:
        if not order.code_digest:
            return order.text
        return wording.with_code(order.text, self._codes.mint(person.id, order.incident_id, COMMANDS, order.code_digest))

    async def _page_question(self, order: Ask, call: Call, person: Person, code: str, with_code: bool) -> Delivery:
        """The page carries the code only where chat does not show the message: others may read a page."""
        text = f"{person.name}: question {order.question} of {order.incident_id}: {order.title}"
        ways = wording.how_to_answer(order.incident_id, order.question, order.options, code)
        text = "\n".join((text, *order.lines, *ways)) if with_code else f"{text} (your code is in your direct messages)"
        return await self._page_one(call, order.incident_id, person, order.title, text)

    async def _message(self, call: Call, person: Person, text: str) -> Delivery:
        async def send(seconds: float) -> bool:
            if not person.slack:
                raise Refused("no Slack id on the roster")
            async with asyncio.timeout(seconds):
                channel = await self._slack.open_direct(call, person.slack)
                return (await self._slack.say(call, channel, text, f"{call.key}/{person.id}"))[1]

        for seconds in _MESSAGE_TRIES:
            sent = await _delivery(person, "message", send(seconds))
            if sent.reached or sent.refused:
                break
        return sent

    async def _page_one(self, call: Call, incident_id: str, person: Person, title: str, text: str) -> Delivery:
        async def send() -> bool:
            if not person.pager:
                raise Refused("no PagerDuty id on the roster")
            wanted = {f"{call.key}/{person.id}": Wanted(person.pager, text)}
            order = Summons(incident_id=incident_id, summary=title, severity=2, wanted=wanted, again=True)
            return (await self._pages.summon(call, order))[1]

        return await _delivery(person, "page", send())


async def _delivery(person: Person, how: str, sending: Awaitable[bool]) -> Delivery:
    """One person's message or page. Whatever goes wrong, the others still get theirs."""
    try:
        return Delivery(person, True, await sending)
    except Exception as failed:
        reason = failed.message if isinstance(failed, ApplicationError) else f"{type(failed).__name__} {failed}".strip()
        # A vendor's answer can repeat what it was sent, and this reason stands in a history: a code must not get there.
        return Delivery(person, False, why=f"{how}: {redact(reason)[:200]}", refused=isinstance(failed, Refused))


def _delivered(order: ToPeople, what: str, written: Sequence[Delivery], paged: Sequence[Delivery]) -> Effect:
    """What came of all the messages and pages. Raises NobodyReached when nobody was reached."""
    by_message, by_page = ([one.person.id for one in sent if one.reached] for sent in (written, paged))
    reached = [person.id for person in order.people if person.id in {*by_message, *by_page}]
    failures = [f"{one.person.id}: {one.why}" for one in (*written, *paged) if one.why]
    if not reached:
        raise NobodyReached(f"{what} reached nobody: {'; '.join(failures)}")
    return order.done(
        "conversations.history shows each message, the incident shows each page",
        f"{what} reached {', '.join(reached)}",
        adopted=all(one.already for one in (*written, *paged) if one.reached),
        after={"reached": reached, "by_message": by_message, "by_page": by_page, "failures": failures},
    )
