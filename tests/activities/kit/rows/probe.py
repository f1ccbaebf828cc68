"""A vendor that exists in these tests only: it has an epoch, a version, or nothing to tell a late write by, and every mishap."""

from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar

import httpx

from activities.action import Call, NotYet, Refused, Risk
from activities.kit.clock import Clock
from activities.kit.http import Conflict
from activities.kit.setting import Change, Reading, Resource, Restore, Setting, SettingValue
from activities.kit.words.shell import Var, curl

REFUSALS = {"denied": "403", "expired": "401", "moved": "301"}


def fail_before(mode: str) -> None:
    """What keeps a write from being made at all."""
    if mode in ("hang", "fail"):
        raise httpx.ReadTimeout(mode)
    if mode == "throttle":
        raise NotYet("asked to slow down", after=timedelta(seconds=7))
    if mode in REFUSALS:
        raise Refused(REFUSALS[mode])
    if mode == "conflict":
        raise Conflict(httpx.Response(412, request=httpx.Request("PUT", "http://probe/")))


@dataclass
class Vendor:
    """One setting, whoever writes it, and the log of what was really changed."""

    fenced: str = "epoch"  # epoch, version, none
    value: dict[str, Any] = field(default_factory=lambda: {"level": 3, "mode": "open"})
    epoch: int = 4
    version: int = 7
    by: str = ""
    effects: list[str] = field(default_factory=list)  # keys
    faults: deque[tuple[str, str]] = field(default_factory=deque)  # operation, mode
    before: dict[str, Any] | None = None
    on_its_way: list[dict[str, Any]] = field(default_factory=list)  # from where to where the last write is, if it broke off half way

    def read(self) -> tuple[dict[str, Any], str]:
        """The value and who wrote it last."""
        if self._mishap("read") == "stale_read" and self.before is not None:
            return dict(self.before), ""
        return dict(self.value), self.by

    def write(self, value: dict[str, Any], *, key: str, by: str, epoch: int = 0, version: str = "") -> None:
        """Write it; whoever is late or has read something else is refused, where this vendor can tell."""
        mode = self._mishap("write")
        fail_before(mode)
        if (self.fenced == "epoch" and epoch <= self.epoch) or (self.fenced == "version" and version != str(self.version)):
            raise Conflict(httpx.Response(412, request=httpx.Request("PUT", "http://probe/")))
        if mode == "nothing_changed":
            return
        if mode == "broken_off":
            since = self.on_its_way[0] if self.on_its_way and self.on_its_way[1] == value else dict(self.value)
            self.set({**value, "mode": self.value["mode"]}, by=by, key=key)
            self.on_its_way = [since, dict(value)]
            raise httpx.RemoteProtocolError("the connection was cut half way")
        self.set(value, by=by, key=key)
        if mode == "commit_then_drop":
            raise httpx.RemoteProtocolError("the connection was cut")

    def set(self, value: dict[str, Any], *, by: str, key: str = "") -> None:
        """What a write does."""
        if value != self.value:
            self.before = dict(self.value)
            self.effects.append(key)
        self.value, self.by, self.on_its_way = dict(value), by, []
        self.epoch, self.version = self.epoch + 1, self.version + 1

    def _mishap(self, operation: str) -> str:
        if self.faults and self.faults[0][0] == operation:
            return self.faults.popleft()[1]
        return ""


class ProbeOf(Resource):
    """The only setting that there is."""

    name: str = "level"

    def __str__(self) -> str:
        return f"the {self.name}"

    def target(self) -> str:
        return f"probe/{self.name}"

    def read_by_hand(self) -> tuple[str, ...]:
        return (curl("GET", (Var("PROBE_URL"), "/level")),)

    def write_by_hand(self, value: Any, prior: Any = None) -> tuple[str, ...]:
        return (curl("PUT", (Var("PROBE_URL"), "/level"), body=value.model_dump()),)


class Level(SettingValue):
    """How far something is open; it goes back in two steps. `half`: from where to where a write is, that broke off: a fact of the reading."""

    volatile: ClassVar[frozenset[str]] = frozenset({"half"})

    level: int
    mode: str = "shut"
    half: tuple[str, str] | None = None

    def __str__(self) -> str:
        return f"level {self.level}, {self.mode}"

    def same(self, other: "Level") -> bool:
        return (self.level, self.mode) == (other.level, other.mode)

    def between(self, before: "Level", now: "Level") -> bool:
        return now.half == (str(before), str(self))

    def way_back(self, before: "Level", numbers: Any, shares: Any) -> tuple["Level", ...]:
        return (Level(level=1, mode=self.mode), before)


class Probes(Setting[ProbeOf, Level], read="probe.read", change="probe.change", restore="probe.restore", risk=Risk.C1):
    """The setting of the vendor."""

    changed_by_is_known: ClassVar[bool] = True

    def __init__(self, vendor: Vendor, clock: Clock) -> None:
        self.vendor, self.clock = vendor, clock

    async def look_at(self, call: Call, of: ProbeOf) -> Reading[Level]:
        value, by = self.vendor.read()
        half = tuple(str(Level(**one)) for one in self.vendor.on_its_way) or None
        return Reading[Level](
            value=Level(**value, half=half), changed_by=by, epoch=self.vendor.epoch if self.vendor.fenced == "epoch" else None,
            version=str(self.vendor.version) if self.vendor.fenced == "version" else "",
        )  # fmt: skip

    async def write(self, call: Call, of: ProbeOf, wanted: Level, over: Reading[Level], epoch: int) -> None:
        self.vendor.write(wanted.model_dump(exclude={"half"}), key=call.key, by=call.incident_id, epoch=epoch, version=over.version)


ProbeChange = Change[ProbeOf, Level]
ProbeRestore = Restore[ProbeOf, Level]
