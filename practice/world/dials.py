"""The dials: how any route can be made to misbehave, and whose turn it is."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from typing import Any

MODES = (
    "fail", "latency", "commit_then_drop", "nothing_changed", "stale_read", "partial", "throttle", "hang",
)  # fmt: skip


@dataclass
class Dial:
    """One way in which the routes that match a glob misbehave, for so many requests or until removed."""

    route: str
    mode: str
    times: int | None = None
    status: int = 503
    seconds: float = 1.0  # of latency, real ones: it is the caller's patience that is tried
    retry_after: int = 1
    used: int = 0

    @property
    def spent(self) -> bool:
        return self.times is not None and self.used >= self.times


@dataclass
class Dials:
    """All dials that are set. Of those that match, the one that was set first acts, until it is spent."""

    _dials: list[Dial] = field(default_factory=list)

    def set(self, dial: Dial) -> None:
        self._dials.append(dial)

    def remove_all(self) -> None:
        self._dials.clear()

    def take(self, route: str) -> Dial | None:
        """The dial that this request meets; it counts as one of its times."""
        for dial in self._dials:
            if not dial.spent and fnmatchcase(route, dial.route):
                dial.used += 1
                return dial
        return None

    def as_json(self) -> list[dict[str, Any]]:
        return [asdict(dial) for dial in self._dials]
