"""The timeline: numbered, chained, in UTC. Every entry is written once and never changed."""

from datetime import datetime

from pydantic import JsonValue

from activities.kit.words.redact import hide_codes
from activities.ledger.entry import Entry


class Timeline:
    """The entries of one incident."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.first: dict[str, Entry] = {}  # the first entry of every kind
        self.recorded = 0  # how many of them the ledger has

    def note(
        self, at: datetime, kind: str, text: str, *, by: str = "automation", phase: str = "", step: int | None = None, **facts: JsonValue
    ) -> Entry:
        """Append one entry, without anybody's code. `kind` is one word for what happened; `facts` are for machines, the text for people."""
        last = self.entries[-1] if self.entries else None
        previous, number = (last.hash, last.number + 1) if last else ("", 1)
        entry = Entry(
            number=number, at=at, kind=kind, text=hide_codes(text), by=hide_codes(by), phase=phase, step=step, facts=hide_codes(facts)
        )
        sealed = entry.sealed(previous)
        self.entries.append(sealed)
        self.first.setdefault(kind, sealed)
        return sealed

    @property
    def unrecorded(self) -> tuple[Entry, ...]:
        """What the ledger does not have yet."""
        return tuple(self.entries[self.recorded :])
