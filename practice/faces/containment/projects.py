"""`/crm`: of Google's Resource Manager (cloud.google.com/resource-manager/reference/rest/v3/projects), the IAM policy of a project."""

from __future__ import annotations

import copy
from typing import Annotated, Literal

from pydantic import Field

from practice.containment.cast import OURS, there
from practice.containment.iam import members, understood
from practice.containment.logs import logged_by_google, noted
from practice.containment.model import ADMIN, Policy
from practice.http.face import Ask, Call, Reply
from practice.http.google import google_face
from practice.world.state import JSON

SET_POLICY = "resourcemanager.projects.setIamPolicy"
BASIC = ("roles/owner", "roles/editor", "roles/viewer")
PUBLIC = ("allUsers", "allAuthenticatedUsers")
MASKS = {"bindings", "etag", "version", "auditConfigs"}
OF = "/crm/v3/projects/{project}"

FACE = google_face("crm")


class Condition(Ask):
    title: Annotated[str, Field(min_length=1, max_length=100)]
    description: Annotated[str, Field(max_length=256)] | None = None
    expression: Annotated[str, Field(min_length=1)]


class Binding(Ask):
    role: Annotated[str, Field(pattern=r"^(roles|projects/[^/]+/roles|organizations/[^/]+/roles)/")]
    members: Annotated[list[str], Field(min_length=1)]
    condition: Condition | None = None


class LogConfig(Ask):
    logType: Literal["ADMIN_READ", "DATA_READ", "DATA_WRITE"]  # noqa: N815 - Google's name
    exemptedMembers: list[str] | None = None  # noqa: N815


class AuditConfig(Ask):
    service: Annotated[str, Field(min_length=1)]
    auditLogConfigs: Annotated[list[LogConfig], Field(min_length=1)]  # noqa: N815


class PolicyAsked(Ask):
    version: Literal[0, 1, 3] = 1
    bindings: list[Binding] = Field(default_factory=list)
    auditConfigs: list[AuditConfig] | None = None  # noqa: N815
    etag: str | None = None


class SetPolicy(Ask):
    policy: PolicyAsked
    updateMask: str = "bindings,etag"  # noqa: N815


class Options(Ask):
    requestedPolicyVersion: Literal[0, 1, 3] = 1  # noqa: N815


class GetPolicy(Ask):
    options: Options = Field(default_factory=Options)


class TestPermissions(Ask):
    permissions: list[str]


def _policy(call: Call) -> Policy:
    found = there(call.state, call.now).projects.get(call.path["project"])
    if found is None:
        raise call.refuse(403, f"The caller does not have permission on resource projects/{call.path['project']}, or it does not exist")
    return found


@FACE.reads("projects.getIamPolicy", OF + ":getIamPolicy", "POST")
def get_policy(call: Call) -> Reply:
    """Who asks for a version before 3 sees no condition: a role that has one is shown by another name. The reading is logged, where readings are."""
    found, project = there(call.state, call.now), call.path["project"]
    if project in found.logs and "ADMIN_READ" in logged_by_google(found):
        found.reads += 1
        noted(found.logs[project], f"look-{found.reads}", "read", call.now, method="GetIamPolicy")
    return Reply(_shown(_policy(call), call.ask(GetPolicy).options.requestedPolicyVersion))


@FACE.writes("projects.setIamPolicy", OF + ":setIamPolicy")
def set_policy(call: Call) -> Reply:
    """Whole. Under an etag only if it is that policy still; without one over whatever there is."""
    held, asked = _policy(call), call.ask(SetPolicy)
    wanted = asked.policy
    mask = {one.strip() for one in asked.updateMask.split(",")}
    if unknown := mask - MASKS:
        raise call.refuse(400, f"Invalid updateMask: {', '.join(sorted(unknown))}")
    if wanted.etag not in (None, held.etag):
        raise call.refuse(409, "There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff.")
    before = copy.deepcopy(held.bindings), copy.deepcopy(held.audit)
    if "bindings" in mask:
        held.bindings = [_checked(call, binding, wanted.version) for binding in wanted.bindings]
    if "auditConfigs" in mask:
        held.audit = [one.model_dump(exclude_none=True) for one in wanted.auditConfigs or []]
    held.writes += before != (held.bindings, held.audit)
    call.did(f"projects/{call.path['project']}/policy", _essence(*before), _essence(held.bindings, held.audit))
    return Reply(_shown(held, 3))


def _checked(call: Call, one: Binding, version: int) -> JSON:
    if one.condition is not None:
        if version != 3:
            raise call.refuse(400, "Policies with conditional role bindings must have version 3.")
        if one.role in BASIC or set(PUBLIC) & set(one.members):
            raise call.refuse(400, "Conditions can't be set on primitive roles, nor for public members.")
        if not understood(one.condition.expression):
            raise call.refuse(400, f"Invalid condition: {one.condition.expression}")
    return one.model_dump(exclude_none=True)


@FACE.reads("projects.testIamPermissions", OF + ":testIamPermissions", "POST")
def test_permissions(call: Call) -> Reply:
    """Which of the permissions the caller has. Without any the answer is empty."""
    policy, asked = _policy(call), call.ask(TestPermissions).permissions
    able = OURS in members(policy, ADMIN, call.real()) and call.may("projects.setIamPolicy")
    granted = [one for one in asked if one != SET_POLICY or able]
    return Reply({"permissions": granted} if granted else {})


def _shown(policy: Policy, version: int) -> JSON:
    conditions = any("condition" in one for one in policy.bindings)
    bindings = copy.deepcopy(policy.bindings)
    if version < 3:
        bindings = [
            {"role": f"{one['role']}_withcond_0123456789abcdef" if "condition" in one else one["role"], "members": one["members"]}
            for one in bindings
        ]
    audit = {"auditConfigs": copy.deepcopy(policy.audit)} if policy.audit else {}
    return {"version": 3 if conditions and version == 3 else 1, "etag": policy.etag, "bindings": bindings, **audit}


def _essence(bindings: list[JSON], audit: list[JSON]) -> JSON:
    """What the effect log shows: how many have which role under which condition, and never who."""
    told = [f"{one['role']} of {len(one['members'])} {(one.get('condition') or {}).get('expression', '')}".strip() for one in bindings]
    return {"bindings": told, "audit": audit}
