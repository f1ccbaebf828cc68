"""`/ui`: whether what an answer points to is fetched as soon as it is shown."""

from __future__ import annotations

from practice.egress.outbound import RENDER, Origin, outbound
from practice.http.face import Ask, Call, Reply, RouteModels, Shown
from practice.http.own_api import own_api
from practice.http.resource import Resource

FACE = own_api("ui", "How answers are shown: whether external links and images in them are fetched without anybody's click.")
CANARY = "canary.example.com"


class AutoRender(Ask):
    """Whether a surface fetches external links and images by itself. Off: they are shown as text."""

    auto_render: bool


def _surface(call: Call) -> str:
    surface = call.path["surface"]
    if surface not in outbound(call.state).auto_render:
        raise call.refuse(404, f"there is no surface {surface}")
    return surface


def _rendered(call: Call) -> AutoRender:
    return AutoRender(auto_render=outbound(call.state).auto_render[_surface(call)])


def _render(call: Call, wanted: AutoRender) -> None:
    outbound(call.state).auto_render[_surface(call)] = wanted.auto_render


Resource(FACE, "render", "/ui/v1/render/{surface}", AutoRender, _rendered).takes(AutoRender, _render)


class CanaryShown(Shown):
    """Whether a client of the surface fetched our own image out of a message that was shown there."""

    fetched: bool


@FACE.reads("render.canary", "/ui/v1/render/{surface}/canary", "POST", models=RouteModels(shows=CanaryShown))
def canary(call: Call) -> Reply:
    """Show a message of ours, with an image on a host of ours, to a client of ours; say whether the image was fetched."""
    rule = outbound(call.state).rule(Origin("client", CANARY, RENDER, surface=_surface(call)))
    return Reply(CanaryShown(fetched=not rule).model_dump())
