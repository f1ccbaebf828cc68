"""OpenAPI 3.1 documents of our own REST contracts, made from the models that their faces use. `python -m practice.http.openapi docs/api`."""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from practice.http.app import FACES
from practice.http.face import Face, FaceRoute
from practice.http.own_api import ProblemReply
from practice.world.state import JSON

REASONS = {
    200: "As it is now",
    400: "The request cannot be read",
    401: "No valid token",
    403: "Not permitted",
    404: "There is no such thing",
    409: "The epoch is not the right one, or there is no lease",
    412: "The etag is stale: read again",
    422: "The body means nothing here",
    428: "If-Match is required",
    429: "Too many requests: see Retry-After",
    503: "Not available now",
    504: "No answer in time",
}
Mode = Literal["validation", "serialization"]


def documents() -> dict[str, JSON]:
    """Name of the file → the document, for each face with a contract of ours."""
    return {f"{face.name}.json": document(face) for face in FACES if face.contract}


def document(face: Face) -> JSON:
    """The OpenAPI document of one face."""
    wanted: dict[tuple[type[BaseModel], Mode], None] = {(ProblemReply, "serialization"): None}
    for route in face.routes:
        if route.models.asks:
            wanted[route.models.asks, "validation"] = None
        if route.models.shows:
            wanted[route.models.shows, "serialization"] = None
    schemas, components = models_json_schema(list(wanted), ref_template="#/components/schemas/{model}")
    paths: dict[str, JSON] = {}
    for route in face.routes:
        paths.setdefault(route.path.removeprefix(f"/{face.name}"), {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": f"{face.name} API", "version": "1", "description": face.contract},
        "servers": [{"url": f"/{face.name}"}],
        "security": [{"bearer": []}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "schemas": dict(sorted(components["$defs"].items())),
        },
    }


def _operation(route: FaceRoute, schemas: Mapping[Any, JSON]) -> JSON:
    models = route.models
    parameters = [_parameter("path", name, True, {"type": "string"}) for name in re.findall(r"{(\w+)}", route.path)]
    parameters += [_parameter("header", name, required, {"type": "string"}) for name, required in models.headers.items()]
    refused = {401, *models.refuses, *([404] if "{" in route.path else [])}
    found: JSON = {"operationId": route.name, "summary": (inspect.getdoc(route.handler) or "").partition("\n")[0]}
    if models.query:
        properties = models.query.model_json_schema()["properties"]
        parameters += [_parameter("query", name, False, _plain(schema)) for name, schema in properties.items()]
        refused |= {400, 404}
    if parameters:
        found["parameters"] = parameters
    if models.asks:
        refused |= {400, 422}
        found["requestBody"] = {"required": True, "content": _json(schemas[models.asks, "validation"])}
    etag = {"headers": {"ETag": {"schema": {"type": "string"}}}} if "If-Match" in models.headers else {}
    shown = {"content": _json(schemas[models.shows, "serialization"])} if models.shows else {}
    failure = _json(schemas[ProblemReply, "serialization"])
    found["responses"] = {
        "200": {"description": REASONS[200], **etag, **shown},
        **{str(status): {"description": REASONS[status], "content": failure} for status in sorted(refused)},
        "default": {"description": "Anything else that keeps the request from being done", "content": failure},
    }
    return found


def _parameter(place: str, name: str, required: bool, schema: JSON) -> JSON:
    return {"name": name, "in": place, "required": required, "schema": schema}


def _plain(schema: JSON) -> JSON:
    """A query parameter is there or not: it is never null."""
    chosen = [one for one in schema.get("anyOf", []) if one.get("type") != "null"]
    merged = {**schema, **chosen[0]} if len(chosen) == 1 else schema
    return {key: value for key, value in merged.items() if key not in {"anyOf", "title"} and value is not None}


def _json(schema: JSON) -> JSON:
    return {"application/json": {"schema": schema}}


def text_of(found: JSON) -> str:
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def main(folder: str) -> None:
    """Write all documents."""
    for name, found in documents().items():
        Path(folder, name).write_text(text_of(found))


if __name__ == "__main__":
    main(sys.argv[1])
