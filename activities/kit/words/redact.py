"""Text from outside (alerts, change descriptions, notes, vendors' errors), without what must not be copied: secrets, e-mail addresses, codes."""

import json
import re
from typing import Annotated, Any, TypeVar, cast

from pydantic import AfterValidator

V = TypeVar("V")

HIDDEN = "[redacted]"
EXAMPLE = "4XQ2-M9KD"  # the code that our own texts show: it is nobody's
# A personal code as it is sent: the number of a question, and two groups of four. `\\n` stands before it in JSON that was not read.
_CODE = re.compile(
    r"(?:(?<![A-Za-z0-9])(?<![A-Za-z0-9]-)|(?<=\\[nrt]))([0-9]{1,6})[-‐-―]([A-Z0-9]{4})[-‐-―]([A-Z0-9]{4})(?![A-Za-z0-9]|-[A-Za-z0-9])",
    re.I | re.A,
)
NAMES = (
    r"(?:api[_-]?key|access[_-]?key|secret|passw(?:or)?d|pwd|token|credentials?|private[_-]?key|signature|sig|auth|session[_-]?id|cookie)"
)
# A word is looked at from its beginning only: whoever sends a megabyte of dots must not keep us busy for a day.
_SECRET_NAME = re.compile(rf"[\w.-]*{NAMES}", re.IGNORECASE)
_KEEPS_FIRST_GROUP = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"((?<![a-z0-9+.-])[a-z0-9+.-]+://)[^\s/@]+@",  # a user and password in an address
        r"(\b(?:authorization|proxy-authorization|x-api-key)\b[\"']?\s*[:=]\s*[\"']?(?:(?:bearer|basic|token|oauth)\s+)?)[^\s\"',;]+",
        r"(\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{12,}",
        rf"((?<![\w-])[\w-]*{NAMES}[\"']?\s*[:=]\s*)(?:\"[^\"]*(?:\"|\Z)|'[^']*'|[^\s\"',;&)]+)",
    )
)
_WHOLE = tuple(
    re.compile(pattern)
    for pattern in (
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
        r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{10,}+\.ey[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",  # a JSON web token
        r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
        r"\b(?:gh[pousr]_|github_pat_|glpat-|xox[a-z]-|sk-|sk_live_|rk_live_|AIza|ya29\.|hvs\.)[A-Za-z0-9_.-]{10,}",
        r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]+@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}\b",  # an e-mail address
    )
)


def redact(text: str) -> str:
    """The text with `[redacted]` in place of every secret, e-mail address and personal code in it. Twice is as once."""
    for pattern in _KEEPS_FIRST_GROUP:
        text = pattern.sub(lambda found: found[1] + HIDDEN + ("@" if found[0].endswith("@") else ""), text)
    for pattern in _WHOLE:
        text = pattern.sub(HIDDEN, text)
    return hide_codes(text)


def codes_in(text: str) -> tuple[str, ...]:
    """Everything in a text that may be a personal code."""
    return tuple(dict.fromkeys(found[0] for found in _CODE.finditer(text)))


def hide_codes(value: V) -> V:
    """The same text, or texts however they are nested, with `[redacted]` for every personal code. Words in small letters stay (`3-east-west`)."""
    return cast("V", _hidden(value))


def _hidden(value: Any) -> Any:
    if isinstance(value, str):
        return _CODE.sub(lambda found: found[0] if _is_words(found) else HIDDEN, value)
    if isinstance(value, dict):
        return {_hidden(key): _hidden(inside) for key, inside in value.items()}
    return [_hidden(inside) for inside in value] if isinstance(value, list) else value


def _is_words(found: re.Match[str]) -> bool:
    groups = f"{found[2]}-{found[3]}"
    return groups == EXAMPLE or ((found[2] + found[3]).isalpha() and groups.islower())


def redact_body(raw: bytes) -> bytes:
    """The same of a body that somebody sent. JSON stays JSON; a body with nothing to hide stays as it is, to the byte."""
    try:
        read = json.loads(raw)
        kept = _inside(read)
        return raw if kept == read else json.dumps(kept).encode()
    except (ValueError, RecursionError):  # it is no JSON, or was cut off
        return redact(raw.decode(errors="surrogateescape")).encode(errors="surrogateescape")


def _inside(read: Any, name: str = "") -> Any:
    if isinstance(read, dict):
        return {redact(key): _inside(value, key) for key, value in read.items()}
    if isinstance(read, list):
        return [_inside(one, name) for one in read]
    if isinstance(read, bool) or not isinstance(read, str | int | float):
        return read
    return _field(name, read) if isinstance(read, str) else HIDDEN if _SECRET_NAME.fullmatch(name) else read


def redact_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """The same of labels or other named values: what is called a secret is hidden whole."""
    return {name: _field(name, value) if isinstance(value, str) else value for name, value in fields.items()}


def _field(name: str, value: str) -> str:
    return HIDDEN if _SECRET_NAME.fullmatch(name) and value else redact(value)


Redacted = Annotated[str, AfterValidator(redact)]
Typed = Annotated[str, AfterValidator(hide_codes)]  # a name or an id that a person typed
RedactedFields = Annotated[dict[str, Any], AfterValidator(redact_fields)]
RedactedLabels = Annotated[dict[str, str], AfterValidator(redact_fields)]
