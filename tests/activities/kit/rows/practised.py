"""One setting on its way through the contract table, and how a setting of the practice platform gets there."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from activities.action import Call
from activities.kit.setting import Change, Setting
from activities.organisation.numbers import MitigationSettings
from tests.activities.kit.stage import FollowingClock, Stage, stage

QUICK = MitigationSettings(return_pause=timedelta(minutes=1), limit_pause=timedelta(minutes=1))
LEE = "lee"
STATUS = {"conflict": 412, "denied": 403, "expired": 401, "moved": 301}


class LandingClock(FollowingClock):
    """While it sleeps, what was on its way arrives."""

    def __init__(self) -> None:
        self.lands: list[Callable[[], Awaitable[None]]] = []
        self.slept: list[timedelta] = []

    async def sleep(self, duration: timedelta) -> None:
        self.slept.append(duration)
        while self.lands:
            await self.lands.pop()()


@dataclass
class Subject:
    """One setting on its way through the table. `order` carries what it was before."""

    system: Setting[Any, Any, Any]
    order: Change[Any, Any]
    theirs: Any  # what somebody else sets; None where there is no third value
    clock: LandingClock
    call: Callable[..., Call]
    inject: Callable[..., None]
    effects: Callable[[], list[str]]
    set_by: Callable[[Any, str], Awaitable[None]]  # somebody else writes it, past us
    fenced: bool
    stage: Stage | None = None
    author: str = LEE  # as the system tells it
    halves: bool = False  # a write that broke off is finished by a second one, under the same key
    author_back: str = ""  # as the system tells it of who put it back, where that leaves no trace

    @property
    def kind(self) -> Any:
        return type(self.system)

    async def now(self) -> Any:
        """The value that is in force."""
        return (await self.system.look_at(self.call(), self.order.of)).value


@dataclass(frozen=True)
class Practised:
    """A setting of the practice platform: one row."""

    make: Callable[[Stage, LandingClock], Setting[Any, Any, Any]]
    of: Any
    wanted: Any
    theirs: Any
    route: str  # of the write; the read's is the same with `get`
    read: str = ""
    fenced: bool = True
    author: str = LEE
    halves: bool = False
    author_back: str = ""
    by_curl: bool = True  # False: by a tool that is judged elsewhere (tests/outside)
    numbers: MitigationSettings = field(default_factory=lambda: QUICK)

    async def __call__(self) -> Subject:
        played, clock = stage(), LandingClock()
        system = self.make(played, clock)
        system.clock = clock

        def inject(mode: str, times: int | None = 1, on: str = "write") -> None:
            route = self.route if on == "write" else self.read or self.route.replace(".put", ".get")
            if mode in STATUS:
                played.inject(route, "fail", times=times, status=STATUS[mode])
            else:
                played.inject(route, mode, times=times, **({"retry_after": 7} if mode == "throttle" else {}))

        async def set_by(value: Any, who: str) -> None:
            now = await system.look_at(played.call(), self.of)
            await system.write(played.call(incident_id=who, key=""), self.of, value, now, (now.epoch or 0) + 1)

        order = type(system).order(self.of, self.wanted, numbers=self.numbers)
        order = order.given(await system.look_at(played.call(), self.of))
        effects = lambda: [e["key"] for e in played.effects(self.route.rstrip("*")) if e["key"]]  # noqa: E731
        return Subject(
            system,
            order,
            self.theirs,
            clock,
            played.call,
            inject,
            effects,
            set_by,
            self.fenced,
            played,
            self.author,
            self.halves,
            self.author_back,
        )
