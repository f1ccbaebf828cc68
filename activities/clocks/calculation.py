"""When a clock is due (spec §10.4). A workflow must not call this: a newer `holidays` may know another holiday. It asks an activity.

*Strict* is the deadline that we work to. *Outer* is the legal end where that is later: by Regulation (EEC, Euratom) 1182/71 the hour, or the
day, of the event is not counted, and a last day that is no working day moves the end, except for periods in hours.
"""

import calendar as months
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from importlib.metadata import version
from types import MappingProxyType
from typing import NamedTuple
from zoneinfo import ZoneInfo

from activities.action import Refused
from activities.clocks.regimes import Rule
from activities.organisation.business_days import calendar_of

LIBRARY = f"holidays {version('holidays')}"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LONGEST = 400  # days in which there is a business day, or the calendar is wrong


class Deadline(NamedTuple):
    strict: datetime
    outer: datetime | None  # None: the law gives no more


Closures = Mapping[str, Iterable[date]]
NONE: Closures = MappingProxyType({})


def zone_of(name: str) -> ZoneInfo:
    """Raises `Refused` when there is no such time zone; empty is UTC."""
    try:
        return ZoneInfo(name or "UTC")
    except (OSError, ValueError, LookupError):
        raise Refused(f"there is no time zone called {name!r}; one is called like Europe/Brussels") from None


def deadline(start: datetime, rule: Rule, closures: Closures = NONE, country: str = "") -> Deadline:
    """When it is due. `country`: whose business days count where the rule names none. Raises `Refused` where a calendar is unknown."""
    if start.tzinfo is None:
        raise Refused(f"{start} says no time zone")
    if rule.unit == "hours":
        return _in_hours(start, rule)
    zone = zone_of(rule.time_zone)
    day = start.astimezone(zone).date()
    if rule.after_year_end:
        day = date(day.year, 12, 31)
    working = WorkingDays(rule.calendar or country, closures)
    if rule.unit == "business_days":
        last = working.after(day, rule.n)
        return Deadline(_end_of(last, zone, rule.cutoff), None)
    last = day + rule.n * DAY if rule.unit == "calendar_days" else _months_after(day, rule.n)
    moved = working.from_(last) if rule.extends else last
    return Deadline(_end_of(last, zone, rule.cutoff), _end_of(moved, zone, rule.cutoff) if moved != last else None)


def _in_hours(start: datetime, rule: Rule) -> Deadline:
    """Absolute: no weekend, no holiday, no summer time. The legal period begins with the next full hour."""
    begins = start.astimezone(UTC)
    full = begins.replace(minute=0, second=0, microsecond=0)
    return Deadline(begins + rule.n * HOUR, None if full == begins else full + HOUR + rule.n * HOUR)


def _months_after(day: date, n: int) -> date:
    """The same day of the month, or the last one that there is: 31 January and a month is 28 or 29 February."""
    year, month = divmod(day.year * 12 + day.month - 1 + n, 12)
    return date(year, month + 1, min(day.day, months.monthrange(year, month + 1)[1]))


def _end_of(day: date, zone: ZoneInfo, cutoff: str) -> datetime:
    """The end of a day there, 24:00, or the hour at which it closes."""
    if cutoff:
        return datetime.combine(day, time.fromisoformat(cutoff), zone).astimezone(UTC)
    return datetime.combine(day + DAY, time(), zone).astimezone(UTC)


class WorkingDays:
    """The working days of a calendar, without the days on which it was closed all the same. Day 0 never counts, whatever day it is.

    `holidays`' own `get_nth_working_day(saturday, 0)` and `(saturday, 1)` are both the Monday, so that it is not used.
    """

    def __init__(self, country: str, closures: Closures = NONE) -> None:
        self._country, self._calendar = country, calendar_of(country)
        self._closed = {day for name, days in closures.items() if name.upper() == country.strip().upper() for day in days}

    def working(self, day: date) -> bool:
        open_ = day.weekday() < 5 if self._calendar is None else self._calendar.is_working_day(day)
        return open_ and day not in self._closed

    def from_(self, day: date) -> date:
        """That day, or the first working day after it."""
        return day if self.working(day) else self.after(day, 1)

    def after(self, day: date, n: int) -> date:
        left, last = n, day
        while left:
            last += DAY
            left -= self.working(last)
            if (last - day).days > LONGEST + 10 * n:
                raise Refused(f"the calendar of {self._country!r} has no business days")
        return last
