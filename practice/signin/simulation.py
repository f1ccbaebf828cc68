"""Every 15 world seconds: users sign in; passwords are tried by the thousand while a wave lasts; what the edge denies does not arrive."""

from __future__ import annotations

from practice.credentials.cast import credentials
from practice.metrics.metrics import Metrics, Series
from practice.signin.model import ATTACKERS, DENIED, FAILED, OFFICES, OK, Account, SignIn
from practice.tenancy.cast import tenancy
from practice.tenancy.model import AuthSession
from practice.world.state import State

GOOD, MISTYPED, TRIED = 5, 2, 33  # of each office; of all of them together; of each address of a wave
SOMETIMES = 8  # steps
TRIED_TENANTS, OPEN = 3, 4  # whose accounts are tried; so many of these have a password that is known


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
            self._open(state, there, at)
        self._steps += 1
        if self._steps % SOMETIMES == 0:
            there.forget(at)

    def _open(self, state: State, there: SignIn, at: float) -> None:
        """Of the accounts that are tried a few have a password that is known: one more in each step, as long as sign-in lets it in."""
        names = [f"{tenant}.user-{n}" for tenant in sorted(state.tenants)[:TRIED_TENANTS] for n in (1, 2)]
        for nth, name in enumerate(names):
            tenant, address = name.rpartition(".")[0], ATTACKERS[nth % len(ATTACKERS)]
            account = there.accounts.setdefault(name, Account(tenant))
            if not there.decided(address)[0]:
                continue
            account.failed[address] = account.failed.get(address, 0) + TRIED
            account.last_at = at
        fresh = next((one for one in names[:OPEN] if not there.accounts[one].good and there.opens(one, one.rpartition(".")[0])), None)
        address = ATTACKERS[0]
        if fresh is not None and there.decided(address)[0]:
            there.accounts[fresh].good[address] = 1
            self._come(there, address, at, 1, good=True)
            tenant, _, user = fresh.rpartition(".")
            session = AuthSession(f"s-{tenant}-{user}-stranger", user, tenant, at)
            tenancy(state, at).auth.sessions[session.id] = session

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
