"""`/k8s/{region}`: a region's Kubernetes API (kubernetes.io/docs/reference/kubernetes-api): discovery, Deployments with their scale,
and, to be read only, ReplicaSets, Pods, Nodes and Namespaces. What the practice token may not do is Forbidden, as RBAC has it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from practice.faces.kubernetes import objects
from practice.faces.kubernetes.forms import Deployment, Scale, checked, of, status
from practice.faces.kubernetes.objects import Stamp, table, wants_table
from practice.faces.kubernetes.patches import BadPatch, DoesNotApply, json_patch, merge_patch, strategic_merge_patch
from practice.faces.kubernetes.reading import selected, watch
from practice.http.face import Call, Face, Refusal, Reply
from practice.services.cluster import Cluster
from practice.services.deploying import change
from practice.services.rollouts import Controller
from practice.world.cast import REGIONS
from practice.world.state import JSON, State

VERSION = {"major": "1", "minor": "37", "gitVersion": "v1.37.1-practice", "platform": "linux/amd64"}
PATCHES: dict[str, Callable[[JSON, Any], JSON]] = {
    "application/json-patch+json": json_patch,
    "application/merge-patch+json": merge_patch,
    "application/strategic-merge-patch+json": strategic_merge_patch,
}
MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"
NO_SUCH = "the server could not find the requested resource"

FACE = Face(
    "kubernetes",
    refused=status,
    invalid=lambda problems: status(422, "; ".join(problems)),
    unauthorised=lambda headers: status(401, "Unauthorized"),
    throttled=lambda: status(429, "the server has received too many requests and has asked us to try again later"),
)
_CLUSTER = "/k8s/{region}"


@dataclass(frozen=True)
class Resource:
    """One kind of object, and how it is found."""

    plural: str
    kind: str
    short: str
    group: str  # empty: core
    namespaced: bool
    found: Callable[[State, Cluster, Stamp], list[JSON]]
    verbs: tuple[str, ...] = ("get", "list", "watch")

    @property
    def group_version(self) -> str:
        return f"{self.group}/v1" if self.group else "v1"

    @property
    def full_name(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def all(self, call: Call, state: State, cluster: Cluster) -> list[JSON]:
        """Every object of the kind, as this call is shown it."""
        return self.found(state, cluster, partial(_stamp, call))

    def missing(self, name: str) -> Refusal:
        details = {"name": name, "group": self.group, "kind": self.plural}
        return Refusal(status(404, f'{self.full_name} "{name}" not found', details))


DEPLOYMENTS = Resource(
    "deployments", "Deployment", "deploy", "apps", True, objects.deployments, ("get", "list", "watch", "patch", "update")
)  # fmt: skip
RESOURCES = (
    DEPLOYMENTS,
    Resource("replicasets", "ReplicaSet", "rs", "apps", True, objects.replica_sets),
    Resource("pods", "Pod", "po", "", True, objects.pods),
    Resource("nodes", "Node", "no", "", False, objects.nodes),
    Resource("namespaces", "Namespace", "ns", "", False, objects.namespaces),
)


# ---- discovery ----


@FACE.reads("version", _CLUSTER + "/version")
def version(call: Call) -> Reply:
    _cluster(call)
    return Reply(VERSION)


@FACE.reads("api", _CLUSTER + "/api")
def core_versions(call: Call) -> Reply:
    _cluster(call)
    return Reply({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})


@FACE.reads("apis", _CLUSTER + "/apis")
def groups(call: Call) -> Reply:
    _cluster(call)
    return Reply({"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group()]})


@FACE.reads("apis.apps", _CLUSTER + "/apis/apps")
def apps_group(call: Call) -> Reply:
    _cluster(call)
    return Reply({"kind": "APIGroup", "apiVersion": "v1", **_group()})


def _group() -> JSON:
    apps = {"groupVersion": "apps/v1", "version": "v1"}
    return {"name": "apps", "versions": [apps], "preferredVersion": apps}


def _resources(call: Call, group: str) -> Reply:
    """What there is in a group, and what may be done with it."""
    _cluster(call)
    listed = [
        {
            "name": one.plural,
            "singularName": one.kind.lower(),
            "namespaced": one.namespaced,
            "kind": one.kind,
            "verbs": list(one.verbs),
            "shortNames": [one.short],
        }
        for one in RESOURCES
        if one.group == group
    ]
    if group == DEPLOYMENTS.group:
        scale = {"name": "deployments/scale", "singularName": "", "namespaced": True, "kind": "Scale"}
        listed.append({**scale, "group": "autoscaling", "version": "v1", "verbs": ["get", "patch", "update"]})
    return Reply({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": f"{group}/v1" if group else "v1", "resources": listed})


# ---- reading ----


def _list(call: Call, resource: Resource) -> Reply:
    cluster = _cluster(call)
    if call.one("watch") in ("true", "1"):
        return Reply(stream=watch(call, resource.kind, resource.group_version, partial(resource.all, call)))
    found = selected(call, resource.all(call, call.state, cluster))
    if wants_table(call):
        return Reply(table(resource.kind, found, str(cluster.version)))
    metadata = {"resourceVersion": str(cluster.version)}
    return Reply({"kind": f"{resource.kind}List", "apiVersion": resource.group_version, "metadata": metadata, "items": found})


def _get(call: Call, resource: Resource) -> Reply:
    cluster = _cluster(call)
    if resource is DEPLOYMENTS:
        _look(call, cluster)
    found = [one for one in selected(call, resource.all(call, call.state, cluster)) if one["metadata"]["name"] == call.path["name"]]
    if not found:
        raise resource.missing(call.path["name"])
    return Reply(table(resource.kind, found, str(cluster.version)) if wants_table(call) else found[0])


def _look(call: Call, cluster: Cluster) -> None:
    """In a world without a clock of its own it is the looking that lets a rollout go on."""
    rolling = cluster.rolling.get(call.path["name"])
    if rolling and rolling.leaving and call.world.clock.following:
        rolling.looks += 1


for _one in RESOURCES:
    _base = f"{_CLUSTER}/{'apis/apps' if _one.group else 'api'}/v1"
    _listing, _getting = partial(_list, resource=_one), partial(_get, resource=_one)
    FACE.reads(f"{_one.plural}.list", f"{_base}/{'namespaces/{namespace}/' if _one.namespaced else ''}{_one.plural}")(_listing)
    FACE.reads(f"{_one.plural}.get", f"{_base}/{'namespaces/{namespace}/' if _one.namespaced else ''}{_one.plural}/{{name}}")(_getting)
    if _one.namespaced:
        FACE.reads(f"{_one.plural}.list_all", f"{_base}/{_one.plural}")(_listing)
FACE.reads("api.v1", _CLUSTER + "/api/v1")(partial(_resources, group=""))
FACE.reads("apis.apps.v1", _CLUSTER + "/apis/apps/v1")(partial(_resources, group="apps"))
_DEPLOYMENT = _CLUSTER + "/apis/apps/v1/namespaces/{namespace}/deployments/{name}"


@FACE.reads("deployments.scale.get", _DEPLOYMENT + "/scale")
def get_scale(call: Call) -> Reply:
    return Reply(_scale_of(call, *_deployment(call)))


# ---- writing ----


@FACE.writes("deployments.patch", _DEPLOYMENT, "PATCH")
def patch_deployment(call: Call) -> Reply:
    cluster, old = _deployment(call)
    return _save(call, cluster, old, checked(_patched(call, old), Deployment, call.path["name"]))


@FACE.writes("deployments.update", _DEPLOYMENT, "PUT")
def put_deployment(call: Call) -> Reply:
    cluster, old = _deployment(call)
    return _save(call, cluster, old, checked(call.body, Deployment, call.path["name"]))


@FACE.writes("deployments.scale.patch", _DEPLOYMENT + "/scale", "PATCH")
def patch_scale(call: Call) -> Reply:
    cluster, old = _deployment(call)
    return _rescale(call, cluster, old, checked(_patched(call, _scale_of(call, cluster, old)), Scale, call.path["name"]))


@FACE.writes("deployments.scale.update", _DEPLOYMENT + "/scale", "PUT")
def put_scale(call: Call) -> Reply:
    cluster, old = _deployment(call)
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
    return Reply(cluster.shown(_write(call, cluster, old, taken), partial(_stamp, call)))


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


# ---- what there is ----


def _cluster(call: Call) -> Cluster:
    region = call.path["region"]
    if region not in call.state.clusters and region not in REGIONS.values():
        raise call.refuse(404, NO_SUCH)
    return call.state.clusters.setdefault(region, Cluster(region))


def _deployment(call: Call) -> tuple[Cluster, JSON]:
    cluster = _cluster(call)
    found = cluster.deployments.get(call.path["name"])
    if found is None or found["metadata"]["namespace"] != call.path["namespace"]:
        raise DEPLOYMENTS.missing(call.path["name"])
    return cluster, found


def _scale_of(call: Call, cluster: Cluster, deployment: JSON) -> JSON:
    shown = cluster.shown(deployment, partial(_stamp, call))
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


def _stamp(call: Call, at: float) -> str:
    """An instant as Kubernetes shows it: in whole seconds."""
    return f"{call.world.clock.stamp(at)[:19]}Z"


# ---- what we may do ----


@FACE.reads("access.review", _CLUSTER + "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "POST")
def review_access(call: Call) -> Reply:
    """Whether the caller may do something to a resource (kubernetes.io/docs/reference/kubernetes-api: SelfSubjectAccessReview)."""
    _cluster(call)
    asked = ((call.body or {}).get("spec") or {}).get("resourceAttributes") or {}
    verb, plural = asked.get("verb", ""), asked.get("resource", "")
    allowed = any(one.plural == plural and verb in one.verbs for one in RESOURCES) and call.may(f"{plural}.{verb}")
    body = {"kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "metadata": {}, "spec": call.body["spec"]}
    return Reply({**body, "status": {"allowed": allowed}}, 201)


# ---- what there is not ----


def _unknown(call: Call) -> Reply:
    """A path that leads nowhere, or a verb that this token's role does not have."""
    parts = call.path["rest"].split("/")
    named = next((one for one in RESOURCES if one.plural in parts), None)
    if named is None or call.route.method == "GET" or parts[0] not in ("api", "apis"):
        raise call.refuse(404, NO_SUCH)
    verb = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}[call.route.method]
    group = f' in API group "{named.group}"'
    raise call.refuse(403, f'{named.full_name} is forbidden: User "practice" cannot {verb} resource "{named.plural}"{group}')


for _method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
    FACE.reads(f"unknown.{_method.lower()}", _CLUSTER + "/{rest:path}", _method)(_unknown)
