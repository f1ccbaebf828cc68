"""The base class of every playbook: its messages, its phases, and how its parts are put together.

A playbook file is its docstring, its card and its `run`; what `run` says is in `engine/verbs.py`: `do` looks, `propose` and `impose` change
(and ask where automation may not decide), `stable` waits for proof, `lift_measures` undoes, `task` hands over what no system of ours can do.
"""

import asyncio
import importlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, cast

from temporalio import workflow

from activities.action import Role
from activities.kit.words.escape import line
from activities.organisation.organisation import Organisation, ReadAll
from workflows.comms.comms import Comms
from workflows.engine.clock import answering
from workflows.engine.invoker import Invoker
from workflows.engine.lifecycle.beginning import ask_for_the_service, declare, keyed, to_come
from workflows.engine.lifecycle.calling import BREACH, SEED, ChildState, ChildTells
from workflows.engine.lifecycle.ending import Ending
from workflows.engine.record.recorder import Recorder
from workflows.engine.state import IncidentState
from workflows.engine.verbs import CalledIn, Verbs
from workflows.errors import HandOver, NeedsApproval, RetriesExhausted
from workflows.first_minutes.first_minutes import FirstMinutes
from workflows.incident import Alert, Card, Incident, Joined, Phase, State, worst
from workflows.people.background import begun, stopped
from workflows.people.commands import IncidentCommands
from workflows.people.messages import Hears, MessageHandlers, alert_of, incident_of
from workflows.people.questions import BRANCH, PROPOSER, Questions
from workflows.procedures.procedures import Procedures
from workflows.status import Outcome, Status, Task
from workflows.waiting import waited

Run = Callable[["Playbook", Incident], Awaitable[None]]


