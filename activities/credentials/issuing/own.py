"""An issuer by our own contract (docs/api/credentials.json): API keys, OAuth grants, signing keys (by their kid), users of databases."""

from datetime import datetime

import httpx

from activities.action import Call, NotYet
from activities.credentials.issuers import Made, Seen
from activities.credentials.orders import KeyRef, MintReplacement
from activities.kit.create_once import SOON
from activities.kit.http import UNAUTHORISED, Conflict, HttpClient, outcome, pages
from activities.kit.rest import Json
from activities.kit.words.urls import path
from activities.secrets.hidden import Hidden

KEYS = "/v1/keys"


class OwnIssuer:
    mints = True
    labels = True

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def seen(self, call: Call, key: KeyRef) -> Seen:
        said = await self._http.find(call, path("v1", "keys", key.key))
        if said is None:
            return Seen(alive=None)
        return Seen(alive=not said["revoked"], uses={name: datetime.fromisoformat(at) for name, at in said["uses"].items()})

    async def revoke(self, call: Call, key: KeyRef) -> None:
        await self._http.write(call, "POST", path("v1", "keys", key.key, "revoke"))

    async def lets_in(self, call: Call, value: Hidden) -> bool | None:
        return (await self._who(call, value)) is not None

    async def is_key(self, call: Call, value: Hidden, key: KeyRef) -> bool:
        return await self._who(call, value) == key.key

    async def labelled(self, call: Call, order: MintReplacement) -> list[KeyRef]:
        async def page(offset: int) -> tuple[list[Json], int | None]:
            said = (await self._http.read(call, KEYS, subject=order.old.subject, offset=offset)).json()
            return said["keys"], said["next"]

        found = [one async for one in pages(f"the keys of {order.old.subject}", 0, page)]
        return [order.old.model_copy(update={"key": one["id"]}) for one in found if one["label"] == order.label and not one["revoked"]]

    async def make(self, call: Call, order: MintReplacement) -> Made:
        body = {
            "subject": order.old.subject, "label": order.label, "scopes": list(order.scopes), "lasting_seconds": order.lasting.total_seconds(),
        }  # fmt: skip
        try:
            said = (await self._http.write(call, "POST", KEYS, json=body)).json()
        except Conflict:
            raise NotYet("a living key bears our label already; we look again", after=SOON) from None
        return Made(str(said["id"]), Hidden(str(said["value"])))

    async def _who(self, call: Call, value: Hidden) -> str | None:
        """Whom it lets in as; None: nobody."""
        said = await self._http.ask(call, "GET", "/v1/whoami", headers={"X-Credential": value.reveal()})
        if said.status_code == UNAUTHORISED and _by_the_issuer(said):
            return None
        return str(outcome(said).json()["id"])


def _by_the_issuer(said: httpx.Response) -> bool:
    """The issuer refuses the key that was shown. Another 401 refuses our own token, and says nothing of that key."""
    try:
        return str(said.json()["error"]["message"]).startswith("that key")
    except (ValueError, KeyError, TypeError):
        return False
