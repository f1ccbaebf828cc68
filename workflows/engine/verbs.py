"""The verbs of a playbook: what its `run` and its helpers may do. Everything behind them is private."""

import asyncio
from collections.abc import Coroutine, Sequence
from datetime import datetime, timedelta
from typing import Any, NoReturn

from temporalio import workflow

from activities.action import A, Effect, Grant, I, Imposition, Measure, O, Role, Verb, action_of
from activities.metrics.telemetry import BlastRadius
from activities.organisation.catalogue import Catalogue, Deployed
from activities.organisation.organisation import Organisation, ReadAll
from activities.organisation.policy import Policy
from workflows.engine.changes import ChangeResult, Changes
from workflows.engine.impose import Impositions
from workflows.engine.invoker import Invoker
from workflows.engine.lift import Lifts
from workflows.engine.measures import Imposed
from workflows.engine.proof.proof import AskWindow, Proof, Wait
from workflows.engine.state import IncidentState
from workflows.engine.steps import Steps
from workflows.errors import HandOver, RetriesExhausted
from workflows.incident import QuestionDraft, Silence
from workflows.people.context import Announcer
from workflows.people.questions import ApprovalTerms, Decision, Questions
from workflows.severity.facts import Facts, Quality


class Verbs:
    def __init__(self, state: IncidentState, invoker: Invoker, questions: Questions, announcer: Announcer) -> None:
        self.state = state
        self._invoker = invoker
        self._questions = questions
        self._announcer = announcer
        steps = Steps(state, invoker, questions)
        self._proof = Proof(state, invoker, questions, announcer)
        self._changes = Changes(state, invoker, questions, steps)
        self._impositions = Impositions(state, invoker, questions, steps, self._changes, self._proof)
        self._lifts = Lifts(state, invoker, questions, steps, self._proof)
        self._catalogue: Catalogue | None = None

    @property
    def policy(self) -> Policy:
        """The policy this incident runs under."""
        return self.state.policy

    # -- reading ----------------------------------------------------------------------------------------------------------------------

    async def do(self, verb: Verb[O, A], order: O) -> A:
        """Look at something (C0), or make a change that automation may make alone. Anything graver goes through `propose` or `impose`."""
        return await self._changes.do(verb, order)

    async def look(self, verb: Verb[O, A], order: O) -> A | None:
        """A reading that can be done without, as a step on the screen. None: unknown."""
        return await self._changes.look(verb, order)

    async def read(self, verb: Verb[O, A], order: O) -> A:
        """A reading that is no step. People are asked when it cannot be done."""
        return await self._proof.look(verb, order)

    async def try_to_read(self, verb: Verb[O, A], order: O) -> A | None:
        """A reading that is no step and can be done without. None: unknown."""
        try:
            return await self._invoker.quietly(verb, order)
        except RetriesExhausted:
            return None

    async def quietly(self, verb: Verb[O, A], order: O) -> A:
        """Invoke a verb that is no step of the playbook. Raises `RetriesExhausted`."""
        return await self._invoker.quietly(verb, order)

    def assumes(self, verb: Verb[Any, Any]) -> bool:
        """Whether this is only noted and not done: a plan, or shadow mode."""
        return self.state.assumes(action_of(verb))

    async def catalogue(self) -> Catalogue:
        """Which services there are, as recorded by the first who asked."""
        if self._catalogue is None:
            self._catalogue = await self._invoker.quietly(Organisation.catalogue, ReadAll())
        return self._catalogue

    async def deployed(self, name: str = "") -> Deployed:
        """Where and how a service runs (that of this incident); without that nothing of it can be changed by us."""
        name = name or self.state.incident.service
        service = (await self.catalogue()).services.get(name)
        if service is None:
            raise HandOver(f"it is not known where {name or 'the service'} runs: add [services.{name}] to organisation.toml")
        return service

    # -- changing ---------------------------------------------------------------------------------------------------------------------

    async def propose(
        self, verb: Verb[O, Effect], order: O, *, facts: tuple[str, ...] = (), silence: Silence = Silence.HOLD, under: Grant | None = None
    ) -> ChangeResult:
        """Make a change that is no temporary measure. `under`: the grant of a plan that it belongs to."""
        return await self._changes.propose(verb, order, facts, silence, under)

    async def impose(
        self, measure: Measure[I], order: I, *, facts: tuple[str, ...] = (), silence: Silence = Silence.HOLD, under: Grant | None = None,
        onto: Imposed | None = None, authorised: bool = False,
    ) -> ChangeResult:  # fmt: skip
        """Put a temporary measure in force.

        `onto`: change a measure that is in force already (the next step of a ramp), keeping the state from before the first step.
        `authorised`: this is the safe action after silence; a signed standing policy for the verb allows it without asking again (spec §2.5.5).
        """
        terms = ApprovalTerms(facts=facts, silence=silence)
        return await self._impositions.impose(measure, order, terms, under=under, onto=onto, authorised=authorised)

    def needs_approval(self, verb: Verb[O, Any], order: O) -> bool:
        """True when automation may not do this alone."""
        return self._changes.needs_approval(verb, order)

    def standing_grant(self, verb: Verb[O, Any], order: O) -> Grant | None:
        """What two people signed beforehand for this order."""
        return self.state.standing_grant(verb, order)

    # -- measures in force ------------------------------------------------------------------------------------------------------------

    def in_force(self, measure: Measure[Any]) -> list[Imposed]:
        """What is, or may be, in force of one measure: latest first."""
        return self.state.measures.of(measure)

    def register(self, measure: Measure[Any], order: Imposition) -> Imposed:
        """It may be in force from now on; for what is changed by `propose` and ends by a procedure of its own."""
        return self.state.measures.register(measure, order, workflow.now())

    def unregister(self, imposed: Imposed | None) -> None:
        """It is not in force any more, or never was."""
        if imposed is not None:
            self.state.measures.lifted(imposed, workflow.now())

    def ended(self, imposed: Imposed) -> None:
        """It has ended by itself, and the timeline says so."""
        self._lifts.ended(imposed)

    def keep(self, imposed: Imposed, who: str) -> None:
        """It stays in force, and a named person has taken it over."""
        self._lifts.keep(imposed, who)

    async def lift(self, imposed: Imposed, grant: Grant | None) -> None:
        await self._lifts.lift(imposed, grant)

    async def lift_measures(self, *, asking: Role, resting: timedelta, asks: str) -> None:
        """Lift what is in force, latest first, when a person says so; resting between, and stopped at the first regression."""
        await self._lifts.lift_measures(asks, asking=asking, resting=resting)

    def expect_in_shadow(self, imposed: Imposed, found: object, verb: Verb[Any, Any]) -> None:
        """Shadow mode: look whether people do what the latest step of this verb only noted."""
        step = next(step for step in reversed(self.state.steps) if step.verb == action_of(verb).name)
        self._proof.shadow.expect(imposed.measure, imposed.order, found, step)

    # -- people -----------------------------------------------------------------------------------------------------------------------

    async def ask(self, asks: str, *, roles: tuple[Role, ...], example: str) -> Any:
        """A value that only people know."""
        decision = await self._questions.fact(asks, roles=roles, example=example)
        return decision.question.answers[-1].value

    async def confirm(self, draft: QuestionDraft) -> Decision:
        """Something only a person may say."""
        return await self._questions.confirmation(draft)

    async def approve_all(self, verb: Verb[O, Effect], orders: Sequence[O], terms: ApprovalTerms) -> Decision:
        """One question for several orders that belong together (a ramp, a canary): granted for exactly these."""
        return await self._changes.approve_all(verb, orders, terms)

    def note(self, text: str, kind: str = "note", by: str = "automation") -> None:
        self.state.note(kind, text, by=by)

    def task(self, text: str, owner: Role, by_hand: tuple[str, ...] = ()) -> None:
        """Hand a step to a person because no system of ours can do it. Stated in status and timeline, never silent."""
        self.state.task(text, owner, by_hand)
        self._announcer.say(f"Task for {owner.title}: {text}")

    def follow_up(self, text: str, owner: Role) -> None:
        """An after-action item for its owner."""
        self.state.follow_up(text, owner)

    def say(self, text: str) -> None:
        """Something people in the war room should read now."""
        self._announcer.say(text)

    def page(self, roles: tuple[Role, ...], why: str) -> None:
        """Wake whoever holds these roles, beside everything else."""
        self._announcer.page(roles, why)

    def hand_over(self, why: str) -> NoReturn:
        """Stop here: a person continues by hand."""
        raise HandOver(why)

    def classify(self, facts: Facts, radius: BlastRadius | None = None) -> None:
        """Classify again on what is known now. Automation may only raise."""
        if self.state.classify(facts, Quality(radius.quality) if radius else Quality.UNKNOWN):
            self._announcer.severity_raised()

    # -- time -------------------------------------------------------------------------------------------------------------------------

    async def rest(self, duration: timedelta, why: str) -> None:
        await self._proof.rest(duration, why)

    async def until(self, instant: datetime, why: str) -> None:
        """Let time pass until an instant; at once when it is over."""
        await self._proof.until(instant, why)

    async def stable(self) -> None:
        """Wait until the service was stable for the whole window."""
        await self._proof.stable()

    async def steady(self, for_: timedelta) -> None:
        """Wait until the service was stable for so long: enough to begin to put things back, not to close."""
        await self._proof.stable(for_)

    async def holds(self, ask: AskWindow, wait: Wait) -> bool:
        """Wait until a window without violation has passed. False: not in time, or given up."""
        return await self._proof.holds(ask, wait)

    async def together(self, *work: Coroutine[Any, Any, Any]) -> tuple[Any, ...]:
        """Side by side; when one fails the others are stopped first, and waited for."""
        tasks = [asyncio.create_task(each) for each in work]
        try:
            return tuple(await asyncio.gather(*tasks))
        except (Exception, asyncio.CancelledError):
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise
