"""Sign-in of our own product (docs/api/auth.json): the seed's `POST /api/v1/auth/sessions/revoke_all`, with `revoked_before` and a key."""

from datetime import datetime

from activities.action import Call
from activities.kit.http import HttpClient
from activities.kit.rest import Json
from activities.kit.words.urls import path
from activities.sessions.sessions import REVOKE_ALL, Begun, RevokeSessions, Session

OF = ("api", "v1", "auth")


class AuthService:
    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def find(self, call: Call, order: RevokeSessions) -> str | None:
        said = (await self._http.read(call, path(*OF, "revocations"), key=call.key)).json()["revocations"]
        return str(said[0]["id"]) if said else None

    async def revoke(self, call: Call, order: RevokeSessions) -> str:
        said: Json = (await self._http.write(call, "POST", REVOKE_ALL, json=order.body())).json()
        return str(said["id"])

    async def how_far(self, call: Call, order: RevokeSessions, id: str) -> Begun:
        said = (await self._http.read(call, path(*OF, "revocations", id))).json()
        return Begun(id, said["state"] == "done", said["revoked"], said["left"])

    async def alive(self, call: Call, tenant: str) -> list[Session]:
        said = (await self._http.read(call, path(*OF, "sessions"), tenant=tenant)).json()["sessions"]
        return [
            Session(
                id=one["id"], user=one["user"], issued_at=datetime.fromisoformat(one["issued_at"]), service_account=one["service_account"]
            )
            for one in said
        ]

    async def taken(self, call: Call, tenant: str, session: str) -> tuple[bool, bool]:
        said = (await self._http.read(call, path(*OF, "sessions", session, "check"))).json()
        return bool(said["access"]), bool(said["refresh"])
