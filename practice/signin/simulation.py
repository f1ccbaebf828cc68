"""Every 15 world seconds: users sign in; passwords are tried by the thousand while a wave lasts; what the edge denies does not arrive."""

from __future__ import annotations

from practice.credentials.cast import credentials
from practice.metrics.metrics import Metrics, Series
from practice.signin.model import ATTACKERS, DENIED, FAILED, OFFICES, OK, SignIn
from practice.world.state import State

GOOD, MISTYPED, TRIED = 5, 2, 33  # of each office; of all of them together; of each address of a wave
SOMETIMES = 8  # steps


class Simulation:
    def __init__(self, seed: int, metrics: Metrics, state: State) -> None:
        self._metrics = metrics
        self._logins: dict[str, Series] = {}
        self._steps = 0

    def step(self, state: State, at: float) -> None:
        there = state.part(SignIn)
        if not self._logins:
            self._be_born(state)
        for office in OFFICES:
            self._come(there, office, at, GOOD, good=True)
        self._come(there, OFFICES[-1], at, MISTYPED, good=False)
        if credentials(state, at).dials.stuffing:
            for address in ATTACKERS:
                self._come(there, address, at, TRIED, good=False)
            if there.dials.shared:
                self._come(there, ATTACKERS[0], at, GOOD, good=True)
        self._steps += 1
        if self._steps % SOMETIMES == 0:
            there.forget(at)

    def _be_born(self, state: State) -> None:
        """Every counter is there from the beginning: one that is born at 1 is invisible to `increase()`."""
        service = next(iter(state.fleet.services), "")
        if service:
            self._logins = {
                outcome: self._metrics.counter("sign_in_attempts_total", {"service": service, "outcome": outcome})
                for outcome in (OK, FAILED, DENIED)
            }

    def _come(self, there: SignIn, address: str, at: float, n: int, *, good: bool) -> None:
        let_in = there.come(address, at, n, good=good)
        if self._logins:
            self._logins[DENIED if not let_in else OK if good else FAILED].value += n
