"""Expressions of CEL, as Cloud Armor takes them: a value is a literal, and is never a part of the expression."""

from collections.abc import Sequence


def literal(text: str) -> str:
    """A string as CEL writes it; what is not seen is written by its number."""
    return "'" + "".join(map(_escaped, text)) + "'"


def _escaped(sign: str) -> str:
    if sign in ("\\", "'"):
        return "\\" + sign
    return sign if sign.isprintable() else "\\U" + format(ord(sign), "08x")


def header_is(name: str, value: str) -> str:
    """A request whose header has this very value."""
    return "".join(("request.headers[", literal(name), "] == ", literal(value)))


def comes_from(ranges: Sequence[str]) -> str:
    """A request from one of these addresses or networks."""
    return " || ".join("".join(("inIpRange(origin.ip, ", literal(one), ")")) for one in ranges)


def both(one: str, other: str) -> str:
    return "".join(("(", one, ") && ", other))
