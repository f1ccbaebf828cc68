"""Evidence: exports of what the metrics said, at absolute instants, with their hash (spec §1 G26, §5.4). Links rot; dashboards move on.

A file is named by its content and written once. The same order gives the same bytes, so a second try finds it there.
"""

import asyncio
import gzip
import hashlib
import json
import os
import re
import zlib
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from activities.action import Call, Effect, NotYet, Order, System, action
from activities.kit.create_once import once
from activities.kit.words import shell
from activities.metrics import queries
from activities.metrics.prometheus import Prometheus

STEP_SECONDS = 15.0
LONGEST = 2_000  # points of one series: a longer window is sampled more coarsely


class Snapshot(
    Order,
    target="evidence/{incident_id}",
    effect="export the metrics of {service} from {start:%H:%M:%S} to {end:%H:%M:%S} UTC, with a hash",
):
    """Keep what the metrics said of a service between two real instants."""

    undone = "nothing to undo: an export changes nothing at its source"

    incident_id: str
    service: str
    start: datetime
    end: datetime

    def by_hand(self) -> tuple[str, ...]:
        start, end = f"{self.start.timestamp():.0f}", f"{self.end.timestamp():.0f}"
        return tuple(
            shell.pipe(
                queries.by_hand("query_range", query=query, start=start, end=end, step="15"),
                shell.command("tee", f"{name}.json"),
                shell.command("sha256sum"),
            )
            for name, query in queries.kept(self.service).items()
        )


class Evidence(System):
    """A folder of exports. `root` should lie where this worker may write and not delete."""

    def __init__(self, root: Path, prometheus: Prometheus) -> None:
        self._root = root
        self._prometheus = prometheus

    @action("evidence.snapshot", writes=True)
    async def snapshot(self, order: Snapshot, call: Call) -> Effect:
        """Export, write once, read back, compare the hash. Raises `NotYet` when what was read back is not what was written."""
        raw, points = await self._export(order, call)
        digest = hashlib.sha256(raw).hexdigest()
        path = self._root / file_name(order.incident_id) / f"{file_name(order.service)}-{order.end:%Y%m%dT%H%M%SZ}-{digest[:16]}.json.gz"
        there = await once(
            call, str(path), partial(asyncio.to_thread, read_export, path), partial(asyncio.to_thread, write_export, path, raw)
        )
        if there.found != raw:
            raise NotYet(f"{path} does not hold what was written")
        return order.done(
            "the file was read back and its hash is the same",
            f"{points} points of {len(queries.kept(order.service))} queries kept, sha256 {digest[:16]}…",
            adopted=there.adopted,
            after={"location": str(path), "sha256": digest, "points": points, "start": _utc(order.start), "end": _utc(order.end)},
        )

    async def _export(self, order: Snapshot, call: Call) -> tuple[bytes, int]:
        """What the metrics say, and how many points that is."""
        step = max(STEP_SECONDS, (order.end - order.start).total_seconds() * call.pace / LONGEST)
        asked = queries.kept(order.service)
        found = await asyncio.gather(*(self._prometheus.query_range(call, q, order.start, order.end, step) for q in asked.values()))
        kept: dict[str, Any] = {
            "incident": order.incident_id, "service": order.service, "start": _utc(order.start), "end": _utc(order.end), "step": step,
            "series": {
                name: {"query": query, "found": sorted((one.model_dump(mode="json") for one in series), key=lambda s: str(s["labels"]))}
                for (name, query), series in zip(asked.items(), found, strict=True)
            },
        }  # fmt: skip
        raw = json.dumps(kept, sort_keys=True, separators=(",", ":"), default=str).encode()
        return raw, sum(len(one.points) for series in found for one in series)


def file_name(name: str) -> str:
    """A part of a path that leads nowhere else, whatever the name holds."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)[:80]


def write_export(path: Path, raw: bytes) -> None:
    """A file that a killed worker left half written never gets the name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}.part")
    unfinished.write_bytes(gzip.compress(raw, mtime=0))
    unfinished.rename(path)


def read_export(path: Path) -> bytes | None:
    """What the file holds; None when there is no file, nothing when it cannot be unpacked."""
    try:
        return gzip.decompress(path.read_bytes())
    except FileNotFoundError:
        return None
    except (EOFError, gzip.BadGzipFile, zlib.error):
        return b""


def _utc(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat()
