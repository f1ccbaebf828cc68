"""What changed between two states of one JSON object, and the same put together again.

An incident says what is true of it after every step. Most of that was said before: sent whole each time it would be megabytes of history.
"""

from typing import Any

Json = dict[str, Any]
NUMBERED = "numbered"


def difference(old: Json, new: Json) -> Json:
    """The keys that changed, with their new values; of lists of numbered things only those that are new or changed, and which are there."""
    return {key: _changed(old.get(key), value) for key, value in new.items() if key not in old or old[key] != value}


def patched(old: Json, patch: Json) -> Json:
    """The new object, from the old one and the difference."""
    return {**old, **{key: _merged(old.get(key), value) for key, value in patch.items()}}


def _changed(old: Any, new: Any) -> Any:
    if not (_numbered(old) and _numbered(new)):
        return new
    before = {item["number"]: item for item in old}
    return {NUMBERED: [item["number"] for item in new], "changed": [item for item in new if before.get(item["number"]) != item]}


def _merged(old: Any, new: Any) -> Any:
    if not (isinstance(new, dict) and set(new) == {NUMBERED, "changed"}):
        return new
    known = {item["number"]: item for item in (*(old or ()), *new["changed"])}
    return [known[number] for number in new[NUMBERED]]


def _numbered(value: Any) -> bool:
    if not (isinstance(value, list) and all(isinstance(item, dict) and "number" in item for item in value)):
        return False
    return len({item["number"] for item in value}) == len(value)
