"""Requests that would succeed: of the faces of stores, mail and egress."""

from dataclasses import dataclass, field
from typing import Any

from practice.knowledge.library import Build, Knowledge
from practice.world.stage import Stage


@dataclass
class Example:
    """A request that would succeed and change something."""

    method: str
    path: str
    json: Any = None
    headers: dict[str, str] = field(default_factory=dict)


RELATED = {"Content_Type": "multipart/related; boundary=b"}


def upload(bucket: str, name: str) -> Example:
    """One object, in Google's own form."""
    told = f'{{"name": "{name}"}}'
    body = f"--b\r\nContent-Type: application/json\r\n\r\n{told}\r\n--b\r\nContent-Type: text/plain\r\n\r\nwhat was said\r\n--b--"
    return Example("POST", f"/gcs/upload/storage/v1/b/{bucket}/o?uploadType=multipart&ifGenerationMatch=0", body.encode(), RELATED)


async def records(stage: Stage) -> dict[str, Example]:
    """The writing routes of this room."""
    there = upload("plain", "there")
    await stage.must(there.method, there.path, there.json, **there.headers)
    return {
        "gcs.objects.insert": upload("evidence", "new"),
        "gcs.objects.patch": Example("PATCH", "/gcs/storage/v1/b/plain/o/there", {"eventBasedHold": True}),
        "gcs.objects.delete": Example("DELETE", "/gcs/storage/v1/b/plain/o/there"),
    }


async def knowledge(stage: Stage) -> dict[str, Example]:
    """Writes to the retriever."""
    of = "/retriever/v1/domains/billing"
    wanted: dict[str, dict[str, Any]] = {
        "cag": {"share": 0.5},
        "namespace": {"version": 2},
        "coalescing": {"on": True, "wait_seconds": 5.0},
        "serving": {"mode": "stale_ok", "banner": ""},
        "freshness": {"max_age_seconds": 60.0, "as_of": True},
        "quarantine": {"documents": ["billing/refunds"], "sources": []},
        "alias": {"index": "billing-2"},
    }
    domain = stage.world.state.part(Knowledge).domains["billing"]
    domain.builds["billing-2"] = Build("billing-2", 0.0, dict(domain.live.texts))
    paths = {f"retriever.{name}.put": (f"{of}/{name}", body) for name, body in wanted.items()}
    cached = {"on": True, "max_age_seconds": 60.0, "personal": False}
    paths["retriever.cached_answers.put"] = ("/retriever/v1/routes/chat/cached-answers", cached)
    settings = {
        name: Example("PUT", path, {"epoch": 1, **body}, {"If_Match": (await stage.must("GET", path))["etag"]})
        for name, (path, body) in paths.items()
    }
    return {
        **settings,
        "retriever.builds.start": Example("POST", f"{of}/builds", {"key": "k"}),
        "retriever.fetches.start": Example("POST", f"{of}/fetches", {"key": "f", "documents": ["billing/refunds"], "pins": {}}),
    }
