"""Pages and questions to our own people: PagerDuty, with Slack's direct messages beside it.

An incident has one page, under its id. Whoever is wanted and not on it yet is asked in as a responder, with our key in the message, by
which an earlier try is found again. A question goes to each person alone, with the code that is theirs; personal codes never leave this
file except towards Slack and PagerDuty.
"""

import asyncio
from datetime import datetime
from typing import NamedTuple

from temporalio.exceptions import ApplicationError

from activities.action import Call, Effect, NotYet, Order, Refused, Risk, System, Value, action
from activities.chat.slack import Slack, say_once
from activities.identity.codes import Codes
from activities.organisation.people import Person
from activities.paging.pagerduty import JSON, SEVERITY, PagerDuty
from activities.texts import wording

_EVENTS = "https://events.pagerduty.com/v2/enqueue"
_REST = "https://api.pagerduty.com"
_MESSAGE_SECONDS = 5.0  # for a direct message, real seconds: a Slack that hangs must leave time for the page within one try


class NobodyReached(Exception):
    """Neither a message nor a page got through to anybody: worth another try, as with every unknown outcome."""


class Page(Order):
    """Wake people up for an incident. `nth` above 1 pages the same people again. `severity`: 1 to 5. `details`: facts shown on the page."""

    incident_id: str
    people: tuple[Person, ...]
    summary: str
    severity: int
    details: dict[str, str] = {}
    nth: int = 1

    def target(self) -> str:
        return f"page {self.incident_id}"

    def effect(self) -> str:
        return f"paged{' again' if self.nth > 1 else ''}: {_names(self.people)} — {self.summary}"

    def inverse(self) -> str:
        """A page ends by being resolved; nobody can be put back to sleep."""
        return "resolve the page"

    def by_hand(self) -> tuple[str, ...]:
        """The event, which changes nothing where the key is open already, and a call for each person."""
        payload = {
            "summary": self.summary, "source": "by hand", "severity": SEVERITY.get(self.severity, "error"), "custom_details": self.details,
        }  # fmt: skip
        calls = tuple(_summons_by_hand(person, self.summary) for person in self.people if person.pager)
        return (*(() if self.nth > 1 else (_event_by_hand("trigger", self.incident_id, payload),)), *calls)


class Ask(Order):
    """Put a question to people, each with their own code. The first person, the primary, is paged too.

    `lines`: its effect, its inverse, what silence means. `options`: what can be answered (`approve`, `decline`, or words of the question's
    own). `rung`: how far it has been escalated, from 0. `nth` above 1: a reminder. `question_digest`: what the answer will be bound to.
    """

    incident_id: str
    question: int
    question_digest: str  # not `digest`: every order has a method of that name
    people: tuple[Person, ...]
    title: str
    lines: tuple[str, ...]
    options: tuple[str, ...]
    rung: int = 0
    nth: int = 1

    def target(self) -> str:
        return f"question {self.question}"

    def effect(self) -> str:
        return f"{_names(self.people)} asked: {self.title}"

    def inverse(self) -> str:
        """A question ends by being answered or closed."""
        return "close the question"

    def by_hand(self) -> tuple[str, ...]:
        """The same question without codes: what is answered by hand is self-declared."""
        text = "\n".join(
            (f"Question {self.question} of {self.incident_id}: {self.title}", *self.lines, f"Answer: {' / '.join(self.options)}")
        )
        return tuple(_message_by_hand(person, text) for person in self.people)


class Remind(Order):
    """Tell people something that is no question: by direct message, and by page where that does not arrive. `nth` counts the reminders."""

    incident_id: str
    people: tuple[Person, ...]
    text: str
    nth: int

    def target(self) -> str:
        return " and ".join(person.id for person in self.people) or "nobody"

    def effect(self) -> str:
        return f"{_names(self.people)} told: {self.text}"

    def inverse(self) -> str:
        """A message is corrected by the next one."""
        return "send a correction"

    def by_hand(self) -> tuple[str, ...]:
        return tuple(_message_by_hand(person, self.text) for person in self.people)


