"""Sign-in of our own product (docs/api/auth.json)."""

from datetime import timedelta
from typing import Any

from activities.action import Call
from activities.kit.http import outcome, pages
from activities.kit.rest import Json, RestClient
from activities.kit.setting import Reading
from activities.kit.words.urls import path
from activities.sign_in.port import Tried
from activities.sign_in.words import OF, Attempts, AttemptsOf, FactorOf, SecondFactor


class OwnSignIn(RestClient):
    async def factor(self, call: Call, of: FactorOf) -> Reading[SecondFactor]:
        said = await self.get(call, of.path)
        return Reading[SecondFactor](value=SecondFactor(asked=said["asked"]), **_versions(said))

    async def set_factor(self, call: Call, of: FactorOf, wanted: SecondFactor, over: Reading[Any], epoch: int) -> None:
        await self.put(call, of.path, over.version, {"epoch": epoch, "asked": wanted.asked})

    async def asks(self, call: Call, tenant: str) -> bool:
        said: Json = outcome(await self._http.ask(call, "POST", path(*OF, "probes"), json={"tenant": tenant})).json()
        return bool(said["second_factor"])

    async def attempts(self, call: Call, of: AttemptsOf) -> Reading[Attempts]:
        said = await self.get(call, of.path)
        return Reading[Attempts](value=Attempts(per_account=said["per_account"], per_address=said["per_address"]), **_versions(said))

    async def set_attempts(self, call: Call, of: AttemptsOf, wanted: Attempts, over: Reading[Any], epoch: int) -> None:
        body = {"epoch": epoch, "per_account": wanted.per_account, "per_address": wanted.per_address}
        await self.put(call, of.path, over.version, body)

    async def tried(self, call: Call, window: timedelta, tenants: tuple[str, ...]) -> tuple[list[Tried], tuple[str, ...]]:
        async def page(cursor: int) -> tuple[list[Json], int | None]:
            said = await self.get(call, path(*OF, "attempts"), window=f"{window.total_seconds():g}", cursor=cursor)
            return said["attempts"], said["next"]

        return [Tried(**one) async for one in pages("the attempts to sign in", 0, page)], ()

    async def must_reset(self, call: Call, tenant: str, account: str) -> bool:
        return bool((await self.get(call, path(*OF, "accounts", account), tenant=tenant))["must_reset"])

    async def reset(self, call: Call, tenant: str, account: str) -> None:
        await self._http.write(call, "POST", path(*OF, "accounts", account, "reset"), json={"tenant": tenant})

    async def signed_in(self, call: Call, tenant: str, account: str) -> bool:
        return bool((await self.get(call, path(*OF, "accounts", account), tenant=tenant))["sessions"])


def _versions(said: Json) -> dict[str, Any]:
    return {"version": said["etag"], "epoch": said["epoch"], "changed_by": said["changed_by"]}
