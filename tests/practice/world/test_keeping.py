"""A state that was kept is as it was, whatever has happened since to its parts."""

from practice.faces.github.issues import Issues
from practice.faces.slack.records import Channels
from practice.world.stage import young
from practice.world.world import World


def test_what_was_kept_does_not_follow_the_state() -> None:
    world = young()
    before = world.keep()
    world.state.part(Channels)
    world.state.people["dana"].inbox.append({"text": "later"})
    after = world.keep()
    assert Channels.__qualname__ not in " ".join(World.kept(before).parts) and World.kept(before).people["dana"].inbox == []
    assert World.kept(after) == world.state, "and the latest is what there is"


def test_a_part_that_was_put_back_is_kept_as_it_is_then() -> None:
    """It is another object now, and what was kept of its successor does not count."""
    world = young()
    vars(world.state.part(Issues))["said"] = "first"
    first = world.keep()
    vars(world.state.part(Issues))["said"] = "second"
    world.keep()
    world.state = world.kept(first)
    again = World.kept(world.keep())
    assert vars(again.part(Issues))["said"] == "first"
