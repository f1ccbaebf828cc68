"""What there is in a cluster's API: versions, groups and kinds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from practice.faces.kubernetes.base import CLUSTER, DEPLOYMENTS, FACE, KINDS, cluster_of
from practice.http.face import Call, Reply
from practice.world.state import JSON


@dataclass(frozen=True)
class Single:
    """A kind whose objects are read and patched one by one, and are not listed here."""

    group: str
    version: str
    plural: str
    kind: str
    short: tuple[str, ...] = ()

    def shown(self) -> JSON:
        named = {"name": self.plural, "singularName": self.kind.lower(), "namespaced": True, "kind": self.kind}
        return {**named, "verbs": ["get", "patch"], **({"shortNames": list(self.short)} if self.short else {})}


SINGLES = (
    Single("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", ("hpa",)),
    Single("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute"),
)
GROUPS = tuple(dict.fromkeys(one.group for one in KINDS if one.group))  # whose kinds are all at v1
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
    listed = [*(_group(name, "v1") for name in GROUPS), *(_group(one.group, one.version) for one in SINGLES)]
    return Reply({"kind": "APIGroupList", "apiVersion": "v1", "groups": listed})


def _about_group(call: Call, group: str, version: str) -> Reply:
    cluster_of(call)
    return Reply({"kind": "APIGroup", "apiVersion": "v1", **_group(group, version)})


def _group(name: str, version: str) -> JSON:
    only = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [only], "preferredVersion": only}


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


def _single(call: Call, one: Single) -> Reply:
    cluster_of(call)
    group_version = f"{one.group}/{one.version}"
    return Reply({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": [one.shown()]})


for _one in SINGLES:
    FACE.reads(f"apis.{_one.plural}", f"{CLUSTER}/apis/{_one.group}")(partial(_about_group, group=_one.group, version=_one.version))
    FACE.reads(f"apis.{_one.plural}.{_one.version}", f"{CLUSTER}/apis/{_one.group}/{_one.version}")(partial(_single, one=_one))
FACE.reads("api.v1", CLUSTER + "/api/v1")(partial(_resources, group=""))
for _name in GROUPS:
    FACE.reads(f"apis.{_name}", f"{CLUSTER}/apis/{_name}")(partial(_about_group, group=_name, version="v1"))
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
