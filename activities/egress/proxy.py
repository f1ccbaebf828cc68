"""The egress proxy and the user interface by our own contracts (docs/api/egress.json, docs/api/ui.json)."""

from activities.action import Call
from activities.kit.http import outcome, pages
from activities.kit.rest import Json, RestClient, RestLook, RestResource
from activities.kit.words.shell import Var


class EgressProxy(RestClient):
    """Denials are written under the etag and the epoch that were read."""

    async def probe(self, call: Call, workload: str, **what: str) -> Json:
        """Whether a connection from there comes about, and which rule refuses it. Nothing is sent over it."""
        body = {"workload": workload, **what}
        said: Json = outcome(await self._http.ask(call, "POST", "/v1/probes", json=body)).json()
        return said

    async def calls(self, call: Call, order: RestLook) -> tuple[list[Json], dict[str, bool]]:
        """Every page of the outbound calls, and which sources could be read on all of them."""
        sources: dict[str, bool] = {}

        async def page(cursor: int) -> tuple[list[Json], int | None]:
            said = await self.get(call, order.path, **order.asked(), cursor=cursor)
            sources.update({name: readable and sources.get(name, True) for name, readable in said["sources"].items()})
            return said["calls"], said["next"]

        return [one async for one in pages("the list of outbound calls", 0, page)], sources


class UserInterface(RestClient):
    """How answers are shown."""

    async def canary(self, call: Call, path: str) -> bool:
        """Show a message of ours on a surface: whether a client of ours fetched the image in it."""
        return bool(outcome(await self._http.ask(call, "POST", path + "/canary")).json()["fetched"])


class EgressResource(RestResource):
    base, token = Var("EGRESS_URL"), Var("EGRESS_TOKEN")


class EgressLook(RestLook):
    base, token = Var("EGRESS_URL"), Var("EGRESS_TOKEN")


class RenderingResource(RestResource):
    base, token = Var("RENDERING_URL"), Var("RENDERING_TOKEN")
