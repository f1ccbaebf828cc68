"""How anything is changed: asked where it is not ours to decide, carried out once, read back, and undone (design §4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

from temporalio import workflow

from activities.action import A, Effect, Grant, I, Imposition, Measure, O, Order, Risk, Role, Verb, action_of
from activities.kit.setting import LANDS_WITHIN
from workflows.engine.invoker import Invoker
from workflows.engine.measures import Imposed
from workflows.engine.proof import Proof
from workflows.engine.state import IncidentState
from workflows.errors import HandOver, NeedsApproval, RetriesExhausted
from workflows.incident import Silence
from workflows.people.questions import Decision, Questions
from workflows.status import Step, StepState


class Drifted(Exception):
    """The state changed between the question and the act, so that the undo would be another one: the answer does not hold any more."""


@dataclass(frozen=True)
class ChangeResult:
    """What became of a change that was proposed. True when it is in force, read back."""

    effect: Effect | None = None
    silent: bool = False
    declined: bool = False
    imposed: Imposed | None = None

    def __bool__(self) -> bool:
        return self.effect is not None


class Changes:
    """Carries out the changes of one incident, and lifts them again."""

    def __init__(self, state: IncidentState, invoker: Invoker, questions: Questions, proof: Proof) -> None:
        self._state = state
        self._invoker = invoker
        self._questions = questions
        self._proof = proof

    async def do(self, verb: Verb[O, A], order: O) -> A:
        """Look at something (C0), or make a change that automation may make alone. Anything graver goes through `propose` or `impose`."""
        step = self._state.begin(action_of(verb), order, self._invoker.risk(verb, order))
        again = False
        while True:
            try:
                answer = await self._invoker.step(verb, order, step, again=again)
            except RetriesExhausted as out:
                await self._repair(step, verb, order, out, may_skip=False)
                again = True
                continue
            self._done(step, answer)
            return answer

    async def look(self, verb: Verb[O, A], order: O) -> A:
        """A reading that can be done without: a step on the screen, and `RetriesExhausted` instead of a question when it cannot be done."""
        step = self._state.begin(action_of(verb), order, self._invoker.risk(verb, order))
        try:
            answer = await self._invoker.step(verb, order, step)
        except RetriesExhausted as out:
            self._state.end(step, StepState.FAILED, f"unknown: {out.why}")
            raise
        self._done(step, answer)
        return answer

    async def propose(
        self, verb: Verb[O, Effect], order: O, *, facts: tuple[str, ...] = (), silence: Silence = Silence.HOLD, under: Grant | None = None
    ) -> ChangeResult:
        """Make a change that is no temporary measure; the invoker refuses it at C2 and above without the grant that this asks for."""
        step = self._state.begin(action_of(verb), order, self._invoker.risk(verb, order), StepState.ASKING)
        grant = under
        if step.risk >= Risk.C2 and grant is None:
            decision = await self._questions.approval(verb, [order], facts=facts, silence=silence)
            if decision.grant is None:
                return self._not_granted(step, decision)
            grant = decision.grant
        again = False
        while True:
            try:
                effect = await self._invoker.step(verb, order, step, grant=grant, again=again)
            except RetriesExhausted as out:
                if await self._repair(step, verb, order, out, may_skip=True) == "skip":
                    return ChangeResult()
                again = True
                continue
            self._done(step, effect)
            return ChangeResult(effect)

    def needs_asking(self, verb: Verb[O, Any], order: O) -> bool:
        """True when automation may not do this alone."""
        return self._invoker.risk(verb, order) >= Risk.C2

    async def plan(
        self, verb: Verb[O, Effect], orders: Sequence[O], *, asks: str, facts: tuple[str, ...] = (), silence: Silence = Silence.HOLD,
        lasting: timedelta | None = None, effect: str = "", also: tuple[str, ...] = (),
    ) -> Decision:  # fmt: skip
        """One question for several orders that belong together (a ramp, a canary): asked once, granted for exactly these.

        `also`: digests of orders of other verbs that the same yes covers (the permit of a freeze under which a rollback runs).
        """
        return await self._questions.approval(
            verb, orders, asks=asks, effect=effect, facts=facts, silence=silence, lasting=lasting, also=also
        )

    async def impose(
        self, measure: Measure[I], order: I, *, facts: tuple[str, ...] = (), silence: Silence = Silence.HOLD, under: Grant | None = None,
        onto: Imposed | None = None, authorised: bool = False,
    ) -> ChangeResult:  # fmt: skip
        """Put a temporary measure in force. Its state before is read first, its lift is registered before the call (design §4).

        `onto`: change a measure that is in force already (the next step of a ramp), keeping the state from before the first step.
        `authorised`: this is the safe action after silence; a signed standing policy for the verb allows it without asking again (spec §2.5.5).
        """
        if order.concerns_nobody():
            return ChangeResult()
        step = self._state.begin(action_of(measure.impose), order, self._invoker.risk(measure.impose, order))
        while True:
            step.risk = risk = self._invoker.risk(measure.impose, order)
            grant = under or (self._standing(measure, order) if authorised else None)
            undo = ""
            if risk >= Risk.C2 and grant is None:
                prior = await self._look(measure, order, step)
                asked = order.given(prior)
                undo = asked.undo().digest(measure.name)
                step.state = StepState.ASKING
                decision = await self._questions.approval(measure.impose, [asked], facts=facts, silence=silence)
                if decision.grant is None:
                    return self._not_granted(step, decision)
                grant = decision.grant
            try:
                return await self._impose(measure, order, step, grant, undo, onto)
            except (Drifted, NeedsApproval) as changed:
                self._state.note("changed meanwhile", f"{order.target()}: {changed}; asking again", step=step)

    async def lift_measures(self, *, asking: Role, resting: timedelta, asks: str) -> None:
        """Lift what is in force, latest first, resting between and stopping at the first regression. A *no* leaves it in that person's name."""
        standing = self._state.measures.liftable()
        if not standing:
            return
        decision = await self.confirm_lifting(asks, standing, (asking, Role.INCIDENT_COMMANDER))
        if not decision.granted:
            for imposed in standing:
                self._state.measures.take_over(imposed, decision.by)
                self._state.note("held", f"{imposed.measure.name}: {imposed.order.target()} stays in force", by=decision.by)
            return
        await self.lift_all(standing, decision, resting)

    def discharge(self, measure: Measure[Any]) -> None:
        """The measure has ended by itself (traffic came back by canary): nothing is left to lift."""
        for imposed in self._state.measures.of(measure):
            self.ended(imposed)

    def ended(self, imposed: Imposed) -> None:
        """This one has ended by itself."""
        self._state.measures.lifted(imposed, workflow.now())
        self._state.note("lifted", f"{imposed.measure.name}: {imposed.order.target()}")

    async def _impose(
        self, measure: Measure[I], order: I, step: Step, grant: Grant | None, undo_asked: str, onto: Imposed | None
    ) -> ChangeResult:
        imposed, again = onto, False
        while True:
            try:
                async with self._invoker.one_at_a_time[_system(measure.impose)]:
                    fresh = await self._invoker.quietly(measure.look, order.look())
                    wanted = order.given(fresh)
                    if imposed is None:
                        if undo_asked and wanted.undo().digest(measure.name) != undo_asked:
                            raise Drifted("it is not as it was when the question was put")
                        imposed = self._state.measures.register(measure, wanted, workflow.now())
                    elif again:
                        # A lost try may have worked: what we see now may be our own doing, not the state before.
                        wanted = wanted.model_copy(update={"prior": cast("Any", imposed.order).prior})
                    effect = await self._invoker.step(measure.impose, wanted, step, grant=grant, again=again)
            except NeedsApproval:
                if imposed is not None and imposed is not onto and not again:
                    self._state.measures.lifted(imposed, workflow.now())
                raise
            except RetriesExhausted as out:
                if out.lapsed:
                    self._state.note("lapsed", out.why, step=step)
                    again = True
                    continue
                if out.refused and imposed is not None and imposed is not onto and not imposed.certain:
                    self._state.measures.lifted(imposed, workflow.now())
                if await self._repair(step, measure.impose, order, out, may_skip=True) == "skip":
                    return ChangeResult(imposed=imposed)
                if imposed is not None and imposed.lifted_at is not None:
                    imposed = None
                again = imposed is not None
                continue
            imposed.certain, imposed.assumed = True, effect.assumed
            if effect.late_until:
                imposed.order = imposed.order.late_until_known(effect.late_until)
            if effect.assumed:
                self._proof.shadow.wants(measure, wanted, fresh, step)
            self._done(step, effect)
            return ChangeResult(effect, imposed=imposed)

    async def _look(self, measure: Measure[I], order: I, step: Step) -> Any:
        while True:
            try:
                return await self._invoker.quietly(measure.look, order.look())
            except RetriesExhausted as out:
                await self._repair(step, measure.look, order, out, may_skip=False)

    async def lift_all(self, standing: Sequence[Imposed], decision: Decision, resting: timedelta = timedelta(0)) -> None:
        """Lift these, in this order, resting and looking between. Raises `HandOver` at the first regression."""
        for n, imposed in enumerate(standing):
            if n and resting:
                await self._proof.rest(resting, "rest between two lifts")
            await self.lift(imposed, decision.grant, may_ask=True)
            await self._proof.stop_at_a_regression(imposed)

    async def lift(self, imposed: Imposed, grant: Grant | None, *, may_ask: bool) -> None:
        """Lift one measure, step by step where it can be divided. Where nobody may be asked: at once; `RetriesExhausted` when it cannot be done."""
        if not imposed.certain:
            imposed.order = imposed.order.late_until_known(workflow.now() + LANDS_WITHIN)
        steps = imposed.undo_steps(self._state.policy.return_steps) if may_ask else (imposed.undo,)
        for n, undo in enumerate(steps):
            if n:
                await self._proof.stop_at_a_regression(imposed)
            if not await self._lift(imposed, undo, grant, may_ask=may_ask):
                return
        self._state.measures.lifted(imposed, workflow.now())

    async def _lift(self, imposed: Imposed, undo: Order, grant: Grant | None, *, may_ask: bool) -> bool:
        """One step of a lift. False: left out, and held by whoever said so."""
        verb, again = imposed.measure.lift, False
        step = self._state.begin(action_of(verb), undo, self._invoker.risk(verb, undo))
        while True:
            try:
                async with self._invoker.one_at_a_time[_system(verb)]:
                    if isinstance(undo, Imposition):
                        undo = undo.given(await self._invoker.quietly(imposed.measure.look, undo.look()))
                    effect = await self._invoker.step(verb, undo, step, grant=grant, again=again)
            except RetriesExhausted as out:
                if not may_ask:
                    self._state.end(step, StepState.FAILED, out.why)
                    raise
                if await self._repair(step, verb, undo, out, may_skip=True) == "skip":
                    self._state.measures.take_over(imposed, step.result or "the commander")
                    return False
                again = True
                continue
            self._done(step, effect)
            if effect.seen_at is not None:
                await self._proof.until(effect.seen_at, "")
            return True

    async def confirm_lifting(
        self, asks: str, standing: Sequence[Imposed] | None = None, roles: tuple[Role, ...] = (Role.INCIDENT_COMMANDER,)
    ) -> Decision:
        """A person's word for lifting. Only a commander who declined while by hand is asked again; `lift_measures` takes a no for an answer."""
        while True:
            measures = self._state.measures.liftable() if standing is None else standing
            shares = self._state.policy.return_steps
            lifts = [(i, i.undo_steps(shares)) for i in measures]
            decision = await self._questions.confirmation(
                asks,
                roles=roles,
                effect="lift, latest first: " + ("; ".join(_said(i, len(steps)) for i, steps in lifts) or "nothing"),
                facts=("watched after each; the impact coming back stops it, and the rest stays in force",) if measures else (),
                covers=tuple(step.digest(action_of(i.measure.lift).name) for i, steps in lifts for step in steps),
                inverse="impose again",
                by_hand=tuple(line for i in measures for line in i.undo.by_hand()),
            )
            if decision.granted or standing is not None:
                return decision
            await self._proof.rest(self._state.policy.repage, "the commander carries on by hand")

    async def _repair(self, step: Step, verb: Verb[Any, Any], order: Order, out: RetriesExhausted, *, may_skip: bool) -> str:
        """Ask what to do about a step that cannot be done. Returns the verdict; raises `HandOver`."""
        state = self._state
        step.state, step.result = StepState.FAILED, out.why
        state.note("failed", f"{step.verb} {step.target}: {out.why}", step=step)
        decision = await self._questions.repair(
            action_of(verb), f"{step.verb} on {step.target} is not done", out.why, order=order, may_skip=may_skip
        )
        if decision.verdict == "hand_over":
            raise HandOver(f"{step.verb} on {step.target} failed ({out.why}); {decision.by} takes over")
        if decision.verdict == "skip":
            state.end(step, StepState.SKIPPED, f"left out by {decision.by}")
            step.result = decision.by
        return decision.verdict

    def _standing(self, measure: Measure[Any], order: Imposition) -> Grant | None:
        """What policy signed beforehand for this verb, if anything."""
        policy, verb, now = self._state.policy, action_of(measure.impose).name, workflow.now()
        signed = policy.standing_authorisation(verb, now)
        valid = policy.paced(policy.approval_valid[Risk.C2])
        return self._state.approvals.standing(verb, [order], signed, valid, now) if signed else None

    def _done(self, step: Step, answer: object) -> None:
        if isinstance(answer, Effect):
            state = StepState.ASSUMED if answer.assumed else StepState.ADOPTED if answer.adopted else StepState.DONE
            self._state.end(step, state, f"{answer.summary} (proven by {answer.proven_by})")
        else:
            self._state.end(step, StepState.DONE, getattr(answer, "summary", "") or "looked")

    def _not_granted(self, step: Step, decision: Decision) -> ChangeResult:
        if decision.silent:
            self._state.end(step, StepState.DECLINED, "nobody answered")
            return ChangeResult(silent=True)
        self._state.end(step, StepState.DECLINED, f"declined by {decision.by}")
        return ChangeResult(declined=True)


def _said(imposed: Imposed, steps: int) -> str:
    return f"{imposed.measure.name} ({imposed.order.target()}" + (f", in {steps} steps)" if steps > 1 else ")")


def _system(verb: Verb[Any, Any]) -> str:
    return action_of(verb).name.partition(".")[0]
