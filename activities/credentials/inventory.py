"""What a credential is, and what can be read with it (A.10 T1). Ids and places, never a value."""

from activities.action import Call, Refused, System, action
from activities.credentials.orders import Credential, CredentialOf, Known, Reach, ReachOf
from activities.credentials.plane import CredentialsPlane
from activities.kit.rest import Json
from activities.kit.words.urls import path


class Inventory(System):
    def __init__(self, plane: CredentialsPlane) -> None:
        self._plane = plane

    @action("credentials.find")
    async def find(self, order: CredentialOf, call: Call) -> Known:
        """What stands in the inventory under this name; or what the store or its issuer calls so."""
        said = await self._plane.find(call, order.path)
        if said is None:
            every = await self._plane.get(call, path("v1", "inventory"))
            said = next((one for one in every["credentials"] if order.credential in (one["secret"], one["key"])), None)
        return Known(credential=None if said is None else _credential(said))

    @action("credentials.reach")
    async def reach(self, order: ReachOf, call: Call) -> Reach:
        """Everything that it opens, also what nobody uses, and where nobody could look."""
        said = await self._plane.look(call, order)
        found, unknown = [], []
        for name in said["credentials"]:
            known = await self._plane.find(call, path("v1", "inventory", name))
            if known is None:
                unknown.append(name)
            else:
                found.append(_credential(known))
        sources: dict[str, bool] = said["sources"]
        if not sources:
            raise Refused(f"nobody says where it was looked for what {order.credential} opens")
        return Reach(
            credentials=tuple(found), unknown=tuple(unknown), read=tuple(name for name, done in sources.items() if done),
            unread=tuple(name for name, done in sources.items() if not done),
        )  # fmt: skip


def _credential(said: Json) -> Credential:
    return Credential.model_validate(said)
