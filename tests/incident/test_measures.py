"""Measures balance: what was imposed is lifted, held by a named person, or stands in the way of *resolved*."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from activities.flags.flags import SWITCHED_OFF, FlagReading, Switch, switch_off
from activities.models.models import FAILED_OVER
from activities.models.routes import RouteState, Shift
from activities.organisation.policy import Policy
from workflows.engine.measures import Imposed, Measures

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)


@given(st.lists(st.tuples(st.sampled_from(("impose", "lift", "take over")), st.integers(0, 5)), max_size=40))
def test_measures_always_balance(moves: list[tuple[str, int]]) -> None:
    """Whatever happens: what was imposed is lifted, held by a named person, or stands in the way of *resolved*; latest first."""
    measures, imposed, lifted, held = Measures(), list[Imposed](), set[int](), set[int]()
    for move, which in moves:
        if move == "impose":
            order = switch_off(f"flag-{which}", "", Policy()).given(FlagReading(value=Switch(on=True)))
            imposed.append(measures.register(SWITCHED_OFF, order, NOW))
        elif which < len(imposed) and move == "lift":
            imposed[which].lifted_at = LATER
            lifted.add(imposed[which].number)
        elif which < len(imposed):
            imposed[which].held_by = "dana"
            held.add(imposed[which].number)
    numbers = {i.number for i in imposed}
    assert {i.number for i in measures.standing} == numbers - lifted
    assert {i.number for i in measures.unheld()} == numbers - lifted - held == {i.number for i in measures.liftable()}
    order_of_lifting = [i.number for i in measures.liftable()]
    assert order_of_lifting == sorted(order_of_lifting, reverse=True)
    assert [m.number for m in measures.in_force()] == sorted(numbers - lifted)
    assert all(any("/features/flag-" in line for line in i.undo.by_hand()) for i in measures.standing)


def test_sticky_measures_stay_on_abort() -> None:
    """Never lifted by a stand-down; they end in somebody's name."""
    measures = Measures()
    route = RouteState(alias="chat", etag="1", epoch=0, weights={"aurora": 1.0})
    shift = Shift(route="chat", tenants=("t",), weights={"borealis": 1.0}, purpose="fail over").given(route)
    sticky = measures.register(FAILED_OVER, shift, NOW)
    loose = measures.register(SWITCHED_OFF, switch_off("f", "", Policy()).given(FlagReading(value=Switch(on=True))), NOW)
    assert measures.liftable(on_abort=True) == [loose]
    assert measures.liftable() == [loose, sticky]
