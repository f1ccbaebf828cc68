"""Assembles the faces into one application."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from copy import copy
from functools import cache

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Match, Route, Router
from starlette.types import Receive, Scope, Send

from practice import faces
from practice.http.endpoint import Endpoint
from practice.http.face import Face, FaceRoute
from practice.world.world import World


def discovered() -> tuple[Face, ...]:
    """Every face under `practice/faces`, by name. Importing its modules declares its routes."""
    modules = [importlib.import_module(found.name) for found in pkgutil.walk_packages(faces.__path__, "practice.faces.")]
    found = {id(face): face for module in modules if isinstance(face := getattr(module, "FACE", None), Face)}
    return tuple(sorted(found.values(), key=lambda face: face.name))


FACES = discovered()


class ByFirstWord(Router):
    """Looks for a route among those whose path begins with the same word: there are hundreds, and a request is for one."""

    def __init__(self, routes: Sequence[Route]) -> None:
        super().__init__(routes)
        by: dict[str, list[Route]] = {}
        for route in routes:
            by.setdefault(_first_word(route.path), []).append(route)
        self._words = {word: Router(those) for word, those in by.items()}

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        router = self._words.get(_first_word(scope["path"])) if scope["type"] == "http" else None
        await (router.app if router else super().app)(scope, receive, send)


def _first_word(path: str) -> str:
    return path.split("/", 2)[1]


def build(world: World) -> Starlette:
    """The practice platform over `world`."""
    app = Starlette(exception_handlers={404: _not_found, 405: _not_allowed})
    app.router = ByFirstWord([_over(world, face, route, compiled) for face, route, compiled in _compiled()])
    app.state.world = world
    return app


@cache
def _compiled() -> list[tuple[Face, FaceRoute, Route]]:
    """Every route with its path compiled, which takes longer than all the rest. It answers nothing yet."""
    return [
        (face, route, Route(route.path, _nothing, methods=[route.method], name=route.name))
        for face in FACES
        for route in sorted(face.routes, key=lambda route: route.otherwise)
    ]


def _over(world: World, face: Face, route: FaceRoute, compiled: Route) -> Route:
    """The same route, answered by a world."""
    found = copy(compiled)
    found.endpoint = found.app = Endpoint(face, route, world)
    return found


async def _nothing(request: Request) -> JSONResponse:
    raise AssertionError("no world answers")


async def _not_found(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"message": "Not Found", "path": request.url.path}, 404)


async def _not_allowed(request: Request, error: Exception) -> JSONResponse:
    """`Allow` names every method of the path: the router knows a path once for each method."""
    met = [route for route in request.app.routes if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE]
    allowed = sorted({method for route in met for method in route.methods or ()})
    return JSONResponse({"message": "Method Not Allowed"}, 405, {"Allow": ", ".join(allowed)})
