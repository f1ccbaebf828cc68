"""NetworkPolicies (networking.k8s.io/v1): made, replaced, patched, deleted. What they do to connections stands in `practice/containment`."""

from __future__ import annotations

import copy
import ipaddress
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from practice.containment.cast import there
from practice.containment.model import GROUP, NETWORK_POLICIES
from practice.faces.kubernetes.base import CLUSTER, FACE, KINDS, cluster_of
from practice.faces.kubernetes.forms import Loose, Metadata, Selector, checked, status
from practice.faces.kubernetes.patches import BadPatch, DoesNotApply, merge_patch
from practice.http.face import Ask, Call, Refusal, Reply
from practice.services.cluster import NAMESPACES
from practice.world.state import JSON

OF = f"{CLUSTER}/apis/{GROUP}/v1/namespaces/{{namespace}}/{NETWORK_POLICIES}"
KIND = next(one for one in KINDS if one.plural == NETWORK_POLICIES)
MERGES = ("application/merge-patch+json", "application/strategic-merge-patch+json")


def _cidr(text: str) -> str:
    ipaddress.ip_network(text)
    return text


class IPBlock(Ask):
    cidr: Annotated[str, AfterValidator(_cidr)]
    except_: list[str] | None = Field(None, alias="except")


class Peer(Ask):
    ipBlock: IPBlock | None = None  # noqa: N815 - the wire's name
    podSelector: Selector | None = None  # noqa: N815 - the wire's name
    namespaceSelector: Selector | None = None  # noqa: N815 - the wire's name


class Ingress(Loose):
    unused = "ports"

    from_: list[Peer] | None = Field(None, alias="from")


class Egress(Loose):
    unused = "ports"

    to: list[Peer] | None = None


class Spec(Ask):
    podSelector: Selector  # noqa: N815 - the wire's name
    policyTypes: list[Literal["Ingress", "Egress"]] | None = None  # noqa: N815 - the wire's name
    ingress: list[Ingress] | None = None
    egress: list[Egress] | None = None


class NetworkPolicy(Loose):
    unused = "status"

    apiVersion: Literal["networking.k8s.io/v1"]  # noqa: N815 - the wire's name
    kind: Literal["NetworkPolicy"]
    metadata: Metadata
    spec: Spec


def _held(call: Call) -> dict[str, JSON]:
    cluster_of(call)
    if call.path["namespace"] not in NAMESPACES:
        raise Refusal(status(404, f'namespaces "{call.path["namespace"]}" not found'))
    return there(call.state, call.now).policies.setdefault(call.path["region"], {})


def _key(call: Call, name: str) -> str:
    return f"{call.path['namespace']}/{name}"


def _found(call: Call) -> JSON:
    held, name = _held(call), call.path["name"]
    if _key(call, name) not in held:
        raise KIND.missing(name)
    return held[_key(call, name)]


def _kept(call: Call, name: str, asked: JSON, old: JSON | None) -> Reply:
    """Keep a policy as it was asked for, under a new version."""
    asked, before = checked(asked, NetworkPolicy, name), None if old is None else old["spec"]
    version = (asked.get("metadata") or {}).get("resourceVersion")
    if old is not None and version not in (None, "", old["metadata"]["resourceVersion"]):
        raise _stale(name)
    if call.one("dryRun") == "All":
        call.did(_target(call, name), before, before)
        return Reply(asked)
    found = there(call.state, call.now)
    same = old is not None and old["spec"] == asked["spec"] and _notes(old) == _notes(asked)
    found.policy_writes += not same
    told = {key: value for key, value in (asked.get("metadata") or {}).items() if key in ("labels", "annotations") and value}
    metadata = {
        **told, "name": name, "namespace": call.path["namespace"], "uid": f"{call.path['region']}-{name}",
        "resourceVersion": old["metadata"]["resourceVersion"] if same and old else str(7000 + found.policy_writes),
        "creationTimestamp": f"{call.stamp()[:19]}Z" if old is None else old["metadata"]["creationTimestamp"], "generation": 1,
    }  # fmt: skip
    made = {"apiVersion": f"{GROUP}/v1", "kind": KIND.kind, "metadata": metadata, "spec": copy.deepcopy(asked["spec"])}
    _held(call)[_key(call, name)] = made
    call.did(_target(call, name), before, made["spec"])
    return Reply(made, 201 if old is None else 200)


def _notes(one: JSON) -> Any:
    return (one.get("metadata") or {}).get("annotations") or {}


def _target(call: Call, name: str) -> str:
    return f"{call.path['region']}/{NETWORK_POLICIES}/{_key(call, name)}"


def _stale(name: str) -> Refusal:
    return Refusal(status(409, f'Operation cannot be fulfilled on {KIND.full_name} "{name}": the object has been modified'))


@FACE.writes(f"{NETWORK_POLICIES}.create", OF)
def create(call: Call) -> Reply:
    name = str(((call.body or {}).get("metadata") or {}).get("name") or "")
    if not name:
        raise Refusal(status(422, f"{KIND.kind}.{GROUP} is invalid: metadata.name: Required value"))
    if _key(call, name) in _held(call):
        raise Refusal(status(409, f'{KIND.full_name} "{name}" already exists'))
    return _kept(call, name, call.body, None)


@FACE.writes(f"{NETWORK_POLICIES}.update", OF + "/{name}", "PUT")
def update(call: Call) -> Reply:
    return _kept(call, call.path["name"], call.body, _found(call))


@FACE.writes(f"{NETWORK_POLICIES}.patch", OF + "/{name}", "PATCH")
def patch(call: Call) -> Reply:
    old = _found(call)
    if call.headers.get("content-type", "").partition(";")[0] not in MERGES or not isinstance(call.body, dict):
        raise call.refuse(415, f"the body of the request was in an unknown format - accepted media types include: {', '.join(MERGES)}")
    try:
        asked = merge_patch(old, call.body)
    except (BadPatch, DoesNotApply) as bad:
        raise call.refuse(400, str(bad)) from bad
    return _kept(call, call.path["name"], asked, old)


@FACE.writes(f"{NETWORK_POLICIES}.delete", OF + "/{name}", "DELETE")
def delete(call: Call) -> Reply:
    """Only as it was read, where the request says so (DeleteOptions, preconditions)."""
    old, name = _found(call), call.path["name"]
    wanted = ((call.body or {}).get("preconditions") or {}).get("resourceVersion")
    if wanted not in (None, old["metadata"]["resourceVersion"]):
        raise _stale(name)
    del _held(call)[_key(call, name)]
    there(call.state, call.now).policy_writes += 1
    call.did(_target(call, name), old["spec"], None)
    return Reply({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"})
