"""What a recovery must put back: how the practice world stands, without what changes by itself."""

from typing import Any


def standing_of(world: dict[str, Any]) -> dict[str, Any]:
    """What a recovery must put back: routes, modes, flags and the clients' policy; splits, weights, limits, gates and feeds of the services."""
    route = world["route"]
    weights = _shares(route["weights"])
    return {
        "weights": weights, "overrides": {t: w for t, w in route["overrides"].items() if _shares(w) != weights},
        "modes": {t: m for t, m in route["modes"].items() if m != "normal"}, "flags": world["flags"],
        "policy": {k: v for k, v in world["policy"].items() if k not in ("etag", "version")},
        "services": {name: _service(service) for name, service in world["fleet"]["services"].items()},
        "feeds": {name: (feed["running"], feed["pinned"]) for name, feed in world["fleet"]["feeds"].items()},
        "rulesets": sorted(str(rule.get("name")) for rules in world.get("rulesets", {}).values() for rule in rules),
    }  # fmt: skip


def _service(service: dict[str, Any]) -> dict[str, Any]:
    places = service["places"]
    cloud = service["platform"] == "cloud_run"
    return {
        "split": {region: _shares(place["split"]) for region, place in places.items()} if cloud else {},
        "least": {region: place["least"] for region, place in places.items()}, "weights": service["weights"],
        "gateway": {k: v for k, v in service["gateway"].items() if k in ("rate_limit_rps", "breaker")},
        "gate": service["gate"]["admitted"],
    }  # fmt: skip


def _shares(weights: dict[str, float]) -> dict[str, float]:
    return {provider: share for provider, share in weights.items() if share}
