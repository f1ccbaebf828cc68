"""Shadow mode's second look: what we only said we would do, did somebody bring it about by hand? (design §4, Shadow)

Nothing is changed here. Each measure that was only said is looked at again, by its own reading, while the impact lasts and once more at the
end; what is found stands on the timeline, where `incident report --shadow` reads it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from temporalio import workflow

from activities.action import Imposition, Measure
from workflows.engine.invoker import Invoker
from workflows.engine.state import IncidentState
from workflows.errors import RetriesExhausted
from workflows.status import Step

DID, DID_NOT, UNKNOWN = "people did", "nobody did", "cannot tell"  # kinds of timeline entries


@dataclass
class Wanted:
    """One measure that was only said, and what became of it."""

    step: Step
    measure: Measure[Any]
    order: Imposition
    looked_at: datetime  # the last time that it was not so
    seen: bool = False
    unknown: str = ""  # why nobody can tell


class Shadow:
    """Remembers what would be in force, and looks whether it is."""

    def __init__(self, state: IncidentState, invoker: Invoker) -> None:
        self._state = state
        self._invoker = invoker
        self._wanted: dict[tuple[str, str], Wanted] = {}
        self._looks = 0

    def wants(self, measure: Measure[Any], order: Imposition, now: object, step: Step) -> None:
        """A measure was only said. `now` is the state that it met: it may be so already. The steps of a ramp are one measure, the last counts."""
        if not self._state.shadow or self._state.mitigated_at is not None:
            return
        key = (measure.name, order.target())
        known = self._wanted.get(key)
        wanted = Wanted(known.step if known else step, measure, order, workflow.now())
        self._wanted[key] = wanted
        self._judge(wanted, now)

    async def glance(self) -> None:
        """Look at the first, second, fourth, eighth … call: often while it is young, and never a burden."""
        if not self._wanted:
            return
        self._looks += 1
        if self._looks & (self._looks - 1) == 0:
            await self.look()

    async def look(self) -> None:
        """Look at everything that was not seen so far."""
        for wanted in [one for one in self._wanted.values() if not one.seen]:
            try:
                now = await self._invoker.quietly(wanted.measure.look, wanted.order.look())
            except RetriesExhausted as out:
                wanted.unknown = out.why
            else:
                self._judge(wanted, now)

    async def settle(self) -> None:
        """The last look; what was not seen by now is said to be so."""
        await self.look()
        for wanted in [one for one in self._wanted.values() if not one.seen]:
            said = f"{wanted.order.effect()}: " + (wanted.unknown or "it was never seen to be so")
            self._note(UNKNOWN if wanted.unknown else DID_NOT, wanted, said)
        self._wanted.clear()

    def _judge(self, wanted: Wanted, now: object) -> None:
        met = wanted.order.met(now)
        wanted.unknown = "" if met is not None else f"{wanted.measure.name} cannot be told by looking"
        if met:
            wanted.seen = True
            self._note(DID, wanted, f"{wanted.order.effect()}: seen to be so")
        elif met is False:
            wanted.looked_at = workflow.now()

    def _note(self, kind: str, wanted: Wanted, said: str) -> None:
        self._state.note(
            kind, said, step=wanted.step, measure=wanted.measure.name, target=wanted.order.target(),
            not_before=wanted.looked_at.isoformat(),
        )  # fmt: skip
