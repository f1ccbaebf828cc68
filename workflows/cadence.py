"""When the next update is due, and who hears that it is overdue. Pure: instants in, duties out (spec §6)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from activities.organisation import Policy
from workflows.severity import Severity


class Duty(StrEnum):
    """What the clock asks for."""

    ROOM = "war-room status"
    PUBLIC = "status page update"
    REMIND = "remind Comms"
    PAGE_COMMS = "page Comms"
    PAGE_COMMANDER = "page the commander"
    HOLDING = "holding statement"
    RECLASSIFY = "classify again"


# The overdue ladder, relative to the instant at which a public update is due (spec §6).
OVERDUE = (
    (Duty.REMIND, timedelta(minutes=-5)),
    (Duty.PAGE_COMMS, timedelta(0)),
    (Duty.PAGE_COMMANDER, timedelta(minutes=5)),
    (Duty.HOLDING, timedelta(minutes=10)),
)


@dataclass
class Cadence:
    """One merged tick for everything that is due by the clock."""

    policy: Policy
    severity: Severity
    room_due: datetime
    reclassify_due: datetime
    public_due: datetime | None
    public: bool = True
    _rungs: int = 0

    @classmethod
    def started(cls, policy: Policy, severity: Severity, at: datetime, *, public: bool = True) -> "Cadence":
        """The clock of an incident declared at `at`."""
        rhythm = policy.rhythm(severity)
        first = at + policy.paced(rhythm.first_public) if public and rhythm.first_public else None
        return cls(policy, severity, at + policy.paced(rhythm.room), at + policy.paced(rhythm.reclassify), first, public)

    def quicken(self, severity: Severity, at: datetime) -> None:
        """A graver severity shortens every wait from now."""
        fresh = Cadence.started(self.policy, severity, at, public=self.public)
        self.severity = severity
        self.room_due = min(self.room_due, fresh.room_due)
        self.reclassify_due = min(self.reclassify_due, fresh.reclassify_due)
        if fresh.public_due:
            self.public_due = min(self.public_due, fresh.public_due) if self.public_due else fresh.public_due

    def published(self, at: datetime) -> None:
        """The public heard something: the next update is due one period later."""
        period = self.policy.rhythm(self.severity).public if self.public else None
        self.public_due, self._rungs = (at + self.policy.paced(period) if period else None), 0

    def next_instant(self) -> datetime:
        """When to look again."""
        rung = self._next_rung()
        return min(i for i in (self.room_due, self.reclassify_due, rung[1] if rung else None) if i is not None)

    def due(self, at: datetime) -> list[Duty]:
        """What is due now, each once; rung by rung while a public update stays overdue."""
        duties: list[Duty] = []
        rhythm = self.policy.rhythm(self.severity)
        if at >= self.room_due:
            duties.append(Duty.ROOM)
            self.room_due = at + self.policy.paced(rhythm.room)
        if at >= self.reclassify_due:
            duties.append(Duty.RECLASSIFY)
            self.reclassify_due = at + self.policy.paced(rhythm.reclassify)
        while (rung := self._next_rung()) and at >= rung[1]:
            duties.append(rung[0])
            self._rungs += 1
        return duties

    def _next_rung(self) -> tuple[Duty, datetime] | None:
        if self.public_due is None or self._rungs >= len(OVERDUE):
            return None
        duty, offset = OVERDUE[self._rungs]
        return duty, self.public_due + self.policy.paced(offset)
