"""Five business days, in whose calendar? The spec's own worked examples (§10.4), and what no calendar may do."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.action import Refused
from activities.organisation.business_days import business_days_after, day_of

WORKED = [
    ("US", "2026-12-23", "2026-12-31"), ("IE", "2026-12-23", "2026-12-31"), ("DE-BE", "2026-12-23", "2026-12-31"),
    ("GB-ENG", "2026-12-23", "2027-01-04"), ("IE", "2026-04-02", "2026-04-10"), ("DE-BE", "2026-04-02", "2026-04-13"),
    ("GB-ENG", "2026-04-02", "2026-04-13"),
]  # fmt: skip


@pytest.mark.parametrize(("country", "resolved", "due"), WORKED)
def test_the_specs_examples(country: str, resolved: str, due: str) -> None:
    assert business_days_after(date.fromisoformat(resolved), 5, country) == date.fromisoformat(due)


@pytest.mark.parametrize("resolved", ["2026-11-20", "2026-11-21", "2026-11-22"])
def test_the_day_itself_does_not_count_nor_does_a_weekend(resolved: str) -> None:
    assert business_days_after(date.fromisoformat(resolved), 1) == date(2026, 11, 23)
    assert business_days_after(date.fromisoformat(resolved), 0) == date.fromisoformat(resolved)


def test_a_weekend_is_the_countrys_own() -> None:
    """Israel rests on Friday and Saturday: a Thursday's next business day is Sunday."""
    assert business_days_after(date(2026, 11, 19), 1, "IL") == date(2026, 11, 22)
    assert business_days_after(date(2026, 11, 19), 1) == date(2026, 11, 20)


@pytest.mark.parametrize("country", ["XX", "Narnia", "DE-ZZ", "-", "U"])
def test_a_country_without_a_calendar_is_refused_in_a_sentence(country: str) -> None:
    with pytest.raises(Refused, match="there is no calendar of "):
        business_days_after(date(2026, 11, 23), 5, country)


@given(st.dates(date(2024, 1, 1), date(2030, 12, 31)), st.integers(1, 30), st.sampled_from(["", "us", " IE ", "DE-BE", "IL", "JP", "IN"]))
def test_every_day_more_is_later_and_it_never_ends_on_a_day_off(start: date, days: int, country: str) -> None:
    due = business_days_after(start, days, country)
    assert due >= start + timedelta(days=days)
    assert business_days_after(due - timedelta(days=1), 1, country) == due
    assert business_days_after(start, days + 1, country) > due


@pytest.mark.parametrize(
    ("zone", "day"),
    [("", "2026-11-23"), ("UTC", "2026-11-23"), ("Europe/Berlin", "2026-11-24"), ("America/Los_Angeles", "2026-11-23"), ("Asia/Tokyo", "2026-11-24")],
)  # fmt: skip
def test_a_day_is_the_day_where_somebody_is(zone: str, day: str) -> None:
    assert day_of(datetime(2026, 11, 23, 23, 30, tzinfo=UTC), zone) == date.fromisoformat(day)


@pytest.mark.parametrize("zone", ["Narnia", "../../etc/passwd", "/etc/localtime", "\x00", "Europe"])
def test_a_time_zone_that_is_none_is_refused_in_a_sentence(zone: str) -> None:
    with pytest.raises(Refused, match="there is no time zone called "):
        day_of(datetime(2026, 11, 23, 23, 30, tzinfo=UTC), zone)
