"""Who is in the world when it begins: providers, tenants, people and flags. Names come from the seed, the story does not."""

from __future__ import annotations

import random

from practice.world.state import Capabilities, Person, Provider, Quota, Route, State, Tenant

FLAGS = ("orchestrator.autonomy", "scheduler.enabled", "tools.high_psu", "batch.enabled")
PEOPLE = {
    "dana": "incident commander",
    "lee": "ops",
    "noor": "comms",
    "ravi": "AI/ML",
    "sam": "security",
    "kim": "deputy",
    "pat": "duty executive",
    "fay": "finance",
    "lou": "legal",
    "max": "db",
}
REGIONS = {"eu": "eu-west", "us": "us-east"}
TOTAL_RPS = 12.0

_TIERS = {"enterprise": (4, 1.25), "sovereign": (4, 0.65), "business": (6, 0.55), "starter": (6, 0.18)}
_FIRST = [
    "amber",
    "birch",
    "cedar",
    "delta",
    "ember",
    "fjord",
    "glade",
    "harbor",
    "iris",
    "juniper",
    "kestrel",
    "lark",
    "maple",
    "nimbus",
    "orchid",
    "pine",
    "quartz",
    "reed",
    "sable",
    "tundra",
]
_LAST = [
    "bank",
    "books",
    "care",
    "foods",
    "freight",
    "games",
    "health",
    "homes",
    "labs",
    "legal",
    "media",
    "mills",
    "mobile",
    "motors",
    "optics",
    "power",
    "rail",
    "retail",
    "steel",
    "travel",
]


def providers() -> dict[str, Provider]:
    """A primary with room, a secondary that can carry everything, a small self-hosted tertiary that cannot."""
    regions = list(REGIONS.values())
    return {
        p.name: p
        for p in (
            Provider(
                "aurora", "aurora-large-4", regions, Capabilities(True, True, 200_000, ["text", "image"]), True, 1.0, 1.0,
                Quota(2_400_000, 1_800, 1_800, 40_000.0), TOTAL_RPS * 2.0, ["cloud:stratus", "cdn:northedge", "region:eu-west"],
                "aurora-chat-v7", 1800.0,
            ),
            Provider(
                "borealis", "borealis-pro-2", regions, Capabilities(True, True, 128_000, ["text", "image"]), True, 0.97, 1.1,
                Quota(1_900_000, 1_400, 1_200, 30_000.0), TOTAL_RPS * 1.6, ["cloud:cirrus", "cdn:southedge", "region:eu-west"],
                "borealis-chat-v3", 2200.0,
            ),
            Provider(
                "cumulus", "cumulus-8b", regions, Capabilities(True, False, 32_000, ["text"]), True, 0.88, 0.4,
                Quota(450_000, 300, 300, 5_000.0), TOTAL_RPS * 0.4, ["cloud:own", "region:eu-west"],
                "cumulus-chat-v1", 3000.0, self_hosted=True,
            ),
        )
    }  # fmt: skip


def tenants(seed: int) -> dict[str, Tenant]:
    """Twenty tenants; the sovereign ones allow only the primary, the others all three in their own region."""
    rng = random.Random(seed)
    names = [f"{a}-{b}" for a, b in zip(rng.sample(_FIRST, 20), rng.sample(_LAST, 20), strict=True)]
    tiers = [(tier, rps) for tier, (count, rps) in _TIERS.items() for _ in range(count)]
    cast: dict[str, Tenant] = {}
    for index, (name, (tier, rps)) in enumerate(zip(names, tiers, strict=True)):
        residency = "eu" if tier == "sovereign" or index % 2 == 0 else "us"
        serving = ("aurora",) if tier == "sovereign" else ("aurora", "borealis", "cumulus")
        allowed = [f"{provider}@{REGIONS[residency]}" for provider in serving]
        cast[name] = Tenant(name, tier, residency, allowed, f"ops@{name}.example.com", rps)
    return cast


def opening(seed: int, service: str) -> State:
    """The world before anything happened: everyone is served by the primary, and all flags are on."""
    return State(
        providers=providers(),
        tenants=tenants(seed),
        route=Route(service, {"aurora": 1.0, "borealis": 0.0, "cumulus": 0.0}),
        people={name: Person(name, role) for name, role in PEOPLE.items()},
        flags=dict.fromkeys(FLAGS, True),
    )
