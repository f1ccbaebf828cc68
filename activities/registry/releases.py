"""What is read of releases, and the two things that hold them back: publishing paused, a rollout stopped (spec §9.7; A.7 M1, M6, R2)."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Literal, Self

from pydantic import Field

from activities.action import Call, Effect, Limits, NotYet, Order, Refused, Risk, Role, System, Value, action
from activities.kit.create_once import CreateOnce, There
from activities.kit.rest import Json, RestSetting
from activities.kit.setting import Change, Restore, SettingValue
from activities.kit.setting.write import SOON
from activities.kit.words.shell import Var, address, curl
from activities.kit.words.urls import path
from activities.models.routes import spread
from activities.product.app_plane import AppPlane
from activities.registry import orders
from activities.registry.orders import BASE, TOKEN, Offers, OffersOf, ReleaseResource, ReleasesOf, ServedOf
from activities.registry.release_plane import ReleasePlane
from activities.registry.triples import ANSWERS


class Served(Value):
    """Which triples really answered lately, sticky sessions included."""

    by: dict[str, int]
    answers: int
    window: timedelta

    def share(self, triple: str) -> float | None:
        """None where nobody was answered: that is no proof of anything."""
        return self.by.get(triple, 0) / self.answers if self.answers else None


class ReleaseHistory(System):
    """What the release plane shows."""

    def __init__(self, plane: ReleasePlane) -> None:
        self._plane = plane

    @action("releases.list")
    async def list(self, order: ReleasesOf, call: Call) -> orders.Releases:
        """Every release of a route."""
        return await self._plane.releases(call, order.route)

    @action("releases.offers")
    async def offers(self, order: OffersOf, call: Call) -> Offers:
        """The models and snapshots that a route may be answered by."""
        return await self._plane.offers(call, order.route)

    @action("releases.served")
    async def served(self, order: ServedOf, call: Call) -> Served:
        """Who answered."""
        said = await self._plane.look(call, order)
        return Served(by={row["triple"]: row["answers"] for row in said["by"]}, answers=said["answers"], window=order.window)


class PublishingOf(ReleaseResource, path="routes/{route}/publishing", called="publishing for {route}"):
    """Whether prompts, models and guard chains of a route may be published."""


class Publishing(SettingValue, says="publishes {publishes}, rollouts {rollouts}"):
    """Whether publishes are let through, and whether a rollout may grow."""

    publishes: Literal["open", "refused"]
    rollouts: Literal["open", "held"]

    def both(self, other: Self) -> Self:
        """What either of them keeps back."""
        refused, held = "refused" in (self.publishes, other.publishes), "held" in (self.rollouts, other.rollouts)
        return self.model_copy(update={"publishes": "refused" if refused else "open", "rollouts": "held" if held else "open"})

    def met(self, now: Self) -> bool:
        return self.both(now).same(now)


PAUSED = Publishing(publishes="refused", rollouts="held")


class PublishingPause(
    RestSetting[PublishingOf, Publishing], read="releases.publishing", change="releases.pause", restore="releases.resume", risk=Risk.C1,
    asks=(Role.AI_ML_LEAD, Role.INCIDENT_COMMANDER),
):  # fmt: skip
    """Proven by a publish that is tried, and publishes nothing."""

    def __init__(self, plane: ReleasePlane) -> None:
        self.rest: ReleasePlane = plane

    async def shown(self, call: Call, of: PublishingOf, value: Publishing) -> str:
        refused = await self.rest.publish_is_refused(call, of.route)
        if refused is not (value.publishes == "refused"):
            raise NotYet(f"accepted, but a publish for {of.route} would still be {'refused' if refused else 'let through'}", after=SOON)
        return f"a publish that was tried would be {'refused' if refused else 'let through'}"


PUBLISHING_PAUSED = PublishingPause.measure("publishing paused", until_stable=True)


class RolloutOf(ReleaseResource, path="routes/{route}/rollout", called="the rollout of {route}"):
    """What is being rolled out on a route."""


class Rollout(SettingValue):
    """The candidate (`MODEL/PROMPT/GUARD`; None: there is none), and its share of the new sessions, in percent."""

    candidate: str | None
    percent: float = Field(ge=0, le=100, allow_inf_nan=False)

    def __str__(self) -> str:
        return f"{self.candidate} at {self.percent:g} %" if self.candidate else "nothing"

    def effect(self, of: RolloutOf) -> str:
        return (
            f"give {self.candidate} {self.percent:g} % of the new sessions of {of.route}"
            if self.percent
            else f"stop the rollout of {of.route}"
        )


RolloutOrder = Change[RolloutOf, Rollout] | Restore[RolloutOf, Rollout]


def _rollout_risk(order: RolloutOrder, limits: Limits) -> Risk:
    """To stop one is narrow; to let more customers meet a candidate is not."""
    to = order.goal if isinstance(order, Restore) else order.wanted
    return Risk.C1 if to.percent == 0 else Risk.C2


class Rollouts(
    RestSetting[RolloutOf, Rollout], read="releases.rollout", change="releases.roll_out", restore="releases.restore_rollout",
    risk=_rollout_risk, asks=(Role.AI_ML_LEAD, Role.INCIDENT_COMMANDER),
):  # fmt: skip
    """Proven by which triple answers new sessions, where a share of none or all can be told from chance."""

    def __init__(self, plane: ReleasePlane, app: AppPlane) -> None:
        self.rest: ReleasePlane = plane
        self._app = app

    async def check(self, call: Call, order: RolloutOrder, to: Rollout) -> None:
        """A candidate on the blocklist is never rolled out."""
        if not to.percent or to.candidate is None:
            return
        known = await self.rest.releases(call, order.of.route)
        if any(one.triple == to.candidate and one.blocklisted for one in known.releases):
            raise Refused(f"{to.candidate} is on the blocklist of injections: it is not rolled out")

    async def shown(self, call: Call, of: RolloutOf, value: Rollout) -> str:
        if value.candidate is None or 0 < value.percent < 100:
            return ""
        tenants = (await self.rest.offers(call, of.route)).tenants
        said = await asyncio.gather(*(self._app.chat(call, tenant) for tenant in spread(tenants, ANSWERS if tenants else 0)))
        by = Counter(found for answer in said if (found := answer.headers.get("x-triple", "")))
        serving = (await self.rest.releases(call, of.route)).serving
        wrong = by.total() - by[value.candidate] if value.percent else by[value.candidate] if value.candidate != serving else 0
        if not by or wrong:
            raise NotYet(f"accepted, but {wrong} of {by.total()} new sessions were answered otherwise", after=SOON)
        return f"{by[value.candidate]} of {by.total()} new sessions were answered by {value.candidate}"


ROLLOUT_STOPPED = Rollouts.measure("rollout stopped", own_end=True)


class ClearSticky(
    Order, target="route/{route}/sticky", effect="end every sticky session of {route}: each begins anew with what serves now"
):
    undone = "nothing to undo: a session that ended begins anew with what serves"

    route: str

    def by_hand(self) -> tuple[str, ...]:
        url = address(BASE, path("v1", "routes", self.route, "sticky", "clear"))
        return (curl("POST", url, ("Authorization: Bearer ", TOKEN), body={"key": Var("USER")}),)


class StickySessions(
    CreateOnce[ClearSticky, int], name="releases.clear_sticky", risk=Risk.C2, asks=(Role.INCIDENT_COMMANDER, Role.AI_ML_LEAD),
):  # fmt: skip
    """Sticky sessions are cleared once for each step: by a generation that only grows (A.7 M6). What exists once is the generation of our key."""

    keyed = True

    def __init__(self, plane: ReleasePlane) -> None:
        self._plane = plane

    async def find(self, call: Call, order: ClearSticky) -> int | None:
        found: Mapping[str, int] = (await self._plane.sticky(call, order.route))["cleared_for"]
        return found.get(call.key)

    async def make(self, call: Call, order: ClearSticky) -> None:
        await self._plane.clear_sticky(call, order.route, call.key)

    async def describe(self, call: Call, order: ClearSticky, there: There[int]) -> Effect:
        """How much is still with an older triple is told by the sessions themselves."""
        said: Json = await self._plane.sticky(call, order.route)
        left = sum(said["shares"].values())
        seen = f"generation {there.found}; {left:.0%} of the sessions are still with what served before"
        return order.done(seen, adopted=there.adopted, after={"generation": there.found, "left": left})
