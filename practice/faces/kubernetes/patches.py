"""The three ways to patch a Kubernetes object: JSON patch (RFC 6902), JSON merge patch (RFC 7386) and strategic merge patch."""

from __future__ import annotations

import copy
from typing import Any

import jsonpatch
import jsonpointer

JSON = dict[str, Any]

MERGE_KEYS = {
    "containers": "name", "initContainers": "name", "env": "name", "volumes": "name", "ports": "containerPort", "volumeMounts": "mountPath",
    "volumeDevices": "devicePath", "imagePullSecrets": "name", "hostAliases": "ip", "ownerReferences": "uid", "conditions": "type",
    "topologySpreadConstraints": "topologyKey",
}  # fmt: skip
"""Lists that a strategic merge merges by a key of their items; any other list it replaces."""


class BadPatch(Exception): ...


class DoesNotApply(Exception):
    """The patch cannot be applied to this object: a test failed, or there is no such place in it (422)."""


def json_patch(thing: JSON, patch: Any) -> JSON:
    """All operations, or none. Raises `BadPatch`, `DoesNotApply`."""
    if not isinstance(patch, list):
        raise BadPatch("json: cannot unmarshal object into Go value of type jsonpatch.Patch")
    try:
        patched: JSON = jsonpatch.JsonPatch(patch).apply(thing)
    except jsonpatch.InvalidJsonPatch as error:
        raise BadPatch(f"invalid JSON patch operation: {error}") from error
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException) as error:
        raise DoesNotApply(str(error)) from error
    return patched


def merge_patch(thing: Any, patch: Any) -> Any:
    """What is null goes, objects are merged, everything else is replaced."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    merged = dict(thing) if isinstance(thing, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def strategic_merge_patch(thing: Any, patch: JSON) -> JSON:
    """As `merge_patch`, but lists of named things are merged by name. Raises `BadPatch` for directives that there are none of."""
    directive = patch.get("$patch")
    if directive not in (None, "replace", "merge"):
        raise BadPatch(f"unrecognized $patch directive: {directive}")
    merged = dict(thing) if isinstance(thing, dict) and directive != "replace" else {}
    if "$retainKeys" in patch:
        merged = {key: value for key, value in merged.items() if key in patch["$retainKeys"]}
    for key, value in patch.items():
        if key.startswith("$deleteFromPrimitiveList/"):
            name = key.partition("/")[2]
            merged[name] = [one for one in merged.get(name, []) if one not in value]
        elif key.startswith("$"):
            if key.partition("/")[0] not in ("$patch", "$retainKeys", "$setElementOrder"):
                raise BadPatch(f"unrecognized directive: {key}")
        elif value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            merged[key] = strategic_merge_patch(merged.get(key), value)
        elif isinstance(value, list) and key in MERGE_KEYS:
            merged[key] = _merged_list(merged.get(key), value, MERGE_KEYS[key])
        else:
            merged[key] = copy.deepcopy(value)
    return merged


def _merged_list(things: Any, patch: list[Any], key: str) -> list[Any]:
    merged = [dict(one) for one in things] if isinstance(things, list) else []
    if {"$patch": "replace"} in patch:
        return [copy.deepcopy(one) for one in patch if one != {"$patch": "replace"}]
    for one in patch:
        if not isinstance(one, dict) or key not in one:
            raise BadPatch(f"map: {one} does not contain declared merge key: {key}")
        found = next((i for i, other in enumerate(merged) if other.get(key) == one[key]), None)
        if one.get("$patch") == "delete":
            merged = [other for other in merged if other.get(key) != one[key]]
        elif found is None:
            merged.append(strategic_merge_patch({}, one))
        else:
            merged[found] = strategic_merge_patch(merged[found], one)
    return merged
