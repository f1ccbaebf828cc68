"""The release plane of our own product (docs/practice-platform.md, Quality): releases, rollouts, sticky sessions, and judged answers."""

from activities.action import Call
from activities.kit.http import HttpClient
from activities.kit.rest import Json, RestClient
from activities.kit.words import urls
from activities.registry.orders import Offers, OffersOf, Releases, ReleasesOf, StickyOf


class ReleasePlane(RestClient):
    """Settings are written under the etag and the epoch that were read. A stale one raises `Conflict`."""

    def __init__(self, release_plane: HttpClient) -> None:
        super().__init__(release_plane)

    async def releases(self, call: Call, route: str) -> Releases:
        return Releases.model_validate(await self.look(call, ReleasesOf(route=route)))

    async def offers(self, call: Call, route: str) -> Offers:
        return Offers.model_validate(await self.look(call, OffersOf(route=route)))

    async def sticky(self, call: Call, route: str) -> Json:
        """The generation of the sticky sessions, the keys for which they were cleared, and who still answers them."""
        return await self.look(call, StickyOf(route=route))

    async def clear_sticky(self, call: Call, route: str, key: str) -> None:
        """End every sticky session. The same key again does nothing."""
        await self._http.write(call, "POST", urls.path("v1", "routes", route, "sticky", "clear"), json={"key": key})

    async def publish_is_refused(self, call: Call, route: str) -> bool:
        """Ask whether a publish would be let through. It publishes nothing."""
        url = urls.path("v1", "routes", route, "publishes")
        said = await self._http.ask(call, "POST", url, json={"part": "prompt", "probe": True})
        if said.status_code == 403 and "publishing_paused" in said.text:
            return True
        said.raise_for_status()
        return False
