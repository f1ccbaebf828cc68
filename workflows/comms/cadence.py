"""When the next update is due, to whom, and who is told that it is overdue. Pure: instants in, duties out (spec §6)."""

from dataclasses import dataclass
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


@dataclass
class Cadence:
    """One merged tick for everything that is due by the clock. What has a period stays on its grid, so that duties fall together."""

    policy: Policy
    severity: Severity
    started_at: datetime
    reclassify_due: datetime
    room_due: datetime | None = None
    tell_due: datetime | None = None
    brief_due: datetime | None = None
    public_due: datetime | None = None
    holding_due: datetime | None = None  # only for the first post: it has an instant of its own
    public: bool = True
    first: bool = True  # nothing was published so far
    widened: bool = False
    approved: bool = False  # the wording is approved: the update goes out, and nobody has to be reminded
    classifying: bool = True  # until the impact has ended
    _overdue_steps: int = 0

    @classmethod
    def started(cls, policy: Policy, severity: Severity, at: datetime, *, public: bool = True) -> "Cadence":
        """The clock of an incident declared at `at`."""
        rhythm = policy.rhythm(severity)

        def after(wait: timedelta | None) -> datetime | None:
            return at + policy.paced(wait) if wait else None

        return cls(
            policy, severity, at, at + policy.paced(rhythm.reclassify), room_due=after(rhythm.room), tell_due=after(rhythm.told),
            brief_due=after(rhythm.brief), public_due=after(rhythm.first_public) if public else None,
            holding_due=after(rhythm.holding) if public else None, public=public,
        )  # fmt: skip

    @property
    def rhythm(self) -> Rhythm:
        """The numbers at this severity."""
        return self.policy.rhythm(self.severity)

    @property
    def period(self) -> timedelta | None:
        """How far apart public updates are now, in policy time; None: there are none."""
        if not self.public:
            return None
        return self.rhythm.widened if self.widened and self.rhythm.widened else self.rhythm.public

    def start(self, policy: Policy, severity: Severity, at: datetime, *, public: bool) -> None:
        """Begin anew, in place: others hold on to this clock."""
        vars(self).update(vars(Cadence.started(policy, severity, at, public=public)))

    def quicken(self, severity: Severity, at: datetime) -> None:
        """A graver severity shortens every wait from now."""
        fresh = Cadence.started(self.policy, severity, at, public=self.public)
        self.severity, self.widened = severity, False
        self.reclassify_due = min(self.reclassify_due, fresh.reclassify_due)
        self.room_due = _earlier(self.room_due, fresh.room_due)
        self.brief_due = _earlier(self.brief_due, fresh.brief_due)
        if self.public and not self.first and self.rhythm.public:
            fresh.public_due = at + self.policy.paced(self.rhythm.public)
        self.public_due = _earlier(self.public_due, fresh.public_due)
        if self.first:
            self.tell_due = _earlier(self.tell_due, fresh.tell_due)
            self.holding_due = _earlier(self.holding_due, fresh.holding_due)

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

    def told(self) -> None:
        """Support and executives know of it."""
        self.tell_due = None

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
        duties: list[Duty] = []
        if self.room_due and self.rhythm.room and at >= self.room_due:
            duties.append(Duty.ROOM)
            self.room_due = self._after(self.room_due, self.rhythm.room, at)
        if self.classifying and at >= self.reclassify_due:
            duties.append(Duty.RECLASSIFY)
        if at >= self.reclassify_due:
            self.reclassify_due = self._after(self.reclassify_due, self.rhythm.reclassify, at)
        if self.tell_due and at >= self.tell_due:
            duties.append(Duty.TELL)
            self.tell_due = None
        if self.brief_due and at >= self.brief_due:
            duties.append(Duty.BRIEF)
            self.brief_due = self._after(self.brief_due, self.rhythm.briefs, at) if self.rhythm.briefs else None
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
        every = (self.room_due, self.reclassify_due if self.classifying else None, self.tell_due, self.brief_due)
        return [tick for tick in every if tick is not None]

    def _after(self, due: datetime, period: timedelta, at: datetime) -> datetime:
        """The next instant of the grid that lies ahead."""
        step = self.policy.paced(period)
        return due + step * ((at - due) // step + 1)

    def _next_step(self) -> tuple[Duty, datetime] | None:
        if self.public_due is None or self._overdue_steps >= len(OVERDUE):
            return None
        duty, offset = OVERDUE[self._overdue_steps]
        if duty is Duty.REMIND and self.approved:
            return Duty.PUBLIC, self.public_due
        if duty is Duty.HOLDING and self.first:
            return (duty, max(self.holding_due, self.public_due)) if self.holding_due else None
        return duty, self.public_due + self.policy.paced(offset)


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min(one, other) if one and other else one or other
