"""What the parts of GitHub's REST API have in common (docs.github.com/rest)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlencode

from practice.http.face import Call, Face, Refusal, Reply
from practice.services.repositories import Repository, founded

T = TypeVar("T")
REPOSITORY = "/github/repos/{owner}/{repo}"


def message(status: int, text: str, **more: Any) -> Reply:
    return Reply({"message": text, "documentation_url": "https://docs.github.com/rest", "status": str(status), **more}, status)


FACE = Face(
    "github",
    refused=message,
    invalid=lambda problems: message(422, "Validation Failed", errors=[{"message": problem} for problem in problems]),
    unauthorised=lambda headers: message(401, "Bad credentials"),
    throttled=lambda: message(429, "You have exceeded a secondary rate limit."),
)


def repository_name(call: Call) -> str:
    return f"{call.path['owner']}/{call.path['repo']}"


def repository(call: Call) -> Repository:
    """The repository in the path: the source of some service of the platform, as old as the world."""
    name = repository_name(call)
    if all(service.repository != name for service in call.state.fleet.services.values()):
        raise Refusal(message(404, "Not Found"))
    return call.state.repositories.setdefault(name, founded(name, call.world.clock.stamp(call.world.clock.start)))


def page(call: Call, rows: list[T], size: int = 30, shown: Callable[[list[T]], Any] = list) -> Reply:
    """One page of rows, and the address of the next one. `size`: without `per_page`; `shown`: the body."""
    try:
        size, nth = int(call.one("per_page", str(size))), int(call.one("page", "1"))
    except ValueError:
        raise call.refuse(422, "per_page and page are numbers") from None
    size = min(100, max(1, size)) if call.query.get("per_page") else size
    query = urlencode({name: values[0] for name, values in call.query.items()} | {"page": str(nth + 1)})
    more = {"Link": f'<https://api.github.example/next?{query}>; rel="next"'} if nth * size < len(rows) else {}
    return Reply(shown(rows[(nth - 1) * size : nth * size]), 200, more)
