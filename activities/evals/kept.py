"""Which answers failed, kept as evidence before anything is rolled back (A.7 M2, INV-1). Never a text: references, hashes, versions and counts."""

import gzip
import json
from datetime import timedelta
from types import MappingProxyType

from activities.action import Call, Effect, Order, System, action
from activities.evals.answers import SamplesOf
from activities.evidence.store import EvidenceStore
from activities.kit.words import shell
from activities.organisation.numbers import EvidenceHold
from activities.registry.orders import OffersOf, ReleasesOf, ServedOf
from activities.registry.release_plane import ReleasePlane

KEPT_WITH = MappingProxyType({"releases": ReleasesOf, "offers": OffersOf, "served": ServedOf})


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


class AnswerEvidence(System):
    def __init__(self, plane: ReleasePlane, store: EvidenceStore) -> None:
        self._plane, self._store = plane, store

    @action("evidence.answers", writes=True)
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
