"""One line of the timeline, as it is kept."""

from datetime import datetime

from pydantic import JsonValue

from activities.action import Value, digest


class Entry(Value):
    """One line of the timeline. Numbered by the workflow and chained by hash, so that a later edit shows."""

    number: int
    at: datetime
    kind: str
    text: str
    by: str = "automation"
    phase: str = ""
    step: int | None = None
    facts: dict[str, JsonValue] = {}
    previous: str = ""
    hash: str = ""

    def sealed(self, previous: str) -> "Entry":
        """The same entry, chained to the one before it."""
        linked = self.model_copy(update={"previous": previous, "hash": ""})
        return linked.model_copy(update={"hash": digest(linked.model_dump(mode="json"))})

    def intact(self, previous: str) -> bool:
        """True when neither this entry nor its place in the chain was altered."""
        return self.previous == previous and self == self.sealed(previous)
