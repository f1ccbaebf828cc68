"""The cross-read matrix: canary tenants try to read one another's objects, by every endpoint, in every region, both ways (A.5 T1, R1).

Each pair is tried twice: cold, and right after the owner has read its own object by the same endpoint. What leaks only then comes from a
pooled connection that has kept whose turn it was. Nothing that customers own is read.
"""

import asyncio
from datetime import datetime
from enum import StrEnum

from activities.action import Call, Order, System, Value, action
from activities.kit.words.shell import Var, address, command, curl
from activities.kit.words.urls import path
from activities.tenancy.canaries import CanaryDoor, Met
from activities.tenancy.plane import (
    ContractRun,
    ContractTestsOf,
    CrossingsOf,
    FactsOf,
    Homes,
    HomesOf,
    IsolationFacts,
    MapOf,
    TenancyMap,
    TenancyPlane,
)

BASE, TOKEN = Var("CANARIES_URL"), Var("CANARIES_TOKEN")


class Layer(StrEnum):
    """Where isolation fails (Annex B 2.5)."""

    DATABASE = "API or row security"
    POOL = "a pooled session variable"
    CACHE = "the cache of answers"
    CDN = "the CDN"
    SESSIONS = "sign-in: identities are mixed up"
    UNKNOWN = "unknown"


BY_HEADER = {"CAG-HIT": Layer.CACHE, "CDN-HIT": Layer.CDN, "UNKNOWN": Layer.UNKNOWN}


class CrossRead(Value):
    """One canary has read another's object."""

    viewer: str
    owner: str
    endpoint: str
    region: str
    layer: Layer


class MatrixOf(Order, target="tenancy/{service}", effect="let canary tenants of {service} try to read one another's objects"):
    """By these endpoints, in the regions where two canaries are. `behind`: an endpoint that is denied is tried past the gateway."""

    service: str
    endpoints: tuple[str, ...]
    map: TenancyMap
    behind: bool = False

    def by_hand(self) -> tuple[str, ...]:
        said = []
        for region in self.map.regions:
            pair = self.map.pair(region)
            for endpoint in self.endpoints if pair else ():
                viewer, owner = pair or ("", "")
                url = address(BASE, path(self.service, "objects", endpoint, f"{owner}.{endpoint}"))
                said.append(curl("GET", url, ("Authorization: Bearer ", TOKEN), f"X-Tenant: {viewer}", f"X-Region: {region}"))
        return tuple(said) or (command("echo", "there are no two canary tenants in any region"),)


class Matrix(Value):
    """What came of it. `n`: cross reads that were tried. `broken`: where a canary did not get its own. `unanswered`: where nothing can be said."""

    n: int
    leaks: tuple[CrossRead, ...] = ()
    mixed: tuple[str, ...] = ()  # canaries that the product takes for somebody else
    denied: tuple[str, ...] = ()  # endpoints that let nobody in
    broken: tuple[str, ...] = ()
    unanswered: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """0 of N, with an answer to each: an endpoint that lets nobody in leaks nothing."""
        return bool(self.n) and not self.leaks and not self.mixed and not self.unanswered

    @property
    def leaking(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.endpoint for one in self.leaks))

    @property
    def layers(self) -> tuple[Layer, ...]:
        found = {one.layer for one in self.leaks} | ({Layer.SESSIONS} if self.mixed else set())
        return tuple(one for one in Layer if one in found)

    @property
    def summary(self) -> str:
        said = [f"canaries: {len(self.leaks)} of {self.n} cross reads got through"]
        said += [f"by {', '.join(self.leaking)} ({', '.join(self.layers)})"] if self.leaks else []
        said += [f"{len(self.mixed)} canaries are taken for somebody else"] if self.mixed else []
        said += [f"denied: {', '.join(self.denied)}"] if self.denied else []
        said += [f"not its own: {', '.join(self.broken)}"] if self.broken else []
        said += [f"no answer: {', '.join(self.unanswered)}"] if self.unanswered else []
        return "; ".join(said)


class Crossed(Value):
    """Reads that crossed lately, by the access log. `complete`: it has every read; where it has not, none proves nothing."""

    n: int
    complete: bool
    endpoints: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    first: datetime | None = None

    @property
    def summary(self) -> str:
        where = f" by {', '.join(self.endpoints)} in {', '.join(self.regions)}" if self.n else ""
        return f"{self.n} reads crossed{where}" + ("" if self.complete else "; the access log has gaps")


class TagsOf(
    Order, target="tenancy/{service}/{endpoint}", effect="look at a thousand hits of the shared cache before {endpoint} for foreign tags"
):
    service: str
    endpoint: str
    map: TenancyMap

    def by_hand(self) -> tuple[str, ...]:
        viewer = self.map.canaries[0].name if self.map.canaries else "canary"
        url = address(BASE, path(self.service, "tags", self.endpoint))
        return (curl("GET", url, ("Authorization: Bearer ", TOKEN), f"X-Tenant: {viewer}", f"X-Region: {self.map.regions[0]}"),)


