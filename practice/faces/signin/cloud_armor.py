"""`/cloudarmor/compute/v1`: of Compute Engine, the security policies of Cloud Armor, one rule at a time, and their operations.

(cloud.google.com/compute/docs/reference/rest/v1/securityPolicies.) A rule's key is its priority; there is no request id. A write answers with an
operation, which is done a little later, or ends with an error.
"""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Any, Literal

from pydantic import Field

from practice.http.face import Ask, Call, Query, Reply
from practice.http.google import google_face, older_error
from practice.signin.model import LAST, Operation, Rule, SignIn
from practice.world.state import JSON
from practice.world.versions import fingerprint

FACE = google_face("cloud_armor", says=older_error, throttled="Rate Limit Exceeded")
PROJECT, POLICY = "acme", "edge"
OF = "/cloudarmor/compute/v1/projects/{project}/global/securityPolicies/{policy}"
HEADER = "x-key-id"
KEY = re.compile(rf"request\.headers\['{HEADER}'\] == '([A-Za-z0-9._:/-]{{1,200}})'")
RANGE = re.compile(r"inIpRange\(origin\.ip, '([0-9a-fA-F.:/]+)'\)")
MOST_RANGES = 10


class Config(Ask):
    srcIpRanges: list[str] = Field(max_length=MOST_RANGES)  # noqa: N815 - as Google spells it


class Expr(Ask):
    expression: str = Field(min_length=1, max_length=2048)


class Match(Ask):
    versionedExpr: Literal["SRC_IPS_V1"] | None = None  # noqa: N815
    config: Config | None = None
    expr: Expr | None = None


class RuleBody(Ask):
    priority: int = Field(ge=0, le=LAST)
    action: Literal["allow", "deny(403)", "deny(404)", "deny(502)"]
    match: Match
    preview: bool = False
    description: str = Field("", max_length=64)
    kind: str | None = None


class RulePatch(Ask):
    action: Literal["allow", "deny(403)", "deny(404)", "deny(502)"] | None = None
    match: Match | None = None
    preview: bool | None = None
    description: str | None = Field(None, max_length=64)
    priority: int | None = None


class ByPriority(Query):
    priority: int


def _edge(call: Call) -> SignIn:
    if (call.path["project"], call.path["policy"]) != (PROJECT, POLICY):
        raise call.refuse(
            404, f"The resource 'projects/{call.path['project']}/global/securityPolicies/{call.path['policy']}' was not found"
        )
    return call.state.part(SignIn)


def _matched(call: Call, match: Match) -> tuple[list[str], str, str]:
    """Addresses, key, and an expression that is none of these. Raises for what Cloud Armor would not take."""
    if match.config is not None and match.versionedExpr == "SRC_IPS_V1" and match.expr is None:
        try:
            return [str(ip_network(one)) for one in match.config.srcIpRanges if one != "*"], "", ""
        except ValueError as wrong:
            raise call.refuse(400, f"Invalid value for field 'resource.match.config.srcIpRanges': {wrong}") from wrong
    if match.expr is None or match.config is not None:
        raise call.refuse(400, "Invalid value for field 'resource.match': give versionedExpr with config, or expr.")
    said = match.expr.expression
    key, ranges = KEY.findall(said), RANGE.findall(said)
    rest = RANGE.sub("", KEY.sub("", said)).replace("||", "").replace("&&", "").strip("() ")
    return (ranges, key[0] if key else "", "") if not rest.strip("() ") and len(key) <= 1 else ([], "", said)


def _shown(rule: Rule) -> JSON:
    parts = [f"inIpRange(origin.ip, '{one}')" for one in rule.addresses]
    where = "(" + " || ".join(parts) + ") && " if parts and rule.key else ""
    match: JSON = {"versionedExpr": "SRC_IPS_V1", "config": {"srcIpRanges": rule.addresses or ["*"]}}
    if rule.key or rule.foreign:
        match = {"expr": {"expression": rule.foreign or f"{where}request.headers['{HEADER}'] == '{rule.key}'"}}
    return {
        "kind": "compute#securityPolicyRule", "priority": rule.priority, "action": rule.action, "preview": rule.preview,
        "description": rule.description, "match": match,
    }  # fmt: skip


def _fingerprint(there: SignIn) -> str:
    return fingerprint([POLICY, there.changes])


