"""Evidence: exports of what the metrics said, at absolute instants, with their hash (spec §1 G26, §5.4). Links rot; dashboards move on.

An export is named by its content and kept once (`store.py`). The same order gives the same bytes, so a second try finds it there.
"""

import asyncio
import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from activities.action import Call, Effect, Order, System, Value, action
from activities.evidence.store import EvidenceStore
from activities.kit.words import shell
from activities.ledger.custody import ManifestLine
from activities.metrics import queries
from activities.metrics.prometheus import Prometheus
from activities.organisation.numbers import EvidenceHold

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
    held_for: timedelta = EvidenceHold().held_for  # real time

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


class ManifestOf(Order, target="evidence/{incident_id}", effect="read what was kept as evidence for {incident_id}"):
    incident_id: str


class Manifest(Value):
    """What was kept as evidence for an incident: where, under which hash, until when."""

    incident_id: str
    lines: tuple[ManifestLine, ...]

    @property
    def summary(self) -> str:
        loose = sum(not line.write_once for line in self.lines)
        return f"{len(self.lines)} pieces of evidence" + (f", {loose} of them not write-once" if loose else "")


class Evidence(System):
    """Exports, and the manifest of everything that was kept."""

    def __init__(self, store: EvidenceStore, prometheus: Prometheus) -> None:
        self._store = store
        self._prometheus = prometheus

    @action("evidence.snapshot", writes=True)
    async def snapshot(self, order: Snapshot, call: Call) -> Effect:
        """Export, keep once, read back. Raises `NotYet` when what was read back is not what was written."""
        raw, points = await self._export(order, call)
        name = f"{order.service}-{order.end:%Y%m%dT%H%M%SZ}.json.gz"
        kept = await self._store.keep(call, name, gzip.compress(raw, mtime=0), held_until=call.at + order.held_for)
        return order.done(
            "the store shows what was written, with the same hash",
            f"{points} points of {len(queries.kept(order.service))} queries kept, sha256 {kept.sha256[:16]}…, {kept.protection}",
            adopted=kept.adopted,
            after={
                "points": points,
                "start": _utc(order.start),
                "end": _utc(order.end),
                **kept.model_dump(mode="json", exclude={"adopted"}),
            },
        )

    @action("evidence.manifest")
    async def manifest(self, order: ManifestOf, call: Call) -> Manifest:
        """What was kept for the incident until now."""
        return Manifest(incident_id=order.incident_id, lines=await self._store.manifest(call))

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


def _utc(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat()
