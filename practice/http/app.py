"""Assembles the faces into one application."""

from __future__ import annotations

import importlib
import pkgutil

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Match, Route

from practice import faces
from practice.http.endpoint import Endpoint
from practice.http.face import Face
from practice.world.world import World


def discovered() -> tuple[Face, ...]:
    """Every face under `practice/faces`, by name. Importing its modules declares its routes."""
    modules = [importlib.import_module(found.name) for found in pkgutil.walk_packages(faces.__path__, "practice.faces.")]
    found = {id(face): face for module in modules if isinstance(face := getattr(module, "FACE", None), Face)}
    return tuple(sorted(found.values(), key=lambda face: face.name))


FACES = discovered()


def build(world: World) -> Starlette:
    """The practice platform over `world`."""
    app = Starlette(
        routes=[
            Route(route.path, Endpoint(face, route, world), methods=[route.method], name=route.name)
            for face in FACES
            for route in sorted(face.routes, key=lambda route: route.otherwise)
        ],
        exception_handlers={404: _not_found, 405: _not_allowed},
    )
    app.state.world = world
    return app


async def _not_found(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"message": "Not Found", "path": request.url.path}, 404)


async def _not_allowed(request: Request, error: Exception) -> JSONResponse:
    """`Allow` names every method of the path: the router knows a path once for each method."""
    met = [route for route in request.app.routes if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE]
    allowed = sorted({method for route in met for method in route.methods or ()})
    return JSONResponse({"message": "Method Not Allowed"}, 405, {"Allow": ", ".join(allowed)})
