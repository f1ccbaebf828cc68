"""The verbs of a playbook: what its `run` and its helpers may do. Each is the method of the part that does it; the parts are private.

What is true of the incident at the moment is asked of a verb too: `state` is for the parts of the engine, and a playbook that read it could
not begin anew from its answers (`clock`, docs/adr/0027).
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NoReturn, Protocol, TypeVar

from pydantic import JsonValue
from temporalio import workflow

from activities.action import A, Grant, Imposition, Measure, O, Risk, Role, Verb, action_of
from activities.kit.words.shell import command
from activities.metrics.telemetry import BlastRadius
from activities.organisation.catalogue import Catalogue, Deployed
from activities.organisation.organisation import Organisation, ReadAll
from activities.organisation.policy import Policy
from workflows.engine.changes import Changes
from workflows.engine.clock import answering, clock
from workflows.engine.contention import Turn
from workflows.engine.impose import Impositions
from workflows.engine.invoker import Invoker
from workflows.engine.lift import Lifts
from workflows.engine.measures import Imposed
from workflows.engine.proof.proof import Proof
from workflows.engine.state import NOTHING, IncidentState
from workflows.engine.undo import Undo
from workflows.errors import HandOver, RetriesExhausted
from workflows.incident import Phase
from workflows.people.background import begun, beside, together
from workflows.people.context import Tells
from workflows.people.questions import BRANCH, PROPOSER, GivenValue, Questions
from workflows.severity.facts import Facts, Quality
from workflows.status import DrawnMatrix, Standing, StepState, Suspect, Task
from workflows.waiting import waited

T = TypeVar("T")


@dataclass(frozen=True)
class CalledIn:
    """A playbook that was asked to come in. `task`: it is not installed, and a person was given the work."""

    playbook: str
    state: IncidentState | None = None
    task: Task | None = None
    first: bool = False  # it is the one that calls others in: it ends when they have

    @property
    def contained(self) -> bool:
        """Whether it mitigates nothing any more."""
        return self.over or (self.state is not None and self.state.phase not in (Phase.DECLARED, Phase.TRIAGE, Phase.MITIGATION))

    @property
    def over(self) -> bool:
        """Whether nothing of it is under way any more."""
        return not self.task.open if self.task else self.state is None or self.state.phase is Phase.CLOSED


class CallIn(Protocol):
    """`labels`: what the other playbook needs to know, as an alert that opens it would say."""

    def __call__(self, name: str, why: str, labels: Mapping[str, str] = {}, /) -> Awaitable[CalledIn]: ...


class Verbs:
    def __init__(self, state: IncidentState, invoker: Invoker, questions: Questions, announcer: Tells) -> None:
        self.state = state
        self._invoker = invoker
        self._questions = questions
        self._announcer = announcer
        changes = Changes(state, invoker, questions)
        self._proof = proof = Proof(state, invoker, questions, announcer)
        self._lifts = lifts = Lifts(state, invoker, questions, proof)
        self._catalogue: Catalogue | None = None
        # Reading: as a step; as a step that can be done without; as no step; as no step, raising `RetriesExhausted`.
        self.do, self.look = answering(changes.do), answering(changes.look)
        self.read, self.quietly = answering(proof.look), answering(invoker.quietly)
        # Changing, and measures in force.
        self.propose, self.approve_all = answering(changes.propose), answering(questions.approval)
        self.needs_approval = changes.needs_approval
        lifts.impose = impose = Impositions(state, invoker, questions, proof).impose
        self.impose = answering(impose)
        self.in_force = state.measures.of
        unasked = invoker.unasked
        self.standing_grant, self.standing_policy = answering(unasked.standing_grant), answering(unasked.standing_policy)
        self.lift, self.lift_measures, self.take_back = answering(lifts.lift), answering(lifts.lift_measures), answering(lifts.take_back)
        self.keep, self.ended = lifts.keep, lifts.ended
        undo = Undo(state, lifts)
        self.undo, self.can_undo, self.undo_typed = answering(undo.undo), undo.imposed_by, undo.typed
        # People: something only a person may say; an after-action item; the war room; a page.
        self.confirm = answering(questions.confirmation)
        self.follow_up, self.say, self.page = state.follow_up, announcer.say, announcer.page
        # Readings and changes side by side; time.
        self.together = answering(together)
        self.rest, self.until = answering(proof.rest), answering(proof.until)
        self.stable, self.holds = answering(proof.stable), answering(proof.holds)
        # Another playbook on the same incident (`playbook.py`).
        self.call_in: CallIn
        # What is known when this one is called in once more: at the next call, or None when something else comes first.
        self.told = answering(proof.rounds.told)
        # What customers meet, by the card's proof.
        self.impact = proof.impact

    @property
    def policy(self) -> Policy:
        """The policy this incident runs under."""
        return self.state.policy

    @property
    def incident_id(self) -> str:
        return self.state.id

    @property
    def service(self) -> str:
        """The service that the incident is about."""
        return self.state.incident.service

    @property
    def declared_at(self) -> datetime:
        return self.state.declared_at

    @property
    def rehearsing(self) -> bool:
        """Whether this is only a plan."""
        return self.state.rehearsing

    @property
    def shadow(self) -> bool:
        """Whether automation only notes what it would do, and people do what they find right."""
        return self.state.shadow

    def clock(self) -> datetime:
        """The time: that of the last answer."""
        return clock(self.declared_at)

    def commander(self) -> str:
        """Who commands now, or nobody yet."""
        return self.state.commander()

    def room(self) -> str:
        """The name of the war room, without its sign; empty: there is none yet."""
        return self.state.room.removeprefix("#")

    @answering
    async def waited(self, until: Callable[[], bool], at_most: timedelta | None = None, what: str = "") -> bool:
        """Wait for what other work of the same playbook brings about. False when the time is over first."""
        return await waited(until, at_most, what)

    def turn(self, target: str, what: str) -> Turn:
        """`async with`: while it is changed here, no other playbook of this incident changes the same."""
        return Turn(self.state, target, what)

    def branch(self, name: str, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Begin work beside the rest of mitigation. It is known by its name when people are asked something for it."""

        async def branched() -> T:
            BRANCH.set(name)
            return await work

        return begun(branched())

    @answering
    async def within(self, work: Coroutine[Any, Any, T], at_most: timedelta, what: str) -> T | None:
        """Do it, and stop it when it takes longer; a question that it asked is withdrawn then. None: it took longer."""
        async with beside(work) as doing:
            await waited(doing.done, at_most, what)
        return None if doing.cancelled() else doing.result()

    @answering
    async def unless(self, work: Coroutine[Any, Any, T], over: Callable[[], bool], what: str) -> T | None:
        """Do it, until it is needed no more; a question that it asked is withdrawn then. None: it was not needed."""
        async with beside(work) as doing:
            await waited(lambda: doing.done() or over(), None, what)
        return None if doing.cancelled() else doing.result()

    @answering
    async def until_free(self, branches: Mapping[str, asyncio.Task[Any]], after: timedelta | None = None) -> None:
        """Wait until one of these has ended, or until all of them have waited for people for so long (None: however long)."""
        questions = self._questions

        def free() -> bool:
            return any(branch.done() for branch in branches.values())

        def waits() -> bool:
            return after is not None and all(questions.unanswered_since(name) is not None for name in branches)

        while not free():
            await workflow.wait_condition(lambda: free() or waits())
            asked = [since for name in branches if (since := questions.unanswered_since(name)) is not None]
            if free() or after is None or len(asked) < len(branches):
                continue
            left = max(asked) + self.policy.for_people(after) - workflow.now()
            if left <= timedelta(0) or not await waited(lambda: free() or not waits(), left, "an answer, before something else is tried"):
                return

    @answering
    async def until_alarmed(self, verb: Verb[O, A], order: O) -> A | None:
        """Carry it out as a step, which an alarm in scope stops at once. None: it was stopped."""
        state = self.state
        state.alarm = ""
        async with beside(self.do(verb, order)) as work:
            await workflow.wait_condition(lambda: work.done() or bool(state.alarm))
            done = work.done()
        if done:
            return work.result()
        step = next(step for step in reversed(state.steps) if step.verb == action_of(verb).name)
        state.end(step, StepState.FAILED, f"vetoed: {state.alarm}")
        return None

    @answering
    async def try_to_read(self, verb: Verb[O, A], order: O) -> A | None:
        """A reading that is no step and can be done without. None: unknown."""
        try:
            return await self._invoker.quietly(verb, order)
        except RetriesExhausted:
            return None

    def assumes(self, verb: Verb[Any, Any]) -> bool:
        """Whether this is only noted and not done: a plan, or shadow mode."""
        return self.state.assumes(action_of(verb))

    @answering
    async def catalogue(self) -> Catalogue:
        """Which services there are, as recorded by the first who asked."""
        if self._catalogue is None:
            self._catalogue = await self.read(Organisation.catalogue, ReadAll())
        return self._catalogue

    @answering
    async def deployed(self, name: str = "") -> Deployed:
        """Where and how a service runs (that of this incident); without that nothing of it can be changed by us."""
        name = name or self.state.incident.service
        service = (await self.catalogue()).services.get(name)
        if service is None:
            raise HandOver(f"it is not known where {name or 'the service'} runs: add [services.{name}] to organisation.toml")
        return service

    def register(self, measure: Measure[Any], order: Imposition) -> Imposed:
        """It may be in force from now on; for what is changed by `propose` and ends by a procedure of its own."""
        imposed = self.state.measures.register(measure, order, workflow.now())
        imposed.assumed = self.assumes(measure.impose)
        return imposed

    def confirmed(self, imposed: Imposed) -> None:
        """It is in force: the system has said so."""
        imposed.certain = True

    def unregister(self, imposed: Imposed | None) -> None:
        """It is not in force any more, or never was."""
        if imposed is not None:
            imposed.lifted_at = workflow.now()

    def still_in_force(self, imposed: Imposed) -> bool:
        """Whether nobody has lifted it."""
        return imposed.lifted_at is None

    def kept_by(self, imposed: Imposed) -> str:
        """Who keeps it in force in their own name; empty: nobody."""
        return imposed.held_by

    def expect_in_shadow(self, imposed: Imposed, found: object, verb: Verb[Any, Any]) -> None:
        """Shadow mode: look whether people do what the latest step of this verb only noted."""
        step = next(step for step in reversed(self.state.steps) if step.verb == action_of(verb).name)
        self._proof.shadow.expect(imposed.measure, imposed.order, found, step)

    def bar(self, person: str, why: str) -> None:
        """From now on this person may say no here, and not yes: it is about what they themselves hold."""
        if person and person not in self.state.approvals.barred:
            self.state.approvals.barred[person] = why
            self.state.note("barred", f"{person} may not approve here: {why}")

    @answering
    async def ask(
        self, asks: str, *, roles: tuple[Role, ...], example: str, facts: tuple[str, ...] = (), about: Task | None = None
    ) -> GivenValue | None:
        """A value that only people know. Who gives it has chosen what comes of it (`PROPOSER`). `facts`: what helps to answer.

        None: somebody declines to say.
        `about`: the task whose end the answer attests, and which it ticks.
        """
        decision = await self._questions.fact(asks, roles=roles, example=example, facts=facts)
        if decision.verdict != "answer":
            return GivenValue(moot=True) if decision.withdrawn else None
        told = GivenValue(decision.question.answers[-1].value, decision.by)
        PROPOSER.set(told.by)
        if about is not None:
            self.attested(about, str(told.value))
        return told

    def attested(self, task: Task, said: str, by: str = "") -> None:
        """Tick a task by somebody's word (whoever gave the latest value, where nobody is named); unless it is ticked already."""
        if task.open:
            self.state.tick(task, by or PROPOSER.get(), said)

    def note(self, text: str, kind: str = "note", by: str = "automation", **facts: str | int | float | bool | None) -> None:
        self.state.note(kind, text, by=by, step=None, **facts)

    def suspect(self, suspects: tuple[Suspect, ...]) -> None:
        """Show what may be the cause, each with its evidence; what is new of a rival is told."""
        known = {one.in_words() for one in self.state.suspects}
        self.state.suspects = suspects
        for one in suspects:
            if one.standing is not Standing.ACTED_ON and one.in_words() not in known:
                self.state.note("suspect", one.in_words())

    def draw(self, matrix: DrawnMatrix) -> None:
        """Show who has to do with whom, on the screen and in the post-mortem. The newest one counts."""
        self.state.matrix = matrix

    def task(self, text: str, owner: Role, by_hand: tuple[str, ...] = ()) -> Task:
        """Hand a step to a person because no system of ours can do it. Stated in status and timeline, never silent."""
        task = self.state.task(text, owner, by_hand)
        done = command("incident", "done", self.state.id, str(task.number))
        self._announcer.say(f"Task {task.number} for {owner.title}: {text}. When it is done: `{done}`")
        return task

    def restrict(self, why: str) -> None:
        """From now on only those who need to know read of it. A card with `code_named` is needed: an id cannot be changed later."""
        if not self.state.restricted:
            self.state.restricted = True
            self.state.note("restricted", why)

    def exposed(
        self, why: str, *, tenants: tuple[str, ...] = (), personal_data: bool = False, malicious: bool = False,
        facts: Mapping[str, JsonValue] = NOTHING,
    ) -> None:  # fmt: skip
        """Data may have been seen, lost or changed: the legal clocks run from now on, provisionally, and Legal is asked which apply (spec §10).

        `facts`: what else is known, as the form of the clocks calls it. They only make clocks run.
        """
        self.state.exposed(why, tenants=tenants, personal_data=personal_data, malicious=malicious, facts=facts)

    def leave_chat(self, why: str) -> None:
        """Somebody may read our chat: from now on nothing is written there, and people are asked by page alone (spec §9.4)."""
        if not self.state.chat_read:
            self.state.chat_read = why
            self.state.note("out of band", f"{why}: nothing is written into chat from now on, and codes come by page")
            self._announcer.say("Do not write here any more: look at your page")
            if not self.state.rehearsing:
                self._questions.notices.leave_chat()

    def evidence_about(self, what: str) -> None:
        """What must be seen to be ill before automation changes anything alone, where it is not the service itself. One of several is enough."""
        self.state.evidence_about = tuple(dict.fromkeys((*self.state.evidence_about, what)))

    def ordered(self, verb: Verb[O, Any], order: O, by: str) -> Grant | None:
        """The word of a person whose role lets them have a narrow change made (spec §2.4, C1). None: it is broader, and is asked."""
        state, action = self.state, action_of(verb)
        if action.risk(order, state.policy.limits) is not Risk.C1:
            return None
        valid = state.policy.for_people(state.policy.approval_valid[Risk.C2])
        return state.approvals.ordered(by, False, (order.digest(action.name),), valid, workflow.now(), basis="asked for")

    def hand_over(self, why: str) -> NoReturn:
        """Stop here: a person continues by hand."""
        raise HandOver(why)

    def classify(self, facts: Facts, radius: BlastRadius | None = None) -> None:
        """Classify again on what is known now. Automation may only raise."""
        self.state.classify(facts, Quality(radius.quality) if radius else Quality.UNKNOWN)
