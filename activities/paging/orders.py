"""What is wanted of the pager: wake people, ask them, remind them; and the page itself."""

from typing import Any

from activities.action import Order, Value
from activities.chat.slack import post_by_hand
from activities.kit.words.escape import line, visible
from activities.kit.words.shell import Command, Var, curl
from activities.organisation.people import Person
from activities.paging.pagerduty import SEVERITY, responder_request

_INCIDENT = Var("PAGERDUTY_INCIDENT")  # the incident's id in PagerDuty
_USER = Var("PAGERDUTY_USER")  # whoever types
_HEADERS = (("Authorization: Token token=", Var("PAGERDUTY_TOKEN")), ("From: ", Var("PAGERDUTY_EMAIL")))


class OfPage(Order, target="page {incident_id}"):
    incident_id: str


class Page(OfPage):
    """Wake people up for an incident. `nth` above 1 pages the same people again. `severity`: 1 to 5. `details`: facts shown on the page."""

    undone = "resolve the page"

    people: tuple[Person, ...]
    summary: str
    severity: int
    details: dict[str, str] = {}
    nth: int = 1

    def effect(self) -> str:
        return f"paged{' again' if self.nth > 1 else ''}: {_names(self.people)} — {line(self.summary)}"

    def by_hand(self) -> tuple[str, ...]:
        """The event, which changes nothing where the key is open already, and a call for each person."""
        payload = {
            "summary": visible(self.summary), "source": "by hand", "severity": SEVERITY.get(self.severity, "error"),
            "custom_details": self.details,
        }  # fmt: skip
        event = () if self.nth > 1 else (_event("trigger", self.incident_id, payload=payload),)
        requests = (responder_request(_USER, person.pager, visible(self.summary)) for person in self.people if person.pager)
        return (*event, *(_of_incident("responder_requests", body) for body in requests))


class ToPeople(Order):
    """Something that people are told, each alone. `nth` above 1: a reminder."""

    undone = "send a correction"

    incident_id: str
    people: tuple[Person, ...]
    nth: int = 1

    def text_by_hand(self) -> str:
        raise NotImplementedError

    def by_hand(self) -> tuple[str, ...]:
        return tuple(post_by_hand(person.slack, self.text_by_hand()) for person in self.people)


class Ask(ToPeople, target="question {question}"):
    """Put a question to people, each with their own code. The first person, the primary, is paged too.

    `lines`: its effect, its inverse, what silence means. `options`: what can be answered (`approve`, `decline`, or words of the question's
    own). `rung`: how far it has been escalated, from 0. `question_digest`: what the answer will be bound to. `sending`: which sending of this
    question it is: each has codes of its own. `wakes`: whether the primary is paged.
    """

    undone = "close the question"

    question: int
    question_digest: str  # not `digest`: every order has a method of that name
    title: str
    lines: tuple[str, ...]
    options: tuple[str, ...]
    rung: int = 0
    sending: int = 1
    wakes: bool = True

    def effect(self) -> str:
        return f"{_names(self.people)} asked: {line(self.title)}"

    def text_by_hand(self) -> str:
        """Without codes: what is answered by hand is self-declared."""
        head = f"Question {self.question} of {self.incident_id}: {self.title}"
        return "\n".join((head, *self.lines, f"Answer: {' / '.join(self.options)}"))


class Remind(ToPeople):
    """Tell people something that is no question: by direct message, and by page where that does not arrive. `nth` counts the reminders.

    `code_digest`: what a code for commands is bound to, which is sent along.
    """

    text: str
    code_digest: str = ""

    def target(self) -> str:
        return " and ".join(person.id for person in self.people) or "nobody"

    def effect(self) -> str:
        return f"{_names(self.people)} told: {line(self.text)}"

    def text_by_hand(self) -> str:
        return self.text


class SendSigningCode(ToPeople, target="policy/{policy}", effect="the code for signing the standing policy for {policy} is sent"):
    """Send one person the code with which they sign a standing policy: exactly this text."""

    policy: str
    text: str
    text_digest: str

    def text_by_hand(self) -> str:
        """Without a code: nothing is signed by hand."""
        return f"Please read the standing policy for {self.policy}: {self.text}"


class NotePage(OfPage):
    """Put a note on the incident's page: whoever is on it reads it on their phone, also while chat is down."""

    undone = "note a correction"

    text: str
    nth: int

    def effect(self) -> str:
        return f"noted on the page: {line(self.text)}"

    def by_hand(self) -> tuple[str, ...]:
        return (_of_incident("notes", {"note": {"content": visible(self.text)}}),)


class AcknowledgementOf(OfPage, effect="see who has taken the page"):
    """Nothing but the incident: its page is under its id."""


class Acknowledgement(Value):
    """Who took the page, the first one first: e-mail addresses in lower case."""

    emails: tuple[str, ...] = ()


class Acknowledge(OfPage, effect="{person.name} has taken the page"):
    """Take the page in somebody's name, because they told us and not the pager: it must stop waking others."""

    undone = "page again"

    person: Person

    def by_hand(self) -> tuple[str, ...]:
        return (_event("acknowledge", self.incident_id),)


class ResolvePage(OfPage, effect="the page is resolved"):
    undone = "page again"

    def by_hand(self) -> tuple[str, ...]:
        return (_event("resolve", self.incident_id),)


def _names(people: tuple[Person, ...]) -> str:
    return ", ".join(person.name for person in people) or "nobody"


def _event(what: str, key: str, **more: Any) -> Command:
    body = {"routing_key": Var("PAGERDUTY_ROUTING_KEY"), "event_action": what, "dedup_key": key, **more}
    return curl("POST", "https://events.pagerduty.com/v2/enqueue", body=body)


def _of_incident(part: str, body: dict[str, Any]) -> Command:
    return curl("POST", ("https://api.pagerduty.com/incidents/", _INCIDENT, f"/{part}"), *_HEADERS, body=body)
