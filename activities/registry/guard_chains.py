"""The guard chain alone, restored without the rest of the triple: narrow and reversible (spec §9.7; A.7 M4)."""

import asyncio
from collections import Counter
from typing import Literal

from pydantic import Field

from activities.action import Call, NotYet, Refused, Risk, Role
from activities.kit.setting import Change, Reading, Resource, Restore, Setting, SettingValue
from activities.kit.setting.write import SOON
from activities.models.routes import spread
from activities.product.app_plane import AppPlane
from activities.registry.release_plane import ReleasePlane
from activities.registry.triples import ALIAS, ANSWERS, BY_HAND, INTENDED, Triple, TripleStore


class GuardChainOf(Resource):
    """The guard chain of a route, and the registry that it is kept in."""

    route: str
    store: Literal["mlflow", "langfuse"] = "mlflow"

    def __str__(self) -> str:
        return f"the guard chain of {self.route}"

    def target(self) -> str:
        return f"route/{self.route}/guard-chain"

    @property
    def name(self) -> str:
        """What it is called in the registry: `chat-guard`."""
        return f"{self.route}-guard"

    def read_by_hand(self) -> tuple[str, ...]:
        return (BY_HAND[self.store](self.name, None),)

    def write_by_hand(self, value: "GuardChain", prior: object = None) -> tuple[str, ...]:
        return (BY_HAND[self.store](self.name, value.version),)


class GuardChain(SettingValue, says="version {version}", effect="let guard chain {version} guard {of.route}; model and prompt stay"):
    version: int = Field(ge=1)


class GuardChains(
    Setting[GuardChainOf, GuardChain], read="registry.guard_chain", change="registry.restore_guards", restore="registry.return_guards",
    risk=Risk.C1, asks=(Role.AI_ML_LEAD, Role.INCIDENT_COMMANDER),
):  # fmt: skip
    """Only a chain that was blessed with a triple that is not on the blocklist."""

    def __init__(self, store: TripleStore, plane: ReleasePlane, app: AppPlane) -> None:
        self._store, self._plane, self._app = store, plane, app

    async def look_at(self, call: Call, of: GuardChainOf) -> Reading[GuardChain]:
        return Reading[GuardChain](value=GuardChain(version=await self._store.version(call, of.name, ALIAS)))

    async def check(self, call: Call, order: Change[GuardChainOf, GuardChain] | Restore[GuardChainOf, GuardChain], to: GuardChain) -> None:
        if isinstance(order, Restore) and to.same(order.goal):
            return  # what served before
        known = await self._plane.releases(call, order.of.route)
        fit = {Triple.read(one.triple).guard for one in known.releases if one.blessed_at is not None and not one.blocklisted}
        if to.version not in fit:
            raise Refused(f"guard chain {to.version} was never blessed; there are {', '.join(map(str, sorted(fit))) or 'none'}")

    async def write(self, call: Call, of: GuardChainOf, wanted: GuardChain, over: Reading[GuardChain], epoch: int) -> None:
        await self._store.move(call, of.name, ALIAS, wanted.version)

    async def shown(self, call: Call, of: GuardChainOf, value: GuardChain) -> str:
        """Begin new sessions. Raises `NotYet` while too many of them are guarded by another chain."""
        tenants = (await self._plane.offers(call, of.route)).tenants
        said = await asyncio.gather(*(self._app.chat(call, tenant) for tenant in spread(tenants, ANSWERS if tenants else 0)))
        by = Counter(Triple.read(found).guard for answer in said if (found := answer.headers.get("x-triple", "")))
        if not by or by[value.version] < INTENDED * by.total():
            raise NotYet(f"accepted, but {by[value.version]} of {by.total()} new sessions are guarded by chain {value.version}", after=SOON)
        return f"{by[value.version]} of {by.total()} new sessions were guarded by chain {value.version}"


GUARDS_RESTORED = GuardChains.measure("guard chain restored", own_end=True)
