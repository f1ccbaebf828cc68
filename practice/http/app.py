"""Assembles the faces into one application."""

from __future__ import annotations

import importlib
import pkgutil

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

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
            for route in face.routes
        ],
        exception_handlers={404: _not_found},
    )
    app.state.world = world
    return app


async def _not_found(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"message": "Not Found", "path": request.url.path}, 404)
