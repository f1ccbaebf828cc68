"""Every 15 world seconds: identities read their data sets; an intruder reads by whatever way in is left, and comes back where it can."""

from __future__ import annotations

from random import Random

from practice.credentials.cast import credentials
from practice.intrusion.cast import EXPORTER, REPORTER, intrusion
from practice.intrusion.model import Foothold, Intruder, Intrusion, Read
from practice.intrusion.ways import ways_in
from practice.metrics.metrics import Metrics, Series
from practice.world.state import State

MOST_READS = 4_000  # that the log keeps


class Simulation:
    def __init__(self, seed: int, metrics: Metrics, state: State) -> None:
        self._chance, self._metrics = Random(seed), metrics
        self._rows: dict[str, Series] = {}
        self._born = False

    def step(self, state: State, at: float) -> None:
        there = intrusion(state, at)
        if not self._born:
            self._be_born(state, there)
        if not state.fleet.services:
            return  # nothing serves, and nobody reads
        for one in there.identities.values():
            if one.per_step:
                self._read(there, one.id, round(one.per_step), at)
        if there.intruder is not None:
            self._intrude(state, there, there.intruder, at)

    def _be_born(self, state: State, there: Intrusion) -> None:
        """Every counter is there from the beginning: one that is born at 1 is invisible to `increase()`."""
        self._born = True
        service = next(iter(state.fleet.services), "")
        for name in (*list(state.fleet.services)[1:], state.route.alias):  # nobody exports there, and that is counted too
            quiet = {"service": name, "identity": REPORTER, "credential": "database"}
            self._metrics.counter("export_rows_total", quiet)
            self._metrics.gauge("export_rows_hourly_p99", quiet).value = there.identities[REPORTER].usual
        for one in there.identities.values() if service else ():
            of = {"service": service, "identity": one.id, "credential": one.credential}
            self._rows[one.id] = self._metrics.counter("export_rows_total", of)
            self._metrics.gauge("export_rows_hourly_p99", of).value = one.usual

    def _intrude(self, state: State, there: Intrusion, intruder: Intruder, at: float) -> None:
        """By the stolen credential, or by what it has left behind; while one makes others, what was switched off comes back."""
        self._come_back(there, at)
        if not ways_in(state, there, at):
            intruder.out_since = at if intruder.out_since is None else intruder.out_since
            return
        intruder.out_since = None
        self._read(there, intruder.identity, intruder.rows, at)
        known = credentials(state, at)
        key = known.keys.get(known.inventory[there.identities[intruder.identity].credential].key)
        if key is not None and known.lets_in(key):
            key.uses["AS64500, a country where nobody of ours is"] = at

    def _come_back(self, there: Intrusion, at: float) -> None:
        for one in there.footholds.values():
            one.gone_at = None if one.state.enabled else at if one.gone_at is None else one.gone_at
        maker = next((one for one in there.footholds.values() if one.makes and one.state.enabled), None)
        if maker is None:
            return
        for one in list(there.footholds.values()):
            if one.gone_at is not None and not one.returned and at - one.gone_at >= there.dials.sluggish:
                one.returned = True
                there.made += 1
                again = Foothold(f"{one.kind}-{there.made}", one.kind, f"{one.name}-again", at, reads_chat=one.reads_chat)
                there.footholds[again.id] = again

    def _read(self, there: Intrusion, identity: str, rows: int, at: float) -> None:
        """Of one of the data sets that it may read; whose rows these are is by chance."""
        mine = [one for one in there.sets.values() if identity in one.readers]
        if not mine:
            return
        of = mine[0] if identity == EXPORTER else mine[-1]
        tenant = self._chance.choice(of.tenants) if of.tenants else ""
        places = sorted(of.subjects) or [""]
        place = self._chance.choice(places)
        subjects = {place: min(of.subjects[place], rows)} if place else {}
        there.reads.append(Read(identity, of.name, there.identities[identity].asset, at, rows, tenant, subjects))
        if len(there.reads) > MOST_READS:  # what has rolled away is not on the log, and the log says so
            del there.reads[:-MOST_READS]
            there.dials.log_begins = max(there.dials.log_begins or 0.0, there.reads[0].at)
        self._rows[identity].value += rows
