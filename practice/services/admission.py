"""Admission of a cluster by ValidatingAdmissionPolicies: CEL decides (kubernetes.io/docs/reference, validating admission policy)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import cel

from practice.world.state import State

JSON = dict[str, Any]
GROUP = "admissionregistration.k8s.io"
POLICIES, BINDINGS = "validatingadmissionpolicies", "validatingadmissionpolicybindings"


@dataclass
class Admission:
    """What is stored in each cluster: region → plural → name → object."""

    regions: dict[str, dict[str, dict[str, JSON]]] = field(default_factory=dict)
    unenforced: list[str] = field(default_factory=list)  # regions whose policies are shown, and decide nothing
    writes: int = 0

    def of(self, region: str, plural: str) -> dict[str, JSON]:
        return self.regions.setdefault(region, {POLICIES: {}, BINDINGS: {}})[plural]


def refusal(state: State, region: str, resource: str, group: str, operation: str, thing: JSON) -> str:
    """Why the policies in force refuse an object, as Kubernetes words it; empty when they take it."""
    there = state.part(Admission)
    if region in there.unenforced:
        return ""
    for binding in there.of(region, BINDINGS).values():
        policy = there.of(region, POLICIES).get(binding["spec"]["policyName"])
        if policy is None or "Deny" not in binding["spec"]["validationActions"] or not _matches(policy, resource, group, operation):
            continue
        if why := _why(policy, thing):
            named = f"ValidatingAdmissionPolicy '{policy['metadata']['name']}' with binding '{binding['metadata']['name']}'"
            return f"{named} denied request: {why}"
    return ""


def problem(policy: JSON) -> str:
    """What is wrong with the expressions of a policy; empty when they can be compiled."""
    spec = policy["spec"]
    for one in [*spec.get("variables", []), *spec.get("validations", [])]:
        try:
            cel.compile(one["expression"])
        except ValueError as wrong:
            return f"compilation failed: {wrong}"
    return ""


def _matches(policy: JSON, resource: str, group: str, operation: str) -> bool:
    rules = policy["spec"].get("matchConstraints", {}).get("resourceRules", [])
    return any(resource in one["resources"] and group in one["apiGroups"] and operation in one["operations"] for one in rules)


def _why(policy: JSON, thing: JSON) -> str:
    """The message of the first expression that is false. One that fails counts as the policy says: Fail, unless it says otherwise."""
    spec, known = policy["spec"], dict[str, Any]()
    try:
        for variable in spec.get("variables", []):
            known[variable["name"]] = cel.evaluate(variable["expression"], {"object": thing, "variables": known})
        for one in spec.get("validations", []):
            if cel.evaluate(one["expression"], {"object": thing, "variables": known}) is not True:
                return str(one.get("message") or f"failed expression: {one['expression']}")
    except (ValueError, TypeError, RuntimeError) as failed:
        return "" if spec.get("failurePolicy") == "Ignore" else f"expression could not be evaluated: {failed}"
    return ""