class Playbook(Verbs, MessageHandlers):
    """One incident, run by the section of the seed that the subclass is."""

    card: ClassVar[Card]
    _body: ClassVar[tuple[Run]]  # what it does; in a tuple, because the SDK takes every such attribute for a second `run`

    @workflow.init
    def __init__(self, *given: Any) -> None:
        info, incident, self._given = workflow.info(), keyed(incident_of(given), type(self).__module__), given
        state = IncidentState(info.workflow_id, info.workflow_type, self.card, workflow.now())
        state.incident, state.rehearsing = incident, incident.rehearsal
        invoker = Invoker(state)
        questions = Questions(state, invoker)
        self._comms = Comms(state, invoker, questions)
        super().__init__(state, invoker, questions, self._comms)
        self._root, self._called, self._beside = self, dict[str, CalledIn](), list[asyncio.Task[None]]()
        self._ending = Ending(state, questions, self._proof, self._lifts, self._comms, self._until_alone)
        self.resolve, self.finish = answering(self._ending.resolve), answering(self._ending.finish)
        self.call_in, self._entered = answering(self._call_in), self._comms.entered
        self.first_minutes = FirstMinutes(self)
        self.procedures = Procedures(self, self.first_minutes.freezes)
        self._commands = IncidentCommands(state, invoker, questions.notices, self._comms)
        self._recorder = Recorder(state, invoker)
        self._declared = False

    def __init_subclass__(cls, **options: Any) -> None:
        """Put every playbook's `run` inside the same beginning and end. `@workflow.run` itself cannot be inherited."""
        super().__init_subclass__(**options)
        body = cls.__dict__["run"]
        cls._body = (body,)

        async def run(self, *given: Any) -> Outcome:  # type: ignore[no-untyped-def]  # must have the very parameters of __init__
            ended: Outcome = await self._run(body)
            return ended

        run.__qualname__, run.__module__, run.__doc__ = f"{cls.__name__}.run", cls.__module__, body.__doc__
        setattr(run, "__temporal_workflow_run", True)
        cls.run = run  # type: ignore[attr-defined]

    # -- how it begins and ends -------------------------------------------------------------------------------------------------------

    async def _run(self, body: Run) -> Outcome:
        await declare(self.state, self._invoker)
        self._declared = True
        if self.state.rehearsing:
            return await self._rehearse(body)
        await self.spend_codes("start", self._given)
        cancelled: asyncio.CancelledError | None = None
        self._invoker.readings = {} if self.state.policy.plan_ahead else None
        work = begun(self._follow(body))  # the first of all: nothing stands before mitigation
        recording = begun(self._recorder.run())
        self._comms.start()
        self.first_minutes.start()
        planning = begun(self._plan_ahead(body))
        try:
            await workflow.wait_condition(lambda: work.done() or self._commands.stand_down is not None or self._broken() is not None)
        except asyncio.CancelledError as asked:
            cancelled = asked
        await stopped(work)
        await stopped(*self._beside)
        if (broken := self._broken()) is not None:
            broken.result()  # what broke it is not lost
        if work.cancelled():
            self.state.note("stopped", "the playbook was stopped; its work has ended")
        else:
            work.result()  # what broke it is not lost
        await self.first_minutes.stop()
        await self.procedures.stop()
        await stopped(planning)
        if self.state.run_state is not State.RESOLVED:
            await self._ending.stop(self._commands.stand_down, cancelled is not None)
        await self._close(recording)
        if cancelled:
            raise cancelled
        return self._recorder.ended()

    async def _rehearse(self, body: Run) -> Outcome:
        """The same `run`, with real reads and nothing done: every change, question and wait is only noted."""
        try:
            await body(self, self.state.incident)
        except HandOver as why:
            self.state.note("the plan ends", str(why))
            self.state.outcome = str(why)
        await self._comms.stop()
        return self._recorder.ended(rehearsed=self._recorder.status())

    async def _plan_ahead(self, body: Run) -> None:
        """Rehearse beside the incident, so that `incident by-hand` can print what is to come when nothing of ours runs any more.

        It shares what the incident reads. A plan is a help, never a condition: why there is none is noted.
        """
        state = self.state
        if not state.policy.plan_ahead:
            return
        await workflow.wait_condition(lambda: bool(state.incident.service))
        plan = type(self)({**state.incident.model_dump(mode="json"), "rehearsal": True, "delivery": ""})
        plan.state.policy, plan.state.assignments.roster = state.policy, state.assignments.roster
        plan.state.severity, plan._invoker.shares = state.severity, self._invoker
        try:
            outcome = await plan._rehearse(body)
        except Exception as failed:
            state.note("no plan", str(failed) or type(failed).__name__)
            return
        finally:
            plan._invoker.shares = self._invoker.readings = None
        state.plan = to_come(outcome.rehearsed) if outcome.rehearsed else []
        state.note("planned", f"{len(state.plan)} changes and tasks to come, as it looks now")

    async def _follow(self, body: Run) -> None:
        try:
            if not self.state.incident.service:
                await ask_for_the_service(self)
                self.state.incident = keyed(self.state.incident, type(self).__module__)
            await body(self, self.state.incident)
        except (HandOver, RetriesExhausted, NeedsApproval) as why:
            await self._ending.hand_over(str(why))

    async def _close(self, recording: asyncio.Task[None]) -> None:
        state = self.state
        state.closed_at, state.phase, state.waiting_for = workflow.now(), Phase.CLOSED, ""
        state.next_update_due = None
        state.note("closed", state.outcome)
        await self._questions.settle()
        await self._comms.stop()
        await workflow.wait_condition(workflow.all_handlers_finished)
        await self._recorder.stop(recording)

    # -- other playbooks on the same incident -----------------------------------------------------------------------------------------

    async def _call_in(self, name: str, why: str, labels: Mapping[str, str] = {}, /) -> CalledIn:
        """Bring another playbook in, beside this one. Where it is not installed, its lead has a task with a due time, and is paged.

        One that is there is told the new `labels`; one that has ended with others begins once more.
        """
        root = self._root
        if name == BREACH:
            self.exposed(why)
        there = CalledIn(name, root.state, first=True) if name == root._name() else root._called.get(name)
        if there is not None and not (labels and there.state is not None and there.state.phase is Phase.CLOSED):
            self.note(f"{name} is on this incident already: {why}", "called in")
            if labels and there.state is not None:
                there.state.tell(labels, why)
            return there
        installed = await self.try_to_read(Organisation.playbooks, ReadAll())
        if installed is not None and name in installed.names:
            await root._begin_beside(name, why, labels)
        else:
            root._called[name] = CalledIn(name, task=root._by_people(name, why))
        return root._called[name]

    def _by_people(self, name: str, why: str) -> Task:
        section, lead = SEED.get(name, ("", Role.INCIDENT_COMMANDER))
        due = workflow.now() + self.policy.for_people(self.policy.called_in_within)
        what = f"Carry out §{section} {name.replace('_', ' ')}" if section else f"Carry out {name.replace('_', ' ')}"
        task = self.task(f"{what}: {why}. No playbook for it is installed here", lead)
        task.due = f"{due:%H:%M} UTC"
        self.page((lead, Role.INCIDENT_COMMANDER), f"{what} by hand until {task.due}: {why}")
        self._beside.append(begun(self._page_again(task, lead, due)))
        return task

    async def _page_again(self, task: Task, lead: Role, due: datetime) -> None:
        if self.rehearsing or await waited(lambda: not task.open, due - workflow.now(), f"task {task.number} to be done"):
            return
        self.page((lead, Role.INCIDENT_COMMANDER), f"task {task.number} is overdue: {task.text}")

    async def _begin_beside(self, name: str, why: str, labels: Mapping[str, str]) -> None:
        cls = _installed(name)
        child = cls.__new__(cls)
        child._join(self, why, labels)
        card = cls.card
        self._called[name] = CalledIn(name, child.state)
        self.note(f"§{card.section} {card.title}: {why}", "called in")
        self.say(f"Called in §{card.section} {card.title}: {why}")
        self.page(card.lead, f"§{card.section} {card.title} was called in: {why}")
        if card.floor < self.state.severity and not self.rehearsing:
            self.state.set_severity(card.floor, f"§{card.section} was called in: {why}", "automation")
        if self.rehearsing:
            await child._run_beside()
        else:
            self._beside.append(begun(child._run_beside()))

    def _join(self, root: "Playbook", why: str, labels: Mapping[str, str]) -> None:
        """Begin as a part of another playbook's incident: its people, its room, its record."""
        incident = root.state.incident
        known = incident.model_copy(update={"labels": {**incident.labels, **labels}})
        state = ChildState(root.state, type(self).__name__, self.card, known, why)
        invoker = root._invoker.beside(state)
        Verbs.__init__(self, state, invoker, Questions(state, invoker), ChildTells(root._comms, self.card.section))
        self._root, self.first_minutes = root, root.first_minutes
        self.procedures = Procedures(self, root.first_minutes.freezes)
        self.resolve, self.finish = answering(self._end_beside), answering(self._end_beside)
        self.call_in, self._entered = answering(self._call_in), _told_by_the_first

    async def _run_beside(self) -> None:
        BRANCH.set("")
        PROPOSER.set("")
        state = cast("ChildState", self.state)
        try:
            await type(self)._body[0](self, state.incident)
        except (HandOver, RetriesExhausted, NeedsApproval) as why:
            state.run_state, state.outcome = State.HANDED_OVER, str(why)
            self.task(f"Carry on with §{self.card.section} {self.card.title} by hand: {why}", self.card.lead[0])
            self.page((*self.card.lead, Role.INCIDENT_COMMANDER), f"automation stops here: {why}")
        except asyncio.CancelledError:
            state.ended()
            raise
        self.note(f"§{self.card.section} {self.card.title}: {state.outcome or state.run_state}", "called in")
        state.ended()
        await self._questions.notices.background.stop()

    async def _end_beside(self, summary: str = "its gate passed") -> None:
        """It has done its part. The incident itself is resolved by its first playbook."""
        await self._proof.shadow.settle()
        self.state.run_state, self.state.outcome, self.state.resolved_at = State.RESOLVED, summary, workflow.now()

    async def _until_alone(self) -> None:
        """Wait until every playbook that was called in has ended."""

        def running() -> str:
            return ", ".join(
                f"§{child.card.section} {child.card.title}" for child in self.state.children if child.phase is not Phase.CLOSED
            )

        while running():
            self.state.waiting_for = f"{running()}, which was called in"
            await self._proof.rounds.wait(timedelta(days=1), self.state.waiting_for, lambda: not running())
        self.state.waiting_for = ""

    def _broken(self) -> asyncio.Task[None] | None:
        return next((task for task in self._beside if task.done() and not task.cancelled() and task.exception()), None)

    @classmethod
    def _name(cls) -> str:
        return cls.__module__.removeprefix("workflows.playbooks.").removesuffix(".playbook")

    # -- messages ---------------------------------------------------------------------------------------------------------------------

    async def receive(self, name: str, given: Sequence[object]) -> str | Joined:
        """Act on one message. A person's may come before the first activity has read the policy: it waits for that."""
        if name == "alert":
            return self._hear(alert_of(given))
        await workflow.wait_condition(lambda: self._declared)
        if name == "do":
            sender, message = await self._commands.sent("do", tuple(given))
            return self.procedures.begin(message.model_copy(update={"by": sender.id}))
        state = self.state
        notes = (state.hypotheses, state.impact, state.scope)
        reply = await self._commands.receive(name, tuple(given))
        if notes != (state.hypotheses, state.impact, state.scope):
            self._comms.notes_changed()
        return reply

    def _hear(self, alert: Alert) -> Joined:
        """Count it. One that is graver than all before, and than what the incident was paged as, wakes people once more."""
        state = self.state
        before = worst(state.urgency, state.severity)
        joined = state.count_alert(alert)
        if self._declared and state.urgency < before:
            what = "a graver alert" if state.restricted else f"a graver alert: {line(alert.name, 80)}"
            self._comms.page((Role.INCIDENT_COMMANDER, Role.OPS_LEAD), f"{what} has joined ({state.urgency.label})")
        return joined

    @property
    def hears(self) -> Hears:
        return Hears(self.state, self._commands.access)

    @workflow.query(description="Everything that is true of this incident now")
    def status(self, *given: Any) -> Status:
        return self._recorder.status()

    # -- phase blocks -----------------------------------------------------------------------------------------------------------------

    def triage(self) -> "Block":
        """What is it, and how far does it reach?"""
        return Block(self, Phase.TRIAGE)

    def mitigation(self) -> "Block":
        """End the customers' impact. The block ends when the metrics say that it has ended, on no verb's word."""
        return Block(self, Phase.MITIGATION)

    def recovery(self) -> "Block":
        """Return to normal, step by step."""
        return Block(self, Phase.RECOVERY)

    def post_incident(self) -> "Block":
        """What must not be forgotten afterwards."""
        return Block(self, Phase.POST_INCIDENT)

    @property
    def unresolved(self) -> bool:
        """`while self.unresolved:` around mitigation and recovery: when the impact comes back in recovery, another round begins."""
        return self._proof.rounds.unresolved

    def _enter(self, phase: Phase) -> None:
        self.state.phase = phase
        self.state.phases.append(phase)
        self.state.note("phase", phase.title)
        self._entered(phase)
        if self._root is self and self.policy.paces:
            self.state.go_at(self.policy.paces.get(phase, self.state.usual_pace))


