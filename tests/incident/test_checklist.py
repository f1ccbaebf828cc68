"""When an item of the first 15 minutes is done, late, missed, open or not due: pure, so said once for every item."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.organisation.policy import Policy
from tests.screens.situations import DECLARED, at
from workflows.first_minutes.checklist import ITEMS, due_at, late_by, tick
from workflows.status import ItemState

MINUTES = st.one_of(st.none(), st.floats(0, 60))


@pytest.mark.parametrize(
    ("due", "done", "now", "state", "late"),
    [
        (5, 4, 20, ItemState.DONE, 0), (5, 5, 20, ItemState.DONE, 0), (5, 7, 20, ItemState.LATE, 2), (5, None, 5, ItemState.OPEN, 0),
        (5, None, 6, ItemState.MISSED, 1), (None, None, 90, ItemState.NOT_DUE, 0), (None, 90, 91, ItemState.DONE, 0),
    ],
)  # fmt: skip
def test_a_tick_says_whether_it_was_in_time(due: float | None, done: float | None, now: float, state: ItemState, late: float) -> None:
    told = tick("freeze", at(due) if due is not None else None, at(now), at(done) if done is not None else None, "because")
    assert (told.state, late_by(told, at(now)), told.evidence) == (state, timedelta(minutes=late), "because")


@given(MINUTES, MINUTES, st.floats(0, 60), st.floats(0, 60))
def test_time_alone_never_makes_a_tick_better(due: float | None, done: float | None, now: float, later: float) -> None:
    order = [ItemState.DONE, ItemState.NOT_DUE, ItemState.OPEN, ItemState.LATE, ItemState.MISSED]
    instants = [at(minute) if minute is not None else None for minute in (due, done)]
    first, second = (tick("freeze", instants[0], at(minute), instants[1]) for minute in (now, now + later))
    assert order.index(first.state) <= order.index(second.state)
    assert late_by(first, at(now)) <= late_by(second, at(now + later))


def test_deadlines_are_policy_time_and_only_where_the_policy_has_one() -> None:
    assert due_at("freeze", 1, DECLARED, Policy()) == at(2)
    assert due_at("freeze", 1, DECLARED, Policy(pace=120)) == DECLARED + timedelta(seconds=1)
    assert due_at("freeze", 3, DECLARED, Policy()) is None
    assert [each.key for each in ITEMS if due_at(each.key, 5, DECLARED, Policy())] == []
    assert [each.part_of for each in ITEMS if each.key == "scribe"] == ["declare"]
