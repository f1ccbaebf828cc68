"""A setting of several names at once: one value for each, each written by itself, each held by itself."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Generic, Self, cast

from typing_extensions import TypeVar

from activities.action import Call
from activities.kit.setting.orders import Reading, Resource, SettingValue
from activities.kit.setting.system import Setting
from activities.organisation.numbers import MitigationSettings

V = TypeVar("V", bound=SettingValue)


class Several(SettingValue, Generic[V]):
    """The value of each name."""

    each: dict[str, V]

    def __str__(self) -> str:
        said = {name: str(value) for name, value in self.each.items()}
        return next(iter(said.values())) if len(said) == 1 else "; ".join(f"{name}: {value}" for name, value in said.items())

    @property
    def felt(self) -> bool:
        return any(value.felt for value in self.each.values())

    def same(self, other: Self) -> bool:
        return self.each.keys() == other.each.keys() and all(value.same(other.each[name]) for name, value in self.each.items())

    def met(self, now: Self) -> bool:
        return all(name in now.each and value.met(now.each[name]) for name, value in self.each.items())

    def parts(self) -> dict[str, Self]:
        """Name by name."""
        return {name: type(self)(each={name: value}) for name, value in self.each.items()}

    @classmethod
    def whole(cls, parts: Mapping[str, Self]) -> Self:
        return cls(each={name: value for part in parts.values() for name, value in part.each.items()})

    def both(self, other: Self) -> Self | None:
        found = {name: value.both(other.each[name]) for name, value in self.each.items()}
        return self.model_copy(update={"each": found}) if all(found.values()) else None

    def between(self, before: Self, now: Self) -> bool:
        """Some names have their new value, the others still have the one before."""
        return all(value.same(now.each[name]) or before.each[name].same(now.each[name]) for name, value in self.each.items())

    def pause(self, numbers: MitigationSettings) -> timedelta:
        return max((value.pause(numbers) for value in self.each.values()), default=timedelta(0))

    def way_back(self, before: Self, numbers: MitigationSettings, shares: Sequence[float] | None) -> tuple[Self, ...]:
        """All names take their steps side by side; one that has fewer waits at its last."""
        ways = {name: value.way_back(before.each.get(name, value), numbers, shares) for name, value in self.each.items()}
        longest = max(map(len, ways.values()), default=0)
        steps = [{name: way[min(n, len(way) - 1)] for name, way in ways.items()} for n in range(longest)]
        return (*(self.model_copy(update={"each": step}) for step in steps[:-1]), before)


S = TypeVar("S", bound=Several[Any])
T = TypeVar("T", bound=Resource)


class SeveralReading(Reading[S], Generic[S]):
    """As it was read. `versions`: of each name, "" where there is none; `version` is all of them together."""

    versions: dict[str, str] = {}


R = TypeVar("R", bound=SeveralReading[Any])


class PerName(Setting[T, S, R], Generic[T, S, R]):
    """A setting of several names: its resource has `names`. A subclass reads and writes one of them."""

    async def look_at_one(self, call: Call, of: T, name: str) -> Reading[Any]:
        """The value of one name, and its version."""
        raise NotImplementedError

    async def write_one(self, call: Call, of: T, name: str, wanted: Any, over: Any, version: str) -> None:
        """Write one name over what was read. Raises `Conflict` when it is not that any more."""
        raise NotImplementedError

    async def look_at(self, call: Call, of: T) -> R:
        names = _names(of)
        found = await asyncio.gather(*(self.look_at_one(call, of, name) for name in names))
        by = dict.fromkeys(one.changed_by for one in found if one.changed_by)
        versions = {name: one.version for name, one in zip(names, found, strict=True)}
        value = self.value(each={name: one.value for name, one in zip(names, found, strict=True)})
        version = " ".join(versions.values()).strip()
        return cast("R", self.reading(value=value, version=version, changed_by=" and ".join(by), versions=versions))

    async def write(self, call: Call, of: T, wanted: S, over: R, epoch: int) -> None:
        """One request for each name that is not as wanted."""
        for name, value in wanted.each.items():
            if not value.same(over.value.each[name]):
                await self.write_one(call, of, name, value, over.value.each[name], over.versions[name])


def _names(of: Any) -> tuple[str, ...]:
    names: tuple[str, ...] = of.names
    return names
