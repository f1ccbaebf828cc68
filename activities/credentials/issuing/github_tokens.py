"""GitHub (docs.github.com/rest/orgs/personal-access-tokens): fine-grained tokens that reach an organisation are listed and revoked there.

Nobody makes one by an interface: whoever needs another one makes it by hand.
"""

from datetime import datetime

from activities.action import Call, Refused
from activities.credentials.issuers import Made, Seen
from activities.credentials.orders import KeyRef, MintReplacement
from activities.kit.http import UNAUTHORISED, HttpClient, outcome, pages
from activities.kit.rest import Json
from activities.kit.words.urls import path
from activities.secrets.hidden import Hidden

PAGE = 100


class GitHubTokens:
    mints = False
    labels = False

    def __init__(self, http: HttpClient, bare: HttpClient) -> None:
        """`bare`: the same address without our own token."""
        self._http, self._bare = http, bare

    async def seen(self, call: Call, key: KeyRef) -> Seen:
        async def page(nth: int) -> tuple[list[Json], int | None]:
            said = (await self._http.read(call, path("orgs", key.subject, "personal-access-tokens"), per_page=PAGE, page=nth)).json()
            return said, nth + 1 if len(said) == PAGE else None

        found = [one async for one in pages(f"the tokens of {key.subject}", 1, page)]
        one = next((one for one in found if str(one["id"]) == key.key), None)
        if one is None:
            return Seen(alive=None)
        used = one.get("token_last_used_at")
        return Seen(alive=not one["token_expired"], uses={str(one["owner"]["login"]): datetime.fromisoformat(used)} if used else {})

    async def revoke(self, call: Call, key: KeyRef) -> None:
        await self._http.write(call, "POST", path("orgs", key.subject, "personal-access-tokens", key.key), json={"action": "revoke"})

    async def lets_in(self, call: Call, value: Hidden) -> bool | None:
        said = await self._bare.ask(call, "GET", "/user", headers={"Authorization": f"Bearer {value.reveal()}"})
        if said.status_code == UNAUTHORISED:
            return False
        outcome(said)
        return True

    async def is_key(self, call: Call, value: Hidden, key: KeyRef) -> bool:
        """GitHub shows nothing of a token by which it could be known again."""
        raise Refused(f"nobody can say whether a value is the token {key.key}: GitHub shows nothing of it")

    async def labelled(self, call: Call, order: MintReplacement) -> list[KeyRef]:
        return []

    async def make(self, call: Call, order: MintReplacement) -> Made:
        raise Refused("GitHub lets only people make a personal access token")
