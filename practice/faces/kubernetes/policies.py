"""ValidatingAdmissionPolicies and their bindings (admissionregistration.k8s.io/v1): made, replaced, patched, deleted; their CEL must compile."""

from __future__ import annotations

import copy
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import Field

from practice.faces.kubernetes.base import CLUSTER, FACE, KINDS, Kind, cluster_of
from practice.faces.kubernetes.forms import Loose, Metadata, checked, status
from practice.faces.kubernetes.patches import BadPatch, DoesNotApply, merge_patch
from practice.http.face import Ask, Call, Refusal, Reply
from practice.services.admission import BINDINGS, GROUP, POLICIES, Admission, problem
from practice.world.state import JSON

OF = f"{CLUSTER}/apis/{GROUP}/v1"
MERGES = ("application/merge-patch+json", "application/strategic-merge-patch+json")


class Rule(Loose):
    unused = "resourceNames scope"

    apiGroups: list[str]  # noqa: N815 - the wire's name
    apiVersions: list[str]  # noqa: N815 - the wire's name
    operations: list[Literal["CREATE", "UPDATE", "DELETE", "CONNECT", "*"]]
    resources: list[str]


class Constraints(Loose):
    unused = "namespaceSelector objectSelector excludeResourceRules matchPolicy"

    resourceRules: Annotated[list[Rule], Field(min_length=1)]  # noqa: N815 - the wire's name


class Expression(Loose):
    unused = "messageExpression reason"

    expression: Annotated[str, Field(min_length=1)]
    message: str | None = None


class Variable(Ask):
    name: Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$")]
    expression: Annotated[str, Field(min_length=1)]


class PolicySpec(Loose):
    unused = "paramKind matchConditions auditAnnotations"

    failurePolicy: Literal["Fail", "Ignore"] = "Fail"  # noqa: N815 - the wire's name
    matchConstraints: Constraints  # noqa: N815 - the wire's name
    validations: Annotated[list[Expression], Field(min_length=1)]
    variables: list[Variable] | None = None


class Policy(Loose):
    unused = "status"

    apiVersion: Literal["admissionregistration.k8s.io/v1"]  # noqa: N815 - the wire's name
    kind: Literal["ValidatingAdmissionPolicy"]
    metadata: Metadata
    spec: PolicySpec


class BindingSpec(Loose):
    unused = "paramRef matchResources"

    policyName: Annotated[str, Field(min_length=1)]  # noqa: N815 - the wire's name
    validationActions: Annotated[list[Literal["Deny", "Warn", "Audit"]], Field(min_length=1)]  # noqa: N815 - the wire's name


class Binding(Ask):
    apiVersion: Literal["admissionregistration.k8s.io/v1"]  # noqa: N815 - the wire's name
    kind: Literal["ValidatingAdmissionPolicyBinding"]
    metadata: Metadata
    spec: BindingSpec


FORMS: dict[str, type[Ask]] = {POLICIES: Policy, BINDINGS: Binding}


def _there(call: Call, kind: Kind) -> tuple[Admission, dict[str, JSON]]:
    cluster_of(call)
    there = call.state.part(Admission)
    return there, there.of(call.path["region"], kind.plural)


def _found(call: Call, kind: Kind) -> JSON:
    _, held = _there(call, kind)
    if call.path["name"] not in held:
        raise kind.missing(call.path["name"])
    return held[call.path["name"]]


def _kept(call: Call, kind: Kind, name: str, asked: JSON, old: JSON | None) -> Reply:
    """Keep an object as it was asked for, under a new version."""
    asked = checked(asked, FORMS[kind.plural], name)
    if kind.plural == POLICIES and (wrong := problem(asked)):
        raise Refusal(status(422, f'{kind.kind}.{GROUP} "{name}" is invalid: spec.validations[0].expression: Invalid value: {wrong}'))
    there, held = _there(call, kind)
    before = None if old is None else old["spec"]
    if call.one("dryRun") == "All":
        call.did(_target(call, kind, name), before, before)
        return Reply(asked)
    same = old is not None and old["spec"] == asked["spec"] and _notes(old) == _notes(asked)
    if not same:
        there.writes += 1
    told = asked.get("metadata") or {}
    metadata = {
        **{key: value for key, value in told.items() if key in ("labels", "annotations") and value}, "name": name,
        "uid": f"{call.path['region']}-{name}", "resourceVersion": old["metadata"]["resourceVersion"] if same and old else str(5000 + there.writes),
        "creationTimestamp": f"{call.stamp()[:19]}Z" if old is None else old["metadata"]["creationTimestamp"], "generation": 1,
    }  # fmt: skip
    held[name] = {"apiVersion": f"{GROUP}/v1", "kind": kind.kind, "metadata": metadata, "spec": copy.deepcopy(asked["spec"])}
    call.did(_target(call, kind, name), before, asked["spec"])
    return Reply(held[name], 201 if old is None else 200)


def _notes(one: JSON) -> Any:
    return (one.get("metadata") or {}).get("annotations") or {}


def _target(call: Call, kind: Kind, name: str) -> str:
    return f"{call.path['region']}/{kind.plural}/{name}"


def _create(call: Call, kind: Kind) -> Reply:
    _, held = _there(call, kind)
    name = str(((call.body or {}).get("metadata") or {}).get("name") or "")
    if not name:
        raise Refusal(status(422, f"{kind.kind}.{GROUP} is invalid: metadata.name: Required value"))
    if name in held:
        raise Refusal(status(409, f'{kind.full_name} "{name}" already exists'))
    return _kept(call, kind, name, call.body, None)


def _fresh(old: JSON, asked: JSON, kind: Kind) -> None:
    version = (asked.get("metadata") or {}).get("resourceVersion")
    if version not in (None, "", old["metadata"]["resourceVersion"]):
        raise Refusal(
            status(409, f'Operation cannot be fulfilled on {kind.full_name} "{old["metadata"]["name"]}": the object has been modified')
        )


def _update(call: Call, kind: Kind) -> Reply:
    old = _found(call, kind)
    _fresh(old, call.body or {}, kind)
    return _kept(call, kind, call.path["name"], call.body, old)


def _patch(call: Call, kind: Kind) -> Reply:
    old = _found(call, kind)
    if call.headers.get("content-type", "").partition(";")[0] not in MERGES or not isinstance(call.body, dict):
        raise call.refuse(415, f"the body of the request was in an unknown format - accepted media types include: {', '.join(MERGES)}")
    try:
        asked = merge_patch(old, call.body)
    except (BadPatch, DoesNotApply) as bad:
        raise call.refuse(400, str(bad)) from bad
    _fresh(old, asked, kind)
    return _kept(call, kind, call.path["name"], asked, old)


def _delete(call: Call, kind: Kind) -> Reply:
    old = _found(call, kind)
    there, held = _there(call, kind)
    del held[call.path["name"]]
    there.writes += 1
    call.did(_target(call, kind, call.path["name"]), old["spec"], None)
    return Reply({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"})


for _kind in (one for one in KINDS if one.group == GROUP):
    for _name, _method, _path, _do in (
        ("create", "POST", "", _create), ("update", "PUT", "/{name}", _update), ("patch", "PATCH", "/{name}", _patch),
        ("delete", "DELETE", "/{name}", _delete),
    ):  # fmt: skip
        FACE.writes(f"{_kind.plural}.{_name}", f"{OF}/{_kind.plural}{_path}", _method)(partial(_do, kind=_kind))
