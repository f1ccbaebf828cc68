"""How many attempts sign-in takes, for one account and from one address (spec §9.10 step 4: stuffing)."""

from typing import Any

from activities.action import Call, Refused, Risk
from activities.kit.setting import Change, Reading, Setting
from activities.sign_in.factors import WHO
from activities.sign_in.numbers import SignInNumbers
from activities.sign_in.port import SignInStore
from activities.sign_in.words import Attempts, AttemptsOf, Store


class SignInLimits(
    Setting[AttemptsOf, Attempts], read="sign_in.attempts", change="sign_in.limit", restore="sign_in.unlimit", risk=Risk.C1, asks=WHO,
    contains=True,
):  # fmt: skip
    """One tenant's sign-in. Where people mistype more often than that, they wait a minute."""

    def __init__(self, sign_in: SignInStore) -> None:
        self._sign_in = sign_in

    async def look_at(self, call: Call, of: AttemptsOf) -> Reading[Attempts]:
        return await self._sign_in.attempts(call, of)

    async def check(self, call: Call, order: Any, to: Attempts) -> None:
        if any(n is not None and n < 1 for n in (to.per_account, to.per_address)):
            raise Refused("a limit of nothing would sign out everybody: one attempt a minute is the least")

    async def write(self, call: Call, of: AttemptsOf, wanted: Attempts, over: Reading[Any], epoch: int) -> None:
        await self._sign_in.set_attempts(call, of, wanted, over, epoch)


LIMITED_SIGN_IN = SignInLimits.measure("attempts to sign in limited")


def limit(tenant: str, store: Store, numbers: SignInNumbers, why: str = "") -> Change[AttemptsOf, Attempts]:
    per_address = numbers.per_address if store == "sign-in" else None
    wanted = Attempts(per_account=numbers.per_account, per_address=per_address)
    return SignInLimits.order(AttemptsOf(tenant=tenant, store=store), wanted, why=why)
