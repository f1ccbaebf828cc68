"""Writing deployments and their scale."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

from practice.faces.kubernetes.base import DEPLOYMENT, FACE, deployment_of, stamp
from practice.faces.kubernetes.forms import Deployment, Scale, checked, of, status
from practice.faces.kubernetes.patches import BadPatch, DoesNotApply, json_patch, merge_patch, strategic_merge_patch
from practice.http.face import Call, Refusal, Reply
from practice.services.admission import refusal
from practice.services.cluster import Cluster
from practice.services.deploying import change
from practice.services.rollouts import Controller
from practice.world.state import JSON

PATCHES: dict[str, Callable[[JSON, Any], JSON]] = {
    "application/json-patch+json": json_patch,
    "application/merge-patch+json": merge_patch,
    "application/strategic-merge-patch+json": strategic_merge_patch,
}
MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


@FACE.reads("deployments.scale.get", DEPLOYMENT + "/scale")
def get_scale(call: Call) -> Reply:
    return Reply(_scale_of(call, *deployment_of(call)))


@FACE.writes("deployments.patch", DEPLOYMENT, "PATCH")
def patchdeployment_of(call: Call) -> Reply:
    cluster, old = deployment_of(call)
    return _save(call, cluster, old, checked(_patched(call, old), Deployment, call.path["name"]))


@FACE.writes("deployments.update", DEPLOYMENT, "PUT")
def putdeployment_of(call: Call) -> Reply:
    cluster, old = deployment_of(call)
    return _save(call, cluster, old, checked(call.body, Deployment, call.path["name"]))


@FACE.writes("deployments.scale.patch", DEPLOYMENT + "/scale", "PATCH")
def patch_scale(call: Call) -> Reply:
    cluster, old = deployment_of(call)
    return _rescale(call, cluster, old, checked(_patched(call, _scale_of(call, cluster, old)), Scale, call.path["name"]))


@FACE.writes("deployments.scale.update", DEPLOYMENT + "/scale", "PUT")
def put_scale(call: Call) -> Reply:
    cluster, old = deployment_of(call)
    return _rescale(call, cluster, old, checked(call.body, Scale, call.path["name"]))


def _patched(call: Call, thing: JSON) -> JSON:
    how = PATCHES.get(call.headers.get("content-type", "").partition(";")[0])
    if how is None:
        raise call.refuse(415, f"the body of the request was in an unknown format - accepted media types include: {', '.join(PATCHES)}")
    if how is not json_patch and not isinstance(call.body, dict):
        raise call.refuse(400, "the patch is no object")
    try:
        return how(thing, call.body)
    except BadPatch as bad:
        raise call.refuse(400, str(bad)) from bad
    except DoesNotApply as why:
        raise Refusal(status(422, f"the server rejected our request due to an error in our request: {why}", _about(call))) from why


def _save(call: Call, cluster: Cluster, old: JSON, new: JSON) -> Reply:
    """Take a deployment as it was written, but for what is the server's own."""
    _same_object(call, old, new)
    if cluster.admission:
        new = strategic_merge_patch(new, cluster.admission)
    new = {**new, "spec": _tidy(new["spec"])}
    labels = (new["spec"]["template"].get("metadata") or {}).get("labels") or {}
    selector = old["spec"]["selector"]
    if new["spec"]["selector"] != selector:
        raise _invalid(call, "spec.selector", "field is immutable")
    if not selector["matchLabels"].items() <= labels.items():
        raise _invalid(call, "spec.template.metadata.labels", "`selector` does not match template `labels`")
    metadata = {**old["metadata"], **{key: new["metadata"].get(key) or {} for key in ("labels", "annotations")}}
    replicas = new["spec"].get("replicas")
    taken = {**old, "metadata": metadata, "spec": {**new["spec"], "replicas": 1 if replicas is None else replicas}}
    return Reply(cluster.shown(_write(call, cluster, old, taken), partial(stamp, call)))


def _rescale(call: Call, cluster: Cluster, old: JSON, scale: JSON) -> Reply:
    _same_object(call, old, scale)
    taken = {**old, "metadata": {**old["metadata"]}, "spec": {**old["spec"], "replicas": scale.get("spec", {}).get("replicas", 0)}}
    return Reply(_scale_of(call, cluster, _write(call, cluster, old, taken)))


