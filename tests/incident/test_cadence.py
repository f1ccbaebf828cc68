"""The clock of communications: pure rules, told by instants (spec §6)."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from activities.organisation.policy import Policy
from workflows.comms.cadence import OVERDUE, Cadence, Duty
from workflows.incident import Severity

START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
POLICY = Policy()
severities = st.sampled_from(Severity)


def after(minutes: float) -> datetime:
    """An instant after the declaration."""
    return START + timedelta(minutes=minutes)


def test_the_first_public_update_is_due_when_the_severity_says() -> None:
    """10 minutes at SEV-1, 15 at SEV-2, 60 at SEV-3, none below."""
    due = {s: Cadence(POLICY, s, START).public_due for s in Severity}
    assert [due[s] for s in Severity] == [after(10), after(15), after(60), None, None]


def test_an_overdue_update_climbs_its_own_ladder() -> None:
    """Reminder before it is due, then Comms, then the commander, then the holding statement; each once."""
    cadence = Cadence(POLICY, Severity.SEV2, START)
    heard = [(minute, duty) for minute in range(40) for duty in cadence.due(after(minute)) if duty in dict(OVERDUE)]
    assert heard == [(10, Duty.REMIND), (15, Duty.PAGE_COMMS), (20, Duty.PAGE_COMMANDER), (25, Duty.HOLDING)]


def test_a_published_update_starts_the_next_period() -> None:
    """And the ladder starts from its first rung again."""
    cadence = Cadence(POLICY, Severity.SEV2, START)
    cadence.due(after(15))
    cadence.published(after(16))
    assert cadence.public_due == after(46)
    assert Duty.REMIND in cadence.due(after(41))


def test_what_is_not_public_has_no_public_duty() -> None:
    """Triage and restricted incidents: the room hears of it, the public does not."""
    cadence = Cadence(POLICY, Severity.SEV1, START, public=False)
    cadence.published(after(1))
    assert cadence.public_due is None
    assert not set(cadence.due(after(600))) & set(dict(OVERDUE))


@given(severities, severities, st.floats(0, 300))
def test_a_graver_severity_never_makes_anybody_wait_longer(one: Severity, other: Severity, at: float) -> None:
    """Quickened waits only become shorter."""
    milder, graver = max(one, other), min(one, other)
    cadence = Cadence(POLICY, milder, START)
    before = cadence.grid.get(Duty.ROOM), cadence.grid[Duty.RECLASSIFY], cadence.public_due
    cadence.quicken(graver, after(at))
    now = cadence.grid.get(Duty.ROOM), cadence.grid[Duty.RECLASSIFY], cadence.public_due
    assert all(was is None or (due is not None and due <= was) for was, due in zip(before, now, strict=True))


@given(severities, st.lists(st.floats(0.1, 90), max_size=30), st.floats(0.5, 500))
def test_whenever_we_look_nothing_that_was_due_is_forgotten_and_the_next_look_lies_ahead(
    severity: Severity, steps: list[float], pace: float
) -> None:
    """After every look the next instant is in the future, so that the clock never spins; at any pace."""
    cadence = Cadence(Policy(pace=pace), severity, START)
    now = START
    for step in steps:
        now += timedelta(minutes=step)
        due = cadence.due(now)
        assert len(due) == len(set(due))
        assert cadence.next_instant() > now
