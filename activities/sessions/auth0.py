"""Auth0 (Management API v2): organisations are our tenants. Sessions and refresh tokens are revoked user by user; Auth0 does so some time later.

It answers 202, and takes its time: what is left is read by the lists, to their end. There is no key: what was done already shows there. Machines
sign in by client credentials, have no user and no session, and so are not touched.
"""

from datetime import UTC, datetime
from typing import Any

from activities.action import Call
from activities.kit.http import HttpClient, pages
from activities.kit.rest import Json
from activities.kit.words.urls import path
from activities.sessions.sessions import Begun, RevokeSessions, Session

PAGE = 50
OF = ("api", "v2")


class Auth0:
    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def find(self, call: Call, order: RevokeSessions) -> str | None:
        """Nothing from before is left to end, neither session nor refresh token: it was done."""
        return None if await self._old(call, order) else _id(order)

    async def revoke(self, call: Call, order: RevokeSessions) -> str:
        """Refresh tokens first: a session that ends before them could be begun again."""
        for user in await self._old(call, order):
            await self._http.write(call, "DELETE", path(*OF, "users", user, "refresh-tokens"))
            await self._http.write(call, "DELETE", path(*OF, "users", user, "sessions"))
        return _id(order)

    async def how_far(self, call: Call, order: RevokeSessions, id: str) -> Begun:
        left = await self._old(call, order)
        return Begun(id, not left, 0, len(left))

    async def alive(self, call: Call, tenant: str) -> list[Session]:
        return [
            Session(id=one["id"], user=user, issued_at=_at(one["authenticated_at"]))
            for user in await self._members(call, tenant)
            for one in await self._of(call, user, "sessions")
        ]

    async def taken(self, call: Call, tenant: str, session: str) -> tuple[bool, bool]:
        """Auth0 takes what belongs to a session that is alive; a refresh token lives by itself."""
        said = await self._http.find(call, path(*OF, "sessions", session))
        if said is None:
            return False, False
        refresh = await self._of(call, str(said["user_id"]), "refresh-tokens")
        return True, any(one.get("session_id") == session for one in refresh)

    async def organisation(self, call: Call, name: str) -> Json:
        said: Json = (await self._http.read(call, path(*OF, "organizations", "name", name))).json()
        return said

    async def _old(self, call: Call, order: RevokeSessions) -> list[str]:
        """Users who have a session or a refresh token from before."""
        found = []
        for user in await self._members(call, order.tenant):
            if order.user not in ("", user):
                continue
            sessions = [_at(one["authenticated_at"]) for one in await self._of(call, user, "sessions")]
            tokens = [_at(one["created_at"]) for one in await self._of(call, user, "refresh-tokens")]
            if any(at < order.revoked_before for at in (*sessions, *tokens)):
                found.append(user)
        return found

    async def _members(self, call: Call, tenant: str) -> list[str]:
        id = str((await self.organisation(call, tenant))["id"])
        return [str(one["user_id"]) for one in await self._listed(call, path(*OF, "organizations", id, "members"), "members")]

    async def _of(self, call: Call, user: str, what: str) -> list[Json]:
        return await self._listed(call, path(*OF, "users", user, what), "sessions" if what == "sessions" else "tokens")

    async def _listed(self, call: Call, where: str, name: str) -> list[Json]:
        """By its checkpoints: `next` is given as long as there is more."""

        async def page(since: str) -> tuple[list[Any], str | None]:
            asked: dict[str, Any] = {"take": PAGE, **({"from": since} if since else {})}
            said = (await self._http.read(call, where, **asked)).json()
            return said[name], said.get("next") or None

        return [one async for one in pages(where, "", page)]


def _id(order: RevokeSessions) -> str:
    return f"{order.tenant}/{order.user or 'everybody'} before {order.revoked_before.isoformat()}"


def _at(said: str) -> datetime:
    at = datetime.fromisoformat(said)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
