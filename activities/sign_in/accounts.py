"""Accounts that an attack has opened, and those that must choose another password, by a list that people have seen (spec §9.10: never everybody's).

Accounts stand here by the ids that sign-in has for them, never by a name or an address.
"""

from datetime import timedelta
from typing import Any

from activities.action import Call, NotYet, Order, Refused, Risk, System, Value, action
from activities.kit.clock import Clock
from activities.kit.create_once import SOON
from activities.kit.operation import At, Operation, Progress
from activities.kit.words.shell import Command, address, comment, curl
from activities.kit.words.urls import path, query
from activities.sign_in.factors import WHO
from activities.sign_in.port import SignInStore, Tried
from activities.sign_in.words import AUTH, AUTH_TOKEN, KEYCLOAK, KEYCLOAK_STORE, KEYCLOAK_TOKEN, OF, Store, realm

MOST_SHOWN = 200  # accounts that an answer names
RESET = "UPDATE_PASSWORD"


class OpenedOf(Order, target="sign-in", effect="find the accounts that were opened from addresses of the attack in the last {window}"):
    """`addresses`: those of the attack; `tenants`: where sign-in is asked tenant by tenant."""

    window: timedelta
    addresses: tuple[str, ...]
    tenants: tuple[str, ...] = ()
    store: Store = "sign-in"

    def by_hand(self) -> tuple[str, ...]:
        bearer = ("Authorization: Bearer ", KEYCLOAK_TOKEN if self.store == KEYCLOAK_STORE else AUTH_TOKEN)
        if self.store == KEYCLOAK_STORE:
            asked = query({"type": "LOGIN", "max": 1000})
            return tuple(curl("GET", address(KEYCLOAK, realm(one, "events"), asked), bearer) for one in self.tenants[:20])
        return (curl("GET", address(AUTH, path(*OF, "attempts"), query({"window": self.window.total_seconds()})), bearer),)


class Opened(Value):
    """By tenant, the accounts that were opened; `tried`: attempts that failed, by tenant. `unread`: tenants of which nobody can say."""

    accounts: dict[str, tuple[str, ...]]
    tried: dict[str, int]
    more: int = 0
    unread: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        n = sum(map(len, self.accounts.values())) + self.more
        said = f"{n} accounts of {len(self.accounts)} tenants were opened; those of {len(self.tried)} were tried"
        return said + (f"; of {len(self.unread)} tenants nobody can say" if self.unread else "")


class Accounts(System):
    """Looking only."""

    def __init__(self, sign_in: SignInStore) -> None:
        self._sign_in = sign_in

    @action("sign_in.opened")
    async def opened(self, order: OpenedOf, call: Call) -> Opened:
        """Good sign-ins from addresses of the attack, and whom else it tried."""
        seen, unread = await self._sign_in.tried(call, order.window, order.tenants)
        ours = [one for one in seen if one.address in {each.partition("/")[0] for each in order.addresses}]
        opened = _by_tenant([one for one in ours if one.good])
        shown = {tenant: accounts[:MOST_SHOWN] for tenant, accounts in opened.items()}
        tried = {
            tenant: sum(one.n for one in ours if one.tenant == tenant and not one.good) for tenant in dict.fromkeys(x.tenant for x in ours)
        }
        more = sum(map(len, opened.values())) - sum(map(len, shown.values()))
        return Opened(accounts=shown, tried=tried, more=more, unread=unread)


def _by_tenant(seen: list[Tried]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for one in seen:
        if one.account not in found.setdefault(one.tenant, []):
            found[one.tenant].append(one.account)
    return {tenant: tuple(sorted(accounts)) for tenant, accounts in sorted(found.items())}


class ForceReset(Order, target="sign-in/{tenant}/resets"):
    """Accounts of one tenant that must choose another password; their sessions end. `at_most`: a longer list is a mass reset, and never ours."""

    undone = "a password that was chosen since stays; whoever must not choose one after all is let off by hand"

    tenant: str
    accounts: tuple[str, ...]
    at_most: int = 100
    store: Store = "sign-in"

    def effect(self) -> str:
        return f"{len(self.accounts)} accounts of {self.tenant} must choose another password, and are signed out"

    def by_hand(self) -> tuple[str, ...]:
        sent = tuple(self._one(account) for account in self.accounts[:20])
        rest = len(self.accounts) - len(sent)
        return (*sent, comment(f"and {rest} more, in the same way")) if rest else sent

    def _one(self, account: str) -> Command:
        if self.store == KEYCLOAK_STORE:
            url = address(KEYCLOAK, realm(self.tenant, "users", account))
            return curl("PUT", url, ("Authorization: Bearer ", KEYCLOAK_TOKEN), body={"requiredActions": [RESET]})
        url = address(AUTH, path(*OF, "accounts", account, "reset"))
        return curl("POST", url, ("Authorization: Bearer ", AUTH_TOKEN), body={"tenant": self.tenant})


class Resets(Operation[ForceReset], name="sign_in.force_reset", risk=Risk.C2, asks=WHO):
    """Proven by each account, which says that it must choose another password and has no session any more."""

    def __init__(self, sign_in: SignInStore, clock: Clock) -> None:
        self._sign_in, self.clock = sign_in, clock

    async def find(self, call: Call, order: ForceReset) -> str | None:
        """It has no id of its own: that all of them must is that it was done. Raises `Refused` for what is no list of accounts."""
        _refuse_everybody(order)
        return None if await self._left(call, order) else _id(order)

    async def start(self, call: Call, order: ForceReset) -> str:
        for account in await self._left(call, order):
            await self._sign_in.reset(call, order.tenant, account)
        return _id(order)

    async def status(self, call: Call, order: ForceReset, id: str) -> Progress:
        left = len(await self._left(call, order))
        told: dict[str, Any] = {"accounts": len(order.accounts) - left}
        return Progress(at=At.DONE if not left else At.UNHEARD, says=f"{left} left" if left else "", after=told)

    async def verify(self, call: Call, order: ForceReset, id: str) -> str:
        alive = [one for one in order.accounts if await self._sign_in.signed_in(call, order.tenant, one)]
        if alive:
            raise NotYet(f"accepted, but {len(alive)} of these accounts are still signed in", after=SOON)
        return f"{len(order.accounts)} accounts must choose another password, and none of them is signed in"

    async def _left(self, call: Call, order: ForceReset) -> list[str]:
        return [one for one in order.accounts if not await self._sign_in.must_reset(call, order.tenant, one)]


def _refuse_everybody(order: ForceReset) -> None:
    if not order.accounts or any(not one.strip() or "*" in one for one in order.accounts):
        raise Refused("name the accounts: nothing stands for everybody")
    if len(order.accounts) > order.at_most:
        raise Refused(f"{len(order.accounts)} accounts is a mass reset: people decide, and do it")


def _id(order: ForceReset) -> str:
    return f"{order.tenant}/{len(order.accounts)} accounts"
