"""Negative tests: the old key at its issuer and wherever else it is checked. A "revoked" is not believed, a refusal is (A.10 M2)."""

import httpx

from activities.action import Call, Effect, NotYet, Risk, Role, System, action
from activities.credentials.issuers import Issuers
from activities.credentials.orders import ForgetKey, Tried, TryKey
from activities.credentials.plane import CredentialsPlane
from activities.kit.create_once import CreateOnce, There
from activities.secrets.hidden import Hidden
from activities.secrets.store import SecretStore


class NegativeTests(System):
    def __init__(self, issuers: Issuers, plane: CredentialsPlane, store: SecretStore) -> None:
        self._issuers, self._plane, self._store = issuers, plane, store

    @action("credentials.try")
    async def attempt(self, order: TryKey, call: Call) -> Tried:
        """Show the old key at its issuer and at every verifier. What does not answer is unknown, and no refusal."""
        value = await self._store.value(call, order.secret, order.version) if order.secret and order.version is not None else None
        found: dict[str, bool | None] = {order.key.issuer: await self._at_issuer(call, order, value)}
        for name in order.verifiers:
            found[name] = await self._at(call, name, value)
        return Tried(
            refused=tuple(name for name, taken in found.items() if taken is False),
            accepted=tuple(name for name, taken in found.items() if taken),
            unknown=tuple(name for name, taken in found.items() if taken is None),
            by_value=value is not None,
        )

    async def _at_issuer(self, call: Call, order: TryKey, value: Hidden | None) -> bool | None:
        issuer = self._issuers.of(order.key)
        try:
            taken = await issuer.lets_in(call, value) if value is not None else None
        except httpx.TransportError:
            return None
        if taken is not None:
            return taken
        seen = await issuer.seen(call, order.key)
        return False if seen.dead(order.was_alive) else seen.alive

    async def _at(self, call: Call, name: str, value: Hidden | None) -> bool | None:
        if value is None:
            return None
        try:
            return await self._plane.taken(call, name, value)
        except (httpx.TransportError, httpx.HTTPStatusError, NotYet):
            return None


class Forgetting(
    CreateOnce[ForgetKey, str], name="credentials.forget", risk=Risk.C1, asks=(Role.SECURITY_LEAD, Role.OPS_LEAD), on_suspicion=True,
    contains=True,
):  # fmt: skip
    """What a verifier has learnt is forgotten, proven by the old key, which it refuses from then on."""

    def __init__(self, plane: CredentialsPlane, store: SecretStore) -> None:
        self._plane, self._store = plane, store

    async def find(self, call: Call, order: ForgetKey) -> str | None:
        """That it refuses the old key."""
        value = await self._store.value(call, order.secret, order.version)
        if value is None:
            raise NotYet(f"the old key cannot be read, so that {order.verifier} cannot be tried")
        return None if await self._plane.taken(call, order.verifier, value) else order.verifier

    async def make(self, call: Call, order: ForgetKey) -> None:
        await self._plane.forget(call, order.verifier)

    async def describe(self, call: Call, order: ForgetKey, there: There[str]) -> Effect:
        return order.done(f"{order.verifier} refuses the old key", adopted=there.adopted)
