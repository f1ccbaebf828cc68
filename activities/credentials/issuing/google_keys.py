"""Keys of Google's service accounts (cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts.keys).

They bear no label. What was signed in with a deleted key lasts on until its access tokens end, an hour at most: that is said, and waited for.
"""

import base64
import json
from datetime import datetime
from typing import Any

from activities.action import Call
from activities.credentials.issuers import Made, Seen
from activities.credentials.orders import KeyRef, MintReplacement
from activities.kit.http import HttpClient
from activities.kit.rest import Json
from activities.kit.words.urls import path
from activities.secrets.hidden import Hidden


class GoogleKeys:
    mints = True
    labels = False

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def seen(self, call: Call, key: KeyRef) -> Seen:
        """One that is only disabled is not revoked: whoever may administer the account enables it again."""
        return Seen(alive=True if any(_last(one["name"]) == key.key for one in await self._keys(call, key.subject)) else None)

    async def revoke(self, call: Call, key: KeyRef) -> None:
        await self._http.write(call, "DELETE", _of(key.subject, key.key))

    async def lets_in(self, call: Call, value: Hidden) -> bool | None:
        """To try one it would have to sign something: its issuer's word must do."""
        return None

    async def is_key(self, call: Call, value: Hidden, key: KeyRef) -> bool:
        """By the id that stands in the file."""
        try:
            said: Any = json.loads(value.reveal())
        except ValueError:
            return False
        return isinstance(said, dict) and said.get("private_key_id") == key.key

    async def labelled(self, call: Call, order: MintReplacement) -> list[KeyRef]:
        decided = order.at.replace(microsecond=0)  # Google's instants are whole seconds
        since = [one for one in await self._keys(call, order.old.subject) if datetime.fromisoformat(one["validAfterTime"]) >= decided]
        return [order.old.model_copy(update={"key": _last(one["name"])}) for one in since]

    async def make(self, call: Call, order: MintReplacement) -> Made:
        said = (await self._http.write(call, "POST", _of(order.old.subject), json={})).json()
        return Made(_last(said["name"]), Hidden(base64.b64decode(said["privateKeyData"]).decode()))

    async def _keys(self, call: Call, account: str) -> list[Json]:
        """All of them: the interface has no pages."""
        return list((await self._http.read(call, _of(account), keyTypes="USER_MANAGED")).json().get("keys", []))


def _of(account: str, *below: str) -> str:
    """`-` is the project of the account, whatever its address says: those that Google makes name none."""
    return path("v1", "projects", "-", "serviceAccounts", account, "keys", *below)


def _last(name: str) -> str:
    return name.rsplit("/", 1)[-1]
