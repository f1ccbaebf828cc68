"""Search over stores by our own contract (docs/api/search.json)."""

from datetime import timedelta

from activities.action import Call
from activities.kit.http import outcome, pages
from activities.kit.rest import Json, RestClient, RestLook
from activities.kit.words.shell import Var
from activities.kit.words.urls import path, query

BASE, TOKEN = Var("SEARCH_URL"), Var("SEARCH_TOKEN")


class SearchIndex(RestClient):
    async def hunt(self, call: Call, store: str, content: str, likeness: float, window: timedelta) -> Json:
        """Every page of what one store answers. Its `coverage` is the least of all pages."""
        body = {"content": content, "likeness": likeness, "window": window.total_seconds()}
        told: Json = {"methods": [], "coverage": 1.0}

        async def page(cursor: int) -> tuple[list[Json], int | None]:
            url = path("v1", "stores", store, "hunts") + query({"cursor": cursor})
            said = outcome(await self._http.ask(call, "POST", url, json=body)).json()
            told["methods"], told["coverage"] = said["methods"], min(told["coverage"], float(said["coverage"]))
            return said["hits"], said["next"]

        return {"hits": [one async for one in pages(f"the hits in {store}", 0, page)], **told}


class SearchLook(RestLook):
    base, token = BASE, TOKEN
