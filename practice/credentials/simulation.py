"""Every 15 world seconds: who serves by a key uses it, and a thief uses what it has, as long as that lets it in."""

from __future__ import annotations

from practice.credentials.cast import credentials
from practice.credentials.keys import in_use
from practice.credentials.model import Credentials
from practice.metrics.metrics import Metrics, Series
from practice.signin.model import THIEF as EDGE_THIEF
from practice.signin.model import SignIn
from practice.world.state import State

THIEF = "AS64500, a country where nobody of ours is"
CALLS = 12  # of a thief in one step


class Simulation:
    def __init__(self, seed: int, metrics: Metrics, state: State) -> None:
        self._metrics = metrics
        self._strange: dict[str, Series] = {}
        self._uses: list[Series] = []

    def step(self, state: State, at: float) -> None:
        there = credentials(state, at)
        if not self._uses:
            self._be_born(state, there)
        for key, services in in_use(state.fleet, there):
            if there.lets_in(key):
                key.uses.update(dict.fromkeys(services, at))
        for series in self._uses:
            series.value += 20
        self._steal(state, there, at)

    def _be_born(self, state: State, there: Credentials) -> None:
        """Every counter is there from the beginning: one that is born at 1 is invisible to `increase()`."""
        self._uses = [
            self._metrics.counter("credential_uses_total", {"service": one}) for one in (*state.fleet.services, state.route.alias)
        ]
        service = next(iter(state.fleet.services), "")
        if not service:  # nobody serves by a credential
            return
        self._strange = {
            name: self._metrics.counter("credential_unexpected_use_total", {"service": service, "credential": name})
            for name in there.inventory
        }

    def _steal(self, state: State, there: Credentials, at: float) -> None:
        stolen = there.inventory.get(there.dials.thief)
        key = there.keys.get(stolen.key) if stolen else None
        if stolen is None or key is None or not self._strange:
            return
        edge = state.part(SignIn)
        good = there.lets_in(key) or any(one.known.get(key.id, 0.0) > at for one in there.verifiers.values())
        if edge.dials.by_edge and not edge.come(EDGE_THIEF, at, CALLS, key.id, good=good):
            return
        if good:
            key.uses[THIEF] = at
            self._strange[stolen.id].value += CALLS
