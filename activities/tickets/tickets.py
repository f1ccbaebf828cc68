"""The incident's ticket: a GitHub issue. A hidden marker in its body says whose it is; what people write below the marker stays theirs."""

import re

from activities.action import Call, Effect, NotYet, Order, Refused, Risk, System, action
from activities.texts.wording import curl
from activities.tickets.github import JSON, GitHub

_ISSUES = "https://api.github.com/repos/$GITHUB_REPOSITORY/issues"
_TOKEN = "Authorization: Bearer $GITHUB_TOKEN"  # noqa: S105 - a reference: the person's own shell fills it in


class OpenTicket(Order):
    """Open the incident's ticket. `body`: `wording.ticket(...)`. The effect's `after` holds `number` and `url`."""

    incident_id: str
    title: str
    body: str

    def target(self) -> str:
        return f"ticket of {self.incident_id}"

    def effect(self) -> str:
        return f"a ticket “{self.title}” is open"

    def inverse(self) -> str:
        """Tickets are closed, never deleted."""
        return "close the ticket with a comment"

    def by_hand(self) -> tuple[str, ...]:
        """The ticket, with the marker by which we find it again."""
        body = f"{self.body}\n\n{_marker(self.incident_id, 'by-hand')}"
        return (curl("POST", _ISSUES, _TOKEN, body={"title": self.title, "body": body}),)


class RewriteTicket(Order):
    """Bring our part of the ticket's body up to date."""

    number: int
    body: str

    def target(self) -> str:
        return f"ticket {self.number}"

    def effect(self) -> str:
        """The ticket says what is so now."""
        return f"ticket {self.number} is up to date"

    def inverse(self) -> str:
        return "choose an earlier version in the ticket's edit history"

    def by_hand(self) -> tuple[str, ...]:
        """The same text as a comment: by hand, a new body would lose the hidden marker and what people wrote below it."""
        return (curl("POST", f"{_ISSUES}/{self.number}/comments", _TOKEN, body={"body": self.body}),)


class TicketComment(Order):
    number: int
    text: str
    nth: int

    def target(self) -> str:
        return f"ticket {self.number}"

    def effect(self) -> str:
        return f"ticket {self.number} has the comment: {self.text.splitlines()[0][:120] if self.text else ''}"

    def inverse(self) -> str:
        """A comment is corrected by the next one."""
        return "add a correcting comment"

    def by_hand(self) -> tuple[str, ...]:
        return (curl("POST", f"{_ISSUES}/{self.number}/comments", _TOKEN, body={"body": self.text}),)


class Tickets(System):
    def __init__(self, github: GitHub) -> None:
        self._github = github

    @action("tickets.open", risk=Risk.C0, writes=True)
    async def open(self, order: OpenTicket, call: Call) -> Effect:
        """Open it once. NotYet: GitHub says done, and the ticket cannot be fetched."""
        found = await self._github.find(call, _whose(order.incident_id))
        if found:
            return _opened(order, found, adopted=True)
        created = await self._github.create(call, order.title, f"{order.body}\n\n{_marker(order.incident_id, call.key)}")
        try:
            seen = await self._github.issue(call, int(created["number"]))
        except Refused:  # 404: a later try may find it, or open it
            raise NotYet("GitHub took the ticket, but does not show it") from None
        if _whose(order.incident_id) not in (seen.get("body") or ""):
            raise NotYet("GitHub took the ticket, but shows another one")
        return _opened(order, seen, adopted=False)

    @action("tickets.rewrite", risk=Risk.C0, writes=True)
    async def rewrite(self, order: RewriteTicket, call: Call) -> Effect:
        """Set our part of the body. Refused: the ticket is not this incident's. NotYet: the ticket does not show it."""
        now = _text(await self._github.issue(call, order.number))
        wanted = _with_their_part(order, call, now)
        if now != wanted:
            await self._github.rewrite(call, order.number, wanted)
            if _text(await self._github.issue(call, order.number)) != wanted:
                raise NotYet(f"ticket {order.number} does not show the new text")
        return Effect(
            target=order.target(), summary=order.effect(), proven_by="the ticket, fetched again, shows the text", adopted=now == wanted
        )

    @action("tickets.comment", risk=Risk.C0, writes=True)
    async def comment(self, order: TicketComment, call: Call) -> Effect:
        """Comment once. NotYet: the ticket does not show the comment."""
        marker = _marker(call.incident_id, call.key)
        there = await self._comment(call, order.number, marker)
        adopted = there is not None
        if there is None:
            await self._github.comment(call, order.number, f"{order.text}\n\n{marker}")
            there = await self._comment(call, order.number, marker)
        if there is None:
            raise NotYet(f"ticket {order.number} does not show the comment")
        return Effect(
            target=order.target(),
            summary=order.effect(),
            proven_by="the ticket's comments, fetched again, show it",
            adopted=adopted,
            after={"number": order.number, "comment": there["id"]},
        )

    async def _comment(self, call: Call, number: int, marker: str) -> JSON | None:
        async for comment in self._github.comments(call, number):
            if marker in (comment.get("body") or ""):
                return comment
        return None


def _opened(order: OpenTicket, issue: JSON, *, adopted: bool) -> Effect:
    return Effect(
        target=order.target(),
        summary=f"ticket {issue['number']} “{issue['title']}” is open",
        proven_by="the ticket, fetched by its number, carries our marker",
        adopted=adopted,
        after={"number": issue["number"], "url": issue["html_url"]},
    )


def _with_their_part(order: RewriteTicket, call: Call, now: str) -> str:
    """The new body with the marker of the old one and everything that people wrote below it."""
    _replaced, found, theirs = now.partition(_whose(call.incident_id))
    if not found:
        raise Refused(f"ticket {order.number} does not carry the marker of {call.incident_id}: it is not ours to rewrite")
    return f"{order.body}\n\n{found}{theirs}".strip()


def _text(issue: JSON) -> str:
    """The body as we write it: an edit in the browser brings other line ends."""
    return str(issue.get("body") or "").replace("\r\n", "\n").strip()


def _whose(incident_id: str) -> str:
    return f"<!-- inc:{_quiet(incident_id)} "


def _marker(incident_id: str, key: str) -> str:
    return f"{_whose(incident_id)}key:{_quiet(key)} -->"


def _quiet(text: str) -> str:
    """Without what would end an HTML comment early, or split the marker."""
    return re.sub(r"--+|[<>\s]", "_", text)
