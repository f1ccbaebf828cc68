"""`/tenancy`: what our own product says of its tenancy. Endpoints, canaries, whose home is where, the access log; ids and counts, no content."""

from __future__ import annotations

from datetime import datetime

from practice.faces.tenancy.auth import Instant
from practice.http.face import Call, Query, Reply, RouteModels, Shown
from practice.http.own_api import own_api
from practice.tenancy.cast import region_of, tenancy
from practice.tenancy.leaking import leaks
from practice.tenancy.model import CACHE, DATABASE, KINDS, POOL, Tenancy

FACE = own_api(
    "tenancy",
    "What our own product says of its tenancy: endpoints and their siblings, canary tenants, the access log, and contract tests.",
)
OF = "/tenancy/v1/services/{service}"


class EndpointShown(Shown):
    """One way to tenants' data. `code`: shared with its siblings; `cache`: the domain of the cache of answers that it uses."""

    name: str
    surface: str
    code: str
    writes: bool
    cache: str
    cdn: bool


class CanaryShown(Shown):
    """A tenant that only probes. At every endpoint it owns the object `{name}.{endpoint}`."""

    name: str
    region: str


class MapShown(Shown):
    endpoints: list[EndpointShown]
    canaries: list[CanaryShown]
    regions: list[str]


class Home(Shown):
    """Where a tenant's data is. More than one region: nobody knows which is right."""

    tenant: str
    regions: list[str]


class Homes(Shown):
    homes: list[Home]


class Crossed(Shown):
    """One read of the access log by somebody else than the owner. `object`: an opaque id."""

    viewer: str
    owner: str
    object: str
    field_class: str
    at: datetime
    endpoint: str
    region: str


class Crossings(Shown):
    """`complete`: whether the log has every read since then. Where it has not, nobody can say who saw what."""

    complete: bool
    crossings: list[Crossed]
    readers: list[str]


class Since(Query):
    since: Instant


class Facts(Shown):
    """How the service comes to its database. None: nobody can say."""

    owner: bool | None
    bypassrls: bool | None
    pool_mode: str | None
    cache_key_has_tenant: bool | None


class Tests(Shown):
    """The tenancy contract tests of what serves, run as the application role. None: they did not run."""

    build: str
    total: int
    failed: int | None
    broken: int | None


class Address(Shown):
    tenant: str
    address: str


class Addresses(Shown):
    addresses: list[Address]


def _there(call: Call) -> Tenancy:
    if call.path["service"] not in call.state.fleet.services:
        raise call.refuse(404, f"there is no service {call.path['service']}")
    return tenancy(call.state, call.now)


@FACE.reads("map", OF + "/map", models=RouteModels(shows=MapShown))
def get_map(call: Call) -> Reply:
    """Every endpoint with its surface and its code, and the canary tenants."""
    there = _there(call)
    ends = [
        EndpointShown(name=one.name, surface=one.surface, code=one.code, writes=one.writes, cache=one.domain, cdn=one.cdn)
        for one in there.endpoints.values()
    ]
    birds = [CanaryShown(name=one.name, region=one.region) for one in there.canaries.values()]
    regions = sorted(call.state.fleet.services[call.path["service"]].places)
    return Reply(MapShown(endpoints=ends, canaries=birds, regions=regions).model_dump())


@FACE.reads("homes", OF + "/homes", models=RouteModels(shows=Homes))
def homes(call: Call) -> Reply:
    """Where each tenant's data is."""
    there, regions = _there(call), sorted({region_of(one) for one in call.state.tenants.values()})
    found = [
        Home(tenant=name, regions=regions if name == there.dials.two_homes else [region_of(one)])
        for name, one in sorted(call.state.tenants.items())
    ]
    return Reply(Homes(homes=found).model_dump())


@FACE.reads("crossings", OF + "/crossings", models=RouteModels(query=Since, shows=Crossings))
def crossings(call: Call) -> Reply:
    """Reads that crossed, from the access log: who, whose, which object, which class of field, when."""
    there, since = _there(call), call.world.clock.to_world(call.asked(Since).since)
    seen = [one for one in there.accesses if one.at >= since]
    shown = [
        {
            "viewer": one.viewer, "owner": one.owner, "object": one.object, "field_class": one.field_class, "endpoint": one.endpoint,
            "region": one.region, "at": call.world.clock.stamp(one.at),
        }
        for one in (seen[::3] if there.dials.unlogged else seen)
    ]  # fmt: skip
    return Reply({"complete": not there.dials.unlogged, "crossings": shown, "readers": sorted(call.state.tenants)})


@FACE.reads("facts", OF + "/facts", models=RouteModels(shows=Facts))
def facts(call: Call) -> Reply:
    """The role by which the service comes to its database, how connections are pooled, and whether cache keys name the tenant."""
    there = _there(call)
    if there.dials.layer_unknown:
        return Reply(Facts(owner=None, bypassrls=None, pool_mode=None, cache_key_has_tenant=None).model_dump())
    kinds = {one.kind for one in there.leaks}
    owner = DATABASE in kinds and not there.fix.database
    keyed = CACHE not in kinds or there.fix.service
    return Reply(Facts(owner=owner, bypassrls=False, pool_mode="transaction", cache_key_has_tenant=keyed).model_dump())


@FACE.reads("tests", OF + "/contract-tests", models=RouteModels(shows=Tests))
def contract_tests(call: Call) -> Reply:
    """The newest run on what serves."""
    there = _there(call)
    if there.dials.tests_away:
        return Reply(Tests(build=there.fix.build, total=0, failed=None, broken=None).model_dump())
    total = len(there.endpoints) * len(KINDS)
    wrong = sum(
        one.kind in (DATABASE, POOL) and leaks(call.state, there, one, end) for one in there.leaks for end in there.endpoints.values()
    )
    unfixed = sum(one.kind not in (DATABASE, POOL) for one in there.leaks) if not there.fix.service else 0
    broken = len(there.endpoints) if there.fix.breaks else 0
    return Reply(Tests(build=there.fix.build, total=total, failed=wrong + unfixed, broken=broken).model_dump())


@FACE.reads("addresses", OF + "/addresses", models=RouteModels(shows=Addresses))
def addresses(call: Call) -> Reply:
    """Whom to write to, tenant by tenant."""
    _there(call)
    found = [Address(tenant=name, address=one.contact) for name, one in sorted(call.state.tenants.items())]
    return Reply(Addresses(addresses=found).model_dump())
