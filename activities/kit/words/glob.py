"""Glob patterns, built from literal parts: a name never matches more than itself, whatever stands in it."""

import re

SPECIAL = re.compile(r"([*?\[\]\\^-])")
ANY = "*"


def literal(text: str) -> str:
    """A name as a pattern of Redis that matches only that name."""
    return SPECIAL.sub(r"\\\1", text)


def bracketed(text: str) -> str:
    """The same for tools whose patterns know no backslash: a special letter is a class of its own, `[*]`."""
    return re.sub(r"[*?[]", r"[\g<0>]", text)


def joined(separator: str, *parts: str) -> str:
    """Parts that are patterns already, one after the other: `cag:acme:*`."""
    return separator.join(parts)