class NotePage(Order):
    """Put a note on the incident's page: whoever is on it reads it on their phone, also while chat is down."""

    incident_id: str
    text: str
    nth: int

    def target(self) -> str:
        return f"page {self.incident_id}"

    def effect(self) -> str:
        return f"noted on the page: {self.text}"

    def inverse(self) -> str:
        """A note is corrected by the next one."""
        return "note a correction"

    def by_hand(self) -> tuple[str, ...]:
        """The note; `$PAGERDUTY_INCIDENT` is the incident's id in PagerDuty."""
        url = f"{_REST}/incidents/$PAGERDUTY_INCIDENT/notes"
        headers = ("Authorization: Token token=$PAGERDUTY_TOKEN", "From: $PAGERDUTY_EMAIL")
        return (wording.curl("POST", url, *headers, body={"note": {"content": self.text}}),)


class AcknowledgementOf(Order):
    incident_id: str

    def target(self) -> str:
        return f"page {self.incident_id}"

    def effect(self) -> str:
        return "see who has taken the page"


class Acknowledgement(Value):
    """Who took the page first, and when (UTC); `""` and None when nobody has. `emails`: of everybody who took it, the first one first."""

    by_email: str = ""
    at: datetime | None = None
    emails: tuple[str, ...] = ()


class Acknowledge(Order):
    """Take the page in somebody's name, because they told us and not the pager: it must stop waking others."""

    incident_id: str
    person: Person

    def target(self) -> str:
        return f"page {self.incident_id}"

    def effect(self) -> str:
        return f"{self.person.name} has taken the page"

    def inverse(self) -> str:
        return "page again"

    def by_hand(self) -> tuple[str, ...]:
        return (_event_by_hand("acknowledge", self.incident_id, None),)


class ResolvePage(Order):
    incident_id: str

    def target(self) -> str:
        return f"page {self.incident_id}"

    def effect(self) -> str:
        return "the page is resolved"

    def inverse(self) -> str:
        return "page again"

    def by_hand(self) -> tuple[str, ...]:
        return (_event_by_hand("resolve", self.incident_id, None),)


class _Landed(NamedTuple):
    """How one person was tried: reached or why not; `already`: by an earlier try."""

    person: Person
    reached: bool
    already: bool = False
    why: str = ""