def _told_by_the_first(phase: Phase) -> None:
    """What the public may expect is the first playbook's to say."""


def _installed(name: str) -> "type[Playbook]":
    """The playbook of this name, as the worker has loaded it: the class of another one passes through the sandbox."""
    with workflow.unsafe.sandbox_unrestricted(), workflow.unsafe.imports_passed_through():
        module = importlib.import_module(f"workflows.playbooks.{name}")
        if hasattr(module, "__path__"):
            module = importlib.import_module(f"workflows.playbooks.{name}.playbook")
        return next(
            one for one in vars(module).values() if isinstance(one, type) and "_body" in vars(one) and one.__module__ == module.__name__
        )


class Block:
    """One phase of a playbook's `run`. No generator: one that Python throws away unfinished complains loudly."""

    def __init__(self, playbook: Playbook, phase: Phase) -> None:
        self._playbook, self._phase = playbook, phase

    async def __aenter__(self) -> None:
        self._playbook._enter(self._phase)
        rounds = self._playbook._proof.rounds
        if self._phase is Phase.MITIGATION:
            rounds.begin_mitigation()
        elif self._phase is Phase.RECOVERY:
            rounds.begin_recovery()

    async def __aexit__(self, kind: object, error: BaseException | None, *_: object) -> bool:
        proof = self._playbook._proof
        if self._phase is Phase.MITIGATION:
            try:
                if kind is None:
                    await answering(proof.until_mitigated)()
            except (Exception, asyncio.CancelledError) as broke:
                await proof.rounds.end_mitigation(broke)
                raise
            await proof.rounds.end_mitigation(error)
        return self._phase is Phase.RECOVERY and await proof.rounds.end_recovery(error)
