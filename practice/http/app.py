"""Assembles the faces into one application."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from practice.faces import app_plane, edge, prometheus, statuspage, unleash
from practice.faces.cloud_run import face as cloud_run
from practice.faces.control import face as control
from practice.faces.control import fleet as control_fleet
from practice.faces.github import face as github
from practice.faces.kubernetes import face as kubernetes
from practice.faces.llm import face as llm
from practice.faces.pagerduty import face as pagerduty
from practice.faces.platform import face as platform
from practice.faces.slack import face as slack  # fmt: skip
from practice.http.endpoint import Endpoint
from practice.http.face import Face
from practice.world.world import World

FACES: tuple[Face, ...] = (
    control.FACE, control_fleet.FACE, llm.FACE, unleash.FACE, app_plane.FACE, statuspage.FACE, slack.FACE, pagerduty.FACE, github.FACE,
    prometheus.FACE, edge.FACE, platform.FACE, cloud_run.FACE, kubernetes.FACE,
)  # fmt: skip


def build(world: World) -> Starlette:
    """The practice platform over `world`."""
    app = Starlette(
        routes=[
            Route(route.path, Endpoint(face, route, world), methods=[route.method], name=route.name)
            for face in FACES
            for route in face.routes
        ],
        exception_handlers={404: _not_found},
    )
    app.state.world = world
    return app


async def _not_found(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"message": "Not Found", "path": request.url.path}, 404)