class Pager(System):
    def __init__(self, pagerduty: PagerDuty, slack: Slack, codes: Codes) -> None:
        self._pagerduty = pagerduty
        self._slack = slack
        self._codes = codes

    @action("pager.page", risk=Risk.C0, writes=True)
    async def page(self, order: Page, call: Call) -> Effect:
        """Page people once. Refused: PagerDuty knows no such user or key. NotYet: it says done, and the incident does not show it."""
        incident, there = await self._incident(call, order.incident_id, order.summary, order.severity, order.details)
        wanted = order.people if order.nth > 1 else tuple(p for p in order.people if p.pager not in _paged(incident))
        asked_before = await self._summon(call, incident, {f"{call.key}/{p.id}": (p.pager, order.summary) for p in wanted if p.pager})
        silent = [p.id for p in order.people if not p.pager]
        return Effect(
            target=order.target(),
            summary=order.effect() + (f"; no pager: {', '.join(silent)}" if silent else ""),
            proven_by="the incident, looked up by its key, shows who was called",
            adopted=there and asked_before,
            after={"id": incident["id"], "paged": [p.id for p in order.people if p.pager], "no_pager": list(silent)},
        )

    @action("pager.ask", risk=Risk.C0, writes=True)
    async def ask(self, order: Ask, call: Call) -> Effect:
        """Put the question to everybody, once each; who cannot get the message gets a page that carries the code. NobodyReached: nobody."""
        written = await asyncio.gather(*(self._write_to(order, call, person) for person in order.people))
        missed = {landed.person.id for landed in written if not landed.reached}
        to_page = [person for n, person in enumerate(order.people) if n == 0 or person.id in missed]
        paged = await asyncio.gather(*(self._page_about(order, call, person, with_code=person.id in missed) for person in to_page))
        return _asked(order, tuple(written), tuple(paged))

    @action("pager.remind", risk=Risk.C0, writes=True)
    async def remind(self, order: Remind, call: Call) -> Effect:
        """Tell each of them once, by message or else by page. NobodyReached: nobody."""
        written = await asyncio.gather(*(self._message(call, person, order.text) for person in order.people))
        missed = [landed.person for landed in written if not landed.reached]
        paged = await asyncio.gather(*(self._wake(order, call, person) for person in missed))
        reached = [landed.person.id for landed in (*written, *paged) if landed.reached]
        failures = [f"{landed.person.id}: {landed.why}" for landed in (*written, *paged) if landed.why]
        if not reached:
            raise NobodyReached(f"reached nobody: {'; '.join(failures)}")
        return Effect(
            target=order.target(),
            summary=f"{', '.join(reached)} told",
            proven_by="conversations.history shows each message, the incident shows each page",
            adopted=all(landed.already for landed in (*written, *paged) if landed.reached),
            after={"reached": list(reached), "failures": list(failures)},
        )

    @action("pager.note", risk=Risk.C0, writes=True)
    async def note(self, order: NotePage, call: Call) -> Effect:
        """Note it once. NotYet: there is no page yet, or the page does not show the note."""
        incident = await self._pagerduty.incident(call, order.incident_id)
        if incident is None:
            raise NotYet("PagerDuty shows no incident to put a note on")
        text = f"{order.text} [{call.key}]"
        adopted = text in await self._pagerduty.notes(call, incident["id"])
        if not adopted:
            await self._pagerduty.add_note(call, incident["id"], text)
            if text not in await self._pagerduty.notes(call, incident["id"]):
                raise NotYet("PagerDuty took the note, but does not show it")
        return Effect(target=order.target(), summary=order.effect(), proven_by="the incident's notes show it", adopted=adopted)

    @action("pager.acknowledged")
    async def acknowledged(self, order: AcknowledgementOf, call: Call) -> Acknowledgement:
        """Who took the page first. The log is read, because a resolved incident forgets who acknowledged it."""
        incident = await self._pagerduty.incident(call, order.incident_id)
        if incident is None:
            return Acknowledgement()
        log = await self._pagerduty.log(call, incident["id"])
        taken = [line for line in log if line["type"] == "acknowledge_log_entry"]
        if not taken:
            return Acknowledgement()
        taken.sort(key=lambda line: str(line["created_at"]))
        known = await self._pagerduty.emails(call)
        emails = tuple(dict.fromkeys(known.get(line["agent"]["id"], "") for line in taken))
        return Acknowledgement.model_validate({"by_email": emails[0], "at": taken[0]["created_at"], "emails": emails})

    @action("pager.acknowledge", risk=Risk.C0, writes=True)
    async def acknowledge(self, order: Acknowledge, call: Call) -> Effect:
        """Acknowledge as that person. NotYet: PagerDuty says done, and the incident is still triggered."""
        incident = await self._pagerduty.incident(call, order.incident_id)
        adopted = incident is None or incident["status"] != "triggered"
        if incident is not None and not adopted:
            await self._pagerduty.acknowledge(call, incident["id"], order.person.email)
            after = await self._pagerduty.incident(call, order.incident_id)
            if after is None or after["status"] == "triggered":
                raise NotYet("PagerDuty took the acknowledgement, but still pages")
        return Effect(
            target=order.target(),
            summary=f"{order.person.name} has the page" if incident else "there is no page to take",
            proven_by="the incident, looked up by its key, is not triggered any more" if incident else "no incident carries the key",
            adopted=adopted,
        )

    @action("pager.resolve", risk=Risk.C0, writes=True)
    async def resolve(self, order: ResolvePage, call: Call) -> Effect:
        """End the page. NotYet: PagerDuty says done, and the incident is still open."""
        incident = await self._pagerduty.incident(call, order.incident_id)
        adopted = incident is None or incident["status"] == "resolved"
        if not adopted:
            await self._pagerduty.resolve(call, order.incident_id)
            after = await self._pagerduty.incident(call, order.incident_id)
            if after is None or after["status"] != "resolved":
                raise NotYet("PagerDuty took the event, but the incident is still open")
        return Effect(
            target=order.target(),
            summary="the page is resolved" if incident else "there is no page to resolve",
            proven_by="the incident, looked up by its key, is resolved" if incident else "no incident carries the key",
            adopted=adopted,
        )

    async def _incident(self, call: Call, key: str, summary: str, severity: int, details: dict[str, str]) -> tuple[JSON, bool]:
        """The page's incident, opened when there is none, and whether it was there. A resolved one stays resolved: people have ended it."""
        incident = await self._pagerduty.incident(call, key)
        if incident:
            return incident, True
        await self._pagerduty.trigger(call, key, summary, severity, details)
        incident = await self._pagerduty.incident(call, key)
        if incident is None:
            raise NotYet("PagerDuty took the event, but shows no incident for it")
        return incident, False

    async def _summon(self, call: Call, incident: JSON, wanted: dict[str, tuple[str, str]]) -> bool:
        """Ask users in, each with a message, once per key; True when earlier tries had asked them all.

        One request per person: a request for several can be carried out for some of them.
        """
        missing = {key: asked for key, asked in wanted.items() if not _was_sent(incident, key)}
        if not missing:
            return True
        for key, (user, message) in missing.items():
            await self._pagerduty.request_responders(call, incident["id"], user, f"{message} [{key}]")
        seen = await self._pagerduty.incident(call, incident["incident_key"])
        if seen is None or not all(_was_sent(seen, key) for key in missing):
            raise NotYet("PagerDuty took the request, but the incident does not show it")
        return False

    async def _write_to(self, order: Ask, call: Call, person: Person) -> _Landed:
        """One person's direct message. Whatever goes wrong, the others still get theirs."""
        code = self._codes.mint(person.id, order.incident_id, order.question, order.question_digest)
        text = wording.question(
            incident=order.incident_id, number=order.question, title=order.title, lines=order.lines, options=order.options, code=code,
            rung=order.rung, nth=order.nth,
        )  # fmt: skip
        return await self._message(call, person, text, secret=code)

    async def _message(self, call: Call, person: Person, text: str, secret: str = "") -> _Landed:
        try:
            if not person.slack:
                raise Refused("no Slack id on the roster")
            async with asyncio.timeout(_MESSAGE_SECONDS):
                channel = await self._slack.open_direct(call, person.slack)
                _, already = await say_once(self._slack, call, channel, text, f"{call.key}/{person.id}")
        except Exception as broke:
            return _Landed(person, False, why=f"message: {_why(broke, secret)}")
        return _Landed(person, True, already)

    async def _wake(self, order: Remind, call: Call, person: Person) -> _Landed:
        """One person's page with what could not be written to them."""
        try:
            if not person.pager:
                raise Refused("no PagerDuty id on the roster")
            incident, _ = await self._incident(call, order.incident_id, order.text[:500], 2, {})
            already = await self._summon(call, incident, {f"{call.key}/{person.id}": (person.pager, order.text)})
        except Exception as broke:
            return _Landed(person, False, why=f"page: {_why(broke, '')}")
        return _Landed(person, True, already)

    async def _page_about(self, order: Ask, call: Call, person: Person, *, with_code: bool) -> _Landed:
        """One person's page about a question. It carries the code only where the message did not arrive: others may read a page."""
        code = self._codes.mint(person.id, order.incident_id, order.question, order.question_digest)
        text = f"{person.name}: question {order.question} of {order.incident_id}: {order.title}"
        if with_code:
            text = "\n".join((text, *order.lines, *wording.how_to_answer(order.incident_id, order.question, order.options, code)))
        else:
            text += " (your code is in your direct messages)"
        try:
            if not person.pager:
                raise Refused("no PagerDuty id on the roster")
            incident, _ = await self._incident(call, order.incident_id, order.title, 2, {})
            already = await self._summon(call, incident, {f"{call.key}/{person.id}": (person.pager, text)})
        except Exception as broke:
            return _Landed(person, False, why=f"page: {_why(broke, code)}")
        return _Landed(person, True, already)


