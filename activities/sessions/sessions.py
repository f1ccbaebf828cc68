"""Sessions that were issued before an instant, revoked (seed §1.5, spec §8 S-SESSIONS, A.5 M6): of a user, of a tenant, tenant by tenant of many.

By an instant, not by a list: whatever was issued before is dead, also what nobody has listed. Service accounts are left out, so that the
platform itself goes on; whoever means them revokes their keys (§2.10). Nobody signs everybody out with one call: sign-in would not stand it.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from activities.action import Call, Limits, NotYet, Order, Refused, Risk, Role, System, Value, action
from activities.kit.clock import Clock
from activities.kit.create_once import SOON
from activities.kit.operation import At, Operation, Progress
from activities.kit.words.shell import Var, address, comment, curl
from activities.kit.words.urls import query

BASE, TOKEN = Var("AUTH_URL"), Var("AUTH_TOKEN")
REVOKE_ALL = "/api/v1/auth/sessions/revoke_all"  # the seed's own


class Session(Value):
    """A session that is alive. `user`: as the store calls them."""

    id: str
    user: str
    issued_at: datetime
    service_account: bool = False


@dataclass(frozen=True)
class Begun:
    """A revocation that was begun, by the store's own name; how many it has left."""

    id: str
    done: bool
    revoked: int
    left: int


class SessionStore(Protocol):
    """Where sessions are kept: the port. One client is chosen in `organisation.toml`, `[policy.systems]`."""

    async def find(self, call: Call, order: "RevokeSessions") -> str | None:
        """The revocation under our key, or one that says the same; None only where there surely is none."""

    async def revoke(self, call: Call, order: "RevokeSessions") -> str:
        """Begin it, under our key where the store has keys."""

    async def how_far(self, call: Call, order: "RevokeSessions", id: str) -> Begun:
        """How far it is."""

    async def alive(self, call: Call, tenant: str) -> list[Session]:
        """Every session of a tenant that is alive."""

    async def taken(self, call: Call, tenant: str, session: str) -> tuple[bool, bool]:
        """Whether the access token and the refresh token of a session are taken where they are checked."""


class RevokeSessions(Order, target="sessions/{tenant}"):
    """Whose sessions, and before which instant they were issued. `user` empty: of the whole tenant. `tenants`: of so many it is a part."""

    undone = "nothing brings sessions back: whoever was signed out signs in again"

    tenant: str
    revoked_before: datetime
    user: str = ""
    tenants: int = 1

    def effect(self) -> str:
        whose = f"user {self.user} of {self.tenant}" if self.user else f"everybody of {self.tenant}"
        return f"sign out {whose} who signed in before {self.revoked_before:%Y-%m-%d %H:%M:%S} UTC; service accounts go on"

    def body(self) -> dict[str, object]:
        return {
            "tenant": self.tenant, "user": self.user, "revoked_before": self.revoked_before.isoformat(), "exclude_service_accounts": True,
        }  # fmt: skip

    def by_hand(self) -> tuple[str, ...]:
        key = f"Idempotency-Key: {self.tenant}-{self.revoked_before:%Y%m%dT%H%M%S}"
        sent = curl("POST", address(BASE, REVOKE_ALL), ("Authorization: Bearer ", TOKEN), key, body=self.body())
        return (sent, comment("then see that an old token is refused, and an old refresh token"))


class IssuedOf(Order, target="sessions"):
    """Who has sessions of people that were issued since then. Tenants are named, and looked at side by side."""

    tenants: tuple[str, ...]
    since: datetime

    def effect(self) -> str:
        return f"count the sessions of {len(self.tenants)} tenants that were issued since {self.since:%Y-%m-%d %H:%M:%S} UTC"

    def by_hand(self) -> tuple[str, ...]:
        bearer = ("Authorization: Bearer ", TOKEN)
        return tuple(curl("GET", address(BASE, "/api/v1/auth/sessions", query({"tenant": one})), bearer) for one in self.tenants)


class Issued(Value):
    """By tenant, how many sessions of people were issued since then. None: nobody can say."""

    since: datetime
    by: dict[str, int | None]

    @property
    def none(self) -> tuple[str, ...]:
        """Tenants that surely have none."""
        return tuple(name for name, many in self.by.items() if many == 0)

    @property
    def summary(self) -> str:
        some, unknown = sum(1 for many in self.by.values() if many), sum(many is None for many in self.by.values())
        return (
            f"{some} of {len(self.by)} tenants have sessions that were issued since {self.since:%H:%M:%S} UTC; of {unknown} nobody can say"
        )


class Sessions(System):
    """Looking only."""

    def __init__(self, store: SessionStore) -> None:
        self._store = store

    @action("sessions.issued")
    async def issued(self, order: IssuedOf, call: Call) -> Issued:
        """Each tenant by itself: one that cannot be read is unknown, and never none."""
        counted = await asyncio.gather(*(self._count(call, one, order.since) for one in order.tenants))
        return Issued(since=order.since, by=dict(zip(order.tenants, counted, strict=True)))

    async def _count(self, call: Call, tenant: str, since: datetime) -> int | None:
        try:
            alive = await self._store.alive(call, tenant)
        except (Refused, NotYet):
            return None
        return sum(not one.service_account and one.issued_at >= since for one in alive)


def _risk(order: RevokeSessions, limits: Limits) -> Risk:
    """A list of tenants that automation may touch is narrow; more than that is everybody (spec §8 S-SESSIONS)."""
    return Risk.C1 if order.tenants <= limits.tenants else Risk.C3


class Revocations(
    Operation[RevokeSessions], name="sessions.revoke", risk=_risk, asks=(Role.SECURITY_LEAD, Role.INCIDENT_COMMANDER)
):  # fmt: skip
    """Bulk revocations, proven by an old token and an old refresh token that are refused."""

    def __init__(self, store: SessionStore, clock: Clock) -> None:
        self._store, self.clock = store, clock

    async def precondition(self, call: Call, order: RevokeSessions) -> None:
        if not order.tenant.strip() or order.tenant in ("*", "all"):
            raise Refused("sessions are revoked tenant by tenant: name one")
        if order.revoked_before > call.at:
            raise Refused("what is issued after now cannot be revoked: give an instant that has passed")

    async def find(self, call: Call, order: RevokeSessions) -> str | None:
        return await self._store.find(call, order)

    async def start(self, call: Call, order: RevokeSessions) -> str:
        return await self._store.revoke(call, order)

    async def status(self, call: Call, order: RevokeSessions, id: str) -> Progress:
        now = await self._store.how_far(call, order, id)
        return Progress(
            at=At.DONE if now.done else At.RUNNING, says=f"{now.revoked} sessions ended, {now.left} left", after={"revoked": now.revoked}
        )

    async def verify(self, call: Call, order: RevokeSessions, id: str) -> str:
        """None that was issued before is alive; the tokens of one that is are taken still."""
        alive = [one for one in await self._store.alive(call, order.tenant) if order.user in ("", one.user)]
        old = [one for one in alive if not one.service_account and one.issued_at < order.revoked_before]
        if old:
            raise NotYet(f"revoked, but {len(old)} sessions of {order.tenant} from before are alive", after=SOON)
        for one in alive:
            if one.service_account and not any(await self._store.taken(call, order.tenant, one.id)):
                raise Refused(f"service account {one.user} of {order.tenant} is refused as well: it was not to be touched")
        return f"no session from before is alive, and {sum(one.service_account for one in alive)} service accounts go on"