class Tags(Value):
    hits: int
    foreign: int

    @property
    def summary(self) -> str:
        return f"{self.foreign} of {self.hits} hits bear another tenant's tag"


class IsolationProbes(System):
    def __init__(self, plane: TenancyPlane, canaries: CanaryDoor) -> None:
        self._plane, self._canaries = plane, canaries

    @action("tenancy.map")
    async def map(self, order: MapOf, call: Call) -> TenancyMap:
        """Every endpoint with its siblings, and who may probe."""
        return TenancyMap.model_validate(await self._plane.look(call, order))

    @action("tenancy.homes")
    async def homes(self, order: HomesOf, call: Call) -> Homes:
        """Where each tenant is at home. One in several regions is in none that is known."""
        said = {one["tenant"]: one["regions"] for one in (await self._plane.look(call, order))["homes"]}
        at = {tenant: regions[0] for tenant, regions in said.items() if len(regions) == 1}
        return Homes(at=at, unknown=tuple(sorted(said.keys() - at.keys())))

    @action("tenancy.facts")
    async def facts(self, order: FactsOf, call: Call) -> IsolationFacts:
        """The role, the pool, the keys."""
        return IsolationFacts.model_validate(await self._plane.look(call, order))

    @action("tenancy.tests")
    async def tests(self, order: ContractTestsOf, call: Call) -> ContractRun:
        """The contract tests of what serves now."""
        return ContractRun.model_validate(await self._plane.look(call, order))

    @action("tenancy.crossed")
    async def crossed(self, order: CrossingsOf, call: Call) -> Crossed:
        """How many reads have crossed since then, and where."""
        said = await self._plane.look(call, order)
        rows = said["crossings"]
        return Crossed(
            n=len(rows), complete=said["complete"], endpoints=tuple(sorted({one["endpoint"] for one in rows})),
            regions=tuple(sorted({one["region"] for one in rows})), first=min((datetime.fromisoformat(one["at"]) for one in rows), default=None),
        )  # fmt: skip

    @action("tenancy.matrix")
    async def matrix(self, order: MatrixOf, call: Call) -> Matrix:
        """Every pair, both ways, cold and warm, region by region. A region with fewer than two canaries says nothing."""
        found = await asyncio.gather(*(self._region(call, order, region) for region in order.map.regions))
        told = {
            name: tuple(dict.fromkeys(one for part in found for one in getattr(part, name))) for name in Matrix.model_fields if name != "n"
        }
        return Matrix.model_validate({"n": sum(part.n for part in found), **told})

    @action("tenancy.tags")
    async def tags(self, order: TagsOf, call: Call) -> Tags:
        """By the tags that answers bear, in every region."""
        hits = foreign = 0
        for region in order.map.regions:
            if pair := order.map.pair(region):
                seen, others = await self._canaries.tags(call, order.service, region, pair[0], order.endpoint)
                hits, foreign = hits + seen, foreign + others
        return Tags(hits=hits, foreign=foreign)

    async def _region(self, call: Call, order: MatrixOf, region: str) -> Matrix:
        pair = order.map.pair(region)
        if pair is None:
            return Matrix(n=0, unanswered=(f"{region} has no two canaries",))
        who = [await self._canaries.who(call, order.service, region, one) for one in pair]
        mixed = tuple(one for one, taken_for in zip(pair, who, strict=True) if taken_for and taken_for != one)
        parts = [await self._endpoint(call, order, region, endpoint, *both) for endpoint in order.endpoints for both in (pair, pair[::-1])]
        told = {name: tuple(one for part in parts for one in getattr(part, name)) for name in ("leaks", "denied", "broken", "unanswered")}
        return Matrix.model_validate({"n": sum(part.n for part in parts), "mixed": mixed, **told})

    async def _endpoint(self, call: Call, order: MatrixOf, region: str, endpoint: str, viewer: str, owner: str) -> Matrix:
        """Its own first, so that a pooled connection has nobody else's name; then the other's; then once more right after its owner."""
        behind = False

        async def read(who: str, whose: str) -> Met:
            return await self._canaries.read(call, order.service, region, who, endpoint, whose, behind=behind)

        own = await read(viewer, viewer)
        denied = (endpoint,) if own.denied else ()
        if own.denied:
            if not order.behind:
                return Matrix(n=2, denied=denied)
            behind = True
            own = await read(viewer, viewer)
        cold = await read(viewer, owner)
        await read(owner, owner)
        warm = await read(viewer, owner)
        unanswered = () if all(one.got or one.kept_out for one in (cold, warm)) else (f"{endpoint} in {region}",)
        broken = () if own.got else (f"{endpoint} in {region}",)
        leaks: tuple[CrossRead, ...] = ()
        if owner in (cold.owner, warm.owner):
            usual = Layer.DATABASE if cold.owner == owner else Layer.POOL
            layer = BY_HEADER.get(warm.cache or cold.cache, usual)
            leaks = (CrossRead(viewer=viewer, owner=owner, endpoint=endpoint, region=region, layer=layer),)
        return Matrix(n=2, leaks=leaks, denied=denied, broken=broken, unanswered=unanswered)