def _asked(order: Ask, written: tuple[_Landed, ...], paged: tuple[_Landed, ...]) -> Effect:
    """What came of all the messages and pages of a question. Raises NobodyReached when nothing did."""
    by_message = [landed.person.id for landed in written if landed.reached]
    by_page = [landed.person.id for landed in paged if landed.reached]
    reached = [p.id for p in order.people if p.id in by_message or p.id in by_page]
    failures = [f"{landed.person.id}: {landed.why}" for landed in (*written, *paged) if landed.why]
    if not reached:
        raise NobodyReached(f"question {order.question} reached nobody: {'; '.join(failures)}")
    return Effect(
        target=order.target(),
        summary=f"question {order.question} reached {', '.join(reached)}",
        proven_by="conversations.history shows each message, the incident shows each page",
        adopted=all(landed.already for landed in (*written, *paged) if landed.reached),
        after={"reached": list(reached), "by_message": list(by_message), "by_page": list(by_page), "failures": list(failures)},
    )


def _names(people: tuple[Person, ...]) -> str:
    return ", ".join(person.name for person in people) or "nobody"


def _message_by_hand(person: Person, text: str) -> str:
    url, token = "https://slack.com/api/chat.postMessage", "Authorization: Bearer $SLACK_TOKEN"
    return wording.curl("POST", url, token, body={"channel": person.slack, "text": text})


