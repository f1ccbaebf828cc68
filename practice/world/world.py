"""The world: one state, one clock, the traffic that time brings, and the logs of what was asked and done."""

from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

from practice.llm.gateway_log import GatewayLog
from practice.llm.load import STEP_SECONDS
from practice.llm.meters import Meters
from practice.llm.traffic import Traffic, stable_seed
from practice.metrics.metrics import Metrics
from practice.services.fleet_cast import SERVICES, fleet
from practice.services.meters import ServiceMeters
from practice.services.rollouts import reconcile
from practice.services.traffic import ServiceTraffic
from practice.world.cast import opening
from practice.world.clock import Clock, rfc3339
from practice.world.effects import EffectLog
from practice.world.injected_faults import InjectedFaults
from practice.world.simulations import discovered
from practice.world.state import JSON, State

HISTORY_SECONDS = 600.0
"""A world is born with a past this long, so that rates and windows have something to say at once."""


@dataclass(frozen=True)
class Kept:
    """A state as it was, pickled: its parts each by itself."""

    rest: bytes
    parts: dict[str, bytes]


class World:
    """Everything that there is. Faces read and change `state`; only the clock moves the rest."""

    def __init__(
        self,
        seed: int = 7,
        pace: float = 1.0,
        following: bool = False,
        state: Path | None = None,
        service: str = "chat",
        services: Sequence[str] = SERVICES,
        start: float | None = None,
        history: float = HISTORY_SECONDS,
    ) -> None:
        if service in services or len(set(services)) < len(services):
            raise ValueError("every service has a name of its own")
        self.seed = seed
        self.clock = Clock(pace, following, start)
        self.state: State = opening(seed, service)
        self.state.fleet = fleet(seed, services, self.clock.start)
        self._parts: dict[str, bytes] = {}  # of the state, as each was when it was last kept
        self.before: dict[str, tuple[Kept, float]] = {}  # face → the state before its last change, and when that was
        self.metrics = Metrics()
        self.log = GatewayLog()
        self.effects = EffectLog(state)
        self.requests: deque[JSON] = deque(maxlen=5000)
        self.injected_faults = InjectedFaults()
        self.rng = Random(stable_seed(seed, "single requests"))  # apart from the traffic's chance: asking must not change it
        self.on_moved: list[Callable[[float], None]] = []
        self.rule_groups: Callable[[], list[JSON]] = list  # what the alert rules say, once there are any
        self._numbers = count(1)
        self.traffic = Traffic(seed, Meters(self.metrics, self.state), self.log)
        meters = ServiceMeters(self.metrics, self.state.fleet, self.state.tenants)
        self.services = ServiceTraffic(stable_seed(seed, "services"), meters)
        self.simulations = [one(stable_seed(seed, one.__module__), self.metrics, self.state) for one in discovered()]
        self._simulated = self.clock.start - history
        self.metrics.sample(self._simulated)
        self.advance()

    def advance(self) -> None:
        """Simulate up to the present. Faults, leases and samples fall where they belong, however long the jump."""
        now = self.clock.now()
        while self._simulated + STEP_SECONDS <= now:
            self._simulated += STEP_SECONDS
            self._lapse(self._simulated)
            reconcile(self.state, self._simulated)
            self.traffic.step(self.state, self._simulated)
            self.services.step(self.state, self._simulated)
            for simulation in self.simulations:
                simulation.step(self.state, self._simulated)
            if not self.state.blind:
                self.metrics.sample(self._simulated)
            for moved in self.on_moved:
                moved(self._simulated)
        self._lapse(now)
        reconcile(self.state, now)

    def _lapse(self, now: float) -> None:
        route = self.state.route
        if route.lease is None or route.lease.expires > now:
            return
        self.before["llm"] = self.before["*"] = (self.keep(), route.lease.expires)
        at, before = route.lease.expires, {"weights": dict(route.weights), "overrides": dict(route.overrides)}
        route.lapse()
        after = {"weights": dict(route.weights), "overrides": dict(route.overrides)}
        self.note_effect("llm.lease.lapse", f"routes/{route.alias}", {}, before, after, at=at)

    def note_effect(
        self, route: str, target: str, headers: Any, before: object, after: object, at: float | None = None, asked: object = None
    ) -> None:
        """Append to the effect log, stamped in both times."""
        at = self.clock.now() if at is None else at
        self.effects.append(
            world_at=rfc3339(at), real_at=self.clock.stamp(at), route=route, target=target,
            headers=headers, before=before, after=after, asked=asked,
        )  # fmt: skip

    def number(self) -> int:
        """The next number that was never given out; it does not go back when a write is undone."""
        return next(self._numbers)

    def keep(self) -> Kept:
        """The whole state as it is now. Before every write: a part that nobody has asked for since the last time is kept already."""
        state, parts = self.state, self.state.parts
        for name in state.asked_for:
            self._parts[name] = pickle.dumps(parts[name], pickle.HIGHEST_PROTOCOL)
        state.asked_for, state.parts = set(), {}
        try:
            return Kept(pickle.dumps(state, pickle.HIGHEST_PROTOCOL), {name: self._parts[name] for name in parts})
        finally:
            state.parts = parts

    @staticmethod
    def kept(kept: Kept) -> State:
        """The state as it was. Nothing of it is shared with the one that there is."""
        state: State = pickle.loads(kept.rest)  # noqa: S301 - our own bytes, never from outside
        state.parts = {name: pickle.loads(part) for name, part in kept.parts.items()}  # noqa: S301 - as above
        state.asked_for = set(state.parts)
        return state

    def snapshot(self) -> JSON:
        """All that an observer of the drill may want to see, as JSON."""
        now, state = self.clock.now(), self.state
        return {
            "seed": self.seed,
            "clock": self.clock_face(),
            "providers": {name: asdict(provider) for name, provider in state.providers.items()},
            "tenants": {name: asdict(tenant) for name, tenant in state.tenants.items()},
            "route": asdict(state.route),
            "policy": asdict(state.policy),
            "flags": dict(state.flags),
            "provider_faults": [{**asdict(fault), "active": fault.active(now)} for fault in state.provider_faults],
            "breakers": {name: self.traffic.breaker(name) for name in state.providers},
            "people": {p.name: {"role": p.role, "slack": p.slack_id, "pagerduty": p.pagerduty_id, "email": p.email}
                       for p in state.people.values()},
            "fleet": {**asdict(state.fleet), "faults": [{**asdict(fault), "active": fault.active(now)} for fault in state.fleet.faults]},
            "rulesets": {name: [asdict(rule) for rule in repository.rulesets.values()] for name, repository in state.repositories.items()},
            "blind": state.blind,
            "imposed": {key: value for part in state.parts.values() if hasattr(part, "imposed") for key, value in part.imposed().items()},
            "injected_faults": self.injected_faults.as_json(),
        }  # fmt: skip

    def clock_face(self) -> JSON:
        now = self.clock.now()
        return {
            "world": rfc3339(now),
            "real": self.clock.stamp(now),
            "world_unix": now,
            "pace": self.clock.pace,
            "following": self.clock.following,
        }
