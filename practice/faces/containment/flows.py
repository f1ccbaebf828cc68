"""`/flows`: our own contract. Connections that are tried, to an asset, from it, and from where it is examined."""

from __future__ import annotations

from pydantic import Field

from practice.containment.network import flows, places
from practice.faces.containment.network import asset_of
from practice.http.face import Ask, Call, Reply, RouteModels, Shown
from practice.http.own_api import own_api

FACE = own_api("flows", "Connections that are tried: to an asset, from it, and from where it is examined. Nothing is sent over them.")


class ProbeWanted(Ask):
    """Which asset."""

    asset: str = Field(min_length=1)


class FlowShown(Shown):
    """What came of it in one place. None: nobody could try."""

    place: str
    inward: bool | None
    outward: bool | None
    forensic: bool | None


class Flows(Shown):
    flows: list[FlowShown]


@FACE.reads("probes.try", "/flows/v1/probes", "POST", models=RouteModels(asks=ProbeWanted, shows=Flows, refuses=(404, 422)))
def probe(call: Call) -> Reply:
    """Try them, in every place where the asset runs."""
    name = asset_of(call, call.ask(ProbeWanted).asset).name
    tried = [{"place": place, **flows(call.state, name, place, call.now)} for place in places(call.state, name)]
    return Reply({"flows": tried})
