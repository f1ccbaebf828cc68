"""What the ledger takes and gives: a workflow's record, and what is known of an incident.

An incident says what is true of it after every step. Most of that was said before: sent whole each time it would be megabytes of history. So
only what changed between two states of one JSON object is sent, and the same is put together again.
"""

from datetime import datetime
from typing import Any

from pydantic import JsonValue

from activities.action import Order, Value
from activities.ledger.entry import Entry

Json = dict[str, Any]
NUMBERED = "numbered"
OVER = ("resolved", "stood down", "closed")  # the values of `State` after which nothing of ours runs; a test keeps the two equal
BEHIND = -1  # what `record` answers when a difference does not fit what is kept: send the whole status


class Record(Order):
    """What a workflow has to say: new lines of its timeline and, as a JSON object, everything that is true now."""

    incident_id: str
    entries: tuple[Entry, ...] = ()
    status: dict[str, JsonValue] | None = None
    base: int = 0  # the version that `status` is the difference to; 0: it is whole

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


class Chain(Value):
    """Whether a timeline is what was written: every number present, every hash right."""

    entries: int
    broken_at: int | None = None

    @property
    def intact(self) -> bool:
        """True when nothing was altered, removed or inserted."""
        return self.broken_at is None


def difference(old: Json, new: Json) -> Json:
    """The keys that changed, with their new values; of lists of numbered things only those that are new or changed, and which are there."""
    return {key: _changed(old.get(key), value) for key, value in new.items() if key not in old or old[key] != value}


def patched(old: Json, patch: Json) -> Json:
    """The new object, from the old one and the difference."""
    return {**old, **{key: _merged(old.get(key), value) for key, value in patch.items()}}


def _changed(old: Any, new: Any) -> Any:
    if not (_numbered(old) and _numbered(new)):
        return new
    before = {item["number"]: item for item in old}
    return {NUMBERED: [item["number"] for item in new], "changed": [item for item in new if before.get(item["number"]) != item]}


def _merged(old: Any, new: Any) -> Any:
    if not (isinstance(new, dict) and set(new) == {NUMBERED, "changed"}):
        return new
    known = {item["number"]: item for item in (*(old or ()), *new["changed"])}
    return [known[number] for number in new[NUMBERED]]


def _numbered(value: Any) -> bool:
    if not (isinstance(value, list) and all(isinstance(item, dict) and "number" in item for item in value)):
        return False
    return len({item["number"] for item in value}) == len(value)
