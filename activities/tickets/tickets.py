"""The incident's ticket: a GitHub issue. A hidden marker in its body says whose it is; what people write below the marker stays theirs."""

from activities.action import Call, Effect, NotYet, Order, Refused, Risk, action
from activities.kit.create_once import CreateOnce, There
from activities.kit.words.escape import line
from activities.kit.words.shell import Var, curl
from activities.kit.words.urls import segment
from activities.tickets.github import JSON, GitHub

LONGEST_TITLE = 256  # characters
_ISSUES = ("https://api.github.com/repos/", Var("GITHUB_REPOSITORY"), "/issues")
_TOKEN = ("Authorization: Bearer ", Var("GITHUB_TOKEN"))


class OpenTicket(Order, target="ticket of {incident_id}", effect="a ticket “{title}” is open"):
    """Open the incident's ticket. `body`: `wording.ticket(...)`. The effect's `after` holds `number` and `url`."""

    undone = "close the ticket with a comment"

    incident_id: str
    title: str
    body: str

    def by_hand(self) -> tuple[str, ...]:
        body = f"{self.body}\n\n{_marker(self.incident_id, 'by-hand')}"
        return (curl("POST", _ISSUES, _TOKEN, body={"title": line(self.title), "body": body}),)


class RewriteTicket(Order, target="ticket {number}", effect="ticket {number} is up to date"):
    """Bring our part of the ticket's body up to date."""

    undone = "choose an earlier version in the ticket's edit history"

    number: int
    body: str

    def by_hand(self) -> tuple[str, ...]:
        """The same text as a comment: by hand, a new body would lose the hidden marker and what people wrote below it."""
        return (curl("POST", (*_ISSUES, f"/{self.number}/comments"), _TOKEN, body={"body": self.body}),)


class Tickets(CreateOnce[OpenTicket, JSON]):
    def __init__(self, github: GitHub) -> None:
        self._github = github

    @action("tickets.open", risk=Risk.C0, writes=True)
    async def open(self, order: OpenTicket, call: Call) -> Effect:
        """Open it once. NotYet: GitHub accepted it, and the ticket cannot be fetched."""
        return await self.describe(call, order, await self.once(call, order))

    @action("tickets.rewrite", risk=Risk.C0, writes=True)
    async def rewrite(self, order: RewriteTicket, call: Call) -> Effect:
        """Set our part of the body. Refused: the ticket is gone, or not this incident's. NotYet: the ticket does not show it."""
        now = await self._text(call, order.number)
        wanted = _with_their_part(order, call, now)
        if now != wanted:
            await self._github.rewrite(call, order.number, wanted)
            if await self._text(call, order.number) != wanted:
                raise NotYet(f"ticket {order.number} does not show the new text")
        return order.done("the ticket, fetched again, shows the text", adopted=now == wanted)

    async def _text(self, call: Call, number: int) -> str:
        """The body as we write it: an edit in the browser brings other line ends."""
        issue = await self._github.issue(call, number)
        if issue is None:
            raise Refused(f"there is no ticket {number}: somebody has deleted it")
        return str(issue.get("body") or "").replace("\r\n", "\n").strip()

    async def find(self, call: Call, order: OpenTicket) -> JSON | None:
        return await self._github.find(call, _whose(order.incident_id))

    async def make(self, call: Call, order: OpenTicket) -> int:
        body = f"{order.body}\n\n{_marker(order.incident_id, call.key)}"
        return await self._github.create(call, line(order.title, LONGEST_TITLE), body)

    async def fetch(self, call: Call, order: OpenTicket, id: int) -> JSON | None:
        return await self._github.issue(call, id)

    def missing(self, order: OpenTicket, found: JSON) -> str:
        return "" if _whose(order.incident_id) in (found.get("body") or "") else "GitHub shows another ticket"

    async def describe(self, call: Call, order: OpenTicket, there: There[JSON]) -> Effect:
        return order.done(
            "the ticket, fetched by its number, carries our marker",
            f"ticket {there.found['number']} “{there.found['title']}” is open",
            adopted=there.adopted,
            after={"number": there.found["number"], "url": there.found["html_url"]},
        )


def _with_their_part(order: RewriteTicket, call: Call, now: str) -> str:
    """The new body with the marker of the old one and everything that people wrote below it."""
    _replaced, found, theirs = now.partition(_whose(call.incident_id))
    if not found:
        raise Refused(f"ticket {order.number} does not carry the marker of {call.incident_id}: it is not ours to rewrite")
    return f"{order.body}\n\n{found}{theirs}".strip()


def _whose(incident_id: str) -> str:
    """The beginning of our marker. Names are quoted: nothing in them ends an HTML comment early, or splits the marker."""
    return f"<!-- inc:{segment(incident_id)} "


def _marker(incident_id: str, key: str) -> str:
    return f"{_whose(incident_id)}key:{segment(key)} -->"
