"""Codes for commands: what an answer's code is to a question, for a message that is no answer. Bound to one person, one incident and a nonce.

A person has at most one that is good: asked for again, the same is sent again, so that nobody can void it by asking. Whether one was used is
told by the store of spent codes alone (ADR 21); here a used one is only forgotten, so that the next one is another.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

from activities.action import digest
from activities.identity.codes import COMMANDS


class Issued(NamedTuple):
    """One code, as far as a workflow may know it. `digest`: what the code is made from, together with the workers' secret."""

    digest: str
    until: datetime
    sent_at: datetime


class CommandCodes:
    def __init__(self, incident_id: str) -> None:
        self._incident_id = incident_id
        self._issued: dict[str, Issued] = {}  # by person; a used one is dropped

    def issue(self, person: str, at: datetime, valid: timedelta, nonce: str) -> Issued:
        """The code that is sent to a person now: the one that they have, or a new one."""
        bound = {"incident": self._incident_id, "commands": person, "until": str(at + valid), "nonce": nonce}
        issued = self.of(person, at) or Issued(digest(bound), at + valid, at)
        self._issued[person] = issued._replace(sent_at=at)
        return self._issued[person]

    def of(self, person: str, at: datetime) -> Issued | None:
        """The code that a person was sent, while it is good."""
        issued = self._issued.get(person)
        return issued if issued and at <= issued.until else None

    def good(self, at: datetime) -> tuple[tuple[int, str, int], ...]:
        """Every code that is good now, as `Identify` takes them."""
        return tuple((COMMANDS, issued.digest, 1) for issued in self._issued.values() if at <= issued.until)

    def used(self, person: str) -> None:
        """It was seen in a message."""
        self._issued.pop(person, None)

    def forget(self) -> None:
        """None that is out counts any more."""
        self._issued.clear()
