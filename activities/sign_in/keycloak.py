"""Keycloak's sign-in (Admin REST API): a realm for each tenant, which has no version: a late write is looked for afterwards.

A second factor is asked for by the flow that a realm signs in with; per account its brute force detection limits; per address it has no limit.
"""

from collections import Counter
from datetime import timedelta
from typing import Any

from activities.action import Call, NotYet, Refused
from activities.kit.http import HttpClient, pages
from activities.kit.rest import Json
from activities.kit.setting import Reading
from activities.sign_in.accounts import RESET
from activities.sign_in.port import Tried
from activities.sign_in.words import STEP_UP_FLOW, Attempts, AttemptsOf, FactorOf, SecondFactor, realm

PAGE = 100
SECOND_FACTORS = frozenset({"auth-otp-form", "webauthn-authenticator"})
GOOD = {"LOGIN": True, "LOGIN_ERROR": False}


class KeycloakSignIn:
    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def factor(self, call: Call, of: FactorOf) -> Reading[SecondFactor]:
        flow = str((await self._get(call, realm(of.tenant)))["browserFlow"])
        return Reading[SecondFactor](value=SecondFactor(asked=flow == STEP_UP_FLOW, flow="" if flow == STEP_UP_FLOW else flow))

    async def set_factor(self, call: Call, of: FactorOf, wanted: SecondFactor, over: Reading[Any], epoch: int) -> None:
        await self._http.write(call, "PUT", realm(of.tenant), json=of.in_realm(wanted))

    async def asks(self, call: Call, tenant: str) -> bool:
        """By what the flow really does: one of that name that asks for nothing is none."""
        flow = str((await self._get(call, realm(tenant)))["browserFlow"])
        steps = await self._get(call, realm(tenant, "authentication", "flows", flow, "executions"))
        return any(one.get("providerId") in SECOND_FACTORS and one.get("requirement") == "REQUIRED" for one in steps)

    async def attempts(self, call: Call, of: AttemptsOf) -> Reading[Attempts]:
        said = await self._get(call, realm(of.tenant))
        per_account = int(said["failureFactor"]) if said["bruteForceProtected"] else None
        return Reading[Attempts](value=Attempts(per_account=per_account))

    async def set_attempts(self, call: Call, of: AttemptsOf, wanted: Attempts, over: Reading[Any], epoch: int) -> None:
        if wanted.per_address is not None:
            raise Refused("Keycloak limits no address: the edge does")
        await self._http.write(call, "PUT", realm(of.tenant), json=of.in_realm(wanted))

    async def tried(self, call: Call, window: timedelta, tenants: tuple[str, ...]) -> tuple[list[Tried], tuple[str, ...]]:
        """By its events, which it keeps only where a realm is told to."""
        found, unread = list[Tried](), list[str]()
        since = int(1000 * (call.at - window / call.pace).timestamp())
        for tenant in tenants:
            try:
                if not (await self._get(call, realm(tenant, "events", "config")))["eventsEnabled"]:
                    unread.append(tenant)
                    continue
                found += await self._tried(call, tenant, since)
            except (Refused, NotYet):
                unread.append(tenant)
        return found, tuple(unread)

    async def _tried(self, call: Call, tenant: str, since: int) -> list[Tried]:
        async def page(first: int) -> tuple[list[Json], int | None]:
            asked = {"type": ["LOGIN", "LOGIN_ERROR"], "dateFrom": since, "first": first, "max": PAGE}
            said: list[Json] = await self._get(call, realm(tenant, "events"), **asked)
            return said, first + PAGE if len(said) == PAGE else None

        counts = Counter(
            [
                (str(one.get("userId", "")), str(one.get("ipAddress", "")), GOOD[one["type"]])
                async for one in pages(f"the events of {tenant}", 0, page)
                if one["time"] >= since
            ]
        )
        return [Tried(tenant, account, address, good, n) for (account, address, good), n in counts.items()]

    async def must_reset(self, call: Call, tenant: str, account: str) -> bool:
        return RESET in (await self._get(call, realm(tenant, "users", account))).get("requiredActions", [])

    async def reset(self, call: Call, tenant: str, account: str) -> None:
        """What it has to do already stays; then its sessions end."""
        now = (await self._get(call, realm(tenant, "users", account))).get("requiredActions", [])
        wanted = [*now, *([] if RESET in now else [RESET])]
        await self._http.write(call, "POST", realm(tenant, "users", account, "logout"))
        await self._http.write(call, "PUT", realm(tenant, "users", account), json={"requiredActions": wanted})

    async def signed_in(self, call: Call, tenant: str, account: str) -> bool:
        return bool(await self._get(call, realm(tenant, "users", account, "sessions")))

    async def _get(self, call: Call, where: str, **asked: Any) -> Any:
        return (await self._http.read(call, where, **asked)).json()
