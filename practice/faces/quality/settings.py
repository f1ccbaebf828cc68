"""What is set on a model route's release plane: publishing, rollout, pinned snapshot, and which model answers whom."""

from __future__ import annotations

from pydantic import Field

from practice.faces.quality.base import FACE, OF_ROUTE, registry_of, triple_of
from practice.http.face import Ask, Call, Refusal, Shown
from practice.http.own_api import problem
from practice.http.resource import Resource, held
from practice.quality.registry import OFFERS, Batch, Publishing, Rollout, Snapshot

USUAL = "usual"


class RolloutSet(Ask):
    """The candidate (`MODEL/PROMPT/GUARD`) that gets `percent` of the new sessions; null: there is none."""

    candidate: str | None
    percent: float = Field(ge=0, le=100, allow_inf_nan=False)


class SnapshotSet(Ask):
    """The dated snapshot of the provider's model that answers; null: whatever the provider's floating name means."""

    pinned: str | None


class ModelSet(Ask):
    """The model that answers some tenants; `usual`: the route's own."""

    tenants: list[str] = Field(min_length=1)
    model: str


class ModelsShown(Shown):
    """Which model answers a tenant, where it is not the usual one."""

    models: dict[str, str]


def _rollout(call: Call) -> RolloutSet:
    found = registry_of(call).rollout
    return RolloutSet(candidate=found.candidate, percent=found.percent)


def _roll_out(call: Call, wanted: RolloutSet) -> None:
    """Give a candidate a share of the new sessions. While rollouts are held it may only become less."""
    registry = registry_of(call)
    if wanted.candidate is not None:
        triple_of(call, wanted.candidate)
    if wanted.percent and wanted.candidate is None:
        raise call.invalid("a share needs a candidate")
    if registry.publishing.rollouts == "held" and wanted.percent > registry.rollout.percent:
        raise Refusal(problem(403, "publishing_paused", "rollouts are held: a share may only become less"))
    registry.rollout = Rollout(wanted.candidate, wanted.percent)


def _snapshot(call: Call) -> SnapshotSet:
    return SnapshotSet(pinned=registry_of(call).snapshot.pinned)


def _pin(call: Call, wanted: SnapshotSet) -> None:
    """Pin a dated snapshot, or follow the provider's name again."""
    registry = registry_of(call)
    if wanted.pinned is not None and wanted.pinned not in registry.snapshots:
        raise call.invalid(f"there is no snapshot {wanted.pinned[:60]}; there are {', '.join(registry.snapshots)}")
    registry.snapshot = Snapshot(wanted.pinned)


def _models(call: Call) -> ModelsShown:
    return ModelsShown(models=registry_of(call).models)


def _use(call: Call, wanted: ModelSet) -> None:
    """Let a model answer some tenants. Refused where a tenant does not permit the model's provider."""
    registry, tenants = registry_of(call), call.state.tenants
    if unknown := [name for name in wanted.tenants if name not in tenants]:
        raise call.invalid(f"unknown tenants: {', '.join(unknown)[:200]}")
    offer = next((one for one in OFFERS if one.model == wanted.model), None)
    if offer is None and wanted.model != USUAL:
        raise call.invalid(f"there is no model {wanted.model[:60]}; there are {', '.join(one.model for one in OFFERS)}")
    barred = [name for name in wanted.tenants if offer and tenants[name].region_at(offer.provider) is None]
    if barred:
        raise Refusal(problem(403, "not_permitted", f"these tenants do not allow it: {', '.join(barred)}", tenants=barred))
    for name in call.each(wanted.tenants):
        if wanted.model == USUAL:
            registry.models.pop(name, None)
        else:
            registry.models[name] = wanted.model


held(FACE, "publishing", OF_ROUTE + "/publishing", Publishing, registry_of, "publishing")
Resource(FACE, "rollout", OF_ROUTE + "/rollout", RolloutSet, _rollout).takes(RolloutSet, _roll_out)
Resource(FACE, "snapshot", OF_ROUTE + "/snapshot", SnapshotSet, _snapshot).takes(SnapshotSet, _pin)
Resource(FACE, "models", OF_ROUTE + "/models", ModelsShown, _models).takes(ModelSet, _use)
held(FACE, "batch", OF_ROUTE + "/batch", Batch, registry_of, "batch")
