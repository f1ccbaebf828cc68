"""Versions of secrets: seen, and disabled for good (spec §8 S-MINT, A.10 M2 and M3). Destroying one is for people (C4).

A version that was disabled because its key was stolen is never enabled again by us: what would bring it back is refused by the store itself.
"""

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Protocol

from activities.action import Call, Effect, Limits, NotYet, Order, Refused, Risk, Role, System, Value, action
from activities.kit.create_once import SOON, CreateOnce, There
from activities.kit.words.shell import Var, comment, gcloud
from activities.secrets.hidden import Hidden

PROJECT = Var("SECRET_MANAGER_PROJECT")
MOST_READ = 25  # versions that are looked into, newest first


class VersionState(StrEnum):
    ENABLED = "enabled"
    DISABLED = "disabled"
    DESTROYED = "destroyed"
    UNKNOWN = "unknown"


class SecretVersion(Value):
    """One version, without what is in it. `etag`: a change is conditional on it."""

    number: int
    state: VersionState
    etag: str = ""


class SecretStore(Protocol):
    """Where secrets are kept: the port."""

    async def versions(self, call: Call, secret: str) -> list[SecretVersion]:
        """Every version, newest first."""

    async def value(self, call: Call, secret: str, version: int) -> Hidden | None:
        """What is in it; None when the store gives it to nobody."""

    async def add(self, call: Call, secret: str, value: Hidden) -> int:
        """Add a version, and say its number. Nothing keeps a second one from being added: look first."""

    async def disable(self, call: Call, secret: str, version: SecretVersion) -> None:
        """Give it to nobody any more, if it is as it was read."""


class VersionsOf(Order, target="secret/{secret}", effect="list the versions of the secret {secret}, without what is in them"):
    secret: str

    def by_hand(self) -> tuple[str, ...]:
        return (gcloud("secrets", "versions", "list", self.secret, ("--project=", PROJECT)),)


class SecretVersions(Value):
    secret: str
    versions: tuple[SecretVersion, ...]

    def state(self, number: int) -> VersionState:
        return next((one.state for one in self.versions if one.number == number), VersionState.UNKNOWN)


class DisableVersion(Order, target="secret/{secret}/versions/{version}", effect="disable version {version} of the secret {secret}: {why}"):
    """`dead`: its key is revoked at its issuer, so that nobody can do anything with it."""

    undone = "never by us: a key that was revoked is not brought back. A person enables version {version}, if it was the wrong one"

    secret: str
    version: int
    dead: bool
    why: str = "its key is revoked"

    def assets(self) -> tuple[str, ...]:
        return (self.secret,)

    def by_hand(self) -> tuple[str, ...]:
        disabled = gcloud("secrets", "versions", "disable", str(self.version), f"--secret={self.secret}", ("--project=", PROJECT))
        return (disabled, comment("not: destroy. What it was may be needed as evidence"))


def _risk(order: DisableVersion, _limits: Limits) -> Risk:
    return Risk.C1 if order.dead else Risk.C2


class Secrets(System):
    def __init__(self, store: SecretStore) -> None:
        self._store = store

    @action("secrets.versions")
    async def versions(self, order: VersionsOf, call: Call) -> SecretVersions:
        """Numbers and states."""
        return SecretVersions(secret=order.secret, versions=tuple(await self._store.versions(call, order.secret)))


class Disabling(
    CreateOnce[DisableVersion, SecretVersion], name="secrets.disable", risk=_risk, asks=(Role.SECURITY_LEAD, Role.OPS_LEAD), on_suspicion=True,
    contains=True,
):  # fmt: skip
    """Versions that nobody gets any more, proven by a read that the store refuses."""

    def __init__(self, store: SecretStore) -> None:
        self._store = store

    async def find(self, call: Call, order: DisableVersion) -> SecretVersion | None:
        found = await self._found(call, order)
        return None if found.state is VersionState.ENABLED else found

    async def make(self, call: Call, order: DisableVersion) -> None:
        await self._store.disable(call, order.secret, await self._found(call, order))

    async def describe(self, call: Call, order: DisableVersion, there: There[SecretVersion]) -> Effect:
        if await self._store.value(call, order.secret, order.version) is not None:
            raise NotYet(f"disabled, but the store gives version {order.version} of {order.secret} away still", after=SOON)
        return order.done("the store refuses to give it to anybody", adopted=there.adopted)

    async def _found(self, call: Call, order: DisableVersion) -> SecretVersion:
        for one in await self._store.versions(call, order.secret):
            if one.number == order.version:
                return one
        raise Refused(f"the secret {order.secret} has no version {order.version}")


async def holding(store: SecretStore, call: Call, secret: str, is_it: Callable[[Hidden], Awaitable[bool]]) -> int | None:
    """The newest enabled version that holds what is looked for. Raises `Refused` where there are more than can be looked into."""
    enabled = [one for one in await store.versions(call, secret) if one.state is VersionState.ENABLED]
    for one in enabled[:MOST_READ]:
        value = await store.value(call, secret, one.number)
        if value is not None and await is_it(value):
            return one.number
    if len(enabled) > MOST_READ:
        raise Refused(f"the secret {secret} has {len(enabled)} enabled versions: nobody can say which one holds the key")
    return None


async def add_once(store: SecretStore, call: Call, secret: str, value: Hidden) -> int:
    """The number of the version that holds it, added if there is none yet: there is no request id, so it is compared before it is sent again."""

    async def same(found: Hidden) -> bool:
        return found == value

    number = await holding(store, call, secret, same)
    if number is not None:
        return number
    try:
        return await store.add(call, secret, value)
    except (Refused, NotYet):
        raise
    except Exception:
        number = await holding(store, call, secret, same)
        if number is None:
            raise
        return number
