"""Which model answers: a pinned snapshot, a cheaper model for some tenants, batch work off-peak (spec §9.6, §9.7 M7; INV-13)."""

import asyncio
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Literal

from activities.action import Call, Limits, NotYet, Refused, Risk, Role
from activities.kit.rest import RestSetting
from activities.kit.setting import Change, Reading, Restore, Setting, SettingValue
from activities.kit.setting.write import SOON
from activities.models.routes import people, spread
from activities.product.app_plane import AppPlane
from activities.registry.orders import ReleaseResource
from activities.registry.release_plane import ReleasePlane

ANSWERS = 20  # new sessions that are asked to prove which model answers
USUAL = "usual"


class SnapshotOf(ReleaseResource, path="routes/{route}/snapshot", called="the model snapshot of {route}"):
    """Which dated snapshot of its provider's model answers a route."""


class Snapshot(SettingValue):
    """None: whatever the provider's name without a date means."""

    pinned: str | None

    def __str__(self) -> str:
        return self.pinned or "what the provider's name means"

    def effect(self, of: SnapshotOf) -> str:
        return f"pin {self.pinned} for {of.route}" if self.pinned else f"let {of.route} follow the provider's name"


class Snapshots(
    RestSetting[SnapshotOf, Snapshot], read="releases.snapshot", change="releases.pin", restore="releases.unpin", risk=Risk.C2,
    asks=(Role.AI_ML_LEAD, Role.INCIDENT_COMMANDER),
):  # fmt: skip
    """Proven by the model that answers say they are of. It is the same provider's: no tenant's permission is concerned."""

    def __init__(self, plane: ReleasePlane, app: AppPlane) -> None:
        self.rest: ReleasePlane = plane
        self._app = app

    async def check(self, call: Call, order: Change[SnapshotOf, Snapshot] | Restore[SnapshotOf, Snapshot], to: Snapshot) -> None:
        known = (await self.rest.offers(call, order.of.route)).snapshots
        if to.pinned is not None and to.pinned not in known:
            raise Refused(f"the provider has no snapshot {to.pinned}; there are {', '.join(known) or 'none'}")

    async def shown(self, call: Call, of: SnapshotOf, value: Snapshot) -> str:
        """Begin new sessions. Those that another provider answers say nothing."""
        offers = await self.rest.offers(call, of.route)
        wanted = {offers.snapshots[value.pinned]: value.pinned} if value.pinned else offers.floating
        said = await asyncio.gather(*(self._app.chat(call, tenant) for tenant in spread(offers.tenants, ANSWERS if offers.tenants else 0)))
        met = [(answer.headers.get("x-served-by", "").partition("@")[0], answer.headers.get("x-model", "")) for answer in said]
        concerned = [(by, model) for by, model in met if by in wanted and model and offers.of(model) is None]
        wrong = [model for by, model in concerned if model != wanted[by]]
        if wrong or not concerned:
            what = f"{len(wrong)} of {len(concerned)} answers still come from {wrong[0]}" if wrong else "no answer says which model gave it"
            raise NotYet(f"accepted, but {what}", after=SOON)
        return f"{len(concerned)} of {len(concerned)} answers came from {concerned[0][1]}"


PINNED = Snapshots.measure("model snapshot pinned", own_end=True)


class ModelsOf(ReleaseResource, path="routes/{route}/models"):
    """Which models answer some tenants of a route."""

    tenants: tuple[str, ...]

    def __str__(self) -> str:
        return f"the models of {people(self.tenants)} of {self.route}"

    def concerns_nobody(self) -> bool:
        return not self.tenants

    def write_by_hand(self, value: "ModelUse", prior: object = None) -> tuple[str, ...]:
        return tuple(line for model, tenants in value.by_model() for line in self.put_by_hand({"tenants": list(tenants), "model": model}))


class ModelUse(
    SettingValue, effect="answer tenants of {of.route} by cheaper models: {self}", back="answer tenants of {of.route} as before: {self}"
):
    """The model of each tenant; `usual`: the route's own."""

    models: dict[str, str]

    def __str__(self) -> str:
        return "; ".join(f"{model}: {people(tenants)}" for model, tenants in self.by_model())

    def by_model(self) -> list[tuple[str, tuple[str, ...]]]:
        ordered = sorted(self.models.items(), key=lambda one: one[1])
        return [(model, tuple(tenant for tenant, _ in group)) for model, group in groupby(ordered, key=lambda one: one[1])]

    def parts(self) -> dict[str, "ModelUse"]:
        """Tenant by tenant."""
        return {tenant: ModelUse(models={tenant: model}) for tenant, model in self.models.items()}

    @classmethod
    def whole(cls, parts: Mapping[str, "ModelUse"]) -> "ModelUse":
        return cls(models={tenant: model for part in parts.values() for tenant, model in part.models.items()})

    def between(self, before: "ModelUse", now: "ModelUse") -> bool:
        """Some tenants have their new model, the others still have the one before."""
        return all(now.models.get(tenant) in (model, before.models.get(tenant)) for tenant, model in self.models.items())


