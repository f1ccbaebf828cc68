"""What an incident tells its legal clocks: every sign that data may have been seen, lost or changed (spec §5, §10).

The clocks are a workflow of their own, which outlives the incident. Where they cannot be started, people are woken and told the command.
"""

from temporalio import workflow

from activities.action import Role
from activities.clocks.clocks import Clocks
from activities.clocks.orders import ReportExposure
from workflows.engine.verbs import Verbs
from workflows.errors import NotSentInShadow, RetriesExhausted
from workflows.incident import Exposure
from workflows.status import Task
from workflows.waiting import waited

PEOPLE = (Role.LEGAL, Role.SECURITY_LEAD, Role.INCIDENT_COMMANDER)


class IncidentClocks:
    def __init__(self, verbs: Verbs) -> None:
        self._verbs, self._state = verbs, verbs.state
        self._told = 0  # how many of the exposures the clocks know
        self._task: Task | None = None

    async def run(self) -> None:
        """Tell them everything, in order. What could not be told is told again until it is: a clock must not be forgotten."""
        state = self._state
        while True:
            await workflow.wait_condition(lambda: len(state.exposures) > self._told)
            if not await self._tell(state.exposures[self._told]):
                await waited(lambda: False, state.policy.for_people(state.policy.repage), "the legal clocks to be told once more")

    async def over(self) -> None:
        """The incident ends: a last try for what the clocks do not know. What remains is a task, which is there already."""
        while len(self._state.exposures) > self._told:
            if not await self._tell(self._state.exposures[self._told]):
                return

    async def _tell(self, exposure: Exposure) -> bool:
        state = self._state
        order = ReportExposure(
            incident=state.id, why=exposure.why, aware_at=exposure.aware_at, restricted=state.restricted, tenants=exposure.tenants,
            title="" if state.restricted else state.incident.title or state.card.title, personal_data=exposure.personal_data,
            malicious=exposure.malicious, facts=dict(exposure.facts),
        )  # fmt: skip
        try:
            effect = await self._verbs.quietly(Clocks.report, order)
        except NotSentInShadow:
            self._by_people("shadow mode: no clock is started by us", order)
            self._told += 1
            return True
        except RetriesExhausted as out:
            self._by_people(out.why, order)
            return False
        self._told += 1
        state.note("clocks", effect.summary)
        if self._task is not None and self._task.open:
            state.tick(self._task, "automation", effect.summary)
        return True

    def _by_people(self, why: str, order: ReportExposure) -> None:
        """Once: whoever is told twice to do the same stops reading."""
        if self._task is None:
            self._task = self._verbs.task(
                f"Keep the legal clocks by hand, from {order.aware_at:%Y-%m-%d %H:%M} UTC: {why}", Role.LEGAL, order.by_hand()
            )
            if not self._state.shadow:
                self._verbs.page(PEOPLE, f"the legal clocks could not be started: {why}")