def _event_by_hand(what: str, key: str, payload: JSON | None) -> str:
    body: JSON = {
        "routing_key": "$PAGERDUTY_ROUTING_KEY",
        "event_action": what,
        "dedup_key": key,
        **({"payload": payload} if payload else {}),
    }
    return wording.curl("POST", _EVENTS, body=body)


def _summons_by_hand(person: Person, message: str) -> str:
    """`$PAGERDUTY_INCIDENT` is the incident's id in PagerDuty, `$PAGERDUTY_USER` and `$PAGERDUTY_EMAIL` are whoever types."""
    target = {"responder_request_target": {"id": person.pager, "type": "user_reference"}}
    body = {"requester_id": "$PAGERDUTY_USER", "message": message, "responder_request_targets": [target]}
    url = f"{_REST}/incidents/$PAGERDUTY_INCIDENT/responder_requests"
    return wording.curl("POST", url, "Authorization: Token token=$PAGERDUTY_TOKEN", "From: $PAGERDUTY_EMAIL", body=body)


def _paged(incident: JSON) -> set[str]:
    """The users whom the incident's escalation policy has called by itself."""
    return {str(assignment["assignee"]["id"]) for assignment in incident.get("assignments", ())}


def _was_sent(incident: JSON, key: str) -> bool:
    return any(f"[{key}]" in str(request.get("message", "")) for request in incident.get("responder_requests", ()))


def _why(broke: Exception, code: str) -> str:
    """A reason that may stand in a history: a vendor's answer can repeat what it was sent, and a code must not get there."""
    said = broke.message if isinstance(broke, ApplicationError) else f"{type(broke).__name__} {broke}".strip()
    return (said.replace(code, "…") if code else said)[:200]
