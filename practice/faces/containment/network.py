"""`/network`: our own contract. Assets that are cut off from everything but forensics."""

from __future__ import annotations

from practice.containment.cast import there
from practice.containment.model import Asset
from practice.http.face import Ask, Call, Shown
from practice.http.own_api import own_api
from practice.http.resource import Resource
from practice.world.state import JSON

FACE = own_api("network", "Assets and their network: cut off from everything but the addresses from which they are examined, or as usual.")


class Isolation(Ask):
    """Whether it is cut off. It runs on: nothing is stopped, restarted or deleted."""

    isolated: bool


class IsolationShown(Shown):
    """`openers`: what would let traffic through beside it, by name."""

    isolated: bool
    openers: list[str]

    def settable(self) -> JSON:
        return {"isolated": self.isolated}


def asset_of(call: Call, name: str) -> Asset:
    found = there(call.state, call.now).assets.get(name)
    if found is None:
        raise call.refuse(404, f"there is no asset {name}")
    return found


def _shown(call: Call) -> IsolationShown:
    return IsolationShown(isolated=asset_of(call, call.path["asset"]).isolation.isolated, openers=[])


def _isolate(call: Call, wanted: Isolation) -> None:
    asset_of(call, call.path["asset"]).isolation.isolated = wanted.isolated


Resource(FACE, "isolation", "/network/v1/assets/{asset}/isolation", IsolationShown, _shown).takes(Isolation, _isolate)
