"""Shadow mode looks again: what automation only noted that it would do, did people do it by hand? (design §4, Shadow)

Nothing is changed here. Each measure that was only noted is looked at again, by its own reading, while the impact lasts and once more at the
end; what is found is on the timeline, where `incident report --shadow` reads it.
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
class ExpectedMeasure:
    """One measure that was only noted, and what became of it."""

    step: Step
    measure: Measure[Any]
    order: Imposition
    looked_at: datetime  # the last time that it was not seen
    seen: bool = False
    unknown: str = ""  # why nobody can tell


class Shadow:
    """Remembers what would be in force, and looks whether it is."""

    def __init__(self, state: IncidentState, invoker: Invoker) -> None:
        self._state = state
        self._invoker = invoker
        self._expected: dict[tuple[str, str], ExpectedMeasure] = {}
        self._looks = 0

    def expect(self, measure: Measure[Any], order: Imposition, now: object, step: Step) -> None:
        """A measure was only noted. `now` is the state that was read: it may be so already. The steps of a ramp are one measure, the last counts."""
        if not self._state.shadow or self._state.mitigated_at is not None:
            return
        key = (measure.name, order.target())
        known = self._expected.get(key)
        expected = ExpectedMeasure(known.step if known else step, measure, order, workflow.now())
        self._expected[key] = expected
        self._judge(expected, now)

    async def look_sometimes(self) -> None:
        """Look at the first, second, fourth, eighth … call: often while it is young, and never a burden."""
        if not self._expected:
            return
        self._looks += 1
        if self._looks & (self._looks - 1) == 0:
            await self.look()

    async def look(self) -> None:
        """Look at everything that was not seen so far."""
        for expected in [one for one in self._expected.values() if not one.seen]:
            try:
                now = await self._invoker.quietly(expected.measure.look, expected.order.look())
            except RetriesExhausted as out:
                expected.unknown = out.why
            else:
                self._judge(expected, now)

    async def settle(self) -> None:
        """The last look; what was not seen by now is noted as such."""
        await self.look()
        for expected in [one for one in self._expected.values() if not one.seen]:
            text = f"{expected.order.effect()}: " + (expected.unknown or "it was never seen")
            self._note(UNKNOWN if expected.unknown else DID_NOT, expected, text)
        self._expected.clear()

    def _judge(self, expected: ExpectedMeasure, now: object) -> None:
        met = expected.order.met(now)
        expected.unknown = "" if met is not None else f"{expected.measure.name} cannot be recognised by looking"
        if met:
            expected.seen = True
            self._note(DID, expected, f"{expected.order.effect()}: seen")
        elif met is False:
            expected.looked_at = workflow.now()

    def _note(self, kind: str, expected: ExpectedMeasure, text: str) -> None:
        self._state.note(
            kind, text, step=expected.step, measure=expected.measure.name, target=expected.order.target(),
            not_before=expected.looked_at.isoformat(),
        )  # fmt: skip
