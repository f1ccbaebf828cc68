"""What there is when the world begins: four data sets with their readers, and nobody inside who should not be."""

from __future__ import annotations

import hashlib

from practice.intrusion.model import CONTROLLER, PROCESSOR, DataSet, Identity, Intrusion
from practice.world.state import State

YEAR = 365 * 86_400.0
RECORDS = 60  # of each data set whose hashes are known
EXPORTER, REPORTER = "svc-export", "svc-reports"


def record_hash(data_set: str, n: int) -> str:
    """The hash of one record, as the data map counts it."""
    return hashlib.sha256(f"{data_set}/record-{n}".encode()).hexdigest()


def intrusion(state: State, now: float) -> Intrusion:
    """The data of a world and who reads it: made when it is first asked for."""
    there = state.part(Intrusion)
    if not there.sets:
        there.sets = {one.name: one for one in _sets(sorted(state.tenants))}
        there.identities = {one.id: one for one in _identities(next(iter(state.fleet.services), "api"))}
        there.contracts = {name: (24, 48, 72, None)[n % 4] for n, name in enumerate(sorted(state.tenants))}
        there.born = now
    return there


def _sets(tenants: list[str]) -> list[DataSet]:
    made = [
        DataSet(
            "conversations", ["CONTENT", "PII"], PROCESSOR, {"DE": 420, "FR": 260, "US-CA": 700}, tenants[:6],
            readers=[EXPORTER], shared_with=["vendor-insight"],
        ),
        DataSet("accounts", ["PII"], CONTROLLER, {"DE": 90, "GB": 40, "US-CA": 120}, [], readers=[EXPORTER, REPORTER]),
        DataSet("usage", ["METADATA"], CONTROLLER, {}, [], readers=[REPORTER], encrypted=True, shared_with=["vendor-insight"]),
        DataSet("payments", ["PAN", "PII"], CONTROLLER, {"DE": 80}, [], encrypted=True),
    ]  # fmt: skip
    for one in made:
        one.hashes = [record_hash(one.name, n) for n in range(RECORDS)]
    return made


def _identities(asset: str) -> list[Identity]:
    """One that hardly ever exports, and one that does all day: that is its work."""
    return [Identity(EXPORTER, "export", asset, usual=120.0, per_step=0.0, owner="ravi"),
            Identity(REPORTER, "database", asset, usual=15_000.0, per_step=40.0, owner="max")]  # fmt: skip
