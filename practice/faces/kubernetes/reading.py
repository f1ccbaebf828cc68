"""How a Kubernetes API is read: by selectors, and by watches."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable

from practice.http.face import Call
from practice.services.cluster import Cluster
from practice.world.state import JSON, State

WATCHED_EVERY = 0.05
"""Seconds between two looks of a watch."""
LONGEST_WATCH = 300.0
_REQUIREMENT = re.compile(r"(!?)\s*([\w./-]+)\s*(?:(==|=|!=|\s+in\s+|\s+notin\s+)\s*(\([^)]*\)|[\w.-]*))?\s*(?:,|$)")
_FIELDS: dict[str, Callable[[JSON], str]] = {
    "metadata.name": lambda one: str(one["metadata"]["name"]),
    "metadata.namespace": lambda one: str(one["metadata"].get("namespace", "")),
    "status.phase": lambda one: str(one.get("status", {}).get("phase", "")),
}
Objects = Callable[[State, Cluster], list[JSON]]


def selected(call: Call, found: list[JSON]) -> list[JSON]:
    """Those in the path's namespace (all without one) that the selectors take. A selector that is none is refused."""
    namespace = call.path.get("namespace")
    tests = [*_label_tests(call), *_field_tests(call)]
    return [
        one
        for one in found
        if (namespace is None or one["metadata"].get("namespace", namespace) == namespace) and all(test(one) for test in tests)
    ]


def _label_tests(call: Call) -> list[Callable[[JSON], bool]]:
    text, at, tests = call.one("labelSelector").strip(), 0, []
    while at < len(text):
        found = _REQUIREMENT.match(text, at)
        if found is None:
            raise call.refuse(400, f'unable to parse requirement: "{text[at:]}"')
        tests.append(_label_test(*found.groups()))
        at = found.end()
    return tests


def _label_test(absent: str, key: str, operator: str | None, operand: str | None) -> Callable[[JSON], bool]:
    values = {value.strip() for value in (operand or "").strip("()").split(",")}
    word = (operator or "").strip()

    def holds(one: JSON) -> bool:
        labels = one["metadata"].get("labels") or {}
        if not word:
            return (key in labels) is not bool(absent)
        return (labels.get(key) in values) is (word in ("=", "==", "in"))

    return holds


def _field_tests(call: Call) -> list[Callable[[JSON], bool]]:
    tests = []
    for part in filter(None, call.one("fieldSelector").split(",")):
        found = re.fullmatch(r"([\w.]+)(==|=|!=)(.*)", part)
        if found is None or found[1] not in _FIELDS:
            raise call.refuse(400, f'field label not supported: "{part.partition("=")[0]}"')
        tests.append(_field_test(_FIELDS[found[1]], found[3], found[2] != "!="))
    return tests


def _field_test(read: Callable[[JSON], str], value: str, equal: bool) -> Callable[[JSON], bool]:
    return lambda one: (read(one) == value) is equal


# ---- watches ----


def watch(call: Call, kind: str, group_version: str, objects: Objects) -> AsyncIterator[str]:
    """Changes as they come, a line each, until the time that was asked for is over. Refused before it begins, if at all."""
    initial = call.one("sendInitialEvents") in ("true", "1")
    if initial and call.one("resourceVersionMatch") != "NotOlderThan":
        raise call.refuse(422, "resourceVersionMatch: Forbidden: resourceVersionMatch must be NotOlderThan when sendInitialEvents is true")
    since = call.one("resourceVersion", "0") or "0"
    if not since.isdigit():
        raise call.refuse(400, f"resourceVersion: Invalid value: {since!r}")
    cluster = call.state.clusters[call.path["region"]]
    now = selected(call, objects(call.state, cluster))
    known = {} if initial or since == "0" else {one["metadata"]["uid"]: one for one in now if _version(one) <= int(since)}
    return _changes(call, objects, known, int(since), kind if initial else "", group_version)


async def _changes(
    call: Call, objects: Objects, known: dict[str, JSON], since: int, bookmark: str, group_version: str
) -> AsyncIterator[str]:
    world, region = call.world, call.path["region"]
    until = time.monotonic() + min(float(call.one("timeoutSeconds", "0") or 0) or LONGEST_WATCH, LONGEST_WATCH)
    while time.monotonic() < until:
        world.advance()
        cluster = world.state.clusters[region]
        now = {one["metadata"]["uid"]: one for one in selected(call, objects(world.state, cluster))}
        for one in sorted(now.values(), key=_version):
            before = known.get(one["metadata"]["uid"])
            if before is None:
                old = 0 < cluster.born.get(one["metadata"]["uid"], since + 1) <= since
                yield _event("MODIFIED" if old else "ADDED", one)
            elif _version(before) < _version(one):
                yield _event("MODIFIED", one)
        for uid in known.keys() - now.keys():
            yield _event("DELETED", known[uid])
        known = now
        if bookmark:
            metadata = {"resourceVersion": str(cluster.version), "annotations": {"k8s.io/initial-events-end": "true"}}
            yield _event("BOOKMARK", {"kind": bookmark, "apiVersion": group_version, "metadata": metadata})
            bookmark = ""
        await asyncio.sleep(WATCHED_EVERY)


def _event(kind: str, one: JSON) -> str:
    return json.dumps({"type": kind, "object": one}) + "\n"


def _version(one: JSON) -> int:
    return int(one["metadata"]["resourceVersion"])
