"""Whether connections to and from an asset come about: rules of our own contract, and NetworkPolicies as Kubernetes adds them up."""

from __future__ import annotations

from practice.containment.cast import there
from practice.containment.model import FORENSICS, JSON, Containment
from practice.services.cluster import NAMESPACE
from practice.world.cast import REGIONS
from practice.world.state import State


def places(state: State, asset: str) -> tuple[str, ...]:
    """Where an asset runs."""
    service = state.fleet.services.get(asset)
    return tuple(service.places) if service else tuple(REGIONS.values())


def flows(state: State, asset: str, place: str, now: float) -> dict[str, bool | None]:
    """What a probe meets in one place: inward, outward, and from where it is examined."""
    found = there(state, now)
    one = found.assets[asset]
    if one.dark:
        return {"inward": None, "outward": None, "forensic": None}
    cut = one.isolation.isolated and not one.leaky
    labels = _labels(state, place, asset)
    taken = [spec for spec in _specs(found, place, one.leaky) if labels and _takes(spec, labels)]
    inward, outward = (not cut and _open(taken, kind, forensics=False) for kind in ("Ingress", "Egress"))
    return {"inward": inward, "outward": outward, "forensic": not one.walled and _open(taken, "Ingress", forensics=True)}


def isolated(state: State, asset: str, now: float = 0.0) -> bool:
    """Whether nothing reaches it and it reaches nothing, anywhere it runs."""
    met = [flows(state, asset, place, now) for place in places(state, asset)]
    return all(one["inward"] is False and one["outward"] is False for one in met)


def _labels(state: State, place: str, asset: str) -> dict[str, str]:
    cluster = state.clusters.get(place)
    deployment = cluster.deployments.get(asset) if cluster else None
    labels: dict[str, str] = deployment["spec"]["template"]["metadata"]["labels"] if deployment else {}
    return labels


def _specs(found: Containment, place: str, leaky: bool) -> list[JSON]:
    if leaky or place in found.unenforced:
        return []
    return [one["spec"] for key, one in found.policies.get(place, {}).items() if key.startswith(f"{NAMESPACE}/")]


def _takes(spec: JSON, labels: dict[str, str]) -> bool:
    wanted = (spec.get("podSelector") or {}).get("matchLabels") or {}
    return all(labels.get(name) == value for name, value in wanted.items())


def _open(taken: list[JSON], kind: str, *, forensics: bool) -> bool:
    """Policies add up: without one of this kind everything passes, with some what any of them lets through."""
    of_kind = [spec for spec in taken if kind in (spec.get("policyTypes") or ["Ingress"])]
    if not of_kind:
        return True
    way, field = ("from", "ingress") if kind == "Ingress" else ("to", "egress")
    rules = [rule for spec in of_kind for rule in spec.get(field) or []]
    return any(_lets(rule.get(way) or [], forensics) for rule in rules)


def _lets(peers: list[JSON], forensics: bool) -> bool:
    """A rule without peers is for everybody; one of addresses alone for those who have them."""
    narrow = bool(peers) and all((peer.get("ipBlock") or {}).get("cidr") == FORENSICS for peer in peers)
    return forensics or not narrow
