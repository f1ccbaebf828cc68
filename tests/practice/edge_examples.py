"""Requests that would succeed: of the edge, by our own contract and as Cloud Armor."""

from practice.world.stage import Stage
from tests.practice.examples import Example

OURS, ARMOR = "/waf/v1", "/cloudarmor/compute/v1/projects/acme/global/securityPolicies/edge"
MATCH = {"versionedExpr": "SRC_IPS_V1", "config": {"srcIpRanges": ["198.51.100.1/32"]}}


async def edge_examples(stage: Stage) -> dict[str, Example]:
    """The writing routes of this room. Rule 1001 is there, so that it can be changed and taken away."""
    await stage.must("POST", f"{ARMOR}/addRule", {"priority": 1001, "action": "deny(403)", "match": MATCH, "preview": True})
    rule = await stage.must("GET", f"{OURS}/rules/1000")
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
        "cloud_armor.rules.add": Example("POST", f"{ARMOR}/addRule", {"priority": 1002, "action": "deny(403)", "match": MATCH}),
        "cloud_armor.rules.patch": Example("POST", f"{ARMOR}/patchRule?priority=1001", {"preview": False}),
        "cloud_armor.rules.remove": Example("POST", f"{ARMOR}/removeRule?priority=1001"),
    }
