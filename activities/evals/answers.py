"""Customers' answers that were judged, by slice (spec §9.7, slices; A.7 T1, M2). No text is ever read: references and hashes."""

import gzip
import json
from collections import Counter
from datetime import datetime, timedelta
from types import MappingProxyType

from activities.action import Call, Effect, Order, System, Value, action
from activities.evidence.store import EvidenceStore
from activities.kit.rest import Json
from activities.kit.words import shell
from activities.organisation.numbers import EvidenceHold
from activities.registry.orders import OffersOf, ReleaseLook, ReleasesOf, ServedOf
from activities.registry.release_plane import ReleasePlane

FACTORS = ("triple", "provider", "snapshot", "region", "language", "context", "tool")  # of which combinations are counted
KEPT = 10  # bad samples that are named
KEPT_WITH = MappingProxyType({"releases": ReleasesOf, "offers": OffersOf, "served": ServedOf})


class SamplesOf(
    ReleaseLook, effect="read judged answers of {route} of the last {window}, by slice", path="routes/{route}/samples",
    asks=("window", "limit", "bad", "until"),
):  # fmt: skip
    """The newest judged answers of a window (policy time), which ends at `until` (RFC 3339; None: now)."""

    window: timedelta = timedelta(minutes=30)
    limit: int = 2_000
    bad: bool = False
    until: str | None = None


class Slice(Value):
    """Answers that have the same attributes, and how many of them are bad."""

    where: dict[str, str]
    n: int
    bad: int


class Sample(Value):
    """One bad answer: where it is kept, and its hash. Never what it says."""

    ref: str
    sha256: str
    at: datetime
    where: dict[str, str]


class JudgedAnswers(Value):
    """Counts of judged answers. `consent`: whether answers may be sampled at all; without it there is nothing to see."""

    consent: bool
    n: int = 0
    bad: int = 0
    slices: tuple[Slice, ...] = ()
    tenants: dict[str, tuple[int, int]] = {}  # tenant → judged, bad
    samples: tuple[Sample, ...] = ()
    since: datetime
    at: datetime

    @property
    def share(self) -> float | None:
        """Of bad answers; None where none was judged."""
        return self.bad / self.n if self.n else None

    def counted(self, factor: str) -> dict[str, tuple[int, int]]:
        """Value of a factor → judged, bad."""
        n: Counter[str] = Counter()
        bad: Counter[str] = Counter()
        for one in self.slices:
            n[one.where[factor]] += one.n
            bad[one.where[factor]] += one.bad
        return {value: (n[value], bad[value]) for value in n}


class KeepFailing(
    Order, target="evidence/{incident_id}",
    effect="keep which answers of {route} failed, with their versions and what they retrieved, as references and hashes",
):  # fmt: skip
    """Keep what failed before anything is rolled back (A.7 M2). Never a text: the store has references, hashes and counts."""

    undone = "nothing to undo: an export changes nothing at its source"

    incident_id: str
    route: str
    window: timedelta = timedelta(minutes=30)
    held_for: timedelta = EvidenceHold().held_for  # real time

    def by_hand(self) -> tuple[str, ...]:
        looks = {"samples": SamplesOf(route=self.route, window=self.window, bad=True), "releases": ReleasesOf(route=self.route)}
        return tuple(
            shell.pipe(look.command(), shell.command("tee", f"{name}.json"), shell.command("sha256sum")) for name, look in looks.items()
        )


class Answers(System):
    def __init__(self, plane: ReleasePlane, store: EvidenceStore) -> None:
        self._plane, self._store = plane, store

    @action("answers.judged")
    async def judged(self, order: SamplesOf, call: Call) -> JudgedAnswers:
        """Judged answers by slice, and where some of the bad ones are kept."""
        said = await self._plane.look(call, order)
        since = call.at - order.window / call.pace
        if not said["consent"]:
            return JudgedAnswers(consent=False, since=since, at=call.at)
        return _counted(said["samples"], since, call.at)

    @action("answers.keep", writes=True)
    async def keep(self, order: KeepFailing, call: Call) -> Effect:
        """Which answers failed, on which versions, with what they retrieved: kept once, read back. Without consent only the versions are."""
        samples = await self._plane.look(call, SamplesOf(route=order.route, window=order.window, bad=True))
        versions = {name: await self._plane.look(call, look(route=order.route)) for name, look in KEPT_WITH.items()}
        found = {"incident": order.incident_id, "route": order.route, "until": call.at.isoformat(), **versions, "failing": samples}
        raw = json.dumps(found, sort_keys=True, separators=(",", ":")).encode()
        held_until = call.at + order.held_for
        kept = await self._store.keep(call, f"{order.route}-failing.json.gz", gzip.compress(raw, mtime=0), held_until=held_until)
        n = len(samples["samples"])
        said = (
            f"{n} failing answers kept as references and hashes" if samples["consent"] else "no answers kept: customers have not consented"
        )
        return order.done(
            "the store shows what was written, with the same hash", f"{said}, with the versions; sha256 {kept.sha256[:16]}…, {kept.protection}",
            adopted=kept.adopted, after={"failing": n, **kept.model_dump(mode="json", exclude={"adopted"})},
        )  # fmt: skip


def _counted(rows: list[Json], since: datetime, at: datetime) -> JudgedAnswers:
    """Counts of the combinations that there are, and of tenants by themselves."""
    n: Counter[tuple[str, ...]] = Counter()
    bad: Counter[tuple[str, ...]] = Counter()
    tenants: dict[str, tuple[int, int]] = {}
    for row in rows:
        where = tuple(str(row[factor]) for factor in FACTORS)
        n[where] += 1
        bad[where] += row["bad"]
        seen = tenants.get(row["tenant"], (0, 0))
        tenants[row["tenant"]] = (seen[0] + 1, seen[1] + row["bad"])
    kept = [row for row in rows if row["bad"]][:KEPT]
    return JudgedAnswers(
        consent=True, n=n.total(), bad=bad.total(), tenants=dict(sorted(tenants.items())), since=since, at=at,
        slices=tuple(Slice(where=dict(zip(FACTORS, where, strict=True)), n=n[where], bad=bad[where]) for where in sorted(n)),
        samples=tuple(
            Sample(ref=row["ref"], sha256=row["sha256"], at=row["at"], where={f: str(row[f]) for f in (*FACTORS, "tenant")}) for row in kept
        ),
    )  # fmt: skip
