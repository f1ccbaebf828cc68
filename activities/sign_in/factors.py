"""Whether the sign-in of a tenant asks for a second factor (seed §2.10: increase auth friction; A.10 M6)."""

from typing import Any

from activities.action import Call, NotYet, Risk, Role
from activities.kit.setting import Change, Reading, Setting
from activities.kit.setting.write import SOON
from activities.sign_in.port import SignInStore
from activities.sign_in.words import FactorOf, SecondFactor, Store

WHO = (Role.SECURITY_LEAD, Role.INCIDENT_COMMANDER)


class SecondFactors(
    Setting[FactorOf, SecondFactor], read="sign_in.factor", change="sign_in.step_up", restore="sign_in.step_down", risk=Risk.C2, asks=WHO,
    contains=True,
):  # fmt: skip
    """Proven by what a sign-in would ask for."""

    values_compare = True  # on or off: there is no third value by which a change between would show

    def __init__(self, sign_in: SignInStore) -> None:
        self._sign_in = sign_in

    async def look_at(self, call: Call, of: FactorOf) -> Reading[SecondFactor]:
        return await self._sign_in.factor(call, of)

    async def write(self, call: Call, of: FactorOf, wanted: SecondFactor, over: Reading[Any], epoch: int) -> None:
        await self._sign_in.set_factor(call, of, wanted, over, epoch)

    async def shown(self, call: Call, of: FactorOf, value: SecondFactor) -> str:
        asks = await self._sign_in.asks(call, of.tenant)
        if asks != value.asked:
            raise NotYet(f"accepted, but a sign-in of {of.tenant} is {'still' if asks else 'not'} asked for a second factor", after=SOON)
        return f"a sign-in of {of.tenant} is {'asked' if asks else 'not asked'} for a second factor"


STEPPED_UP = SecondFactors.measure("second factor asked for")


def step_up(tenant: str, store: Store, why: str = "") -> Change[FactorOf, SecondFactor]:
    return SecondFactors.order(FactorOf(tenant=tenant, store=store), SecondFactor(asked=True), why=why)
