"""Requests that would succeed: of the edge, by our own contract and as Cloud Armor; and of sign-in under attack."""

from practice.world.stage import Stage
from tests.practice.examples import Example

OURS, ARMOR = "/waf/v1", "/cloudarmor/compute/v1/projects/acme/global/securityPolicies/edge"
AUTH, REALM = "/auth/api/v1/auth", "/keycloak/admin/realms/canary-eu-1"
USER = "/auth0/api/v2/users/auth0|canary-eu-1.user-1"
MATCH = {"versionedExpr": "SRC_IPS_V1", "config": {"srcIpRanges": ["198.51.100.1/32"]}}


async def edge_examples(stage: Stage) -> dict[str, Example]:
    """The writing routes of this room. Rule 1001 is there, so that it can be changed and taken away."""
    await stage.must("POST", f"{ARMOR}/addRule", {"priority": 1001, "action": "deny(403)", "match": MATCH, "preview": True})
    rule = await stage.must("GET", f"{OURS}/rules/1000")
    factor = await stage.must("GET", f"{AUTH}/step-up/canary-eu-1")
    limits = await stage.must("GET", f"{AUTH}/limits/canary-eu-1")
    listed = await stage.must("GET", f"{OURS}/allow-lists/100")
    return {
        "waf.rules.put": Example(
            "PUT",
            f"{OURS}/rules/1000",
            {"epoch": 1, "at": "preview", "addresses": ["198.51.100.2/32"], "key": ""},
            {"If_Match": rule["etag"]},
        ),
        "waf.allow_lists.put": Example(
            "PUT", f"{OURS}/allow-lists/100", {"epoch": 1, "addresses": ["192.0.2.0/28"]}, {"If_Match": listed["etag"]}
        ),
        "auth.step_up.put": Example("PUT", f"{AUTH}/step-up/canary-eu-1", {"epoch": 1, "asked": True}, {"If_Match": factor["etag"]}),
        "auth.limits.put": Example(
            "PUT", f"{AUTH}/limits/canary-eu-1", {"epoch": 1, "per_account": 5, "per_address": None}, {"If_Match": limits["etag"]}
        ),
        "auth.accounts.reset": Example("POST", f"{AUTH}/accounts/canary-eu-1.user-1/reset", {"tenant": "canary-eu-1"}),
        "keycloak.realm.update": Example("PUT", REALM, {"browserFlow": "browser-second-factor"}),
        "keycloak.users.update": Example("PUT", f"{REALM}/users/canary-eu-1.user-1", {"requiredActions": ["UPDATE_PASSWORD"]}),
        "auth0.users.sessions.delete": Example("DELETE", f"{USER}/sessions"),
        "auth0.users.refreshTokens.delete": Example("DELETE", f"{USER}/refresh-tokens"),
        "cloud_armor.rules.add": Example("POST", f"{ARMOR}/addRule", {"priority": 1002, "action": "deny(403)", "match": MATCH}),
        "cloud_armor.rules.patch": Example("POST", f"{ARMOR}/patchRule?priority=1001", {"preview": False}),
        "cloud_armor.rules.remove": Example("POST", f"{ARMOR}/removeRule?priority=1001"),
    }