@FACE.reads("securityPolicies.get", OF)
def get(call: Call) -> Reply:
    """The policy whole: its rules are a part of it, and no list that has pages."""
    there = _edge(call)
    rules = [_shown(one) for one in sorted(there.rules.values(), key=lambda one: one.priority)]
    policy = {"kind": "compute#securityPolicy", "id": "4711", "name": POLICY, "type": "CLOUD_ARMOR", "fingerprint": _fingerprint(there)}
    return Reply({**policy, "rules": rules})


@FACE.reads("securityPolicies.getRule", OF + "/getRule")
def get_rule(call: Call) -> Reply:
    """One rule. What is not there is 400, and not 404."""
    return Reply(_shown(_of_priority(call)))


def _of_priority(call: Call) -> Rule:
    priority = call.asked(ByPriority).priority
    found = _edge(call).rules.get(priority)
    if found is None:
        raise call.refuse(
            400, f"Invalid value for field 'priority': '{priority}'. The resource does not contain a rule at priority {priority}."
        )
    return found


@FACE.writes("rules.add", OF + "/addRule")
def add_rule(call: Call) -> Reply:
    there, wanted = _edge(call), call.ask(RuleBody)
    if wanted.priority in there.rules:
        raise call.refuse(400, "Invalid value for field 'resource.priority': Cannot have rules with the same priorities.")
    addresses, key, foreign = _matched(call, wanted.match)
    rule = Rule(wanted.priority, wanted.action, addresses, key, wanted.preview, wanted.description, foreign)
    return _operation(call, "addRule", None, rule)


@FACE.writes("rules.patch", OF + "/patchRule")
def patch_rule(call: Call) -> Reply:
    """Fields that are not given stay."""
    old, wanted = _of_priority(call), call.ask(RulePatch)
    if wanted.priority not in (None, old.priority):
        raise call.refuse(400, "Invalid value for field 'resource.priority': it is the key of the rule.")
    addresses, key, foreign = _matched(call, wanted.match) if wanted.match else (old.addresses, old.key, old.foreign)
    given: dict[str, Any] = {name: value for name in ("action", "preview", "description") if (value := getattr(wanted, name)) is not None}
    whole = {"action": old.action, "preview": old.preview, "description": old.description, **given}
    return _operation(call, "patchRule", old, Rule(old.priority, addresses=addresses, key=key, foreign=foreign, **whole))


@FACE.writes("rules.remove", OF + "/removeRule")
def remove_rule(call: Call) -> Reply:
    old = _of_priority(call)
    if old.priority == LAST:
        raise call.refuse(400, "The default rule cannot be removed.")
    return _operation(call, "removeRule", old, None)


def _operation(call: Call, kind: str, old: Rule | None, new: Rule | None) -> Reply:
    """It is done at once, and said so when it is looked at; one that is given up did nothing."""
    there, target = _edge(call), old or new
    assert target is not None  # noqa: S101 - one of them is given
    name = f"operation-{call.world.number()}"
    error = "The security policy could not be updated." if there.dials.gives_up else ""
    there.operations[name] = found = Operation(name, kind, f"securityPolicies/{POLICY}", error=error)
    before, after = (_shown(old) if old else None), (_shown(new) if new else None)
    if not error and new is None:
        there.rules.pop(target.priority)
    if not error and new is not None:
        there.rules[target.priority] = new
    if not error:
        there.changed()
    call.did(f"securityPolicies/{POLICY}/{target.priority}", before, before if error else after)
    return Reply(_shown_operation(found))


def _shown_operation(one: Operation) -> JSON:
    done = one.looks >= 1
    failed: JSON = (
        {"error": {"errors": [{"code": "INTERNAL_ERROR", "message": one.error}]}, "httpErrorStatusCode": 500} if done and one.error else {}
    )
    return {
        "kind": "compute#operation", "name": one.name, "operationType": one.kind, "targetLink": one.target,
        "status": "DONE" if done else "RUNNING", "progress": 100 if done else 0, **failed,
    }  # fmt: skip


@FACE.reads("globalOperations.get", "/cloudarmor/compute/v1/projects/{project}/global/operations/{operation}")
def operation(call: Call) -> Reply:
    found = call.state.part(SignIn).operations.get(call.path["operation"])
    if found is None:
        raise call.refuse(404, f"The resource 'projects/{PROJECT}/global/operations/{call.path['operation']}' was not found")
    found.looks += 1
    return Reply(_shown_operation(found))
