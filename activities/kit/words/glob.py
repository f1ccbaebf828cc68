"""Glob patterns of Redis, built from literal parts: a name never matches more than itself, whatever stands in it."""

import re

SPECIAL = re.compile(r"([*?\[\]\\^-])")
ANY = "*"


def literal(text: str) -> str:
    """A name as a pattern that matches only that name."""
    return SPECIAL.sub(r"\\\1", text)


def joined(separator: str, *parts: str) -> str:
    """Parts that are patterns already, one after the other: `cag:acme:*`."""
    return separator.join(parts)
