"""Shim until the freeze lands."""

from typing import Any, ClassVar, Self

from activities.action import Call, Effect, Imposition, Measure, Order, Refused, Risk, Role, System, Value, action
from activities.organisation import Deployed, Whole


class Holders(Value):
    """Who holds it."""

    holders: tuple[str, ...] = ()


class Hold(Imposition):
    """Hold the freeze."""

    volatile: ClassVar[frozenset[str]] = frozenset({"prior"})
    service: Deployed
    incident_id: str
    reason: str = ""
    prior: Holders | None = None

    def target(self) -> str:
        """The service."""
        return f"freeze/{self.service.name}"

    def effect(self) -> str:
        """Frozen."""
        return f"freeze deploys of {self.service.name}"

    def look(self) -> Order:
        """Look."""
        return Whole()

    def given(self, prior: Any) -> Self:
        """Given."""
        return self.model_copy(update={"prior": prior})

    def undo(self) -> Order:
        """Release."""
        return self


class Freezes(System):
    """Freezes."""

    @action("freezes.read")
    async def read(self, order: Whole, call: Call) -> Holders:
        """Read."""
        return Holders()

    @action("freezes.hold", risk=Risk.C1, asks=(Role.OPS_LEAD,))
    async def hold(self, order: Hold, call: Call) -> Effect:
        """Hold."""
        raise Refused("not there yet")

    @action("freezes.release", risk=Risk.C2, asks=(Role.INCIDENT_COMMANDER,))
    async def release(self, order: Hold, call: Call) -> Effect:
        """Release."""
        raise Refused("not there yet")


FROZEN = Measure("change freeze", look=Freezes.read, impose=Freezes.hold, lift=Freezes.release, sticky=True, until_stable=True)
