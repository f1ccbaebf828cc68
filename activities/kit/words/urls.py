"""Addresses, built from names that may hold anything: nothing in a name ever becomes another path, a query or another host."""

import re
from collections.abc import Mapping
from urllib.parse import quote, urlencode

DOTS = re.compile(r"\.*")


def segment(name: object) -> str:
    """One part of a path.

    Clients take `.` and `..` out of a path, also as %2E: a name of dots alone is quoted twice, so that it leads nowhere.
    """
    said = quote(str(name), safe="", errors="replace")
    return quote(said.replace(".", "%2E"), safe="") if DOTS.fullmatch(said) else said


def path(*names: object) -> str:
    """A path from its parts: `/v1/services/api`."""
    return "".join(f"/{segment(name)}" for name in names)


def query(wanted: Mapping[str, object]) -> str:
    """A query with its question mark; nothing for what is None."""
    asked = {name: value for name, value in wanted.items() if value is not None}
    return f"?{urlencode(asked, errors='replace')}" if asked else ""
