"""Feature flags: switch a feature off, prove it where a customer would meet it, and restore it (S-FLAG)."""

from datetime import timedelta
from types import MappingProxyType
from typing import ClassVar, Self

from activities.action import Call, Effect, Imposition, Measure, NotYet, Order, Risk, Role, System, Value, action
from activities.flags.unleash import Unleash
from activities.product.app_plane import AppPlane

PARTS = MappingProxyType({"scheduler.enabled": "scheduler", "batch.enabled": "batch", "orchestrator.autonomy": "autonomy"})
SOON = timedelta(seconds=1)


class FlagOf(Order):
    flag: str

    def target(self) -> str:
        return f"flag/{self.flag}"

    def effect(self) -> str:
        return f"read flag {self.flag}"

    def by_hand(self) -> tuple[str, ...]:
        return (f'curl -sS -H "Authorization: $UNLEASH_TOKEN" "$UNLEASH_URL/api/admin/projects/default/features/{self.flag}"',)


class FlagState(Value):
    flag: str
    on: bool


class SwitchOff(Imposition):
    volatile: ClassVar[frozenset[str]] = frozenset({"prior"})

    flag: str
    why: str = ""
    prior: FlagState | None = None

    def target(self) -> str:
        return f"flag/{self.flag}"

    def effect(self) -> str:
        return f"switch {self.flag} off in production" + (f": {self.why}" if self.why else "")

    def inverse(self) -> str:
        return f"switch {self.flag} on again" if self.prior is None or self.prior.on else f"leave {self.flag} off, as it was"

    def by_hand(self) -> tuple[str, ...]:
        return (_set_by_hand(self.flag, on=False),)

    def look(self) -> Order:
        return FlagOf(flag=self.flag)

    def met(self, now: FlagState) -> bool:
        return not now.on

    def given(self, prior: FlagState) -> Self:
        """The same, with the state before."""
        return self.model_copy(update={"prior": prior})

    def undo(self) -> "RestoreFlag":
        if self.prior is None:
            raise ValueError("this order does not carry the flag before; give it the flag first")
        return RestoreFlag(flag=self.flag, on=self.prior.on)


class RestoreFlag(Order):
    """Put a flag back to what it was."""

    flag: str
    on: bool

    def target(self) -> str:
        return f"flag/{self.flag}"

    def effect(self) -> str:
        return f"switch {self.flag} {_word(self.on)} in production, as it was"

    def inverse(self) -> str:
        return f"switch {self.flag} {_word(not self.on)} again"

    def by_hand(self) -> tuple[str, ...]:
        return (_set_by_hand(self.flag, on=self.on),)


class Flags(System):
    """Unleash, proven by the product's own plane: what a customer meets, not what the flag service says of itself."""

    def __init__(self, unleash: Unleash, app: AppPlane) -> None:
        self._unleash = unleash
        self._app = app

    @action("flags.read")
    async def read(self, order: FlagOf, call: Call) -> FlagState:
        """The flag in production. Raises `Refused` when there is no such flag."""
        return FlagState(flag=order.flag, on=await self._unleash.enabled(call, order.flag))

    @action("flags.switch_off", risk=Risk.C1, asks=(Role.OPS_LEAD,))
    async def switch_off(self, order: SwitchOff, call: Call) -> Effect:
        """Off in the flag service, and met outside as a refusal or as *not running* (A.2 M4). Raises `NotYet` until it is."""
        return await self._set(order, call, order.flag, on=False, before=order.prior)

    @action("flags.restore", risk=Risk.C1, asks=(Role.OPS_LEAD,))
    async def restore(self, order: RestoreFlag, call: Call) -> Effect:
        """As it was, and met outside (A.2 R3)."""
        return await self._set(order, call, order.flag, on=order.on)

    async def _set(self, order: Order, call: Call, flag: str, *, on: bool, before: FlagState | None = None) -> Effect:
        found = await self._unleash.enabled(call, flag)
        if found != on:
            await self._unleash.set(call, flag, on=on)
        if await self._unleash.enabled(call, flag) != on:
            raise NotYet(f"accepted, but {flag} still shows {_word(not on)}", after=SOON)
        met = await self._met_outside(call, flag)
        if met != on:
            raise NotYet(f"{flag} is {_word(on)}, but the product still behaves as if it were {_word(not on)}", after=SOON)
        return Effect(
            target=order.target(),
            summary=order.effect(),
            proven_by=f"the flag service shows {flag} {_word(on)}, and so does the product",
            adopted=found == on,
            before={"on": before.on if before else found},
            after={"on": on},
        )

    async def _met_outside(self, call: Call, flag: str) -> bool:
        """Whether the product behaves as if the flag were on; where nothing outside shows it, what the flag service tells its clients."""
        if flag == "tools.high_psu":
            return await self._app.high_psu_tool_answers(call)
        part = PARTS.get(flag)
        return await (self._app.running(call, part) if part else self._unleash.enabled_for_clients(call, flag))


SWITCHED_OFF = Measure("switched off", look=Flags.read, impose=Flags.switch_off, lift=Flags.restore)


def _word(on: bool) -> str:
    return "on" if on else "off"


def _set_by_hand(flag: str, *, on: bool) -> str:
    path = f"api/admin/projects/default/features/{flag}/environments/production/{_word(on)}"
    return f'curl -sS --fail-with-body -X POST -H "Authorization: $UNLEASH_TOKEN" "$UNLEASH_URL/{path}"'