def _write(call: Call, cluster: Cluster, old: JSON, new: JSON) -> JSON:
    """Store a deployment, and let its controller see it. Nothing happens to one that was not changed, or in a dry run."""
    name = old["metadata"]["name"]
    service = call.state.fleet.services[name]
    controller = Controller(call.state.fleet, cluster, service, service.places[cluster.region])
    before, known = _essence(cluster, old), set(service.revisions)
    if why := refusal(call.state, cluster.region, "deployments", "apps", "UPDATE", new):
        raise Refusal(status(422, f'deployments.apps "{name}" is forbidden: {why}', of("deployments", name)))
    if call.one("dryRun") == "All" or new == old:
        call.did(_target(call), before, before)
        return new
    cluster.deployments[name] = new = copy.deepcopy(new)
    new["metadata"]["generation"] += new["spec"] != old["spec"]
    cluster.touch(new)
    controller.adopt(call.now)
    for built in set(service.revisions) - known:
        change(
            call.world, [name], "deploy", f"{built}: new template in {cluster.region}", actor=call.one("fieldManager", "kubernetes"),
            digest=service.revisions[built].digest, details={"revision": built},
        )  # fmt: skip
    call.did(_target(call), before, _essence(cluster, new))
    return new


def _same_object(call: Call, old: JSON, new: JSON) -> None:
    sent, known = new["metadata"], old["metadata"]
    for key in ("name", "namespace"):
        if sent.get(key) not in (None, known[key]):
            raise call.refuse(400, f"the {key} of the object ({sent[key]}) does not match the {key} on the URL ({known[key]})")
    if sent.get("uid") not in (None, known["uid"]) or sent.get("resourceVersion") not in (None, "", known["resourceVersion"]):
        message = f'Operation cannot be fulfilled on deployments.apps "{known["name"]}": {MODIFIED}'
        raise Refusal(status(409, message, _about(call)))


def _tidy(thing: Any) -> Any:
    """Without what is null or empty: clients in Go send such fields along, and to Kubernetes they are as good as not there."""
    if isinstance(thing, list):
        return [_tidy(one) for one in thing]
    if not isinstance(thing, dict):
        return thing
    kept = {key: _tidy(value) for key, value in thing.items()}
    return {key: value for key, value in kept.items() if value is not None and value not in ({}, [])}


def _invalid(call: Call, where: str, why: str) -> Refusal:
    causes = [{"reason": "FieldValueInvalid", "message": f"Invalid value: {why}", "field": where}]
    message = f'Deployment.apps "{call.path["name"]}" is invalid: {where}: Invalid value: {why}'
    return Refusal(status(422, message, of("deployments", call.path["name"], causes)))


def _scale_of(call: Call, cluster: Cluster, deployment: JSON) -> JSON:
    shown = cluster.shown(deployment, partial(stamp, call))
    named = {key: shown["metadata"][key] for key in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")}
    selector = ",".join(f"{key}={value}" for key, value in shown["spec"]["selector"]["matchLabels"].items())
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": named,
        "spec": {"replicas": shown["spec"]["replicas"]},
        "status": {"replicas": shown["status"].get("replicas", 0), "selector": selector},
    }


def _essence(cluster: Cluster, deployment: JSON) -> JSON:
    """What a write can change, as the effect log shows it."""
    metadata, spec = deployment["metadata"], deployment["spec"]
    rest = {key: value for key, value in spec.items() if key not in ("template", "selector")}
    images = [container["image"] for container in spec["template"]["spec"]["containers"]]
    wanted = cluster.rolling[metadata["name"]].current
    return {
        "revision": wanted,
        "images": images,
        "annotations": metadata.get("annotations", {}),
        "labels": metadata.get("labels", {}),
        **rest,
    }


def _target(call: Call) -> str:
    return f"{call.path['region']}/{call.path['namespace']}/deployments/{call.path['name']}"


def _about(call: Call) -> JSON:
    return of("deployments", call.path["name"])
