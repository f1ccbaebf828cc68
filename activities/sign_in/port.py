"""Who keeps sign-in: the port."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from activities.action import Call
from activities.kit.setting import Reading
from activities.sign_in.words import Attempts, AttemptsOf, FactorOf, SecondFactor


@dataclass(frozen=True)
class Tried:
    """Attempts to sign in to one account from one address. `account`: sign-in's own id of it."""

    tenant: str
    account: str
    address: str
    good: bool
    n: int


class SignInStore(Protocol):
    """One client is chosen in `organisation.toml`, `[policy.systems]`."""

    async def factor(self, call: Call, of: FactorOf) -> Reading[SecondFactor]: ...
    async def set_factor(self, call: Call, of: FactorOf, wanted: SecondFactor, over: Reading[Any], epoch: int) -> None: ...

    async def asks(self, call: Call, tenant: str) -> bool:
        """Whether a sign-in is asked for a second factor, by another path than the setting itself."""

    async def attempts(self, call: Call, of: AttemptsOf) -> Reading[Attempts]: ...
    async def set_attempts(self, call: Call, of: AttemptsOf, wanted: Attempts, over: Reading[Any], epoch: int) -> None: ...

    async def tried(self, call: Call, window: timedelta, tenants: tuple[str, ...]) -> tuple[list[Tried], tuple[str, ...]]:
        """Every attempt of that time, and the tenants of which nobody can say. `window`: policy time."""

    async def must_reset(self, call: Call, tenant: str, account: str) -> bool: ...

    async def reset(self, call: Call, tenant: str, account: str) -> None:
        """It must choose another password at its next sign-in; what it is signed in with ends."""

    async def signed_in(self, call: Call, tenant: str, account: str) -> bool: ...
