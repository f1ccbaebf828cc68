"""Whatever changes between two states of an object, the difference puts it together again."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from activities.ledger.record import difference, patched

things = st.lists(st.fixed_dictionaries({"number": st.integers(1, 6), "text": st.sampled_from("abc")}), max_size=6)
states = st.fixed_dictionaries(
    {"version": st.integers(), "steps": things, "plain": st.lists(st.integers(), max_size=3), "word": st.text(max_size=3)}
)


@given(states, states)
@settings(max_examples=200)
def test_the_difference_gives_the_new_state_back(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert patched(old, difference(old, new)) == new


def test_only_what_changed_travels() -> None:
    old = {"steps": [{"number": n, "text": "a" * 100} for n in range(1, 50)]}
    new = {"steps": [*old["steps"][:-1], {"number": 49, "text": "b"}]}
    assert len(str(difference(old, new))) < 300


def test_two_things_with_one_number_are_sent_whole() -> None:
    """Follow-ups that shared a number were once shown five times over."""
    new = {"follow_ups": [{"number": 1, "text": "a"}, {"number": 1, "text": "b"}]}
    assert patched({"follow_ups": []}, difference({"follow_ups": []}, new)) == new
