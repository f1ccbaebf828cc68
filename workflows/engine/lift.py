"""Lifting temporary measures: latest first, step by step where that is possible, and stopped at the first regression (design §4)."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from temporalio import workflow

from activities.action import Grant, Imposition, Order, Risk, Role, action_of
from activities.kit.setting import LANDS_WITHIN
from activities.kit.words.shell import command
from workflows.engine.changes import Steps
from workflows.engine.measures import Imposed, lift_question
from workflows.engine.proof.proof import Proof, minutes
from workflows.errors import ApprovalEnded, NeedsApproval, Relapse, RetriesExhausted
from workflows.people.questions import Decision
from workflows.status import StepState


@dataclass
class Lifts(Steps):
    proof: Proof
    impose: Callable[..., Awaitable[object]] | None = None  # puts a measure in force again

    async def lift_measures(self, *, asking: Role, resting: timedelta, asks: str) -> None:
        """Lift what is in force when a person says so. A *no* leaves it in force in that person's name."""
        if not (measures := self.state.measures.liftable()):
            return
        decision = await self.confirm(asks, measures, (asking, Role.INCIDENT_COMMANDER))
        if decision.granted:
            await self.lift_all(measures, decision, resting)
        else:
            for imposed in measures:
                self.keep(imposed, decision.by)

    async def confirm_all(self, asks: str) -> Decision:
        """The commander's word for lifting everything, after a hand-over. A *no* means: not yet, ask again later.

        A *yes* that the metrics contradict is not yet either: they are given their window, and the question says what they showed. Where
        they say nothing, the commander's word is enough.
        """
        state, told = self.state, ""
        while True:
            decision = await self.confirm(asks, state.measures.liftable(), (Role.INCIDENT_COMMANDER,), told)
            still = await self.proof.still_there() if decision.granted else ""
            if decision.granted and not still:
                return decision
            if still:
                wait = state.policy.mitigated_window
                state.note(
                    "not ended", f"{decision.by} says that it has ended, the metrics do not: {still}; asked again in {minutes(wait)}"
                )
                told = f"at the last yes the metrics still showed impact: {still}. `{command('incident', 'stand-down', state.id)}` ends it anyway"
                await self.proof.rest(wait, "the metrics show impact, although the commander says that it has ended")
            else:
                await self.proof.rest(state.policy.repage, "the commander continues by hand")

    async def lift_all(self, measures: Sequence[Imposed], decision: Decision, resting: timedelta = timedelta(0)) -> None:
        """Lift these, in this order, resting and looking between. Raises `Relapse` or `HandOver` at the first regression."""
        for n, imposed in enumerate(measures):
            if n and resting:
                await self.proof.rest(resting, "rest between two lifts")
            await self.lift(imposed, decision.grant)
            await self._stop_at_a_regression(imposed)

    async def lift(self, imposed: Imposed, grant: Grant | None) -> None:
        """Lift one measure, step by step where it can be divided. People are asked when it cannot be done."""
        self._expect_a_late_write(imposed)
        for n, undo in enumerate(imposed.order.undo_steps(self.state.policy.return_steps)):
            if n:
                await self._stop_at_a_regression(imposed)
            lifted, grant = await self._lifted(imposed, undo, grant)
            if not lifted:
                return
        imposed.lifted_at = workflow.now()

    async def _lifted(self, imposed: Imposed, undo: Order, grant: Grant | None) -> tuple[bool, Grant | None]:
        """One step of it, under the grant that goes on: when that has ended, people are asked again."""
        while True:
            try:
                return await self._step(imposed, undo, grant, may_ask=True), grant
            except ApprovalEnded as ended:
                decision = await self.confirm(f"Go on lifting {imposed.says}? {ended}", [imposed], (Role.INCIDENT_COMMANDER,))
                if decision.grant is None:
                    self.keep(imposed, decision.by)
                    return False, None
                grant = decision.grant

    async def lift_at_once(self, imposed: Imposed, grant: Grant | None, *, worse: bool = False) -> None:
        """Lift it by one order and ask nobody. Raises `RetriesExhausted` when it cannot be done.

        `worse`: it has made it clearly worse. Then it is not watched on the way back: what would stop that is what it has brought about.
        """
        self._expect_a_late_write(imposed)
        await self._step(imposed, imposed.order.undo_at_once() if worse else imposed.undo, grant, may_ask=False)
        imposed.lifted_at = workflow.now()

    async def take_back(self, measures: Sequence[Imposed], why: str) -> None:
        """What was just imposed made it clearly worse: undone at once, under the yes that imposed it."""
        for imposed in measures:
            try:
                await self.lift_at_once(imposed, imposed.grant, worse=True)
                self.state.note("taken back", f"{imposed.says}: {why}")
            except (RetriesExhausted, NeedsApproval) as out:
                self.state.note("still in force", f"{imposed.says}: {out}")

    async def _stop_at_a_regression(self, imposed: Imposed) -> None:
        """Watch after a lift; the impact coming back stops everything, and what was lifted is in force again (design §4)."""
        try:
            why = await self.proof.look_after_lifting(imposed)
        except Relapse as back:
            why = str(back)
        if why:
            await self._put_back(imposed)
            self.proof.returned(f"lifting {imposed.name} brought the impact back ({why}); the rest stays in force")

    async def _put_back(self, imposed: Imposed) -> None:
        """In force again at once, where automation may do that alone; otherwise it is asked for like any other measure."""
        verb, order = imposed.measure.impose, imposed.order
        if self.impose is None or self.invoker.risk(verb, order.imposed_by()) >= Risk.C2:
            self.state.note("not put back", f"{imposed.says}: {order.effect()} needs a yes; it is proposed again with its cause")
            return
        await self.impose(imposed.measure, order, onto=imposed if imposed.lifted_at is None else None)

    def _expect_a_late_write(self, imposed: Imposed) -> None:
        """A try whose reply was lost may still land: the lift looks again after that."""
        if not imposed.certain:
            imposed.order = imposed.order.late_until_known(workflow.now() + LANDS_WITHIN)

    def keep(self, imposed: Imposed, who: str) -> None:
        """It stays in force, and a named person has taken it over."""
        imposed.held_by = who
        self.state.note("kept in force", f"{imposed.says} stays in force in the name of {who}", by=who)

    def ended(self, imposed: Imposed) -> None:
        """It has ended by itself: nothing is left to lift."""
        imposed.lifted_at = workflow.now()
        self.state.note("lifted", imposed.says)

    async def _step(self, imposed: Imposed, undo: Order, grant: Grant | None, *, may_ask: bool) -> bool:
        """One step of a lift. False: skipped, and kept in force by whoever skipped it."""
        verb, again = imposed.measure.lift, False
        step = self.begin(verb, undo)
        while True:
            try:
                async with self.invoker.one_at_a_time[action_of(verb).system]:
                    if isinstance(undo, Imposition):
                        undo = undo.given(await self.invoker.quietly(imposed.measure.look, undo.look()))
                    effect = await self.invoker.step(verb, undo, step, grant=grant, again=again)
            except ApprovalEnded as ended:
                self.state.end(step, StepState.DECLINED, ended.why)
                raise
            except RetriesExhausted as out:
                if not may_ask:
                    self.state.end(step, StepState.FAILED, out.why)
                    raise
                if await self.repair(step, verb, undo, out, may_skip=True):
                    imposed.held_by = step.result or "the commander"
                    return False
                again = True
                continue
            self.state.done(step, effect)
            if effect.seen_at is not None:
                await self.proof.until(effect.seen_at, "")
            return True

    async def confirm(self, asks: str, measures: Sequence[Imposed], roles: tuple[Role, ...], told: str = "") -> Decision:
        """May these be lifted, step by step where that is possible?"""
        shares = self.state.policy.return_steps
        listed = "; ".join(_listed(imposed, len(imposed.order.undo_steps(shares))) for imposed in measures) or "nothing"
        watched = "watched after each lift; if the impact comes back, the rest stays in force" if measures else ""
        facts = tuple(filter(None, (told, watched)))
        draft = lift_question(asks, measures, roles, shares=shares, effect=f"lift, latest first: {listed}", facts=facts)
        return await self.questions.confirmation(draft)


def _listed(imposed: Imposed, steps: int) -> str:
    return f"{imposed.name} ({imposed.order.target()}" + (f", in {steps} steps)" if steps > 1 else ")")
