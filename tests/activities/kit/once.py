"""Things that exist once, and operations, against a vendor of these tests: rows, and the cells that each goes through."""

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx

from activities.action import Call, NotYet, Order, Refused
from activities.kit.create_once import CreateOnce
from activities.kit.operation import At, Operation, Progress
from tests.activities.kit.rows.practised import LandingClock
from tests.activities.kit.stage import INCIDENT, attempt, refused, tried


class Post(Order):
    """Something is to be said once."""

    text: str = "hello"

    def target(self) -> str:
        return "board"

    def effect(self) -> str:
        return f"the board says {self.text}"


@dataclass
class Board:
    """A vendor: what was posted, by key. `lags`: so many listings do not have the newest yet. `keyed`: twice under one key is once."""

    keyed: bool = False
    lags: int = 0
    posts: list[dict[str, Any]] = field(default_factory=list)
    faults: deque[tuple[str, str]] = field(default_factory=deque)
    states: deque[At] = field(default_factory=lambda: deque([At.RUNNING, At.RUNNING]))  # of an operation; done afterwards
    verified: bool = True

    def listed(self, key: str) -> dict[str, Any] | None:
        self._mishap("read")
        if self.lags and self.posts:
            self.lags -= 1
            return None
        return next((post for post in self.posts if post["key"] == key), None)

    def post(self, text: str, key: str) -> str:
        mode = self._mishap("write")
        there = self.listed(key) if self.keyed else None
        if mode == "nothing_changed":
            return "post-0"
        if there is None:
            self.posts.append({"id": f"post-{len(self.posts) + 1}", "text": "…" if mode == "partial" else text, "key": key})
        if mode == "commit_then_drop":
            raise httpx.RemoteProtocolError("the connection was cut")
        return str((there or self.posts[-1])["id"])

    def status(self) -> At:
        mode = self._mishap("status")
        return At(mode) if mode else self.states.popleft() if self.states else At.DONE

    def _mishap(self, operation: str) -> str:
        mode = self.faults.popleft()[1] if self.faults and self.faults[0][0] == operation else ""
        if mode in ("fail", "hang"):
            raise httpx.ReadTimeout(mode)
        if mode == "throttle":
            raise NotYet("asked to slow down", after=timedelta(seconds=7))
        if mode in ("denied", "expired", "moved"):
            raise Refused(mode)
        return mode


class Posts(CreateOnce[Post, dict[str, Any]], name="board.post"):
    """Posts on the board."""

    shows_within = timedelta(seconds=3)

    def __init__(self, board: Board, clock: LandingClock) -> None:
        self.board, self.clock = board, clock

    async def find(self, call: Call, order: Post) -> dict[str, Any] | None:
        return self.board.listed(call.key)

    async def make(self, call: Call, order: Post) -> str:
        return self.board.post(order.text, call.key)

    async def fetch(self, call: Call, order: Post, id: Any) -> dict[str, Any] | None:
        return next((post for post in self.board.posts if post["id"] == id), None)

    def missing(self, order: Post, found: dict[str, Any]) -> str:
        return "" if found["text"] == order.text else f"the board says {found['text']}"


class KeyedPosts(Posts, name="board.post"):
    """On a board that knows keys."""

    keyed = True


class Runs(Operation[Post], name="board.run"):
    """Runs that the board starts."""

    def __init__(self, board: Board, clock: LandingClock) -> None:
        self.board, self.clock = board, clock

    async def find(self, call: Call, order: Post) -> str | None:
        found = self.board.listed(call.key)
        return found["id"] if found else None

    async def start(self, call: Call, order: Post) -> str:
        return self.board.post(order.text, call.key)

    async def status(self, call: Call, order: Post, id: str) -> Progress:
        if id not in {post["id"] for post in self.board.posts}:
            return Progress(at=At.UNKNOWN, says="no such run")
        return Progress(at=self.board.status(), says="as the board says")

    async def verify(self, call: Call, order: Post, id: str) -> str:
        if not self.board.verified:
            raise NotYet("accepted, but nothing shows")
        return f"{id} is on the board"


