"""What is set on a model route's release plane: publishing, rollout, pinned snapshot, and which model answers whom."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from practice.faces.quality.base import FACE, OF_ROUTE, registry_of, triple_of
from practice.http.face import Ask, Call, Refusal
from practice.http.own_api import problem
from practice.http.resource import Resource
from practice.quality.registry import OFFERS, Economy, Publishing, Rollout, Snapshot, permitted


class PublishingSet(Ask):
    """Whether publishes of prompts, models and guard chains are refused, and rollouts stand still."""

    paused: bool


class RolloutSet(Ask):
    """The candidate (`MODEL/PROMPT/GUARD`) that gets `percent` of the new sessions; null: there is none."""

    candidate: str | None
    percent: float = Field(ge=0, le=100, allow_inf_nan=False)


class SnapshotSet(Ask):
    """The dated snapshot of the provider's model that answers; null: whatever the provider's floating name means."""

    pinned: str | None


class EconomySet(Ask):
    """Which model answers a tenant, where it is not the usual one; and whether batch work runs now or off-peak."""

    models: dict[str, str]
    batch: Literal["now", "off_peak"]


def _publishing(call: Call) -> PublishingSet:
    return PublishingSet(paused=registry_of(call).publishing.paused)


def _pause(call: Call, wanted: PublishingSet) -> None:
    """Pause publishes and rollouts, or let them go on."""
    registry_of(call).publishing = Publishing(wanted.paused)


def _rollout(call: Call) -> RolloutSet:
    found = registry_of(call).rollout
    return RolloutSet(candidate=found.candidate, percent=found.percent)


def _roll_out(call: Call, wanted: RolloutSet) -> None:
    """Give a candidate a share of the new sessions. While publishing is paused it may only become less."""
    registry = registry_of(call)
    if wanted.candidate is not None:
        triple_of(call, wanted.candidate)
    if wanted.percent and wanted.candidate is None:
        raise call.invalid("a share needs a candidate")
    if registry.publishing.paused and wanted.percent > registry.rollout.percent:
        raise Refusal(problem(403, "publishing_paused", "publishing is paused: a rollout may only become less"))
    registry.rollout = Rollout(wanted.candidate, wanted.percent)


def _snapshot(call: Call) -> SnapshotSet:
    return SnapshotSet(pinned=registry_of(call).snapshot.pinned)


def _pin(call: Call, wanted: SnapshotSet) -> None:
    """Pin a dated snapshot, or follow the provider's name again."""
    registry = registry_of(call)
    if wanted.pinned is not None and wanted.pinned not in registry.snapshots:
        raise call.invalid(f"there is no snapshot {wanted.pinned[:60]}; there are {', '.join(registry.snapshots)}")
    registry.snapshot = Snapshot(wanted.pinned)


def _economy(call: Call) -> EconomySet:
    found = registry_of(call).economy
    return EconomySet(models=found.models, batch="off_peak" if found.batch == "off_peak" else "now")


def _save(call: Call, wanted: EconomySet) -> None:
    """Let other models answer some tenants. Refused where a tenant does not permit the model's provider."""
    registry, offers = registry_of(call), {one.model: one for one in OFFERS}
    unknown = [name for name in wanted.models if name not in call.state.tenants]
    if unknown:
        raise call.invalid(f"unknown tenants: {', '.join(unknown)}")
    if strange := sorted({model for model in wanted.models.values() if model not in offers}):
        raise call.invalid(f"there is no model {', '.join(strange)}; there are {', '.join(offers)}")
    tenants = call.state.tenants
    barred = [name for name, model in wanted.models.items() if not permitted(offers[model], dict.fromkeys(tenants[name].allowed))]
    if barred:
        raise Refusal(problem(403, "not_permitted", f"these tenants do not allow it: {', '.join(barred)}", tenants=barred))
    registry.economy = Economy(dict(wanted.models), wanted.batch)


Resource(FACE, "publishing", OF_ROUTE + "/publishing", PublishingSet, _publishing).takes(PublishingSet, _pause)
Resource(FACE, "rollout", OF_ROUTE + "/rollout", RolloutSet, _rollout).takes(RolloutSet, _roll_out)
Resource(FACE, "snapshot", OF_ROUTE + "/snapshot", SnapshotSet, _snapshot).takes(SnapshotSet, _pin)
Resource(FACE, "economy", OF_ROUTE + "/economy", EconomySet, _economy).takes(EconomySet, _save)
