"""What there is in a cluster's API: versions, groups and kinds."""

from __future__ import annotations

from functools import partial

from practice.faces.kubernetes.base import CLUSTER, DEPLOYMENTS, FACE, KINDS, cluster_of
from practice.http.face import Call, Reply
from practice.world.state import JSON

GROUPS = tuple(dict.fromkeys(one.group for one in KINDS if one.group))
VERSION = {"major": "1", "minor": "37", "gitVersion": "v1.37.1-practice", "platform": "linux/amd64"}


@FACE.reads("version", CLUSTER + "/version")
def version(call: Call) -> Reply:
    cluster_of(call)
    return Reply(VERSION)


@FACE.reads("api", CLUSTER + "/api")
def core_versions(call: Call) -> Reply:
    cluster_of(call)
    return Reply({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})


@FACE.reads("apis", CLUSTER + "/apis")
def groups(call: Call) -> Reply:
    cluster_of(call)
    return Reply({"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(name) for name in GROUPS]})


def _one_group(call: Call, group: str) -> Reply:
    cluster_of(call)
    return Reply({"kind": "APIGroup", "apiVersion": "v1", **_group(group)})


def _group(name: str) -> JSON:
    version = {"groupVersion": f"{name}/v1", "version": "v1"}
    return {"name": name, "versions": [version], "preferredVersion": version}


def _resources(call: Call, group: str) -> Reply:
    """What there is in a group, and what may be done with it."""
    cluster_of(call)
    listed = [
        {
            "name": one.plural,
            "singularName": one.kind.lower(),
            "namespaced": one.namespaced,
            "kind": one.kind,
            "verbs": list(one.verbs),
            **({"shortNames": [one.short]} if one.short else {}),
        }
        for one in KINDS
        if one.group == group
    ]
    if group == DEPLOYMENTS.group:
        scale = {"name": "deployments/scale", "singularName": "", "namespaced": True, "kind": "Scale"}
        listed.append({**scale, "group": "autoscaling", "version": "v1", "verbs": ["get", "patch", "update"]})
    return Reply({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": f"{group}/v1" if group else "v1", "resources": listed})


FACE.reads("api.v1", CLUSTER + "/api/v1")(partial(_resources, group=""))
for _name in GROUPS:
    FACE.reads(f"apis.{_name}", f"{CLUSTER}/apis/{_name}")(partial(_one_group, group=_name))
    FACE.reads(f"apis.{_name}.v1", f"{CLUSTER}/apis/{_name}/v1")(partial(_resources, group=_name))


@FACE.reads("access.review", CLUSTER + "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "POST")
def review_access(call: Call) -> Reply:
    """Whether the caller may do something to a resource (kubernetes.io/docs/reference/kubernetes-api: SelfSubjectAccessReview)."""
    cluster_of(call)
    asked = ((call.body or {}).get("spec") or {}).get("resourceAttributes") or {}
    verb, plural = asked.get("verb", ""), asked.get("resource", "")
    part = f".{asked['subresource']}" if asked.get("subresource") else ""
    allowed = any(one.plural == plural and verb in one.verbs for one in KINDS) and call.may(f"{plural}{part}.{verb}")
    body = {"kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "metadata": {}, "spec": call.body["spec"]}
    return Reply({**body, "status": {"allowed": allowed}}, 201)
