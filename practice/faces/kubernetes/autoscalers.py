"""HorizontalPodAutoscalers (autoscaling/v2): one for each Deployment, by its name. Only the bounds can be written."""

from __future__ import annotations

from practice.faces.kubernetes.base import CLUSTER, FACE, cluster_of
from practice.faces.kubernetes.forms import status
from practice.faces.kubernetes.patches import merge_patch
from practice.http.face import Call, Refusal, Reply
from practice.services.fleet import Place
from practice.world.state import JSON, Version

AUTOSCALER = CLUSTER + "/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers/{name}"


@FACE.reads("autoscalers.get", AUTOSCALER)
def get_autoscaler(call: Call) -> Reply:
    return Reply(_shown(call, _place(call)))


@FACE.writes("autoscalers.patch", AUTOSCALER, "PATCH")
def patch_autoscaler(call: Call) -> Reply:
    """By a merge patch; conditional where it names a resourceVersion."""
    place = _place(call)
    if call.headers.get("content-type", "").partition(";")[0] != "application/merge-patch+json" or not isinstance(call.body, dict):
        raise call.refuse(
            415, "the body of the request was in an unknown format - accepted media types include: application/merge-patch+json"
        )
    old = _shown(call, place)
    new = merge_patch(old, call.body)
    if new["metadata"]["resourceVersion"] != old["metadata"]["resourceVersion"]:
        message = (
            f'Operation cannot be fulfilled on horizontalpodautoscalers.autoscaling "{call.path["name"]}": the object has been modified'
        )
        raise Refusal(status(409, message, _about(call)))
    least, most = new["spec"].get("minReplicas", 1), new["spec"].get("maxReplicas", 0)
    if not isinstance(least, int) or least < 1:
        raise _invalid(call, "spec.minReplicas", least, "must be greater than or equal to 1")
    if not isinstance(most, int) or most < least:
        raise _invalid(call, "spec.maxReplicas", most, "must be greater than or equal to `minReplicas`")
    before = {"least": place.least, "most": place.most}
    place.least, place.most = least, most
    place.replicas = max(place.replicas, least)
    after = {"least": place.least, "most": place.most}
    call.did(f"{call.path['region']}/{call.path['namespace']}/horizontalpodautoscalers/{call.path['name']}", before, after)
    if before != after:
        _version(call).writes += 1
    return Reply(_shown(call, place))


def _place(call: Call) -> Place:
    found = cluster_of(call).deployments.get(call.path["name"])
    if found is None or found["metadata"]["namespace"] != call.path["namespace"]:
        raise Refusal(status(404, f'horizontalpodautoscalers.autoscaling "{call.path["name"]}" not found', _about(call)))
    return call.state.fleet.services[call.path["name"]].places[call.path["region"]]


def _invalid(call: Call, field: str, value: object, why: str) -> Refusal:
    """With its causes: kubectl shows these, and not the message."""
    cause = {"reason": "FieldValueInvalid", "message": f"Invalid value: {value}: {why}", "field": field}
    message = f'HorizontalPodAutoscaler.autoscaling "{call.path["name"]}" is invalid: {field}: {cause["message"]}'
    return Refusal(status(422, message, {**_about(call), "kind": "HorizontalPodAutoscaler", "causes": [cause]}))


def _version(call: Call) -> Version:
    return call.state.versions.setdefault(f"autoscalers/{call.path['region']}/{call.path['name']}", Version())


def _shown(call: Call, place: Place) -> JSON:
    name = call.path["name"]
    return {
        "kind": "HorizontalPodAutoscaler",
        "apiVersion": "autoscaling/v2",
        "metadata": {"name": name, "namespace": call.path["namespace"], "resourceVersion": str(1000 + _version(call).writes)},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": place.least, "maxReplicas": place.most,
        },
        "status": {"currentReplicas": place.ready_replicas, "desiredReplicas": place.replicas},
    }  # fmt: skip


def _about(call: Call) -> JSON:
    return {"name": call.path["name"], "group": "autoscaling", "kind": "horizontalpodautoscalers"}
