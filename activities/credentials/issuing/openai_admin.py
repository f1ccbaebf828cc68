"""OpenAI's administration API (platform.openai.com/docs/api-reference): keys and service accounts of a project.

A key is made with a service account, whose name is our label. Its value is shown once; afterwards only its beginning and its end are.
"""

from datetime import UTC, datetime

from activities.action import Call
from activities.credentials.issuers import NOBODY_SAYS, Made, Seen
from activities.credentials.orders import KeyRef, MintReplacement
from activities.kit.http import NOT_FOUND, UNAUTHORISED, HttpClient, outcome, pages
from activities.kit.rest import Json
from activities.kit.words.urls import path
from activities.secrets.hidden import Hidden

PAGE = 100
MASKED = 4  # characters at the end of a value that are shown


class OpenAiAdmin:
    mints = True
    labels = True

    def __init__(self, admin: HttpClient, bare: HttpClient) -> None:
        """`bare`: the same address without our own token: it is asked with the key that is to be tried."""
        self._admin, self._bare = admin, bare

    async def seen(self, call: Call, key: KeyRef) -> Seen:
        for one in await self._keys(call, key):
            if one["id"] == key.key:
                used = one.get("last_used_at")
                return Seen(alive=True, uses={NOBODY_SAYS: datetime.fromtimestamp(used, UTC)} if used else {})
        return Seen(alive=None)

    async def revoke(self, call: Call, key: KeyRef) -> None:
        """The key of a service account goes with its account."""
        found = next((one for one in await self._keys(call, key) if one["id"] == key.key), None)
        if found is None:
            return
        account = found["owner"].get("service_account")
        below = ("service_accounts", account["id"]) if account else ("api_keys", key.key)
        await self._admin.write(call, "DELETE", self._of(key, *below))

    async def lets_in(self, call: Call, value: Hidden) -> bool | None:
        said = await self._bare.ask(call, "GET", "/v1/models", headers={"Authorization": f"Bearer {value.reveal()}"})
        if said.status_code == UNAUTHORISED:
            return False
        outcome(said)
        return True

    async def is_key(self, call: Call, value: Hidden, key: KeyRef) -> bool:
        """By what is shown of it: its beginning and its end."""
        said = await self._admin.ask(call, "GET", self._of(key, "api_keys", key.key))
        if said.status_code == NOT_FOUND:
            return False
        shown, plain = str(outcome(said).json()["redacted_value"]), value.reveal()
        begins, _, ends = shown.partition("*")
        ends = ends.strip("*")
        return len(ends) >= MASKED and plain.startswith(begins) and plain.endswith(ends)

    async def labelled(self, call: Call, order: MintReplacement) -> list[KeyRef]:
        found = [one for one in await self._keys(call, order.old) if (one["owner"].get("service_account") or {}).get("name") == order.label]
        return [order.old.model_copy(update={"key": one["id"]}) for one in found]

    async def make(self, call: Call, order: MintReplacement) -> Made:
        said = (await self._admin.write(call, "POST", self._of(order.old, "service_accounts"), json={"name": order.label})).json()
        return Made(str(said["api_key"]["id"]), Hidden(str(said["api_key"]["value"])))

    async def _keys(self, call: Call, key: KeyRef) -> list[Json]:
        async def page(after: str) -> tuple[list[Json], str | None]:
            said = (await self._admin.read(call, self._of(key, "api_keys"), limit=PAGE, after=after or None)).json()
            return said["data"], said["last_id"] if said["has_more"] else None

        return [one async for one in pages(f"the keys of {key.subject}", "", page)]

    def _of(self, key: KeyRef, *below: str) -> str:
        return path("v1", "organization", "projects", key.subject, *below)
