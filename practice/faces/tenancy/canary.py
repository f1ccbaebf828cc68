"""`/canary/{service}`: the product as canary tenants meet it. They read by its own doors, like any customer; who they are stands in a header."""

from __future__ import annotations

from practice.http.face import Call, Face, Refusal, Reply
from practice.services.conditions import met_by
from practice.tenancy.cast import tenancy
from practice.tenancy.leaking import crosses, leaks, open_, signed_in_as
from practice.tenancy.model import CACHE, CDN, Canary, Endpoint, Tenancy

FACE = Face("canary")


def _who(call: Call, there: Tenancy) -> Canary:
    found = there.canaries.get(call.headers.get("x-tenant", ""))
    if found is None:
        raise Refusal(Reply({"error": "unauthorized"}, 401))
    return found


def _where(call: Call) -> str:
    service = call.state.fleet.services.get(call.path["service"])
    if service is None:
        raise call.refuse(404, f"there is no service {call.path['service']}")
    region = call.headers.get("x-region", "")
    if region not in service.places:
        raise call.refuse(404, f"{service.name} does not run in {region}")
    if met_by(call.state, service, region, next(iter(service.serving(region))), call.now).fails >= 1:
        raise Refusal(Reply({"error": "internal"}, 503, {"x-region": region}))
    return region


@FACE.reads("read", "/canary/{service}/objects/{endpoint}/{object}")
def read(call: Call) -> Reply:
    """One object by one endpoint, pinned to a region. 404: not yours, or not there. 403 `endpoint_denied`: as agreed, nobody gets anything."""
    there = tenancy(call.state, call.now)
    who, region = _who(call, there), _where(call)
    endpoint = there.endpoints.get(call.path["endpoint"])
    if endpoint is None:
        raise call.refuse(404, f"there is no endpoint {call.path['endpoint']}")
    behind = call.headers.get("x-door") == "origin"  # past the gateway and the CDN, which only our own canaries may
    if not behind:
        _let_in(call, there, endpoint, region)
    headers = {"x-region": region, "x-cache": "MISS", "x-served-by": there.fix.build}
    wanted = call.path["object"]
    owner, _, of = wanted.rpartition("." + endpoint.name)
    if of or owner not in there.canaries:
        raise Refusal(Reply({"error": "not_found"}, 404, headers))
    if owner == who.name:
        there.pool[region] = owner
        if there.fix.breaks:
            raise Refusal(Reply({"error": "not_found"}, 404, headers))
        return Reply({"object": wanted, "owner": owner}, headers=headers)
    leak = crosses(call.state, there, endpoint, who.name, owner, region)
    there.pool[region] = who.name
    if leak is None or (behind and leak.kind == CDN):
        raise Refusal(Reply({"error": "not_found"}, 404, headers))
    told = {CACHE: "CAG-HIT", CDN: "CDN-HIT"}.get(leak.kind, "MISS")
    if there.dials.layer_unknown:
        told = "UNKNOWN"
    return Reply({"object": wanted, "owner": owner}, headers={**headers, "x-cache": told})


def _let_in(call: Call, there: Tenancy, endpoint: Endpoint, region: str) -> None:
    if there.surfaces[endpoint.surface].offline:
        raise Refusal(Reply({"error": "surface_offline"}, 503, {"x-region": region, "Retry-After": "60"}))
    share = endpoint.admission.admitted
    if not open_(there, endpoint) or (share < 1 and call.world.rng.random() >= share):
        raise Refusal(Reply({"error": "endpoint_denied"}, 403, {"x-region": region}))


@FACE.reads("whoami", "/canary/{service}/whoami")
def whoami(call: Call) -> Reply:
    """Whom the product takes this user for."""
    there = tenancy(call.state, call.now)
    who, region = _who(call, there), _where(call)
    return Reply({"tenant": signed_in_as(there, who.name)}, headers={"x-region": region})


@FACE.reads("tags", "/canary/{service}/tags/{endpoint}")
def tags(call: Call) -> Reply:
    """Of so many hits of a shared cache or CDN by a canary: how many bore another tenant's tag."""
    there = tenancy(call.state, call.now)
    _who(call, there)
    endpoint = there.endpoints.get(call.path["endpoint"])
    if endpoint is None:
        raise call.refuse(404, f"there is no endpoint {call.path['endpoint']}")
    hits = 0 if (endpoint.cdn and endpoint.bypass.on) else 1000
    foreign = any(one.kind in (CACHE, CDN) and leaks(call.state, there, one, endpoint) for one in there.leaks)
    return Reply({"hits": hits, "foreign": hits // 50 if foreign else 0})
