"""Whether an HTTP request or answer is what an OpenAPI document of ours says. Paths are matched here, schemas by jsonschema."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
from jsonschema import Draft202012Validator

DOCUMENTS = Path(__file__).parents[2] / "docs/api"
Json = dict[str, Any]

broken: list[str] = []
"""What was wrong with the requests of this test: a client may catch what a transport raises, nobody catches this."""


class Checked(httpx.AsyncBaseTransport):
    """Sends requests on, and notes in `broken` those that are not what our documents say."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        found = problems(request.method, str(request.url), request.headers, await request.aread())
        broken.extend(f"{request.method} {request.url.path}: {one}" for one in found)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


@dataclass
class Operation:
    """One operation of a document, as a request has met it."""

    document: Json
    found: Json
    path: dict[str, str]

    def problems(self, query: str, headers: Mapping[str, str], body: bytes) -> list[str]:
        """What is wrong with a request."""
        given = dict(parse_qsl(query, keep_blank_values=True))
        declared = {(p["in"], p["name"]): p for p in self.found.get("parameters", [])}
        wrong = [f"query {name}: unknown" for name in given if ("query", name) not in declared]
        for (place, name), parameter in declared.items():
            value = {"query": given, "path": self.path, "header": {k.title(): v for k, v in headers.items()}}[place].get(name)
            if value is None:
                wrong += [f"{place} {name}: missing"] if parameter["required"] else []
            else:
                wrong += self._against(parameter["schema"], _converted(value, parameter["schema"]), f"{place} {name}")
        return wrong + self._body(body, "application/json" in headers.get("content-type", ""))

    def _body(self, body: bytes, says_json: bool) -> list[str]:
        wanted = self.found.get("requestBody")
        if wanted is None:
            return ["body: none is expected"] if body else []
        if not body or not says_json:
            return ["body: JSON is expected"]
        return self._against(wanted["content"]["application/json"]["schema"], json.loads(body), "body")

    def answer_problems(self, status: int, body: bytes) -> list[str]:
        """What is wrong with an answer."""
        said = self.found["responses"].get(str(status)) or self.found["responses"]["default"]
        content = said.get("content", {}).get("application/json")
        return self._against(content["schema"], json.loads(body), f"answer {status}") if content else []

    def _against(self, schema: Json, value: Any, where: str) -> list[str]:
        validator = Draft202012Validator({**self.document, **schema}, format_checker=Draft202012Validator.FORMAT_CHECKER)
        return [f"{where}{error.json_path.removeprefix('$')}: {error.message}" for error in validator.iter_errors(value)]


def operation(method: str, path: str) -> Operation | None:
    """The operation of one of our documents that a request meets; None for a path of somebody else's API. Raises LookupError."""
    for document in documents():
        prefix = document["servers"][0]["url"]
        if not path.startswith(f"{prefix}/"):
            continue
        for template, operations in document["paths"].items():
            met = re.fullmatch(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", template), path.removeprefix(prefix))
            if met and method.lower() in operations:
                return Operation(document, operations[method.lower()], met.groupdict())
        raise LookupError(f"{method} {path} is not in the contract")
    return None


def problems(method: str, url: str, headers: Mapping[str, str], body: bytes) -> list[str]:
    """What is wrong with a request to one of our own APIs; nothing for a request to somebody else's."""
    parts = urlsplit(url)
    try:
        met = operation(method, parts.path)
    except LookupError as unknown:
        return [str(unknown)]
    return met.problems(parts.query, {k.lower(): v for k, v in headers.items()}, body) if met else []


@cache
def documents() -> tuple[Json, ...]:
    return tuple(json.loads(path.read_text()) for path in sorted(DOCUMENTS.glob("*.json")))


def _converted(text: str, schema: Json) -> Any:
    """A parameter's text as the type that its schema names, or as it is."""
    if schema.get("type") not in ("number", "integer", "boolean"):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text
