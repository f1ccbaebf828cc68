"""What lets requests in: our own gateway, by the platform's control plane; or the Gateway API of Kubernetes."""

from typing import Any

from activities.action import Call, Refused
from activities.edge.endpoints import Admission, EndpointOf, weights_of
from activities.kit.http import Conflict, HttpClient, Unprocessable
from activities.kit.rest import RestClient
from activities.kit.setting import Reading
from activities.kit.words.urls import path

REFUSES = "endpoint-denied"  # the service behind a route that answers as agreed
PATCH = {"Content-Type": "application/json-patch+json"}
MANAGER = {"fieldManager": "incident-playbooks"}
MANAGED_BY = "incident-playbooks/changed-by"  # the annotation that says who wrote last


class Gate(RestClient):
    """Our own gateway (docs/api/platform.json)."""

    async def read(self, call: Call, of: EndpointOf) -> Reading[Admission]:
        said = await self.get(call, of.path)
        value = Admission(admitted=said["admitted"])
        return Reading[Admission](value=value, version=said["etag"], epoch=said["epoch"], changed_by=said["changed_by"])

    async def write(self, call: Call, of: EndpointOf, admitted: float, over: Reading[Admission], epoch: int) -> None:
        await self.put(call, of.path, over.version, {"epoch": epoch, "admitted": admitted})


class GatewayApi:
    """An HTTPRoute for each endpoint (gateway.networking.k8s.io/v1), in the cluster that holds the routes of all regions.

    Its rule has two backends: the service itself, and one that refuses as agreed. Their weights say what share is let through.
    """

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def read(self, call: Call, of: EndpointOf) -> Reading[Admission]:
        route = (await self._http.read(call, _path(of))).json()
        ours, refusing = _weights(of, route)
        meta = route["metadata"]
        by = (meta.get("annotations") or {}).get(MANAGED_BY, "")
        value = Admission(admitted=round(ours / (ours + refusing), 6))
        return Reading[Admission](value=value, version=meta["resourceVersion"], changed_by=by)

    async def write(self, call: Call, of: EndpointOf, admitted: float, over: Reading[Admission], epoch: int) -> None:
        """Only if the route is still as it was read: its version is tested by the server. The notes that others have left at it stay."""
        left = (await self.route(call, of.service, of.endpoint))["metadata"].get("annotations") or {}
        places = [f"/spec/rules/0/backendRefs/{n}/weight" for n in range(2)]
        weights = [{"op": "replace", "path": place, "value": n} for place, n in zip(places, weights_of(admitted), strict=True)]
        noted = {"op": "add", "path": "/metadata/annotations", "value": {**left, MANAGED_BY: call.incident_id}}
        patch = [{"op": "test", "path": "/metadata/resourceVersion", "value": over.version}, *weights, noted]
        try:
            await self._http.write(call, "PATCH", _path(of), headers=PATCH, params=MANAGER, json=patch)
        except Unprocessable as no:
            # A failed test is 422, as is a patch that makes no sense: only the version tells them apart.
            if (await self.read(call, of)).version != over.version:
                raise Conflict(no.message) from no
            raise

    async def route(self, call: Call, service: str, endpoint: str) -> dict[str, Any]:
        """One route, for a look from outside."""
        found: dict[str, Any] = (await self._http.read(call, _path(EndpointOf(service=service, endpoint=endpoint)))).json()
        return found


def _path(of: EndpointOf) -> str:
    return path("apis", "gateway.networking.k8s.io", "v1", "namespaces", of.service, "httproutes", of.endpoint)


def _weights(of: EndpointOf, route: dict[str, Any]) -> tuple[int, int]:
    """Of the service and of what refuses; anything else is none of ours, and is not written to."""
    rules = route["spec"].get("rules") or []
    backends = rules[0].get("backendRefs") or [] if len(rules) == 1 else []
    if [one["name"] for one in backends] != [of.service, REFUSES]:
        raise Refused(f"the route {of.endpoint} has not exactly two backends, {of.service} and {REFUSES}: what it lets through is unknown")
    ours, refusing = (one.get("weight", 1) for one in backends)
    if ours + refusing <= 0:
        raise Refused(f"the route {of.endpoint} has no weight at all: it serves nobody")
    return ours, refusing
