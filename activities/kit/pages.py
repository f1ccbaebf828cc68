"""Lists are read to their end. What is missing from a list that was cut short is unknown, and never "not there"."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

from activities.action import Refused

LONGEST = 100  # pages

P = TypeVar("P")


async def pages(what: str, first: P, fetch: Callable[[P], Awaitable[tuple[list[Any], P | None]]]) -> AsyncIterator[Any]:
    """Every item of a list. `fetch` takes the place of a page (a cursor, an offset, a number); it returns the items, and the next place.

    The next place is None after the last page. Raises `Refused` for a list that does not end.
    """
    place: P | None = first
    for _ in range(LONGEST):
        if place is None:
            return
        items, place = await fetch(place)
        for item in items:
            yield item
    if place is not None:
        raise Refused(f"{what} has more than {LONGEST} pages, so that nobody can say what is not in it")
