"""Which version to take instead (A.12 M5): the lowest that is not affected by any advisory and keeps the major version; else an older one.

A version of another major version is named for people, and never taken by us. What nobody can clear is not taken.
"""

from activities.action import Call, NotYet, Refused, System, Value, action
from activities.advisories.osv import Osv
from activities.advisories.ranges import affects, listed_in, major, newer, ordered
from activities.advisories.seen import PYPI, AffectedPackage
from activities.builds.plane import SupplyLook, SupplyPlane

MOST_ASKED = 25  # versions of each direction that the database is asked for


class FixOf(
    SupplyLook, target="package/{package}", effect="look which version of {package} may be taken instead of {current}",
    path="packages/{ecosystem}/{package}/versions",
):  # fmt: skip
    """`blocked`: versions (`name==version`) that are never taken."""

    ecosystem: str
    package: str
    current: str
    affected: tuple[AffectedPackage, ...]
    blocked: tuple[str, ...] = ()


class Fixes(Value):
    """`upgrade`, `downgrade`: within the major version, cleared by the advisory's ranges and by the database; `beyond`: only across a major."""

    package: str
    current: str
    upgrade: str = ""
    downgrade: str = ""
    beyond: tuple[str, ...] = ()
    passed_over: tuple[str, ...] = ()  # and why
    unknown: str = ""

    @property
    def best(self) -> str:
        return self.upgrade or self.downgrade

    @property
    def summary(self) -> str:
        if self.unknown:
            return f"{self.package}: nobody can say which version is fixed ({self.unknown})"
        said = [f"upgrade to {self.upgrade}"] if self.upgrade else []
        said += [f"downgrade to {self.downgrade}"] if self.downgrade else []
        said += [f"only across a major version: {', '.join(self.beyond)}"] if self.beyond else []
        return f"{self.package} {self.current}: " + ("; ".join(said) or "no version is cleared")


class FixChoice(System):
    def __init__(self, plane: SupplyPlane, osv: Osv) -> None:
        self._plane, self._osv = plane, osv

    @action("builds.fixes")
    async def choose(self, order: FixOf, call: Call) -> Fixes:
        """By the advisory's own ranges, and by every other advisory of that version."""
        if order.ecosystem != PYPI or major(order.current) is None:
            return Fixes(package=order.package, current=order.current, unknown=f"versions of {order.ecosystem} are not ordered by us")
        known = [str(one["version"]) for one in (await self._plane.look(call, order))["versions"] if not one["yanked"]]
        passed, mine = list[str](), major(order.current)
        same = [one for one in ordered(known) if major(one) == mine]
        upgrade = await self._first(call, order, [one for one in same if newer(one, order.current)], passed)
        downgrade = "" if upgrade else await self._first(call, order, [one for one in reversed(same) if newer(order.current, one)], passed)
        others = [one for one in ordered(known) if newer(one, order.current) and major(one) != mine]
        beyond = () if upgrade else tuple([one for one in others if not await self._against(call, order, one)][:3])
        return Fixes(
            package=order.package, current=order.current, upgrade=upgrade, downgrade=downgrade, beyond=beyond, passed_over=tuple(passed[:5])
        )

    async def _first(self, call: Call, order: FixOf, versions: list[str], passed: list[str]) -> str:
        for one in versions[:MOST_ASKED]:
            why = await self._against(call, order, one)
            if not why:
                return one
            passed.append(f"not {one}: {why}")
        return ""

    async def _against(self, call: Call, order: FixOf, version: str) -> str:
        """Why it is not taken; empty when nothing speaks against it."""
        if listed_in(order.blocked, order.package, version):
            return "it is on our blocklist"
        mine = [affects(one, version) for one in order.affected if one.name == order.package]
        if True in mine:
            return "the advisory names it"
        if None in mine:
            return "the advisory's range cannot be read"
        try:
            found = await self._osv.of_version(call, order.ecosystem, order.package, version)
        except (Refused, NotYet) as no:
            return f"the database does not clear it: {no.message[:60]}"
        return f"{', '.join(found[:3])} concerns it" if found else ""
