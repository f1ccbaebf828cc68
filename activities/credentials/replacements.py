"""Another key in the place of an old one, exactly once (spec §8 S-MINT, A.10 M3): made under our label, kept in the store, and tried.

Its value is shown once, and is only ever in the memory of the attempt that made it. Whoever dies between the issuer and the store leaves a
key that nobody has. The next attempt finds it by its label, finds that no version holds it, revokes it, and makes another: so there is never
a second one that somebody could use. A late request of a dead attempt may make one more; it is revoked as soon as it is seen.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from activities.action import Call, Effect, NotYet, Refused, Risk, Role, action
from activities.credentials.issuers import Issuers
from activities.credentials.orders import KeyRef, Labelled, LabelledKeys, MintReplacement
from activities.kit.clock import Clock
from activities.kit.create_once import SOON, CreateOnce, There
from activities.kit.fence import refuse_when_late
from activities.secrets.hidden import Hidden
from activities.secrets.store import SecretStore, add_once, holding


@dataclass(frozen=True)
class Replacement:
    """What is there of ours: the key, the version that holds it, and further keys under our label that nobody has."""

    key: KeyRef
    version: int
    surplus: tuple[KeyRef, ...] = ()


class Replacements(
    CreateOnce[MintReplacement, Replacement], name="credentials.mint", risk=Risk.C1, asks=(Role.SECURITY_LEAD, Role.OPS_LEAD), on_suspicion=True,
    contains=True,
):  # fmt: skip
    shows_within: ClassVar[timedelta] = timedelta(seconds=3)

    def __init__(self, issuers: Issuers, store: SecretStore, clock: Clock) -> None:
        self._issuers, self._store, self.clock = issuers, store, clock

    async def find(self, call: Call, order: MintReplacement) -> Replacement | None:
        """The oldest key under our label that a version holds."""
        held: list[tuple[KeyRef, int]] = []
        bare: list[KeyRef] = []
        for key in await self._issuers.of(order.old).labelled(call, order):
            version = await self._holding(call, order, key)
            if version is None:
                bare.append(key)
            else:
                held.append((key, version))
        if not held:
            return None
        (key, version), *more = sorted(held, key=lambda one: one[1])
        return Replacement(key, version, tuple([*(one for one, _ in more), *bare]))

    async def make(self, call: Call, order: MintReplacement) -> str:
        issuer = self._issuers.of(order.old)
        if not issuer.mints:
            raise Refused(f"{order.old.issuer} lets only people make keys")
        await self._without_orphans(call, order)
        made = await issuer.make(call, order)
        refuse_when_late()
        await add_once(self._store, call, order.secret, made.value)
        return made.id

    async def fetch(self, call: Call, order: MintReplacement, id: str) -> Replacement | None:
        return await self.find(call, order)

    async def describe(self, call: Call, order: MintReplacement, there: There[Replacement]) -> Effect:
        """Revoke what is too many, and try the new key: it must let in."""
        found, issuer = there.found, self._issuers.of(order.old)
        if found.surplus and not issuer.labels:
            raise Refused(_whose(order, found.surplus))
        for key in found.surplus:
            await issuer.revoke(call, key)
        if found.surplus:
            raise NotYet(f"{len(found.surplus)} keys too many were revoked; we look again", after=SOON)
        value = await self._store.value(call, order.secret, found.version)
        taken = await issuer.lets_in(call, value) if value is not None else None
        if taken is False or value is None:
            raise NotYet("the new key does not let in yet", after=SOON)
        proven = "the new key lets in, and the store holds it" if taken else "the store holds it, and its issuer shows it as alive"
        said = f"made another key for {order.credential}: {found.key.key}, version {found.version} of {order.secret}"
        return order.done(proven, said, adopted=there.adopted, after={"key": found.key.key, "version": found.version})

    @action("credentials.labelled")
    async def labelled(self, order: LabelledKeys, call: Call) -> Labelled:
        """The living keys under our label."""
        issuer = self._issuers.of(order.old)
        if not issuer.labels:
            return Labelled(keys=())
        wanted = MintReplacement(
            credential=order.credential, old=order.old, secret="", label=order.label, scopes=(), lasting=timedelta(0), at=call.at
        )
        return Labelled(keys=tuple(key.key for key in await issuer.labelled(call, wanted)))

    async def _without_orphans(self, call: Call, order: MintReplacement) -> None:
        """A key that was made, and whose value nobody has: it is ours by its label, and goes. Without labels it may be somebody else's."""
        issuer = self._issuers.of(order.old)
        orphans = await issuer.labelled(call, order)
        if orphans and not issuer.labels:
            raise Refused(_whose(order, tuple(orphans)))
        for key in orphans:
            await issuer.revoke(call, key)

    async def _holding(self, call: Call, order: MintReplacement, key: KeyRef) -> int | None:
        issuer = self._issuers.of(order.old)

        async def is_it(value: Hidden) -> bool:
            return await issuer.is_key(call, value, key)

        return await holding(self._store, call, order.secret, is_it)


def _whose(order: MintReplacement, keys: tuple[KeyRef, ...]) -> str:
    named = ", ".join(key.key for key in keys)
    return (
        f"{order.old.issuer} has further keys of {order.old.subject} that were made since ({named}), and no version holds them: it keeps no "
        "labels, so that they may be somebody else's. Look whose they are, revoke what is nobody's, then retry"
    )
