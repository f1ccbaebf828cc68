"""An exhausted error budget: what is left of it, the change halt that follows, and the two ways out of that (spec §1 G22).

The freeze has a holder of its own, `budget`: it outlives every incident, and no incident's stability gate lifts it. It ends when the budget is
positive again, or when the commander waives it by name. Nobody is paged by the hour for weeks: silence on the waiver keeps the freeze, and
the question comes again a day later.
"""

import asyncio

from activities.action import Role
from activities.freeze.freezes import BUDGET_FROZEN
from activities.freeze.orders import BUDGET, Hold
from activities.metrics.slo import ErrorBudget
from activities.metrics.telemetry import BudgetOf, Telemetry
from activities.organisation.catalogue import Deployed
from workflows.engine.measures import Imposed, lift_question
from workflows.engine.verbs import Verbs
from workflows.incident import Silence
from workflows.people.background import beside
from workflows.people.questions import Decision


class SpentBudget:
    """The error budget of one service, as the incident about it sees it."""

    def __init__(self, verbs: Verbs, service: Deployed) -> None:
        self._verbs, self._policy, self.service = verbs, verbs.policy.slo, service
        self._order = BudgetOf(service=service.name, slo_target=verbs.policy.stability.slo_target, slo=verbs.policy.slo)

    async def count(self) -> ErrorBudget:
        counted = await self._verbs.do(Telemetry.slo, self._order)
        self._verbs.note(counted.in_words(self._policy))
        return counted

    async def halt_changes(self, budget: ErrorBudget) -> None:
        """Hold deploys back for the budget, not for this incident; by hand where no deploy system of ours can."""
        verbs, name = self._verbs, self.service.name
        if not self.service.repository:
            verbs.task(f"Halt changes of {name} until its error budget is positive again: no deploy system is configured", Role.OPS_LEAD)
            return
        reason = f"the error budget is exhausted ({verbs.incident_id})"
        order = Hold(service=self.service, holder=BUDGET, reason=reason, by=verbs.commander())
        await verbs.impose(BUDGET_FROZEN, order, facts=(budget.in_words(self._policy),))

    async def until_back_or_waived(self) -> None:
        """Wait until the budget is positive again or the commander waives it, and release the freeze on a person's word either way."""
        verbs, name = self._verbs, self.service.name
        if not (measures := verbs.in_force(BUDGET_FROZEN)):
            return
        async with beside(self._until_back()) as back:
            decision = await self._waived(measures, back)
            if decision is None:
                await back
                asks = f"The error budget of {name} is positive again. Release its change freeze?"
                decision = await self._ask(measures, asks, Silence.HOLD)
        for imposed in measures:
            if decision.granted:
                await verbs.lift(imposed, decision.grant)
            else:
                verbs.keep(imposed, decision.by)

    async def _waived(self, measures: list[Imposed], back: asyncio.Task[None]) -> Decision | None:
        """The commander's waiver; None when the budget was positive again first. A *no* and silence mean: asked again later."""
        name, pause = self.service.name, self._verbs.policy.paced(self._policy.ask_again)
        asks = f"Waive the exhausted error budget of {name}, and let deploys go on? Say why: it is on the record"
        while not back.done():
            async with beside(self._ask(measures, asks, Silence.SKIP)) as asked:
                await self._verbs.waited(lambda: back.done() or asked.done())
                answered = asked.done()
            if not answered:
                return None
            if (decision := asked.result()).granted:
                return decision
            await self._verbs.waited(back.done, pause, f"ask again for a waiver of {name}")
        return None

    async def _until_back(self) -> None:
        """Until something is left. Without data nothing is: a store that is blind releases no freeze."""
        verbs, blind = self._verbs, False
        while True:
            await verbs.rest(self._policy.look_again, f"the error budget of {self.service.name} to be positive again, or a waiver")
            budget = await verbs.read(Telemetry.slo, self._order)
            if budget.remaining is not None and budget.remaining > 0:
                verbs.note(budget.in_words(self._policy))
                return
            if verbs.rehearsing:
                return
            if (budget.remaining is None) is not blind:
                verbs.note(budget.in_words(self._policy), "note" if blind else "blind")
            blind = budget.remaining is None

    async def _ask(self, measures: list[Imposed], asks: str, silence: Silence) -> Decision:
        return await self._verbs.confirm(
            lift_question(
                asks, measures, (Role.INCIDENT_COMMANDER,), facts=("other holders of the same freeze keep it",),
                inverse="declare the SLO burn again", silence=silence,
            )
        )  # fmt: skip
