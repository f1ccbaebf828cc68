"""What several incidents hold at once, and who of them yields: what one of them leaves to the others when it ends."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from activities.kit.holding import Hold, Thing
from activities.kit.words.code_names import to_others
from starters.screens.text import plain

MOST = 3  # targets that are named where the same incidents hold many


def shared(held: Mapping[Thing, Sequence[Hold]]) -> list[str]:
    """A line for what is held by more than one incident, and one for each of them."""
    together: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for thing, holds in held.items():
        latest = tuple({one.incident: one for one in holds}.values())
        if len(latest) > 1:
            together[thing.verb, tuple(_in_words(one) for one in latest)].append(thing.target)
    lines = []
    for (_, said), targets in together.items():
        more = f" and {len(targets) - MOST} more" if len(targets) > MOST else ""
        lines.append(f"{plain(', '.join(sorted(targets)[:MOST]))}{more} is held by {len(said)} incidents; the last one puts it back")
        lines += [f"    {plain(one)}" for one in said]
    return lines


def _in_words(hold: Hold) -> str:
    return hold.in_words() + (f" (yields to {to_others(hold.yields_to)})" if hold.yields_to else "")
