"""What moves beside the traffic: each room of the platform may have a `simulation.py` with a class `Simulation`, found by being there."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import Protocol

import practice
from practice.metrics.metrics import Metrics
from practice.world.state import State


class Simulation(Protocol):
    """A part of the world that time moves. It is pickled with the world; its chance is a stream of its own, by the seed."""

    def __init__(self, seed: int, metrics: Metrics, state: State) -> None: ...

    def step(self, state: State, at: float) -> None:
        """One step of the simulation, up to this instant (world seconds)."""


@cache
def discovered() -> tuple[type[Simulation], ...]:
    """Every simulation there is, by the name of its room."""
    names = sorted(found.name for found in pkgutil.walk_packages(practice.__path__, "practice.") if found.name.endswith(".simulation"))
    return tuple(importlib.import_module(name).Simulation for name in names)
