"""`/platform`: the control plane of our own product: where traffic goes, what is let in, how much runs, which artefacts are read.

Epochs and etags as in `/llm`. What can only be read is in `platform_reading.py`. That the traffic obeys is the world's doing.
"""

from __future__ import annotations

import math

from pydantic import Field

from practice.faces.platform import base as platform_base
from practice.faces.platform import reading as platform_reading
from practice.faces.platform.base import already, get, matches, put, service_of, shown, unprocessable, written
from practice.http.face import Ask, Call, Reply
from practice.services.fleet import Feed, Gateway, Place, Service, WriteGate
from practice.world.state import JSON
from practice.world.versions import fingerprint

FACE = platform_base.FACE
READING = platform_reading  # importing it declares its routes
_FEED = "/platform/v1/feeds/{feed}"


class PutRegions(Ask):
    """Shares of the traffic by region, all of them."""

    epoch: int = Field(ge=0)
    weights: dict[str, float]


class PutGateway(Ask):
    """What is let in, and the breaker towards dependencies."""

    epoch: int = Field(ge=0)
    rate_limit_rps: float | None = Field(gt=0, allow_inf_nan=False)
    breaker: bool


class Bounds(Ask):
    """The least instances in one region."""

    least: int = Field(ge=0)


class PutAutoscaler(Ask):
    regions: dict[str, Bounds] = Field(min_length=1)


class PutWriteGate(Ask):
    """The share of writes that is let through."""

    epoch: int = Field(ge=0)
    admitted: float = Field(ge=0, le=1)


class PutFeed(Ask):
    """Whether the generator runs, and which version is read whatever is newest."""

    epoch: int = Field(ge=0)
    running: bool
    pinned: int | None = Field(ge=1)


# ---- where traffic goes ----


@get("regions")
def get_regions(call: Call) -> Reply:
    return _regions(call, service_of(call))


@put("regions")
def put_regions(call: Call) -> Reply:
    """Every region of the service must be named; shares sum to 1."""
    service, wanted, setting = service_of(call), call.ask(PutRegions), _setting(call, "regions")
    shares = wanted.weights
    if set(shares) != set(service.places):
        raise unprocessable(call, f"weights must name exactly {', '.join(sorted(service.places))}")
    if any(not 0 <= share <= 1 for share in shares.values()) or not math.isclose(sum(shares.values()), 1, abs_tol=1e-6):
        raise unprocessable(call, "shares lie between 0 and 1 and sum to 1")
    before = {"weights": dict(service.weights)}
    if already(call, setting, service.weights_etag, service.weights_epoch, wanted.epoch, service.weights == shares):
        call.did(setting, before, before)
        return _regions(call, service)
    service.weights, service.weights_epoch = dict(shares), wanted.epoch
    written(call, setting, [service.name], before, {"weights": dict(shares)})
    return _regions(call, service)


def _regions(call: Call, service: Service) -> Reply:
    body = {"epoch": service.weights_epoch, "weights": service.weights}
    return shown(call, _setting(call, "regions"), service.weights_etag, body)


# ---- what is let in ----


@get("gateway")
def get_gateway(call: Call) -> Reply:
    return _gateway(call, service_of(call).gateway)


@put("gateway")
def put_gateway(call: Call) -> Reply:
    service, wanted, setting = service_of(call), call.ask(PutGateway), _setting(call, "gateway")
    gateway = service.gateway
    before, after = _admits(gateway), {"rate_limit_rps": wanted.rate_limit_rps, "breaker": wanted.breaker}
    if already(call, setting, gateway.etag, gateway.epoch, wanted.epoch, before == after):
        call.did(setting, before, before)
        return _gateway(call, gateway)
    service.gateway = Gateway(wanted.rate_limit_rps, wanted.breaker, wanted.epoch)
    written(call, setting, [service.name], before, after)
    return _gateway(call, service.gateway)


def _admits(gateway: Gateway) -> JSON:
    return {"rate_limit_rps": gateway.rate_limit_rps, "breaker": gateway.breaker}


def _gateway(call: Call, gateway: Gateway) -> Reply:
    return shown(call, _setting(call, "gateway"), gateway.etag, {"epoch": gateway.epoch, **_admits(gateway)})


# ---- how much runs ----


@get("autoscaler")
def get_autoscaler(call: Call) -> Reply:
    return _autoscaler(call, service_of(call))


