"""The append-only log of what was really done, written where it happened."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class EffectLog:
    """One entry per write that was carried out; with a directory, also one line of JSON each in `effects.jsonl`."""

    def __init__(self, directory: Path | None = None) -> None:
        self.entries: list[dict[str, Any]] = []
        self._path = directory / "effects.jsonl" if directory else None
        if directory:
            directory.mkdir(parents=True, exist_ok=True)

    def append(
        self,
        *,
        world_at: str,
        real_at: str,
        route: str,
        target: str,
        headers: Mapping[str, str],
        before: object,
        after: object,
        asked: object = None,
    ) -> None:
        """Record one write. `changed` is whether it found anything to change; key and incident are only logged.

        `asked` is a fingerprint of what was wanted, so that two writes under one key can be told from one write done twice.
        """
        entry = {
            "n": len(self.entries) + 1,
            "world_at": world_at,
            "real_at": real_at,
            "face": route.partition(".")[0],
            "route": route,
            "target": target,
            "key": headers.get("idempotency-key"),
            "incident": headers.get("x-incident-id"),
            "asked": hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()[:12],
            "changed": before != after,
            "before": before,
            "after": after,
        }
        # Frozen by a round trip: the state that it came from moves on, the log must not.
        line = json.dumps(entry, default=str)
        self.entries.append(json.loads(line))
        if self._path:
            with self._path.open("a") as file:
                file.write(line + "\n")