@dataclass
class Thing:
    """One of them on its way through the table."""

    verb: Any
    system: Any
    board: Board
    clock: LandingClock

    @staticmethod
    def call(**more: Any) -> Call:
        return Call.model_validate({"incident_id": INCIDENT, "key": "k", "at": datetime.now(UTC), **more})

    async def tried(self, **more: Any) -> tuple[Any, list[Exception]]:
        return await tried(self.verb, self.system, Post(), self.call(**more))


def thing(kind: Any, verb: str, **board: Any) -> Thing:
    made, clock = Board(**board), LandingClock()
    return Thing(getattr(kind, verb), kind(made, clock), made, clock)


ONCE: dict[str, Callable[..., Thing]] = {
    "created once": partial(thing, Posts, "create"),
    "created once, by key": partial(thing, KeyedPosts, "create", keyed=True),
    "operation": partial(thing, Runs, "run"),
}


async def once(row: Thing, *, mode: str, times: int = 1, on: str = "write") -> None:
    """Whatever happens, it is there once; and trying again under the same key does nothing."""
    row.board.faults.extend([(on, mode)] * times)
    effect, _ = await row.tried()
    assert len(row.board.posts) == 1 and effect.proven_by, f"{mode}: {row.board.posts}"
    again, _ = await row.tried()
    assert again.adopted and len(row.board.posts) == 1


async def refused_for_good(row: Thing, *, mode: str) -> None:
    row.board.faults.extend([("write", mode)])
    assert mode in await refused(row.tried) and not row.board.posts


async def never_an_effect(row: Thing) -> None:
    """200 OK, and nothing is there: never an effect."""
    row.board.faults.extend([("write", "nothing_changed")] * 12)
    try:
        effect, _ = await row.tried()
    except AssertionError:
        assert not row.board.posts
    else:
        raise AssertionError(f"claimed: {effect.proven_by}")


async def a_half_made_one_is_said(row: Thing) -> None:
    """What is there and does not show what was ordered is no effect."""
    row.board.verified = False
    row.board.faults.append(("write", "partial"))
    try:
        await row.tried()
    except AssertionError as never:
        assert "accepted, but" in str(never)
    else:
        raise AssertionError("claimed although it does not show")
    assert len(row.board.posts) == 1


async def a_listing_that_lags_makes_no_second(row: Thing) -> None:
    """After an unknown outcome a listing may not have it yet: it is asked again before anything is made."""
    row.board.lags = 2
    row.board.faults.append(("write", "commit_then_drop"))
    if row.system.__class__ is Runs:  # what can be started is found by its own system, without delay
        row.board.lags = 0
    await row.tried()
    assert len(row.board.posts) == 1, "made twice"


async def what_others_made_is_adopted(row: Thing) -> None:
    row.board.posts.append({"id": "theirs", "text": "hello", "key": "k"})
    effect, _ = await row.tried()
    assert effect.adopted and len(row.board.posts) == 1


async def a_late_process_makes_nothing(row: Thing) -> None:
    over: dict[str, Any] = {"worked": timedelta(seconds=11), "start_to_close_timeout": timedelta(seconds=10)}
    try:
        await attempt(row.verb, row.system, Post(), row.call(), **over)
    except NotYet as late:
        assert "does not write any more" in late.message
    assert not row.board.posts, "made after its time was over"


ONCE_CELLS: dict[str, Callable[[Thing], Awaitable[None]]] = {
    **{f"once: {mode}": partial(once, mode=mode) for mode in ("fail", "hang", "commit_then_drop")},
    "once: nothing changed": partial(once, mode="nothing_changed"),
    "once: throttle": partial(once, mode="throttle", times=2),
    "once: a look that fails": partial(once, mode="fail", on="read"),
    **{f"refused: {mode}": partial(refused_for_good, mode=mode) for mode in ("denied", "expired", "moved")},
    "200 OK, nothing there": never_an_effect,
    "half made": a_half_made_one_is_said,
    "a listing that lags": a_listing_that_lags_makes_no_second,
    "made by somebody else": what_others_made_is_adopted,
    "late process": a_late_process_makes_nothing,
}
