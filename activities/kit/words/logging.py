"""Filters of Cloud Logging (cloud.google.com/logging/docs/view/logging-query-language): a value is one quoted word, whatever stands in it."""

import json
from datetime import UTC, datetime


def is_(field: str, value: str) -> str:
    """A field that has exactly this value. Quoted as in JSON, which the language reads; what is no ASCII is escaped."""
    return f"{field}={json.dumps(value)}"


def since_(at: datetime) -> str:
    return f"timestamp>={json.dumps(at.astimezone(UTC).isoformat().replace('+00:00', 'Z'))}"


def all_of(*filters: str) -> str:
    return " AND ".join(filters)
