"""In which mode tenants are answered: as usual, or from retrieval only and labelled so (spec §9.2 M2)."""

import asyncio
from collections.abc import Mapping, Sequence
from itertools import groupby

from activities.action import Call, Limits, NotYet, Refused, Risk, Role
from activities.kit.setting import Change, Reading, Restore, Setting, SettingValue
from activities.kit.setting.write import SOON
from activities.models.model_gateway import ModelGateway
from activities.models.routes import RouteResource, people, spread
from activities.organisation.numbers import MitigationSettings
from activities.product.app_plane import AppPlane

RETRIEVAL_ONLY = "retrieval_only"
MOST_CHATS = 20  # tenants that are asked to prove a mode
INTENDED = 0.99  # the share of answers that must be as intended (spec §9.2, Verify)


class ModesOf(RouteResource):
    tenants: tuple[str, ...]

    def __str__(self) -> str:
        return f"the mode of {people(self.tenants)} of route {self.route}"

    def concerns_nobody(self) -> bool:
        return not self.tenants

    def write_by_hand(self, value: "Modes", prior: object = None) -> tuple[str, ...]:
        return tuple(
            line for mode, tenants in value.by_mode() for line in self.put_by_hand({"tenants": list(tenants), "mode": mode}, "modes")
        )


class Modes(SettingValue, back="put the modes of route {of.route} back ({self})"):
    """The mode of each tenant: `normal` or `retrieval_only`."""

    modes: dict[str, str]

    def __str__(self) -> str:
        return "; ".join(f"{mode}: {people(tenants)}" for mode, tenants in self.by_mode())

    @property
    def felt(self) -> bool:
        return any(mode != "normal" for mode in self.modes.values())

    def by_mode(self) -> list[tuple[str, tuple[str, ...]]]:
        ordered = sorted(self.modes.items(), key=lambda one: one[1])
        return [(mode, tuple(tenant for tenant, _ in group)) for mode, group in groupby(ordered, key=lambda one: one[1])]

    def parts(self) -> dict[str, "Modes"]:
        """Tenant by tenant."""
        return {tenant: Modes(modes={tenant: mode}) for tenant, mode in self.modes.items()}

    @classmethod
    def whole(cls, parts: Mapping[str, "Modes"]) -> "Modes":
        return cls(modes={tenant: mode for part in parts.values() for tenant, mode in part.modes.items()})

    def between(self, before: "Modes", now: "Modes") -> bool:
        """Some tenants have their new mode, the others still have the one before."""
        return all(now.modes.get(tenant) in (mode, before.modes.get(tenant)) for tenant, mode in self.modes.items())

    def way_back(self, before: "Modes", numbers: MitigationSettings, shares: Sequence[float] | None) -> tuple["Modes", ...]:
        """The tenants come back a share at a time (INV-19)."""
        names = list(self.modes)
        ends = [round(share * len(names)) or 1 for share in shares or (1.0,)]
        return tuple(Modes(modes={**self.modes, **{name: before.modes[name] for name in names[:end]}}) for end in dict.fromkeys(ends))

    def effect(self, of: ModesOf) -> str:
        return f"answer {people(of.tenants)} of route {of.route} from retrieval only, labelled"


class ModesReading(Reading[Modes]):
    """As it was read; its version and `route_epoch` are the whole route's, which other changes raise too."""

    route_epoch: int = 0


def _risk(order: Change[ModesOf, Modes] | Restore[ModesOf, Modes], limits: Limits) -> Risk:
    return Risk.C1 if len(order.of.tenants) <= limits.tenants else Risk.C2


class TenantModes(
    Setting[ModesOf, Modes, ModesReading], read="models.modes", change="models.degrade", restore="models.restore_modes", risk=_risk,
    asks=(Role.OPS_LEAD, Role.INCIDENT_COMMANDER),
):  # fmt: skip
    """The modes of tenants, proven by how the product answers them."""

    values_compare = True

    def __init__(self, gateway: ModelGateway, app: AppPlane) -> None:
        self._gateway, self._app = gateway, app

    async def look_at(self, call: Call, of: ModesOf) -> ModesReading:
        route = await self._gateway.route(call, of.route)
        value = Modes(modes={tenant: route.mode(tenant) for tenant in of.tenants})
        return ModesReading(value=value, version=route.etag, route_epoch=route.epoch)

    async def check(self, call: Call, order: Change[ModesOf, Modes] | Restore[ModesOf, Modes], to: Modes) -> None:
        if not order.of.tenants:
            raise Refused("a change of modes must name its tenants")

    async def write(self, call: Call, of: ModesOf, wanted: Modes, over: ModesReading, epoch: int) -> None:
        """One request for each mode that somebody is to get; each under the version that the one before left."""
        for mode, tenants in wanted.by_mode():
            left = [tenant for tenant in tenants if over.value.modes[tenant] != mode]
            if left:
                body = {"epoch": over.route_epoch + 1, "tenants": left, "mode": mode}
                await self._gateway.put_route(call, of.route, "modes", over.version, body)
                over = await self.look_at(call, of)
                if any(over.value.modes[tenant] != mode for tenant in left):
                    return  # reading back says so

    async def shown(self, call: Call, of: ModesOf, value: Modes) -> str:
        """Ask the product as these tenants. Raises `NotYet` when too many answers show another mode."""
        wanted = value.modes
        tenants = spread(sorted(wanted), min(MOST_CHATS, len(wanted)))
        said = await asyncio.gather(*(self._app.chat(call, tenant) for tenant in tenants))
        wrong = [tenant for tenant, answer in zip(tenants, said, strict=True) if answer.headers.get("x-mode") != wanted[tenant]]
        if len(wrong) > (1 - INTENDED) * len(tenants):
            raise NotYet(f"accepted, but the product still answers {', '.join(wrong)} in another mode", after=SOON)
        return f"the product answered {len(tenants)} of {len(wanted)} tenants in the mode intended"


DEGRADED = TenantModes.measure("degraded")


def degrade(route: str, tenants: Sequence[str]) -> Change[ModesOf, Modes]:
    return TenantModes.order(ModesOf(route=route, tenants=tuple(tenants)), Modes(modes=dict.fromkeys(tenants, RETRIEVAL_ONLY)))
