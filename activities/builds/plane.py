"""The inventory of what we build, and its blocklists, by our own contract (docs/api/supply.json)."""

from activities.action import Call, Value
from activities.kit.http import outcome
from activities.kit.rest import Json, RestClient, RestLook, RestResource
from activities.kit.words.shell import Var

BASE, TOKEN = Var("SUPPLY_URL"), Var("SUPPLY_TOKEN")


class SupplyPlane(RestClient):
    """The client."""

    async def probe(self, call: Call, path: str, body: Json | None = None, **asked: str) -> Json:
        """Try something out; it changes nothing."""
        said: Json = outcome(await self._http.ask(call, "POST", path, params=asked, **({"json": body} if body is not None else {}))).json()
        return said

    async def begin(self, call: Call, path: str) -> Json:
        """Start something under our key."""
        said: Json = (await self._http.write(call, "POST", path)).json()
        return said


class SupplyLook(RestLook):
    base, token = BASE, TOKEN


class SupplyResource(RestResource):
    base, token = BASE, TOKEN


class PackageVersion(Value):
    """One version of a package of an ecosystem, as OSV calls them: `PyPI`."""

    ecosystem: str
    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"
