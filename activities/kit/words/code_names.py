"""Code names of restricted incidents: two words that suggest nothing. Whoever is not on such an incident learns only that there is one."""

import hashlib
import re

_COLOURS = ("amber", "azure", "coral", "ebony", "ivory", "jade", "ochre", "olive", "pearl", "russet", "sepia", "silver", "teal", "umber")
_BIRDS = ("crane", "dove", "finch", "grebe", "heron", "lark", "linnet", "martin", "osprey", "plover", "robin", "siskin", "swift", "wren")
_NAMED = re.compile(rf"inc-\d{{8}}-((?:{'|'.join(_COLOURS)})-(?:{'|'.join(_BIRDS)}))(?:-\d+)?")
OTHERS_READ = "a restricted incident: page Security"


def code_name(of: str) -> str:
    """The code name of an incident id or a dedup key: the same every time. An id that is under a code name already keeps it."""
    if named := _NAMED.fullmatch(of):
        return named[1]
    number = int.from_bytes(hashlib.sha256(of.encode()).digest()[:4], "big")
    return f"{_COLOURS[number % len(_COLOURS)]}-{_BIRDS[number // len(_COLOURS) % len(_BIRDS)]}"


def under_code_name(incident_id: str) -> bool:
    return _NAMED.fullmatch(incident_id) is not None


def to_others(incident_id: str) -> str:
    """An incident as it is named to people of another one."""
    return OTHERS_READ if under_code_name(incident_id) else incident_id
