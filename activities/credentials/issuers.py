"""Issuers of keys: who makes them and revokes them. Revocation is proven by the key itself, which must be let in nowhere (spec §8 S-REVOKE)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from activities.action import Call, Effect, Refused, Role, System, action
from activities.credentials.orders import KeyRef, MintReplacement, RevokeKey, Survey, SurveyOf, risk_of_revoking
from activities.kit.create_once import CreateOnce, There
from activities.secrets.hidden import Hidden
from activities.secrets.store import SecretStore, holding

NOBODY_SAYS = "somebody: its issuer does not say who"  # among the uses of a key


@dataclass(frozen=True)
class Seen:
    """A key as its issuer shows it. `alive` None: it is not listed (any more), so that it is revoked, or was never called so there."""

    alive: bool | None
    uses: dict[str, datetime] = field(default_factory=dict)

    def dead(self, was_alive: bool) -> bool:
        """`was_alive`: it was seen there before, so that it is gone when it is not listed any more."""
        return self.alive is False or (self.alive is None and was_alive)


@dataclass(frozen=True)
class Made:
    """A key that was just made. Its value is shown this once."""

    id: str
    value: Hidden


class Issuer(Protocol):
    """Who makes keys: one client for each kind. Reads and writes are told by `kit.http`'s outcomes."""

    mints: bool  # whether it makes keys by an interface
    labels: bool  # whether a key bears a name of ours, by which it is found again

    async def seen(self, call: Call, key: KeyRef) -> Seen:
        """The key, in a list that was read to its end."""

    async def revoke(self, call: Call, key: KeyRef) -> None:
        """For good. Doing it twice is doing it once."""

    async def lets_in(self, call: Call, value: Hidden) -> bool | None:
        """Whether it lets somebody in by this value. None: it cannot be tried."""

    async def is_key(self, call: Call, value: Hidden, key: KeyRef) -> bool:
        """Whether this value is that key's."""

    async def labelled(self, call: Call, order: MintReplacement) -> list[KeyRef]:
        """The living keys that bear our label; without labels: those that were made since it was decided."""

    async def make(self, call: Call, order: MintReplacement) -> Made:
        """Another one. Raises `Refused` where only people can."""


class Issuers:
    """The issuers by the name that the inventory calls them."""

    def __init__(self, clients: Mapping[str, Issuer]) -> None:
        self._clients = clients

    def of(self, key: KeyRef) -> Issuer:
        if key.issuer not in self._clients:
            raise Refused(f"{key} is issued by {key.issuer}, for which this worker has no adapter: a person does it there")
        return self._clients[key.issuer]

    def known(self, key: KeyRef) -> bool:
        return key.issuer in self._clients


class Surveys(System):
    def __init__(self, issuers: Issuers, store: SecretStore) -> None:
        self._issuers, self._store = issuers, store

    @action("credentials.survey")
    async def survey(self, order: SurveyOf, call: Call) -> Survey:
        """Alive or not, by whom it is used, and which version of its secret holds it."""
        of = order.credential
        if not self._issuers.known(of.ref):
            return Survey(alive=None)
        issuer = self._issuers.of(of.ref)
        seen = await issuer.seen(call, of.ref)
        version = None
        if of.secret:

            async def is_it(value: Hidden) -> bool:
                return await issuer.is_key(call, value, of.ref)

            version = await holding(self._store, call, of.secret, is_it)
        return Survey(alive=seen.alive, uses=seen.uses, version=version, mints=issuer.mints and bool(of.secret))


class KeyRevocations(
    CreateOnce[RevokeKey, Seen], name="credentials.revoke", risk=risk_of_revoking, asks=(Role.SECURITY_LEAD, Role.INCIDENT_COMMANDER), contains=True,
):  # fmt: skip
    """Revocations, each there once. What others have learnt of a key is tried by itself: the revocation is done all the same."""

    def __init__(self, issuers: Issuers) -> None:
        self._issuers = issuers

    async def find(self, call: Call, order: RevokeKey) -> Seen | None:
        seen = await self._issuers.of(order.key).seen(call, order.key)
        if seen.alive is None and not order.was_alive:
            raise Refused(
                f"{order.key.issuer} does not list {order.key.key}: it is revoked already, or is called otherwise there. Look there"
            )
        return seen if seen.dead(order.was_alive) else None

    async def make(self, call: Call, order: RevokeKey) -> None:
        await self._issuers.of(order.key).revoke(call, order.key)

    async def describe(self, call: Call, order: RevokeKey, there: There[Seen]) -> Effect:
        return order.done("its issuer shows it as revoked", adopted=there.adopted)
