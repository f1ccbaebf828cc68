"""HTTPRoutes of the Gateway API (gateway-api.sigs.k8s.io): one for each endpoint, whose rule has two backends with weights."""

from __future__ import annotations

import zlib

from practice.faces.kubernetes.base import CLUSTER, FACE, cluster_of
from practice.faces.kubernetes.forms import status
from practice.faces.kubernetes.patches import BadPatch, DoesNotApply, json_patch
from practice.http.face import Call, Refusal, Reply
from practice.tenancy.cast import tenancy
from practice.tenancy.model import Admission, Endpoint
from practice.world.state import JSON, Version

ROUTE = CLUSTER + "/apis/gateway.networking.k8s.io/v1/namespaces/{namespace}/httproutes/{name}"
REFUSES, WHOLE = "endpoint-denied", 1000


def _endpoint(call: Call) -> Endpoint:
    cluster_of(call)
    found = tenancy(call.state, call.now).endpoints.get(call.path["name"])
    if found is None or call.path["namespace"] not in call.state.fleet.services:
        details = {"name": call.path["name"], "group": "gateway.networking.k8s.io", "kind": "httproutes"}
        raise Refusal(status(404, f'httproutes.gateway.networking.k8s.io "{call.path["name"]}" not found', details))
    return found


def _held(call: Call) -> Version:
    return call.state.versions.setdefault(f"httproutes/{call.path['name']}", Version())


def _shown(call: Call) -> JSON:
    endpoint, held = _endpoint(call), _held(call)
    ours = round(WHOLE * endpoint.admission.admitted)
    backends = [
        {"kind": "Service", "name": call.path["namespace"], "port": 80, "weight": ours},
        {"kind": "Service", "name": REFUSES, "port": 80, "weight": WHOLE - ours},
    ]
    match = {"path": {"type": "PathPrefix", "value": f"/objects/{endpoint.name}"}}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {
            "name": endpoint.name, "namespace": call.path["namespace"], "annotations": dict(endpoint.notes),
            "resourceVersion": str(zlib.crc32(f"{ours}/{held.writes}".encode())),
        },
        "spec": {"parentRefs": [{"name": "edge"}], "rules": [{"matches": [match], "backendRefs": backends}]},
    }  # fmt: skip


@FACE.reads("httproutes.get", ROUTE)
def get(call: Call) -> Reply:
    return Reply(_shown(call))


@FACE.writes("httproutes.patch", ROUTE, "PATCH")
def patch(call: Call) -> Reply:
    """A JSON patch. Weights are whole numbers from 0 to 1 000 000, and not all of them 0."""
    if call.headers.get("content-type", "").partition(";")[0] != "application/json-patch+json":
        raise call.refuse(415, "the body of the request was in an unknown format")
    before = _shown(call)
    try:
        after = json_patch(before, call.body)
    except BadPatch as bad:
        raise call.refuse(400, str(bad)) from bad
    except DoesNotApply as why:
        raise Refusal(status(422, f"the server rejected our request due to an error in our request: {why}")) from why
    weights = [one.get("weight", 1) for one in after["spec"]["rules"][0]["backendRefs"]]
    if any(not isinstance(one, int) or not 0 <= one <= 1_000_000 for one in weights) or not sum(weights):
        raise call.invalid("spec.rules[0].backendRefs: weight: Invalid value")
    endpoint, held = _endpoint(call), _held(call)
    endpoint.admission = Admission(weights[0] / sum(weights))
    if after != before:
        held.writes += 1
        endpoint.notes = dict(after["metadata"].get("annotations") or {})
    call.did(f"httproutes/{endpoint.name}", before["spec"]["rules"][0]["backendRefs"], after["spec"]["rules"][0]["backendRefs"])
    return Reply(_shown(call))
