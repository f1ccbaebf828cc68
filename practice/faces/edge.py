"""`/edge`: what customers and probes meet of a service. No credentials. Single requests are not counted in the metrics."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from practice.http.face import Call, Face, Refusal, Reply
from practice.services.conditions import Conditions, Met, admitted_share, broken, conditions, met_by
from practice.services.fleet import Service
from practice.services.traffic import nearest

FACE = Face("edge", throttled=lambda: Reply({"error": "rate_limited"}, 429))
READ_ONLY_FOR, LIMITED_FOR = 60, 1
"""`Retry-After`, in seconds."""
WELL = 0.05
"""Inside, a region calls itself well up to so great a share of failures."""


@FACE.reads("get", "/edge/{service}/", public=True)
def get(call: Call) -> Reply:
    """One read. `X-Region` pins a region, otherwise `X-Vantage` or chance chooses; the answer says which revision it was."""
    return _Answer(call).reply({"service": call.path["service"]}, 200)


@FACE.reads("items.create", "/edge/{service}/items", "POST", public=True)
def create(call: Call) -> Reply:
    """One write. Nothing of it is kept, so that probes may write as often as they like."""
    answer = _Answer(call)
    gate = answer.service.takes_writes(answer.build["x-region"])
    if gate <= 0 or (gate < 1 and answer.rng.random() >= gate):
        return Reply({"error": "read_only"}, 503, {**answer.build, "Retry-After": str(READ_ONLY_FOR)})
    if answer.rng.random() < answer.met.spoils:
        return Reply({"error": "integrity"}, 500, answer.build)
    return answer.reply({"service": call.path["service"], "created": True}, 201)


@FACE.reads("healthz", "/edge/{service}/healthz", public=True)
def healthz(call: Call) -> Reply:
    """The health endpoint as seen from outside, through the balancer: it fails as any request does."""
    return _Answer(call).reply({"status": "ok"}, 200)


@FACE.reads("status", "/edge/{service}/regions/{region}/status", public=True)
def status(call: Call) -> Reply:
    """What a region says about itself, from inside: neither the balancer nor what stands before it can hide it."""
    service = _service(call)
    region = _region(call, service, call.path["region"])
    place, shares = service.places[region], service.serving(region)
    failing = sum(met_by(call.state, service, region, name, call.now).fails * share for name, share in shares.items())
    rates = broken(call.state.fleet, service, call.now)
    body = {
        "ok": place.ready_replicas > 0 and failing <= WELL * sum(shares.values()),
        "revisions": shares,
        "ready": place.ready_replicas,
        "replicas": place.replicas,
        "dependencies": {name: name not in rates for name in service.depends_on},
    }
    return Reply(body, headers={"x-region": region})


class _Answer:
    """One request on its way through balancer, gateway and region; raises the refusal where it ends before."""

    def __init__(self, call: Call) -> None:
        self.service = _service(call)
        self.rng: Random = call.world.rng
        found = conditions(call.state, self.service, call.now)
        self._arrives(found)
        region = self._chosen(call)
        self._admitted(found)
        revision = _drawn(self.rng, self.service.serving(region))
        self.met: Met = met_by(call.state, self.service, region, revision, call.now)
        self.build = {"x-revision": revision, "x-region": region}
        if self.rng.random() < self.met.fails:
            raise Refusal(Reply({"error": "internal"}, 500 if self.met.fails < 1 else 503, self.build))

    def _arrives(self, found: Conditions) -> None:
        if found.unreached and self.rng.random() < found.unreached:
            raise Refusal(Reply({"error": "unreachable"}, 503))

    def _chosen(self, call: Call) -> str:
        pinned = call.headers.get("x-region")
        if pinned is not None:
            return _region(call, self.service, pinned)
        vantage = call.headers.get("x-vantage")
        return nearest(self.service, vantage) if vantage else _drawn(self.rng, self.service.weights)

    def _admitted(self, found: Conditions) -> None:
        share = admitted_share(self.service, self.service.rps * found.load * (1 - found.unreached))
        if share < 1 and self.rng.random() >= share:
            raise Refusal(Reply({"error": "rate_limited"}, 429, {"Retry-After": str(LIMITED_FOR)}))

    def reply(self, body: dict[str, object], status: int) -> Reply:
        """A good answer, or a degraded one."""
        mode = "degraded" if self.rng.random() < self.met.degrades else "normal"
        return Reply({**body, "mode": mode}, status, {**self.build, "x-mode": mode})


def _service(call: Call) -> Service:
    service = call.state.fleet.services.get(call.path["service"])
    if service is None:
        raise call.refuse(404, f"there is no service {call.path['service']}")
    return service


def _region(call: Call, service: Service, region: str) -> str:
    if region not in service.places:
        raise call.refuse(404, f"{service.name} does not run in {region}")
    return region


def _drawn(rng: Random, shares: Mapping[str, float]) -> str:
    """One of several, by its share."""
    return rng.choices(list(shares), weights=list(shares.values()))[0] if sum(shares.values()) > 0 else next(iter(shares), "")
