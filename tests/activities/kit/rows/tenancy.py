"""The rows of what closes tenants' data: endpoints, surfaces, a region's writes, the CDN."""

from datetime import timedelta

from activities.cdn.cdn import Bypass, Bypasses, BypassOf, Cdn, Generation, GenerationOf, Generations
from activities.edge.endpoints import Admission, EndpointGate, EndpointOf, Endpoints
from activities.edge.gates import Gate, GatewayApi
from activities.edge.surfaces import Online, SurfaceOf, Surfaces
from activities.tenancy.canaries import CanaryDoor
from activities.tenancy.plane import Canary
from activities.write_gate.regional import RegionGateOf, RegionGates, RegionWrites
from tests.activities.kit.rows.platform import QUICK, metrics, plane, probe
from tests.activities.kit.rows.practised import LandingClock, Practised
from tests.activities.kit.stage import Stage

CANARIES = tuple(
    Canary(name=f"canary-{short}-{n}", region=region) for short, region in (("eu", "eu-west"), ("us", "us-east")) for n in (1, 2)
)
MINUTE = timedelta(minutes=1)


def share(admitted: float) -> Admission:
    return Admission(admitted=admitted, steps=(0.25, 1.0), watched=MINUTE)


def _endpoints(gate: EndpointGate, played: Stage, clock: LandingClock) -> Endpoints:
    return Endpoints(gate, CanaryDoor(played.client("/canary")), metrics(played), clock)


def gateway(played: Stage, clock: LandingClock) -> Endpoints:
    return _endpoints(Gate(played.client("/platform")), played, clock)


def gateway_api(played: Stage, clock: LandingClock) -> Endpoints:
    return _endpoints(GatewayApi(played.client("/k8s/eu-west")), played, clock)


def surfaces(played: Stage, clock: LandingClock) -> Surfaces:
    return Surfaces(plane(played), CanaryDoor(played.client("/canary")))


def region_gates(played: Stage, clock: LandingClock) -> RegionGates:
    return RegionGates(plane(played), probe(played), metrics(played), clock)


def bypasses(played: Stage, clock: LandingClock) -> Bypasses:
    return Bypasses(Cdn(played.client("/cdn")))


def generations(played: Stage, clock: LandingClock) -> Generations:
    return Generations(Cdn(played.client("/cdn")), clock)


TENANCY = {
    "endpoints by our own gateway": Practised(
        gateway, EndpointOf(service="api", endpoint="documents.get", canaries=CANARIES), share(0.0), share(0.5), "platform.endpoints.put",
    ),
    "endpoints by the gateway api": Practised(
        gateway_api, EndpointOf(service="api", endpoint="documents.get", canaries=CANARIES, gate="gateway api"), share(0.0), share(0.5),
        "kubernetes.httproutes.patch", "kubernetes.httproutes.get", by_curl=False,
    ),
    "surface": Practised(
        surfaces, SurfaceOf(service="api", surface="documents", endpoint="documents.get", canaries=CANARIES), Online(offline=True), None,
        "platform.surfaces.put",
    ),
    "write gate of a region": Practised(
        region_gates, RegionGateOf(service="api", region="eu-west"), RegionWrites(admitted=0.0), RegionWrites(admitted=0.3),
        "platform.region_write_gate.put", numbers=QUICK,
    ),
    "cdn bypass": Practised(bypasses, BypassOf(kept_path="files.get"), Bypass(on=True), None, "cdn.bypass.put"),
    "cdn generation": Practised(
        generations, GenerationOf(kept_path="files.get"), Generation(number=2), Generation(number=9), "cdn.generation.put"
    ),
}  # fmt: skip
