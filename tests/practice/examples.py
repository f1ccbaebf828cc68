"""Requests that would succeed: of the faces of stores, mail and egress."""

from dataclasses import dataclass, field
from typing import Any

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
    paths = {
        "egress.hosts.put": "egress/v1/hosts/evil.example",
        "egress.tools.put": "egress/v1/tools/browser",
        "ui.render.put": "ui/v1/render/chat",
    }
    etags = {name: (await stage.must("GET", f"/{path}"))["etag"] for name, path in paths.items()}
    wanted = {"egress.hosts.put": {"denied": True}, "egress.tools.put": {"denied": True}, "ui.render.put": {"auto_render": False}}
    return {
        **{name: Example("PUT", f"/{paths[name]}", {"epoch": 1, **body}, {"If_Match": etags[name]}) for name, body in wanted.items()},
        "gcs.objects.insert": upload("evidence", "new"),
        "gcs.objects.patch": Example("PATCH", "/gcs/storage/v1/b/plain/o/there", {"eventBasedHold": True}),
        "gcs.objects.delete": Example("DELETE", "/gcs/storage/v1/b/plain/o/there"),
    }