@put("autoscaler")
def put_autoscaler(call: Call) -> Reply:
    """New least instances; what runs above them is left alone. Instances that are new become ready in the world's time."""
    service, wanted, setting = service_of(call), call.ask(PutAutoscaler), _setting(call, "autoscaler")
    for region, bounds in wanted.regions.items():
        if region not in service.places:
            raise unprocessable(call, f"{service.name} has no region {region}")
        if bounds.least > service.places[region].most:
            raise unprocessable(call, f"least {bounds.least} is above the most, {service.places[region].most}, in {region}")
    before = _least(service)
    if all(service.places[region].least == bounds.least for region, bounds in wanted.regions.items()):
        call.did(setting, before, before)
        return _autoscaler(call, service)
    matches(call, setting, _autoscaler_etag(call, service))
    for region in call.each(sorted(wanted.regions)):
        place = service.places[region]
        place.least = wanted.regions[region].least
        place.replicas = max(place.replicas, place.least)
    written(call, setting, [service.name], before, _least(service))
    return _autoscaler(call, service)


def _least(service: Service) -> JSON:
    return {place.region: place.least for place in service.places.values()}


def _autoscaler_etag(call: Call, service: Service) -> str:
    """Of what people set, and how often they did: instances that come and go are no change of it."""
    bounds = {place.region: [place.least, place.most] for place in service.places.values()}
    return fingerprint([service.name, bounds, call.state.fleet.writes.get(_setting(call, "autoscaler"), 0)])


def _autoscaler(call: Call, service: Service) -> Reply:
    def row(place: Place) -> JSON:
        return {"replicas": place.replicas, "ready": place.ready_replicas, "least": place.least, "most": place.most}

    regions = {name: row(place) for name, place in service.places.items()}
    return shown(call, _setting(call, "autoscaler"), _autoscaler_etag(call, service), {"regions": regions})


# ---- whether writes are taken ----


@get("write-gate")
def get_gate(call: Call) -> Reply:
    return _gate(call, service_of(call).gate)


@put("write-gate")
def put_gate(call: Call) -> Reply:
    service, wanted, setting = service_of(call), call.ask(PutWriteGate), _setting(call, "write-gate")
    gate = service.gate
    before, after = {"admitted": gate.admitted}, {"admitted": wanted.admitted}
    if already(call, setting, gate.etag, gate.epoch, wanted.epoch, before == after):
        call.did(setting, before, before)
        return _gate(call, gate)
    service.gate = WriteGate(wanted.admitted, wanted.epoch)
    written(call, setting, [service.name], before, after)
    return _gate(call, service.gate)


def _gate(call: Call, gate: WriteGate) -> Reply:
    return shown(call, _setting(call, "write-gate"), gate.etag, {"epoch": gate.epoch, "admitted": gate.admitted})


# ---- which artefacts are read ----


@FACE.reads("feeds.list", "/platform/v1/feeds")
def list_feeds(call: Call) -> Reply:
    """All feeds, or those that one service reads."""
    wanted = call.one("service")
    found = [feed for feed in call.state.fleet.feeds.values() if not wanted or wanted in feed.services]
    return Reply({"feeds": [_described(call, feed) for feed in found]})


@FACE.reads("feeds.get", _FEED)
def get_feed(call: Call) -> Reply:
    return _feed(call, _feed_of(call))


@FACE.writes("feeds.put", _FEED, "PUT")
def put_feed(call: Call) -> Reply:
    feed, wanted = _feed_of(call), call.ask(PutFeed)
    if wanted.pinned is not None and wanted.pinned > feed.version:
        raise unprocessable(call, f"{feed.name} has no version {wanted.pinned}: the newest is {feed.version}")
    setting = f"feeds/{feed.name}"
    before = {"running": feed.running, "pinned": feed.pinned}
    after = {"running": wanted.running, "pinned": wanted.pinned}
    if already(call, setting, feed.etag, feed.epoch, wanted.epoch, before == after):
        call.did(setting, before, before)
        return _feed(call, feed)
    feed.running, feed.pinned, feed.epoch = wanted.running, wanted.pinned, wanted.epoch
    written(call, setting, feed.services, before, after)
    return _feed(call, feed)


def _feed_of(call: Call) -> Feed:
    found = call.state.fleet.feeds.get(call.path["feed"])
    if found is None:
        raise call.refuse(404, f"there is no feed {call.path['feed']}")
    return found


def _feed(call: Call, feed: Feed) -> Reply:
    body = _described(call, feed)
    return Reply(body, headers={"ETag": f'"{feed.etag}"'})


def _described(call: Call, feed: Feed) -> JSON:
    return {
        "etag": feed.etag,
        "epoch": feed.epoch,
        "name": feed.name,
        "services": feed.services,
        "running": feed.running,
        "pinned": feed.pinned,
        "version": feed.version,
        "read": feed.read,
        "last_good": feed.last_good,
        "period_seconds": feed.period_seconds,
        "made_at": call.world.clock.stamp(feed.made_at),
        "changed_by": call.state.fleet.written_by.get(f"feeds/{feed.name}", ""),
    }


def _setting(call: Call, part: str) -> str:
    return f"services/{call.path['service']}/{part}"
