"""Business days by the public holidays of a country (spec §10.4).

A workflow must not call this: a newer `holidays` package may know another holiday, so that a replay would differ. Ask in an activity.
"""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import holidays

from activities.action import Refused

LONGEST = 400  # days that are looked at before the calendar is taken to be wrong


def day_of(instant: datetime, time_zone: str = "") -> date:
    """The calendar day of an instant where somebody is. `time_zone`: `Europe/Berlin`; empty: UTC. Raises `Refused` when there is no such zone."""
    try:
        return instant.astimezone(ZoneInfo(time_zone or "UTC")).date()
    except (OSError, ValueError, LookupError):
        raise Refused(f"there is no time zone called {time_zone!r}; one is called like Europe/Berlin or America/New_York") from None


def business_days_after(start: date, days: int, country: str = "") -> date:
    """The day that many business days after `start`, which itself does not count (day 0).

    `country`: `US`, or with a part of it `DE-BE`, `GB-ENG`; its own weekend counts too. Empty: Saturdays and Sundays only.
    Raises `Refused` when there is no calendar of it.
    """
    calendar = calendar_of(country)
    day, left = start, days
    while left:
        day += timedelta(days=1)
        left -= day.weekday() < 5 if calendar is None else calendar.is_working_day(day)
        if (day - start).days > LONGEST + 10 * days:
            raise Refused(f"the calendar of {country!r} has no business days")
    return day


def calendar_of(country: str) -> holidays.HolidayBase | None:
    """The calendar of a country or of a part of it; None where none is wanted. Raises `Refused` when there is none."""
    code = country.strip().upper()
    if not code:
        return None
    whole, _, part = code.partition("-")
    try:
        return holidays.country_holidays(whole, subdiv=part or None)
    except NotImplementedError:
        raise Refused(
            f"there is no calendar of {country!r}; a country is two letters, a part of it follows: US, IE, DE-BE, GB-ENG"
        ) from None
