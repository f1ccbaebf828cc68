"""The retriever of our own product (docs/api/retriever.json): settings of a domain, with an etag and an epoch; and what it shows."""

from typing import Any

from activities.action import Call, NotYet
from activities.kit.clock import Clock
from activities.kit.rest import Json, RestClient, RestLook, RestResource
from activities.kit.setting import SettingValue
from activities.kit.setting.write import SOON
from activities.kit.words.shell import Var
from activities.kit.words.urls import path
from activities.product.app_plane import AppPlane

BASE, TOKEN = Var("RETRIEVER_URL"), Var("RETRIEVER_TOKEN")
Known = dict[str, Any]


class Retriever(RestClient):
    """The client."""

    async def post(self, call: Call, path: str, body: Json) -> Json:
        """Begin something that takes its time. Its key is in the body: the same again is the same."""
        said: Json = (await self._http.write(call, "POST", path, json=body)).json()
        return said


class DomainLook(RestLook, target="domain/{domain}"):
    """What the retriever shows of a domain."""

    base, token = BASE, TOKEN

    domain: str


class DomainResource(RestResource):
    """A setting of a domain."""

    base, token = BASE, TOKEN

    domain: str

    @property
    def library(self) -> str:
        """Where the documents of the domain are shown."""
        return path("v1", "domains", self.domain)

    def target(self) -> str:
        _, domain, part = self.parts()
        return f"domain/{domain}/{part}"


class DomainSetting:
    """What the settings of a domain have in common: each is proven by what the product itself says that it answers from."""

    rest: RestClient
    app: AppPlane
    clock: Clock

    def __init__(self, retriever: Retriever, app: AppPlane, clock: Clock) -> None:
        self.rest, self.app, self.clock = retriever, app, clock

    async def shown(self, call: Call, of: DomainResource, value: SettingValue) -> str:
        """Raises `NotYet` while the product answers otherwise."""
        known = await self.app.knowledge(call, of.domain)
        if otherwise := self.otherwise(value, known):
            raise NotYet(f"accepted, but the product still {otherwise}", after=SOON)
        return "the product itself answers so"

    def otherwise(self, value: Any, known: Known) -> str:
        """What the product does that is not as wanted, in words; empty when it is as wanted."""
        raise NotImplementedError
