"""One route between its primary and its fallback provider: what is in force, and how soon traffic may return."""

from collections.abc import Sequence
from datetime import timedelta

from temporalio import workflow

from activities.models.logs import Log
from activities.models.models import FAILED_OVER, Models
from activities.models.routes import Shift
from workflows.engine.measures import Imposed
from workflows.engine.verbs import Verbs


class Route:
    def __init__(self, verbs: Verbs, name: str, primary: str) -> None:
        self._verbs = verbs
        self._policy = verbs.policy.provider_outage
        self.name = name
        self.primary = primary
        self.no_return_before = workflow.now()

    @property
    def imposed(self) -> Imposed | None:
        """The failover that is in force."""
        return next(iter(self._verbs.in_force(FAILED_OVER)), None)

    def lock(self, duration: timedelta) -> None:
        """No return for so long from now: a provider that comes and goes must not take the traffic with it."""
        if not self._verbs.state.rehearsing:
            self.no_return_before = max(self.no_return_before, workflow.now() + self._verbs.policy.paced(duration))

    def log(self) -> Log:
        """The calls since the last step of a ramp."""
        return Log(route=self.name, window=self._policy.ramp_step)

    async def failing(self, provider: str) -> bool:
        calls = await self._verbs.do(Models.calls, self.log())
        return calls.failed_share(provider) > self._policy.error_ratio

    async def fall_back(self, tenants: Sequence[str], weights: dict[str, float], onto: Imposed | None) -> None:
        """Take the last step back."""
        back = Shift(route=self.name, tenants=tuple(tenants), weights=weights, purpose="fall back")
        await self._verbs.impose(FAILED_OVER, back, onto=onto)
