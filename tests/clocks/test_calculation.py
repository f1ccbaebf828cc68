"""When clocks are due: every worked example of the spec (§10.4), and what must hold for any of them."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.action import Refused
from activities.clocks.calculation import LIBRARY, WorkingDays, deadline
from activities.clocks.regimes import ClockTable, Rule
from activities.clocks.table import read_table

TABLE = read_table(Path("/nowhere/organisation.toml"))
SEC = TABLE.regimes["sec-8k"].stages[0].due[0]
DAYS_15 = TABLE.regimes["ai-act-73"].stages[0].due[0]


def utc(said: str) -> datetime:
    return datetime.fromisoformat(said).replace(tzinfo=UTC)


def test_72_hours_over_a_weekend_are_72_hours() -> None:
    """No extension, whatever some calculators say; the legal period begins with the next full hour (Regulation 1182/71)."""
    rule = TABLE.regimes["gdpr-33-1"].stages[0].due[0]
    found = deadline(utc("2026-11-27T15:20"), rule)
    assert found.strict == utc("2026-11-30T15:20")
    assert found.outer == utc("2026-11-30T16:00")
    assert deadline(utc("2026-11-27T15:00"), rule).outer is None, "at a full hour there is nothing more"


def test_hours_do_not_know_summer_time() -> None:
    berlin = datetime.fromisoformat("2026-03-28T12:00+01:00")  # the clocks go forward the next night
    assert deadline(berlin, Rule(unit="hours", n=24)).strict == datetime.fromisoformat("2026-03-29T13:00+02:00")


def test_15_calendar_days_end_on_a_saturday_and_the_law_gives_until_monday() -> None:
    """Day 0 does not count; the day ends at 24:00 of the authority. What we work to ignores the extension."""
    found = deadline(utc("2026-11-27T15:20"), DAYS_15)
    brussels = DAYS_15.time_zone
    assert brussels == "Europe/Brussels" and found.outer is not None
    assert found.strict == datetime.fromisoformat("2026-12-13T00:00+01:00"), "24:00 of Saturday, 12 December"
    assert found.outer == datetime.fromisoformat("2026-12-15T00:00+01:00"), "24:00 of Monday, 14 December"


@pytest.mark.parametrize(
    ("start", "n", "last"),
    [("2026-01-31", 1, "2026-02-28"), ("2028-01-31", 1, "2028-02-29"), ("2026-12-15", 1, "2027-01-15"), ("2026-11-30", 3, "2027-02-28")]
)  # fmt: skip
def test_months_keep_the_day_and_are_clipped(start: str, n: int, last: str) -> None:
    found = deadline(utc(f"{start}T09:00"), Rule(unit="months", n=n))
    assert found.strict == utc(f"{last}T00:00") + timedelta(days=1)


@pytest.mark.parametrize(
    ("determined", "due"),
    [
        ("2026-10-08", "2026-10-15"),  # Columbus Day: the exchange's calendar would say the 14th
        ("2026-04-01", "2026-04-07"),  # Good Friday is a business day of the SEC: the exchange's calendar would be late
        ("2026-11-25", "2026-12-02"),  # Thanksgiving
        ("2026-11-28", "2026-12-03"),  # a Saturday: Monday is day 1
    ],
)
def test_sec_counts_federal_business_days(determined: str, due: str) -> None:
    at = datetime.fromisoformat(f"{determined}T12:00-04:00")
    assert deadline(at, SEC).strict.astimezone(at.tzinfo).date() == date.fromisoformat(due)
    assert deadline(at, SEC).strict == datetime.fromisoformat(f"{due}T17:30-0{5 if due > '2026-11' else 4}:00")


def test_a_determination_late_in_the_evening_is_of_that_day_in_washington() -> None:
    """03:00 UTC of the 9th is still the 8th there."""
    assert deadline(utc("2026-10-09T03:00"), SEC).strict.date() == date(2026, 10, 15)


@pytest.mark.parametrize(
    ("resolved", "country", "due"),
    [
        ("2026-12-23", "US", "2026-12-31"), ("2026-12-23", "IE", "2026-12-31"), ("2026-12-23", "DE-BE", "2026-12-31"),
        ("2026-12-23", "GB-ENG", "2027-01-04"), ("2026-04-02", "IE", "2026-04-10"), ("2026-04-02", "DE-BE", "2026-04-13"),
        ("2026-04-02", "GB-ENG", "2026-04-13"),
    ],
)  # fmt: skip
def test_five_business_days_over_holidays(resolved: str, country: str, due: str) -> None:
    assert WorkingDays(country).after(date.fromisoformat(resolved), 5) == date.fromisoformat(due)
    entry = TABLE.regimes["gdpr-33-5"].stages[0].due[0]
    assert deadline(utc(f"{resolved}T10:00"), entry, country=country).strict == utc(f"{due}T00:00") + timedelta(days=1)


def test_the_weekend_is_the_calendars() -> None:
    friday, sunday = date(2026, 11, 20), date(2026, 11, 22)
    assert not WorkingDays("IL").working(friday) and WorkingDays("IL").working(sunday)
    assert WorkingDays("").working(friday) and not WorkingDays("").working(sunday)


def test_a_day_on_which_it_was_closed_all_the_same_is_no_business_day() -> None:
    """A day of mourning, say: no library knows it beforehand."""
    at = utc("2026-10-08T16:00")
    assert deadline(at, SEC, {"US": [date(2026, 10, 13)]}).strict.date() == date(2026, 10, 16)
    assert deadline(at, SEC, {"DE": [date(2026, 10, 13)]}).strict == deadline(at, SEC).strict


def test_the_annual_log_of_hipaa_is_due_60_days_after_the_end_of_the_year() -> None:
    rule = TABLE.regimes["hipaa-hhs-small"].stages[0].due[0]
    assert deadline(utc("2026-02-03T10:00"), rule).strict == datetime.fromisoformat("2027-03-02T00:00-05:00"), "24:00 of 1 March"
    assert deadline(utc("2027-02-03T10:00"), rule).strict == datetime.fromisoformat("2028-03-01T00:00-05:00"), "a leap year"


@pytest.mark.parametrize("said", [{"calendar": "XX"}, {"time_zone": "Europe/Atlantis"}])
def test_what_cannot_be_counted_is_said(said: dict[str, str]) -> None:
    with pytest.raises(Refused, match="there is no"):
        deadline(utc("2026-11-27T15:20"), Rule(unit="business_days", n=1, **said))
    with pytest.raises(Refused, match="says no time zone"):
        deadline(datetime(2026, 11, 27), Rule(unit="hours", n=1))


def test_the_library_is_named_with_its_version() -> None:
    assert LIBRARY.startswith("holidays 0.")


RULES = [rule for row in TABLE.regimes.values() for stage in row.stages for rule in stage.due]


@given(
    start=st.datetimes(datetime(2024, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)), rule=st.sampled_from(RULES),
    later=st.timedeltas(timedelta(0), timedelta(days=40)),
)  # fmt: skip
def test_no_deadline_is_before_its_start_and_a_later_start_is_never_due_earlier(start: datetime, rule: Rule, later: timedelta) -> None:
    found, moved = deadline(start, rule, country="GB-ENG"), deadline(start + later, rule, country="GB-ENG")
    assert found.strict > start and (found.outer is None or found.outer > found.strict)
    assert moved.strict >= found.strict


def test_every_row_of_the_table_is_there_with_its_source_and_version() -> None:
    """Those that are off too: everybody sees that they were considered."""
    assert isinstance(TABLE, ClockTable) and len(TABLE.regimes) >= 35
    assert all(row.source and row.version and row.recipients for row in TABLE.regimes.values())
    off = {name for name, row in TABLE.regimes.items() if not row.on}
    assert {"uk-csr", "ai-act-55", "circia", "california-sb-53", "new-york-raise", "nydfs", "cert-in", "ftc-safeguards", "fedramp"} <= off
    assert TABLE.regimes["gdpr-33-1"].on and TABLE.regimes["cra-14-incident"].in_force(utc("2026-09-11T00:00"))
    assert not TABLE.regimes["cra-14-incident"].in_force(utc("2026-09-10T23:59"))
    assert not TABLE.regimes["ai-act-73"].in_force(utc("2026-11-27T00:00")), "Annex III duties were moved to 2027-12-02"
