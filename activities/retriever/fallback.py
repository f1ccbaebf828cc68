"""Cached answers while a model does not answer (spec §9.2, A.2 M6): to the tenant they were made for, not too old, nothing personal."""

from datetime import timedelta
from typing import Any, ClassVar, Self

from activities.action import Call, NotYet, Risk, Role
from activities.kit.rest import RestResource, RestSetting
from activities.kit.setting import Change, SettingValue
from activities.kit.setting.write import SOON
from activities.product.app_plane import AppPlane
from activities.retriever.plane import BASE, TOKEN, Retriever
from activities.values import span


class CachedAnswersOf(RestResource, path="routes/{route}/cached-answers", called="cached answers of route {route}"):
    base, token = BASE, TOKEN

    route: str

    def target(self) -> str:
        return "/".join(("route", self.route, "cached-answers"))


class CachedAnswers(SettingValue):
    """Whether the cache answers where the model does not, with answers up to this age (seconds). Never to another tenant."""

    on: bool
    max_age_seconds: float
    personal: bool = False

    def __str__(self) -> str:
        if not self.on:
            return "off"
        return f"on, up to {span(timedelta(seconds=self.max_age_seconds))} old" + ("" if self.personal else ", nothing personal")

    def effect(self, of: CachedAnswersOf) -> str:
        return f"answer from the cache where the model of route {of.route} does not: {self}, each tenant its own"

    def both(self, other: Self) -> Self | None:
        if self.on != other.on:
            return None
        strict = min(self.max_age_seconds, other.max_age_seconds)
        return self.model_copy(update={"max_age_seconds": strict, "personal": self.personal and other.personal})


class CachedAnswerSettings(
    RestSetting[CachedAnswersOf, CachedAnswers], read="retriever.cached_answers", change="retriever.serve_cached",
    restore="retriever.stop_serving_cached", risk=Risk.C2, restore_risk=Risk.C1, asks=(Role.AI_ML_LEAD, Role.OPS_LEAD),
):  # fmt: skip
    """Whether routes fall back to their cache, proven by how the product says that it answers."""

    wants: ClassVar[str] = "cached_answers"

    def __init__(self, retriever: Retriever, app: AppPlane) -> None:
        self.rest, self._app = retriever, app

    async def shown(self, call: Call, of: CachedAnswersOf, value: CachedAnswers) -> str:
        """Raises `NotYet` while the product falls back otherwise."""
        said: dict[str, Any] = await self._app.fallback(call)
        if bool(said[self.wants]) != value.on:
            raise NotYet(f"accepted, but the product has {of} {'on' if said[self.wants] else 'off'}", after=SOON)
        return "the product itself says so"


SERVES_CACHED = CachedAnswerSettings.measure("cached answers")


def serve_cached(route: str, max_age: timedelta) -> Change[CachedAnswersOf, CachedAnswers]:
    """Nothing personal."""
    return CachedAnswerSettings.order(CachedAnswersOf(route=route), CachedAnswers(on=True, max_age_seconds=max_age.total_seconds()))
