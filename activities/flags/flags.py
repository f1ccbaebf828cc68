"""Feature flags: switch a feature off, prove it where a customer would meet it, and restore it (S-FLAG)."""

from types import MappingProxyType
from typing import Literal, Protocol

from activities.action import Call, NotYet, Risk
from activities.flags.by_hand import READ, WRITE
from activities.kit.setting import Change, Reading, Resource, Restore, Setting, SettingValue
from activities.kit.setting.write import SOON
from activities.organisation.policy import Policy
from activities.product.app_plane import AppPlane

HIGH_PSU = "tools.high_psu"
# What the product runs by itself while a flag is on.
PARTS = MappingProxyType({"scheduler.enabled": "scheduler", "batch.enabled": "batch", "orchestrator.autonomy": "autonomy"})


class Flag(Resource):
    """A flag, and the flag store that it is kept in: a person's commands depend on it."""

    flag: str
    store: Literal["unleash", "flagd"] = "unleash"

    def __str__(self) -> str:
        return self.flag

    def target(self) -> str:
        return f"flag/{self.flag}"

    def read_by_hand(self) -> tuple[str, ...]:
        return READ[self.store](self.flag)

    def write_by_hand(self, value: "Switch", prior: object = None) -> tuple[str, ...]:
        return WRITE[self.store](self.flag, value.on)


class Switch(SettingValue):
    """On or off for everybody in one environment."""

    on: bool

    def __str__(self) -> str:
        return "on" if self.on else "off"

    def effect(self, of: Flag) -> str:
        return f"switch {of} {self} in production"

    def back(self, of: Flag) -> str:
        return f"switch {of} on again" if self.on else f"leave {of} off, as it was"


class FlagReading(Reading[Switch]):
    """A flag as it was read. `store_version`: of everything in the store together, where flags have no version of their own."""

    store_version: str = ""


class FlagStore(Protocol):
    """Where flags are kept: the port. One client is chosen in `organisation.toml`, `[policy.systems]`."""

    async def read(self, call: Call, flag: str) -> FlagReading:
        """The flag in our environment. Raises `Refused` where the store cannot say whether it is on for everybody."""

    async def write(self, call: Call, flag: str, over: FlagReading, *, on: bool) -> None:
        """Switch it. Raises `Conflict` when it is not what was read, where the store can tell."""

    async def shown_to_clients(self, call: Call, flag: str) -> bool | None:
        """What applications are told; None where the store cannot say that by another path than `read`."""


class Flags(Setting[Flag, Switch, FlagReading], read="flags.read", change="flags.switch_off", restore="flags.restore", risk=Risk.C1):
    """Flags, proven by the product's own plane: what a customer meets, not what the flag store says of itself."""

    def __init__(self, store: FlagStore, app: AppPlane) -> None:
        self._store, self._app = store, app

    async def look_at(self, call: Call, of: Flag) -> FlagReading:
        return await self._store.read(call, of.flag)

    async def write(self, call: Call, of: Flag, wanted: Switch, over: FlagReading, epoch: int) -> None:
        await self._store.write(call, of.flag, over, on=wanted.on)

    async def prove(self, call: Call, order: Change[Flag, Switch], now: FlagReading) -> str:
        return await self._shown(call, order.of.flag, order.wanted)

    async def prove_step(self, call: Call, order: Restore[Flag, Switch], step: Switch) -> str:
        return await self._shown(call, order.of.flag, step)

    async def _shown(self, call: Call, flag: str, wanted: Switch) -> str:
        """Where it was seen. Raises `NotYet` while the product behaves otherwise (A.2 M4, R3)."""
        met, where = await self._outside(call, flag)
        if met is None:
            return "nothing outside the flag store shows it"
        if met != wanted.on:
            raise NotYet(f"{flag} is {wanted}, but {where} still shows it {Switch(on=met)}", after=SOON)
        return f"{where} shows it {wanted}"

    async def _outside(self, call: Call, flag: str) -> tuple[bool | None, str]:
        if flag == HIGH_PSU:
            return await self._app.high_psu_tool_answers(call), "the product"
        if part := PARTS.get(flag):
            return await self._app.running(call, part), "the product"
        return await self._store.shown_to_clients(call, flag), "what applications are told"


SWITCHED_OFF = Flags.measure("switched off")


def switch_off(flag: str, why: str, policy: Policy) -> Change[Flag, Switch]:
    """The order that switches a flag off.

    A store that nobody knows is refused where the order is carried out, with the name that was meant (`worker/systems.py`); an order must
    not fail a playbook for it.
    """
    named = policy.systems.get("flags", "unleash")
    return Flags.order(Flag(flag=flag, store=named if named in READ else "unleash"), Switch(on=False), why=why)
