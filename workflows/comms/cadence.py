"""When the next update is due, to whom, and who is told that it is overdue. Pure: instants in, duties out (spec §6)."""

from datetime import datetime, timedelta
from enum import StrEnum

from activities.organisation.policy import Policy
from activities.organisation.rhythm import Rhythm
from workflows.errors import NotAccepted
from workflows.incident import Severity


class Duty(StrEnum):
    PUBLIC = "status page update"
    ROOM = "war-room status"
    RECLASSIFY = "classify again"
    TELL = "tell support and executives"
    BRIEF = "executives' brief"
    REMIND = "remind Comms"
    PAGE_COMMS = "page Comms"
    PAGE_COMMANDER = "page the commander"
    HOLDING = "holding statement"


# The overdue ladder, relative to the instant at which a public update is due (spec §6).
OVERDUE = (
    (Duty.REMIND, timedelta(minutes=-5)),
    (Duty.PAGE_COMMS, timedelta(0)),
    (Duty.PAGE_COMMANDER, timedelta(minutes=5)),
    (Duty.HOLDING, timedelta(minutes=10)),
)

FAR = timedelta(days=3650)  # when nothing is due at all


class Cadence:
    """One merged tick for everything that is due by the clock. What has a period stays on its grid, so that duties fall together."""

    def __init__(self, policy: Policy, severity: Severity, at: datetime, *, public: bool = True) -> None:
        self.policy, self.severity, self.started_at, self.public = policy, severity, at, public
        rhythm = policy.rhythm(severity)
        waits = {Duty.ROOM: rhythm.room, Duty.RECLASSIFY: rhythm.reclassify, Duty.TELL: rhythm.told, Duty.BRIEF: rhythm.brief}
        self.grid = {duty: at + policy.paced(wait) for duty, wait in waits.items() if wait}  # when each of these is due
        first, holding = (rhythm.first_public, rhythm.holding) if public else (None, None)
        self.public_due = at + policy.paced(first) if first else None
        self.holding_due = at + policy.paced(holding) if holding else None  # only for the first post: it has an instant of its own
        self.first = True  # nothing was published so far
        self.widened = False
        self.approved = False  # the wording is approved: the update goes out, and nobody has to be reminded
        self.classifying = True  # until the impact has ended
        self._overdue_steps = 0

    @property
    def rhythm(self) -> Rhythm:
        return self.policy.rhythm(self.severity)

    @property
    def period(self) -> timedelta | None:
        """How far apart public updates are now, in policy time; None: there are none."""
        if not self.public:
            return None
        return self.rhythm.widened if self.widened and self.rhythm.widened else self.rhythm.public

    def start(self, policy: Policy, severity: Severity, at: datetime, *, public: bool) -> None:
        """Begin anew, in place: others hold on to this clock."""
        vars(self).update(vars(Cadence(policy, severity, at, public=public)))

    def quicken(self, severity: Severity, at: datetime) -> None:
        """A graver severity shortens every wait from now."""
        fresh = Cadence(self.policy, severity, at, public=self.public)
        self.severity, self.widened = severity, False
        for duty, due in fresh.grid.items():
            if duty is not Duty.TELL or self.first:
                self.grid[duty] = min(self.grid.get(duty, due), due)
        if self.public and not self.first and self.rhythm.public:
            fresh.public_due = at + self.policy.paced(self.rhythm.public)
        self.public_due = min(filter(None, (self.public_due, fresh.public_due)), default=None)
        if self.first:
            self.holding_due = min(filter(None, (self.holding_due, fresh.holding_due)), default=None)

    def widen(self, at: datetime, *, known: bool, why: str) -> timedelta:
        """Public updates may come less often from now on. Raises `NotAccepted` while that is not allowed."""
        wide, from_when = self.rhythm.widened, self.started_at + self.policy.paced(self.policy.widen_after)
        if wide is None or self.period is None or self.public_due is None:
            raise NotAccepted("no public updates are due that could be widened")
        if self.widened:
            raise NotAccepted("the public cadence is widened already")
        if at < from_when:
            raise NotAccepted(f"public updates stay {self.period.total_seconds() / 60:g} min apart until {from_when:%H:%M:%S} UTC")
        if not known:
            raise NotAccepted("the cause must be known and stable first: the status page says neither Identified nor Monitoring")
        if not why:
            raise NotAccepted("say why: the cause that is known, and that it is stable")
        self.widened = True
        return wide

    def published(self, at: datetime) -> None:
        """Something was published: the next update is due one period later."""
        period = self.period
        self.public_due, self._overdue_steps, self.first = (at + self.policy.paced(period) if period else None), 0, False

    def ended(self) -> None:
        """Nothing more is owed to the public."""
        self.public, self.public_due = False, None

    def next_instant(self) -> datetime:
        step = self._next_step()
        return min(*self._ticks(), *([step[1]] if step else []), self.started_at + FAR)

    def due(self, at: datetime) -> list[Duty]:
        """What is due now, each once; step by step while a public update stays overdue.

        An approved update goes out on the last tick before it is due, so that it costs none of its own. If it does not get through, the
        ladder goes on from there the next time.
        """
        periods = {Duty.ROOM: self.rhythm.room, Duty.RECLASSIFY: self.rhythm.reclassify, Duty.BRIEF: self.rhythm.briefs}
        duties = []
        for duty in (Duty.ROOM, Duty.RECLASSIFY, Duty.TELL, Duty.BRIEF):
            due = self.grid.get(duty)
            if due is None or at < due:
                continue
            if duty is not Duty.RECLASSIFY or self.classifying:
                duties.append(duty)
            if period := periods.get(duty):  # the next instant of the grid that lies ahead
                step = self.policy.paced(period)
                self.grid[duty] = due + step * ((at - due) // step + 1)
            else:
                del self.grid[duty]
        return [*self._public_duties(at), *duties]

    def _public_duties(self, at: datetime) -> list[Duty]:
        duties: list[Duty] = []
        while (step := self._next_step()) and (at >= step[1] or self._last_tick_before(step[1], at)):
            duties.append(step[0])
            self._overdue_steps += 1
            if step[0] is Duty.PUBLIC:
                break  # whether anybody has to be paged shows when it was tried
        return duties

    def _last_tick_before(self, due: datetime, at: datetime) -> bool:
        early = self.policy.paced(-OVERDUE[0][1])
        return self.approved and self._overdue_steps == 0 and due - at <= early and all(tick > due for tick in self._ticks())

    def _ticks(self) -> list[datetime]:
        return [due for duty, due in self.grid.items() if duty is not Duty.RECLASSIFY or self.classifying]

    def _next_step(self) -> tuple[Duty, datetime] | None:
        if self.public_due is None or self._overdue_steps >= len(OVERDUE):
            return None
        duty, offset = OVERDUE[self._overdue_steps]
        if duty is Duty.REMIND and self.approved:
            return Duty.PUBLIC, self.public_due
        if duty is Duty.HOLDING and self.first:
            return (duty, max(self.holding_due, self.public_due)) if self.holding_due else None
        return duty, self.public_due + self.policy.paced(offset)
