"""World time, and its translation to the real time that faces speak at their edge."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def rfc3339(instant: float) -> str:
    """Unix seconds as RFC 3339 in UTC with milliseconds, e.g. `2026-11-23T10:00:00.000Z`."""
    return datetime.fromtimestamp(instant, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_rfc3339(text: object) -> float:
    """Unix seconds of an RFC 3339 instant; one without a zone is UTC. Raises ValueError."""
    if not isinstance(text, str):
        raise ValueError("an instant is a text")
    instant = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp()


class Clock:
    """World time = start + (real − start) × pace, from each change of pace on; or, when following, the highest instant that it has been shown."""

    def __init__(self, pace: float = 1.0, following: bool = False, start: float | None = None) -> None:
        if pace <= 0:
            raise ValueError("pace must be positive")
        if following and pace != 1.0:
            raise ValueError("a following world has pace 1: its time is the time that it is shown")
        self.pace = pace
        self.following = following
        self.start = time.time() if start is None else start
        self._shown = self.start
        self._said_at = 0.0  # when the pace was told last
        self._turns = [(self.start, self.start, pace)]  # when the pace changed: real time, world time, and the pace from then on

    def now(self) -> float:
        return self._shown if self.following else self.to_world(time.time())

    def show(self, instant: float) -> None:
        """Move a following clock forward to `instant`; time never goes back, and a clock of its own does not listen."""
        if self.following:
            self._shown = max(self._shown, instant)

    def go(self, pace: float, said_at: float) -> None:
        """Another pace from now on. What was said of the past stays true. What was said (Unix seconds) before the last one comes too late."""
        if self.following or pace <= 0 or said_at < self._said_at:
            return
        self._said_at = said_at
        if pace == self.pace:
            return
        now = time.time()
        self._turns.append((now, self.to_world(now), pace))
        self.pace = pace

    def to_world(self, real: float) -> float:
        began, world, pace = next((turn for turn in reversed(self._turns) if turn[0] <= real), self._turns[0])
        return world + (real - began) * pace

    def to_real(self, world: float) -> float:
        began, at, pace = next((turn for turn in reversed(self._turns) if turn[1] <= world), self._turns[0])
        return began + (world - at) / pace

    def stamp(self, world: float) -> str:
        """A world instant as faces show it: real time, RFC 3339."""
        return rfc3339(self.to_real(world))
