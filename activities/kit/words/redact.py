"""Text from outside (alerts, change descriptions, notes, vendors' errors), without what must not be copied: secrets and e-mail addresses."""

import json
import re
from typing import Annotated, Any

from pydantic import AfterValidator

HIDDEN = "[redacted]"
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
    """The text with `[redacted]` in place of every secret and e-mail address in it. Twice is as once."""
    for pattern in _KEEPS_FIRST_GROUP:
        text = pattern.sub(lambda found: found[1] + HIDDEN + ("@" if found[0].endswith("@") else ""), text)
    for pattern in _WHOLE:
        text = pattern.sub(HIDDEN, text)
    return text


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
RedactedFields = Annotated[dict[str, Any], AfterValidator(redact_fields)]
RedactedLabels = Annotated[dict[str, str], AfterValidator(redact_fields)]
