"""Versions that nobody gets any more: at the artefact proxy, and in the gate of the pipeline (spec §8 S-BLOCKLIST, A.12 M1).

Proven by asking for each of them as an install does. It is sticky: an incident that ends, or is stood down, leaves it. Taking a version off is
never narrow. What somebody else has blocked stays blocked.
"""

from collections.abc import Sequence
from typing import ClassVar, Literal, Self

from activities.action import Call, NotYet, Risk, Role
from activities.builds.plane import SupplyPlane, SupplyResource
from activities.kit.rest import RestSetting
from activities.kit.setting import Change, Reading, SettingValue
from activities.kit.setting.write import SOON
from activities.kit.words.urls import path
from activities.values import listed

Place = Literal["proxy", "ci"]
PLACES: tuple[Place, ...] = ("proxy", "ci")
PROBED = 20  # versions of one order that are asked for


class BlocklistOf(SupplyResource, path="blocklists/{place}/{ecosystem}/{package}", called="versions of {package} at the {place}"):
    place: Place
    ecosystem: str
    package: str


class Blocked(SettingValue):
    """The versions that are refused."""

    volatile: ClassVar[frozenset[str]] = frozenset()

    versions: tuple[str, ...] = ()

    def __str__(self) -> str:
        more = f" and {len(self.versions) - 5} more" if len(self.versions) > 5 else ""
        return f"{listed(self.versions[:5])}{more} blocked" if self.versions else "nothing blocked"

    def same(self, other: Self) -> bool:
        return set(self.versions) == set(other.versions)

    def met(self, now: Self) -> bool:
        return set(self.versions) <= set(now.versions)

    def both(self, other: Self) -> Self:
        return type(self)(versions=tuple(sorted({*self.versions, *other.versions})))

    def effect(self, of: BlocklistOf) -> str:
        where = "the artefact proxy" if of.place == "proxy" else "the gate of the pipeline"
        return f"{where} refuses {of.package} {listed(self.versions[:5])}"

    def back(self, of: BlocklistOf) -> str:
        return f"{of}: {self} again"


class Blocklists(
    RestSetting[BlocklistOf, Blocked], read="blocklist.read", change="blocklist.block", restore="blocklist.unblock", risk=Risk.C1,
    restore_risk=Risk.C3, asks=(Role.SECURITY_LEAD, Role.INCIDENT_COMMANDER), contains=True,
):  # fmt: skip
    """Versions that are refused, proven by asking for them."""

    def __init__(self, plane: SupplyPlane) -> None:
        self.rest: SupplyPlane = plane

    async def shown(self, call: Call, of: BlocklistOf, value: Blocked) -> str:
        for version in value.versions[:PROBED]:
            if not (await self.rest.probe(call, path("v1", *of.parts(), "probe"), {"version": version}))["refused"]:
                raise NotYet(f"accepted, but the {of.place} still gives {of.package} {version}", after=SOON)
        return f"{len(value.versions[:PROBED])} versions were asked for as an install does: each is refused" if value.versions else ""


BLOCKED = Blocklists.measure("version blocked", sticky=True)


def block(of: BlocklistOf, now: Reading[Blocked], versions: Sequence[str], why: str = "") -> Change[BlocklistOf, Blocked]:
    """These too, beside what is blocked already."""
    return Blocklists.order(of, Blocked(versions=tuple(sorted(versions))).both(now.value), why=why)
