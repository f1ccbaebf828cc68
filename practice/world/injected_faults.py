"""Injected faults: how any route can be made to misbehave, and whose turn it is."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from typing import Any

MODES = (
    "fail", "latency", "commit_then_drop", "nothing_changed", "stale_read", "partial", "throttle", "hang",
)  # fmt: skip


@dataclass
class InjectedFault:
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
class InjectedFaults:
    """All injected faults that are set. Of those that match, the one that was set first acts, until it is spent."""

    _injected: list[InjectedFault] = field(default_factory=list)

    def set(self, fault: InjectedFault) -> None:
        self._injected.append(fault)

    def remove_all(self) -> None:
        self._injected.clear()

    def take(self, route: str) -> InjectedFault | None:
        """The injected fault that this request meets; it counts as one of its times."""
        for fault in self._injected:
            if not fault.spent and fnmatchcase(route, fault.route):
                fault.used += 1
                return fault
        return None

    def denied(self, route: str) -> bool:
        """Whether a permission is missing there: what a system says when it is asked what we may do."""
        return any(fault.mode == "fail" and fault.status == 403 and fnmatchcase(route, fault.route) for fault in self._injected)

    def as_json(self) -> list[dict[str, Any]]:
        return [asdict(fault) for fault in self._injected]
