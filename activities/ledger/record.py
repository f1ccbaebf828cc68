"""What the ledger takes and gives: a workflow's record, and what is known of an incident."""

from datetime import datetime, timedelta

from pydantic import JsonValue

from activities.action import Entry, Order, Value

OVER = ("resolved", "stood down", "closed")  # the values of `State` after which nothing of ours runs; a test keeps the two equal
BEHIND = -1  # what `record` answers when a difference does not fit what is kept: send the whole status


class Record(Order):
    """What a workflow has to say: new lines of its timeline and, as a JSON object, everything that is true now."""

    incident_id: str
    entries: tuple[Entry, ...] = ()
    status: dict[str, JsonValue] | None = None
    base: int = 0  # the version that `status` is the difference to (activities/ledger/patch.py); 0: it is whole

    def target(self) -> str:
        return f"the ledger of {self.incident_id}"

    def effect(self) -> str:
        return "keep the record" + (f": {self.entries[-1].kind}: {self.entries[-1].text[:80]}" if self.entries else "")


class Recorded(Value):
    """What the ledger knows about an incident: its status as a JSON object, and when that was true."""

    incident_id: str
    version: int
    updated_at: datetime
    status: dict[str, JsonValue]

    def age(self, now: datetime) -> timedelta:
        """How long ago this was written; never negative, whatever the two clocks say."""
        return max(now - self.updated_at, timedelta(0))


class Chain(Value):
    """Whether a timeline is what was written: every number present, every hash right."""

    entries: int
    broken_at: int | None = None

    @property
    def intact(self) -> bool:
        """True when nothing was altered, removed or inserted."""
        return self.broken_at is None
