"""The three ways to patch a Kubernetes object: JSON patch (RFC 6902), JSON merge patch (RFC 7386) and strategic merge patch."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

JSON = dict[str, Any]

MERGE_KEYS = {
    "containers": "name", "initContainers": "name", "env": "name", "volumes": "name", "ports": "containerPort", "volumeMounts": "mountPath",
    "volumeDevices": "devicePath", "imagePullSecrets": "name", "hostAliases": "ip", "ownerReferences": "uid", "conditions": "type",
    "topologySpreadConstraints": "topologyKey",
}  # fmt: skip
"""Lists that a strategic merge merges by a key of their items; any other list it replaces."""
NOTHING = object()


class BadPatch(Exception): ...


class DoesNotApply(Exception):
    """The patch cannot be applied to this object: a test failed, or there is no such place in it (422)."""


def json_patch(thing: JSON, patch: Any) -> JSON:
    """All operations, or none. Raises `BadPatch`, `DoesNotApply`."""
    if not isinstance(patch, list):
        raise BadPatch("json: cannot unmarshal object into Go value of type jsonpatch.Patch")
    whole: JSON = {"": copy.deepcopy(thing)}
    for operation in patch:
        if not isinstance(operation, dict) or operation.get("op") not in OPERATIONS or not isinstance(operation.get("path"), str):
            raise BadPatch(f"invalid JSON patch operation: {operation}")
        OPERATIONS[operation["op"]](whole, operation)
    patched: JSON = whole[""]
    return patched


def _value(operation: JSON) -> Any:
    if "value" not in operation:
        raise BadPatch(f"{operation['op']} operation without a value: {operation}")
    return copy.deepcopy(operation["value"])


def _parent(whole: JSON, path: str) -> tuple[Any, str]:
    """The holder of what a JSON pointer points to, and its last part."""
    if path and not path.startswith("/"):
        raise BadPatch(f"a JSON pointer begins with /: {path}")
    parts = [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")]
    holder: Any = whole
    for part in parts[:-1]:
        holder = _get(holder, part, path)
    return holder, parts[-1]


def _get(holder: Any, part: str, path: str) -> Any:
    if isinstance(holder, dict) and part in holder:
        return holder[part]
    if isinstance(holder, list) and part.isdigit() and int(part) < len(holder):
        return holder[int(part)]
    raise DoesNotApply(f"doc is missing path: {path}")


def _put(whole: JSON, path: str, value: Any, *, new: bool) -> None:
    holder, part = _parent(whole, path)
    if not new:
        _get(holder, part, path)
    if isinstance(holder, dict):
        holder[part] = value
    elif not isinstance(holder, list) or not (part == "-" or (part.isdigit() and int(part) <= len(holder))):
        raise DoesNotApply(f"doc is missing path: {path}")
    elif new:
        holder.insert(len(holder) if part == "-" else int(part), value)
    else:
        holder[int(part)] = value


def _take(whole: JSON, path: str) -> Any:
    holder, part = _parent(whole, path)
    value = _get(holder, part, path)
    del holder[int(part) if isinstance(holder, list) else part]
    return value


def _test(whole: JSON, operation: JSON) -> None:
    path, wanted = operation["path"], _value(operation)
    holder, part = _parent(whole, path)
    if _get(holder, part, path) != wanted:
        raise DoesNotApply(f"testing value {path} failed: test failed")


def _copy(whole: JSON, operation: JSON) -> None:
    holder, part = _parent(whole, str(operation.get("from", "")))
    _put(whole, operation["path"], copy.deepcopy(_get(holder, part, str(operation.get("from")))), new=True)


OPERATIONS: dict[str, Callable[[JSON, JSON], Any]] = {
    "add": lambda whole, o: _put(whole, o["path"], _value(o), new=True),
    "replace": lambda whole, o: _put(whole, o["path"], _value(o), new=False),
    "remove": lambda whole, o: _take(whole, o["path"]),
    "move": lambda whole, o: _put(whole, o["path"], _take(whole, str(o.get("from", ""))), new=True),
    "copy": _copy,
    "test": _test,
}


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
