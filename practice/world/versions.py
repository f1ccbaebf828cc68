"""A version for any content."""

from __future__ import annotations

import hashlib
import json


def fingerprint(content: object) -> str:
    """A short version of any JSON content: equal content, equal version."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