class ModelUseReading(Reading[ModelUse]):
    """As it was read. Version and `route_epoch` are of all tenants together, which changes for others raise too."""

    route_epoch: int = 0


ModelOrder = Change[ModelsOf, ModelUse] | Restore[ModelsOf, ModelUse]


def _risk(order: ModelOrder, limits: Limits) -> Risk:
    return Risk.C1 if len(order.of.tenants) <= limits.tenants else Risk.C2


class CheaperModels(
    Setting[ModelsOf, ModelUse, ModelUseReading], read="releases.models", change="releases.use_cheaper", restore="releases.use_usual",
    risk=_risk, asks=(Role.AI_ML_LEAD, Role.INCIDENT_COMMANDER),
):  # fmt: skip
    """Another model of the route's offers, no worse than policy allows, and only for tenants that permit its provider."""

    values_compare = True

    def __init__(self, plane: ReleasePlane, app: AppPlane) -> None:
        self._plane, self._app = plane, app

    async def look_at(self, call: Call, of: ModelsOf) -> ModelUseReading:
        said = await self._plane.get(call, of.path)
        value = ModelUse(models={tenant: said["models"].get(tenant, USUAL) for tenant in of.tenants})
        return ModelUseReading(value=value, version=said["etag"], route_epoch=said["epoch"])

    async def check(self, call: Call, order: ModelOrder, to: ModelUse) -> None:
        """Raises `Refused` for a model that is not offered, is not good enough, or that a tenant does not permit."""
        if isinstance(order, Restore):
            return
        offers = await self._plane.offers(call, order.of.route)
        for model in sorted(set(to.models.values()) - {USUAL}):
            offer, tenants = offers.of(model), [tenant for tenant, one in to.models.items() if one == model]
            if offer is None:
                raise Refused(f"{order.of.route} has no model {model} on offer; there are {', '.join(one.model for one in offers.offers)}")
            if offer.parity < call.limits.parity:
                raise Refused(f"{model} is not as good as the usual model: parity {offer.parity:g}, wanted {call.limits.parity:g}")
            if barred := [tenant for tenant in tenants if tenant not in offer.permitted]:
                raise Refused(f"{', '.join(barred)} do not permit {offer.provider} (INV-13)")

    async def write(self, call: Call, of: ModelsOf, wanted: ModelUse, over: ModelUseReading, epoch: int) -> None:
        """One request for each model that somebody is to get; each under the version that the one before left."""
        for model, tenants in wanted.by_model():
            left = [tenant for tenant in tenants if over.value.models[tenant] != model]
            if left:
                body = {"epoch": over.route_epoch + 1, "tenants": left, "model": model}
                await self._plane.put(call, of.path, over.version, body)
                over = await self.look_at(call, of)
                if any(over.value.models[tenant] != model for tenant in left):
                    return  # reading back says so

    async def shown(self, call: Call, of: ModelsOf, value: ModelUse) -> str:
        tenants = spread(sorted(value.models), min(ANSWERS, len(value.models)))
        offers = {one.model for one in (await self._plane.offers(call, of.route)).offers}
        said = await asyncio.gather(*(self._app.chat(call, tenant) for tenant in tenants))
        by = {tenant: answer.headers.get("x-model", "") for tenant, answer in zip(tenants, said, strict=True)}
        wrong = [t for t, model in by.items() if (model in offers if value.models[t] == USUAL else model != value.models[t])]
        if wrong:
            raise NotYet(f"accepted, but {', '.join(wrong)} are still answered by another model", after=SOON)
        return f"{len(tenants)} of {len(value.models)} tenants were answered by the model intended"


CHEAPER = CheaperModels.measure("cheaper model")


class BatchOf(ReleaseResource, path="routes/{route}/batch", called="when batch work of {route} runs"):
    """When batch work of a route runs."""


class BatchTime(
    SettingValue, says="{when}", effect="run batch work of {of.route} {self}", back="run batch work of {of.route} {self} again"
):
    """`now`, `off_peak` where it costs less, or not at all."""

    when: Literal["now", "off_peak", "paused"]


class BatchTimes(
    RestSetting[BatchOf, BatchTime], read="releases.batch", change="releases.off_peak", restore="releases.batch_as_before", risk=Risk.C1,
    asks=(Role.AI_ML_LEAD, Role.INCIDENT_COMMANDER),
):  # fmt: skip
    """It changes what batch work costs, not what it answers. There is no other path that shows it."""

    def __init__(self, plane: ReleasePlane) -> None:
        self.rest = plane


OFF_PEAK = BatchTimes.measure("batch off-peak")


def cheaper(route: str, tenants: Sequence[str], model: str) -> Change[ModelsOf, ModelUse]:
    """The order that lets a cheaper model answer these tenants."""
    return CheaperModels.order(ModelsOf(route=route, tenants=tuple(tenants)), ModelUse(models=dict.fromkeys(tenants, model)))
