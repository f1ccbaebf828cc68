"""The rows of the edge: rules that deny, allow-lists; by our own contract and by Cloud Armor."""

from activities.waf.allow_lists import AllowListOf, AllowLists, OnList
from activities.waf.cloud_armor import CloudArmor
from activities.waf.contract import Waf
from activities.waf.rules import Blocking, EdgeRules, RuleOf, Rules
from tests.activities.kit.rows.practised import LandingClock, Practised
from tests.activities.kit.stage import Stage

OFFICE = "203.0.113.10/32"


def own(played: Stage) -> EdgeRules:
    return Waf(played.client("/waf"))


def armor(played: Stage) -> CloudArmor:
    return CloudArmor(played.client("/cloudarmor"), played.client("/cloudarmor-log"), project="acme", policy="edge")


def rules(played: Stage, clock: LandingClock) -> Rules:
    return Rules(own(played))


def armor_rules(played: Stage, clock: LandingClock) -> Rules:
    return Rules(armor(played))


def lists(played: Stage, clock: LandingClock) -> AllowLists:
    return AllowLists(own(played))


def armor_lists(played: Stage, clock: LandingClock) -> AllowLists:
    return AllowLists(armor(played))


PREVIEW = Blocking(at="preview", addresses=("198.51.100.1/32",))
THEIRS = Blocking(at="enforced", addresses=("198.51.100.9/32",))
EDGE = {
    "rules by our own waf": Practised(rules, RuleOf(priority=1000), PREVIEW, THEIRS, "waf.rules.put"),
    "rules by cloud armor": Practised(
        armor_rules, RuleOf(priority=1000, store="cloud armor"), PREVIEW, THEIRS, "cloud_armor.rules.*",
        "cloud_armor.securityPolicies.get", fenced=False, by_curl=False, author_back="somebody",
    ),
    "allow-list by our own waf": Practised(
        lists, AllowListOf(priority=100, addresses=(OFFICE,)), OnList(), None, "waf.allow_lists.put",
    ),
    "allow-list by cloud armor": Practised(
        armor_lists, AllowListOf(priority=100, addresses=(OFFICE,), store="cloud armor"), OnList(), None,
        "cloud_armor.rules.*", "cloud_armor.securityPolicies.get", fenced=False, by_curl=False,
    ),
}  # fmt: skip
