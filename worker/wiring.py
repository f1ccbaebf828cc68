"""Settings → clients → systems → the activities that a worker serves. What there is, the systems say themselves (`activities/systems.py`)."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx
from temporalio.client import Client

from activities.action import Refused, System
from activities.everything import verbs
from activities.kit.clock import Clock, RealClock
from activities.ledger.holders import RecordedHolders
from activities.ledger.ledger import Ledger
from activities.organisation.organisation import Organisation
from activities.systems import Build
from worker.converter import connect
from worker.playbooks import discover
from worker.settings import Settings, resolve
from worker.systems import chosen, complete, stands_on, systems

Transport = httpx.AsyncBaseTransport | None


@dataclass(frozen=True)
class Fleet:
    systems: tuple[System, ...]
    ledger: Ledger

    @property
    def activities(self) -> Sequence[Callable[..., Any]]:
        marked = [(system, name) for system in self.systems for name in dir(type(system))]
        return [getattr(system, name) for system, name in marked if hasattr(getattr(type(system), name), "__action__")]


async def wire(settings: Settings, stack: AsyncExitStack, clock: Clock | None = None, transport: Transport = None) -> Fleet:
    """Build every system. What it opens is closed with the stack. `transport`: not by sockets. Raises `NoCredential`, `ValueError`."""
    ledger = Ledger(settings.ledger_url)
    ledger.migrate()
    # A freeze is a workflow. Nothing is connected before the first message: systems are wired before there is a server to speak to.
    freezes = settings.model_copy(update={"temporal_namespace": settings.freezes_namespace or settings.temporal_namespace})
    build = building(settings, stack, {Ledger: ledger, Client: await connect(freezes, lazy=True)}, clock, transport)
    holders = RecordedHolders(Ledger(settings.holders_url) if settings.holders_url else ledger)
    fleet = Fleet(tuple(build.system(cls) for cls in verbs()), ledger)
    own = stands_on(build.settings)
    for system in fleet.systems:
        system.stands_on = own
        if system is not ledger:
            system.book, system.holders = ledger, holders
    return fleet


def building(
    settings: Settings, stack: AsyncExitStack, parts: Mapping[type, Any] = {}, clock: Clock | None = None, transport: Transport = None
) -> Build:  # fmt: skip
    """What systems are built by. Where the organisation's file is wrong, systems that it chooses a client for are not configured."""
    organisation, unknown, choice = Organisation(settings.organisation, tuple(discover())), "", {}
    try:
        choice = dict(chosen(organisation))
    except Refused as wrong:
        unknown = wrong.message
    own: Mapping[type, Any] = {Organisation: organisation, Clock: clock or RealClock(), **parts}
    return Build(complete(settings), stack, resolve, systems().values(), own, choice, unknown, transport)
