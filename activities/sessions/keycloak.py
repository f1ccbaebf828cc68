"""Keycloak (Admin REST API): a realm for each tenant. There is no key: what was done already is seen by the sessions that are left.

`logout` of a user ends their sessions and dates `notBefore`, so that tokens that were issued before are refused at introspection. `logout-all`
and `notBefore` of a whole realm are not used: they would sign out service accounts as well.
"""

from datetime import UTC, datetime, timedelta

from activities.action import Call
from activities.kit.http import HttpClient, pages
from activities.kit.rest import Json
from activities.kit.words.urls import path
from activities.sessions.sessions import Begun, RevokeSessions, Session

PAGE = 100
SERVICE = "service-account-"


class Keycloak:
    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def find(self, call: Call, order: RevokeSessions) -> str | None:
        """Nothing from before is left to end: it was done."""
        return None if await self._old(call, order) else _id(order)

    async def revoke(self, call: Call, order: RevokeSessions) -> str:
        for user in await self._old(call, order):
            await self._http.write(call, "POST", self._of(order.tenant, "users", user, "logout"))
        return _id(order)

    async def how_far(self, call: Call, order: RevokeSessions, id: str) -> Begun:
        left = await self._old(call, order)
        return Begun(id, not left, 0, len(left))

    async def alive(self, call: Call, tenant: str) -> list[Session]:
        found = []
        for user in await self._users(call, tenant):
            said = (await self._http.read(call, self._of(tenant, "users", user["id"], "sessions"))).json()
            service = _is_service(user)
            name = user["username"].removeprefix(SERVICE) if service else user["username"]
            found += [Session(id=one["id"], user=name, issued_at=_at(one["start"]), service_account=service) for one in said]
        return found

    async def taken(self, call: Call, tenant: str, session: str) -> tuple[bool, bool]:
        """Keycloak takes what belongs to a session that is alive."""
        there = any(one.id == session for one in await self.alive(call, tenant))
        return there, there

    async def realm(self, call: Call, name: str) -> Json:
        said: Json = (await self._http.read(call, self._of(name))).json()
        return said

    async def _old(self, call: Call, order: RevokeSessions) -> list[str]:
        """The users who have a session from before."""
        found = []
        for user in await self._users(call, order.tenant):
            if _is_service(user) or order.user not in ("", user["username"]):
                continue
            said = (await self._http.read(call, self._of(order.tenant, "users", user["id"], "sessions"))).json()
            if any(_at(one["start"]) < order.revoked_before for one in said):
                found.append(str(user["id"]))
        return found

    async def _users(self, call: Call, tenant: str) -> list[Json]:
        async def page(first: int) -> tuple[list[Json], int | None]:
            where = self._of(tenant, "users")
            said: list[Json] = (await self._http.read(call, where, first=first, max=PAGE, briefRepresentation="false")).json()
            return said, first + PAGE if len(said) == PAGE else None

        return [one async for one in pages(f"the realm {tenant}", 0, page)]

    def _of(self, realm: str, *below: str) -> str:
        return path("admin", "realms", realm, *below)


def _is_service(user: Json) -> bool:
    return bool(user.get("serviceAccountClientId")) or str(user["username"]).startswith(SERVICE)


def _id(order: RevokeSessions) -> str:
    return f"{order.tenant}/{order.user or 'everybody'} before {order.revoked_before.isoformat()}"


def _at(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=milliseconds)
