"""The clocks of one incident as their workflow knows them: an incident's state, and the clocks. It does nothing to the outside."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from activities.action import Action, Role
from activities.clocks.clock import PREFIX, ClocksState
from activities.clocks.regimes import ClockTable
from activities.kit.words.code_names import under_code_name
from activities.ledger.entry import Entry
from workflows.engine.state import IncidentState
from workflows.incident import Card, Incident, Severity
from workflows.people.messages import LONGEST

KEEPS = 300  # entries and keys that go over into the next run
# SEV-1: an alarm about a legal deadline waits behind nothing.
CARD = Card(section="10", title="Legal clocks", short="clocks", floor=Severity.SEV1, lead=(Role.LEGAL,), triggers=(), sure=True)


class Record(ClocksState):
    """Everything that goes over into the next run."""

    id: str  # what keys begin with: another one every time that the clocks begin anew from nothing
    pages: int = 0  # how often people were woken
    tell_at: datetime | None = None  # when it is tried again to tell people what they could not be told
    untold: int = 0  # how often in a row nobody could be reached
    asked_at: datetime | None = None  # when Legal was asked to fill in the form
    over_since: datetime | None = None
    done: list[str] = []  # keys of workers' messages: the same message again changes nothing
    entries: list[Entry] = []
    counts: dict[str, int] = {}


class ClockBook(IncidentState):
    """Roster, codes and timeline are an incident's. There is no commander: what Legal says counts as Legal's."""

    def __init__(self, workflow_id: str, given: Sequence[object], at: datetime) -> None:
        super().__init__(workflow_id, "LegalClocks", CARD, at)
        self.record, strange = _brought(workflow_id, given, at)
        self.anew = not self.record.counts and not self.record.entries  # no earlier run has begun this one
        self.table: ClockTable | None = None
        self.incident = Incident(title=f"Legal clocks of {self.record.incident}")
        self.restricted = self.record.restricted
        self.acknowledged_at = at
        self.timeline.entries = self.record.entries
        if strange:
            self.note("refused", f"the start input could not be understood: {strange}")

    def assumes(self, action: Action) -> bool:
        """Nothing is only said here: in shadow mode an incident starts no clocks, and those that a person has started are meant."""
        return False

    def adopt(self, said: str) -> str:
        """Go on from what an ended workflow of these clocks knew. Returns why that cannot be read."""
        try:
            known = ClocksState.model_validate_json(said)
        except ValidationError as wrong:
            return wrong.errors()[0]["msg"]
        for name in ClocksState.model_fields:
            setattr(self.record, name, getattr(known, name))
        self.note("adopted", f"{len(known.clocks)} clocks of a workflow that was ended; they run on")
        return ""

    def public(self) -> ClocksState:
        return ClocksState(**{name: getattr(self.record, name) for name in ClocksState.model_fields})

    def renewed(self, counts: dict[str, int]) -> dict[str, Any]:
        kept = {name: getattr(self.record, name)[-KEEPS:] for name in ("entries", "done")}
        return {"kept": self.record.model_copy(update={**kept, "counts": counts}).model_dump(mode="json")}


def _brought(workflow_id: str, given: Sequence[object], at: datetime) -> tuple[Record, str]:
    """What an earlier run left, and what could not be understood. Whose clocks they are, their own name says."""
    incident = workflow_id.removeprefix(PREFIX)
    anew = Record(id=f"{workflow_id}-{at:%Y%m%d-%H%M%S}", incident=incident, opened_at=at, restricted=under_code_name(incident))
    first = given[0] if given else {}
    if not isinstance(first, dict) or len(given) > 1:
        return anew, str(given)[:LONGEST]
    try:
        return (Record.model_validate(first["kept"]) if "kept" in first else anew), ""
    except ValidationError as wrong:
        return anew, f"{str(first)[:LONGEST]} ({wrong.errors()[0]['msg']})"
