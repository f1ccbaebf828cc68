"""Our own contracts that a breach is looked into by (docs/api/access_records.json, data_map.json, claims.json, footholds.json). Ids and counts."""

from typing import Any

from activities.action import Call
from activities.kit.http import outcome, pages
from activities.kit.rest import Json, RestClient, RestLook, RestResource
from activities.kit.words.shell import Var
from activities.kit.words.urls import path


class Paged(RestClient):
    """Lists are read to their end: what is on a page that nobody has read is not "not there"."""

    async def all(self, call: Call, of: str, name: str, **asked: Any) -> list[Json]:
        return [row for one in await self.answers(call, of, name, **asked) for row in one[name]]

    async def answers(self, call: Call, of: str, name: str, **asked: Any) -> list[Json]:
        """Each page as it was answered."""

        async def page(offset: int) -> tuple[list[Json], int | None]:
            said = await self.get(call, of, **{key: value for key, value in asked.items() if value != ""}, offset=offset)
            return [said], said["next"]

        return [one async for one in pages(f"the list of {name}", 0, page)]


class AccessRecords(Paged):
    """Who has read which data set."""


class DataMap(Paged):
    """Which data sets there are."""

    async def match(self, call: Call, hashes: tuple[str, ...]) -> Json:
        """Which of these are hashes of our records. Nothing is stored there."""
        said: Json = outcome(await self._http.ask(call, "POST", "/v1/records/match", json={"hashes": list(hashes)})).json()
        return said


class ClaimDesk(Paged):
    """Public claims, as Security has taken them in."""

    async def find(self, call: Call, claim: str) -> Json | None:
        """None: there is no such claim (404)."""
        return await self._http.find(call, path("v1", "claims", claim))


class FootholdPlane(Paged):
    """What somebody may have left behind to come back by."""

    async def lets_in(self, call: Call, foothold: str) -> bool:
        """Whether somebody comes in by it, as tried from an isolated place."""
        return bool(outcome(await self._http.ask(call, "POST", path("v1", "footholds", foothold, "try"))).json()["lets_in"])


class RecordsLook(RestLook, target="access records"):
    base, token = Var("ACCESS_RECORDS_URL"), Var("ACCESS_RECORDS_TOKEN")


class DataMapLook(RestLook, target="data map"):
    base, token = Var("DATA_MAP_URL"), Var("DATA_MAP_TOKEN")


class ClaimLook(RestLook, target="claim/{claim}"):
    base, token = Var("CLAIMS_URL"), Var("CLAIMS_TOKEN")

    claim: str


class FootholdLook(RestLook, target="footholds"):
    base, token = Var("FOOTHOLDS_URL"), Var("FOOTHOLDS_TOKEN")


class FootholdResource(RestResource):
    base, token = Var("FOOTHOLDS_URL"), Var("FOOTHOLDS_TOKEN")
