"""The verbs every playbook has, the phase blocks, and how an incident begins and ends. Everything behind it is composed.

A playbook file is its docstring, its card and its `run`; what `run` says, this class does: `do` looks, `propose` and `impose` change (and ask
where that is not ours to decide), `stable` waits for proof, `lift_measures` undoes, `task` hands over what no system of ours can do.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, ClassVar, NoReturn

from temporalio import workflow
from temporalio.exceptions import ApplicationError, ChildWorkflowError

from activities.action import A, Effect, I, Measure, O, Role, Verb, action_of
from activities.organisation.catalogue import Deployed
from activities.organisation.organisation import Organisation, ReadAll
from activities.organisation.policy import Policy
from workflows.comms.comms import Comms
from workflows.engine.changes import ChangeResult, Changes
from workflows.engine.invoker import Invoker
from workflows.engine.planning import plan_ahead
from workflows.engine.proof import Proof, minutes
from workflows.engine.recorder import Recorder
from workflows.engine.state import IncidentState
from workflows.errors import HandOver, NotAccepted, RetriesExhausted
from workflows.first_minutes.first_minutes import FirstMinutes
from workflows.incident import (
    Card,
    Incident,
    Joined,
    Phase,
    Severity,
    State,
)
from workflows.people.commands import IncidentCommands, StandDown
from workflows.people.messages import MessageHandlers, alert_of, incident_of
from workflows.people.questions import Questions
from workflows.procedures.procedures import ProcedureRequest, Procedures
from workflows.severity.classify import classify
from workflows.severity.facts import Facts
from workflows.status import Outcome, Status

# Who may have a universal procedure run (spec §4: whoever runs things; the question that it asks goes to whoever may approve it).
DOING = (Role.INCIDENT_COMMANDER, Role.DEPUTY, Role.OPS_LEAD, Role.SECURITY_LEAD, Role.AI_ML_LEAD, Role.DB_LEAD)


class Playbook(MessageHandlers):
    """One incident, run by the section of the seed that the subclass is."""

    card: ClassVar[Card]

    @workflow.init
    def __init__(self, *given: Any) -> None:
        info, incident = workflow.info(), _keyed(incident_of(given), type(self))
        # What a plan says is said in the name of the incident that it is made for: a person may type it.
        planned_for = info.parent.workflow_id if incident.rehearsal and info.parent else info.workflow_id
        self.state = IncidentState(planned_for, info.workflow_type, self.card, workflow.now())
        self.state.incident = incident
        self.state.rehearsing = self.state.incident.rehearsal
        self.invoker = Invoker(self.state)
        self.questions = Questions(self.state, self.invoker)
        self.comms = Comms(self.state, self.invoker, self.questions)
        self.proof = Proof(self.state, self.invoker, self.questions, self.comms)
        self.changes = Changes(self.state, self.invoker, self.questions, self.proof)
        self.first_minutes = FirstMinutes(self)
        self.procedures = Procedures(self)
        self.commands = IncidentCommands(self.state, self.invoker, self.comms)
        self.recorder = Recorder(self.state, self.invoker)
        self._declared = False

    def __init_subclass__(cls, **options: Any) -> None:
        """Put every playbook's `run` inside the same beginning and end. `@workflow.run` itself cannot be inherited."""
        super().__init_subclass__(**options)
        body = cls.__dict__["run"]

        async def run(self, *given: Any) -> Outcome:  # type: ignore[no-untyped-def]  # must have the very parameters of __init__
            ended: Outcome = await self._command(body)
            return ended

        run.__qualname__, run.__module__, run.__doc__ = f"{cls.__name__}.run", cls.__module__, body.__doc__
        setattr(run, "__temporal_workflow_run", True)
        cls.run = run  # type: ignore[attr-defined]

    # -- how it begins and ends -------------------------------------------------------------------------------------------------------

    async def _command(self, body: Callable[["Playbook", Incident], Awaitable[None]]) -> Outcome:
        if self.state.rehearsing:
            return await self._rehearse(body)
        cancelled: asyncio.CancelledError | None = None
        await self._declare()
        recording = asyncio.create_task(self.recorder.run())
        self.comms.start()
        self.first_minutes.start()
        planning = asyncio.create_task(self._plan_ahead())
        work = asyncio.create_task(self._follow(body))
        try:
            await workflow.wait_condition(lambda: work.done() or self.commands.stand_down is not None)
        except asyncio.CancelledError as asked:
            cancelled = asked
        if not work.done():
            work.cancel()
        await self._settled(work)
        planning.cancel()
        # One after another, without new tasks: this runs at cache eviction too, where none may be made.
        await self.first_minutes.stop()
        await self.procedures.stop()
        await asyncio.gather(planning, return_exceptions=True)
        if self.state.run_state is not State.RESOLVED:
            await self._abort(self.commands.stand_down, cancelled is not None)
        await self._close(recording)
        if cancelled:
            raise cancelled
        return self._outcome()

    async def _rehearse(self, body: Callable[["Playbook", Incident], Awaitable[None]]) -> Outcome:
        """The same `run`, with real reads and nothing done: every change, question and wait is only said."""
        await self._declare()
        try:
            await body(self, self.state.incident)
        except HandOver as why:
            self.state.note("the plan ends", str(why))
            self.state.outcome = str(why)
        await self.comms.stop()
        rehearsed = self.state.status()
        return self._outcome().model_copy(update={"rehearsed": rehearsed})

    async def _declare(self) -> None:
        """Policy first: everything after is decided by what was in force at this moment, and the history says so."""
        state, incident = self.state, self.state.incident
        try:
            state.policy = await self.invoker.quietly(Organisation.policy, ReadAll())
            state.assignments.roster = await self.invoker.quietly(Organisation.roster, ReadAll())
        except RetriesExhausted as out:
            state.note("configuration", f"{out.why}; the spec's defaults hold, and nobody can be paged until it is mended")
        state.mode = state.policy.mode
        if incident.severity is not None:
            state.severity = state.peak_severity = min(state.card.floor, incident.severity)
        state.alerts += 1 if incident.delivery else 0
        state.restricted = state.restricted or incident.restricted
        state.note(
            "declared",
            f"{state.severity.label} §{state.card.section} {state.card.title}: {incident.title or incident.service}",
            by=incident.declared_by or incident.source,
            service=incident.service,
        )
        state.traced(incident.labels)
        if incident.refused_input:
            state.note("refused", f"the start input could not be understood: {incident.refused_input}")
        self._declared = True

    async def _plan_ahead(self) -> None:
        """A plan is a help, never a condition: what stands against it is noted."""
        if not self.policy.plan_ahead:
            return
        try:
            await plan_ahead(self.state)
        except ChildWorkflowError as failed:
            self.state.note("no plan", str(failed.cause or failed))

    async def _follow(self, body: Callable[["Playbook", Incident], Awaitable[None]]) -> None:
        try:
            if not self.state.incident.service:
                await self._ask_for_the_scope()
            await body(self, self.state.incident)
        except HandOver as why:
            await self._by_hand(str(why))

    async def _ask_for_the_scope(self) -> None:
        service = ""
        while not service:
            roles = (Role.INCIDENT_COMMANDER, *self.card.lead, Role.DEPUTY)
            value = await self.ask("Which service is affected?", roles=roles, example='"chat"')
            service = str(value.get("service", "") if isinstance(value, dict) else value or "").strip()
        self.state.incident = self.state.incident.model_copy(update={"service": service})
        self.state.note("scope", f"service: {service}")

    async def _by_hand(self, why: str) -> None:
        """The people carry on: nothing more is changed by us, comms go on, and what we imposed stays until somebody says so."""
        state = self.state
        state.run_state, state.waiting_for = State.HANDED_OVER, f"by hand: {why}"
        state.note("handed over", why)
        if state.shadow and not state.measures.in_force():
            await self._mended_by_people()
            return
        self.comms.said(f"Handed over to {state.commander() or 'the commander'}: {why}. `incident status {state.id}` has the rest.")
        decision = await self.changes.confirm_lifting(
            f"All in hand? {why}. Approve when the impact has ended: the rest is lifted and closed"
        )
        try:
            await self.changes.lift_all(state.measures.liftable(), decision)
        except HandOver as again:
            await self._by_hand(str(again))
        else:
            for (
                imposed
            ) in state.measures.unheld():  # a freeze needs the stability gate, and a pin a fixed build: they stay, in a person's name
                state.measures.take_over(imposed, decision.by)
                state.note("held", f"{imposed.measure.name}: {imposed.order.target()} stays in force", by=decision.by)
            await self.finish(f"resolved by hand, says {decision.by}")

    async def _mended_by_people(self) -> None:
        """Shadow mode: nobody is asked, and nothing is ours to lift. The metrics say when people have mended it, and that it holds."""
        state = self.state
        try:
            if state.mitigated_at is None:
                await self.proof.until_mitigated()
            await self.proof.stable()
        except HandOver as again:
            await self._by_hand(str(again))
            return
        await self.proof.shadow.settle()
        await self.finish("resolved by people, as the metrics show (shadow mode)")

    async def _abort(self, order: StandDown | None, cancelled: bool) -> None:
        """Stopped before it was resolved: lift what may be lifted, latest first; sticky measures stay, in somebody's name."""
        state = self.state
        self.questions.withdraw()
        who = order.by if order else "the Temporal operator who cancelled it" if cancelled else "nobody: the playbook ended early"
        liftable = state.measures.liftable(on_abort=True)
        if order is not None and order.false_alarm:  # nothing else is in force, and nobody was hit: our own freeze ends at once
            liftable = [*liftable, *state.measures.until_stable()]
        covers = [i.undo.digest(action_of(i.measure.lift).name) for i in liftable]
        verified = order.verified if order else False
        grant = state.approvals.ordered(who, verified, covers, timedelta(days=1), workflow.now())
        state.paused_by = ""  # a later order than the pause, and by the same authority
        state.waiting_for = "standing down: lifting what this incident imposed"
        for imposed in liftable:
            try:
                await self.changes.lift(imposed, grant, may_ask=False)
            except RetriesExhausted as out:
                state.note("still in force", f"{imposed.measure.name}: {imposed.order.target()}: {out.why}")
        for imposed in state.measures.unheld():
            state.measures.take_over(imposed, who)
            state.note("held", f"{imposed.measure.name}: {imposed.order.target()} stays in force in the name of {who}", by=who)
        state.run_state = State.STOOD_DOWN
        state.outcome = f"stood down by {who}: {order.reason if order else 'cancelled'}"
        await self.comms.closed("Stood down")

    async def _close(self, recording: asyncio.Task[None]) -> None:
        state = self.state
        state.closed_at, state.phase, state.waiting_for = workflow.now(), Phase.CLOSED, ""
        state.next_update_due = None
        state.note("closed", state.outcome)
        await self.questions.settle()
        await self.comms.stop()
        await self.recorder.stop(recording)
        await workflow.wait_condition(workflow.all_handlers_finished)
        await self.recorder.flush()
        while state.timeline.unrecorded:
            await self.recorder.flush()

    async def _settled(self, work: asyncio.Task[None]) -> None:
        try:
            await work
        except asyncio.CancelledError:
            self.state.note("stopped", "the playbook was stopped; what it was doing has come to rest")

    def _outcome(self) -> Outcome:
        state = self.state
        return Outcome(
            incident_id=state.id, state=state.run_state, summary=state.outcome, mitigated_at=state.mitigated_at,
            resolved_at=state.resolved_at, questions=len(state.approvals.questions),
            in_force=tuple(f"{m.name}: {m.target} (held by {m.held_by})" for m in state.measures.in_force()),
            last_entry=state.timeline.entries[-1],
        )  # fmt: skip

    # -- messages ---------------------------------------------------------------------------------------------------------------------

    async def hear(self, name: str, given: Sequence[object]) -> str:
        """Act on one message. A message may come before the first activity has read the policy: it waits for that."""
        await workflow.wait_condition(lambda: self._declared)
        if name == "do":
            return await self._procedure(tuple(given))
        state = self.state
        before, told = state.severity, (state.hypotheses, state.impact, state.scope)
        said = await self.commands.hear(name, tuple(given))
        if state.severity < before:
            self.comms.raised()
        if told != (state.hypotheses, state.impact, state.scope):
            self.comms.noted()
        return said

    async def _procedure(self, given: tuple[object, ...]) -> str:
        person, message = await self.commands.somebody("do", given, DOING)
        return self.procedures.begin(
            ProcedureRequest(
                procedure=message.procedure, service=message.service, flag=message.flag, region=message.region, rps=message.rps,
                fields=message.fields, by=person.id, reason=message.reason,
            )
        )  # fmt: skip

    def refuse(self, name: str, given: Sequence[object], why: str) -> None:
        """Note what was not accepted. What was sent is not repeated: it may be somebody's code."""
        self.state.note("refused", f"{name}: {why}")

    @workflow.update(name="alert", description="One more delivery of an alert, from the receiver")
    def alert(self, *given: Any) -> Joined:
        """Count an alert that came for this incident; say so when it is not ours."""
        state = self.state
        try:
            alert = alert_of(given)
        except NotAccepted as no:
            self.refuse("alert", given, str(no))
            return Joined(mine=True, alerts=state.alerts)
        if alert.dedup_key != state.incident.dedup_key or (state.run_state.over and alert.status == "firing"):
            return Joined(mine=False, alerts=state.alerts)
        if alert.delivery == state.incident.delivery:
            return Joined(mine=True, alerts=max(state.alerts, 1))
        state.alerts += 1
        state.traced(alert.labels)
        state.note("alert", f"{alert.name} {alert.status}: {alert.summary}", by="alertmanager", delivery=alert.delivery)
        if alert.status == "firing":
            state.alarm = f"{alert.name} is firing"
            state.surer(alert.labels.get("confidence", ""))
        return Joined(mine=True, alerts=state.alerts)

    @alert.validator
    def _is_an_alert(self, *given: Any) -> None:
        try:
            alert_of(given)
        except NotAccepted as no:
            raise ApplicationError(str(no), type="NotAccepted", non_retryable=True) from None

    @workflow.query(description="Everything that is true of this incident now")
    def status(self, *given: Any) -> Status:
        return self.state.status()

    @workflow.query(description="The timeline: numbered, chained, in UTC")
    def timeline(self, *given: Any) -> list[dict[str, Any]]:
        return [entry.model_dump(mode="json") for entry in self.state.timeline.entries]

    # -- the verbs of a playbook ------------------------------------------------------------------------------------------------------

    @property
    def policy(self) -> Policy:
        """The policy this incident runs under."""
        return self.state.policy

    def note(self, text: str) -> None:
        self.state.note("note", text)

    def task(self, text: str, owner: Role, by_hand: tuple[str, ...] = ()) -> None:
        """Hand a step to a person because no system of ours can do it. Stated in status and timeline, never silent."""
        self.state.task(text, owner, by_hand)
        self.comms.said(f"Task for {owner.title}: {text}")

    def follow_up(self, text: str, owner: Role) -> None:
        """An after-action item for its owner, due when the post-mortem is (seed §4.2: 5 business days)."""
        self.state.follow_up(text, owner, due="5 business days")

    async def ask(self, asks: str, *, roles: tuple[Role, ...], example: str) -> Any:
        """A value that only people know."""
        decision = await self.questions.fact(asks, roles=roles, example=example)
        return decision.question.given[-1].value

    def hand_over(self, why: str) -> NoReturn:
        """Stop here: a person carries on by hand."""
        raise HandOver(why)

    async def together(self, *work: Coroutine[Any, Any, Any]) -> tuple[Any, ...]:
        """Side by side; when one fails the others are stopped and come to rest first."""
        tasks = [asyncio.create_task(each) for each in work]
        try:
            return tuple(await asyncio.gather(*tasks))
        except (Exception, asyncio.CancelledError):
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise

    async def deployed(self) -> Deployed:
        """Where and how the service of this incident runs; without that nothing of it can be changed by us."""
        name = self.state.incident.service
        service = (await self.first_minutes.catalogue()).services.get(name)
        if service is None:
            raise HandOver(f"nobody told us where {name} runs: add [services.{name}] to organisation.toml")
        return service

    async def do(self, verb: Verb[O, A], order: O) -> A:
        """Look at something (C0), or make a change that automation may make alone. Anything graver goes through `propose` or `impose`."""
        return await self.changes.do(verb, order)

    async def propose(self, verb: Verb[O, Effect], order: O, **how: Any) -> ChangeResult:
        """Make a change that is no temporary measure; see `Changes.propose`."""
        return await self.changes.propose(verb, order, **how)

    async def impose(self, measure: Measure[I], order: I, **how: Any) -> ChangeResult:
        """Put a temporary measure in force; see `Changes.impose`."""
        return await self.changes.impose(measure, order, **how)

    async def lift_measures(self, *, asking: Role, resting: timedelta, asks: str) -> None:
        """Lift what is in force, latest first, when a person says so; see `Changes.lift_measures`."""
        await self.changes.lift_measures(asking=asking, resting=resting, asks=asks)

    async def rest(self, duration: timedelta, why: str) -> None:
        await self.proof.rest(duration, why)

    async def stable(self) -> None:
        """Wait until the service was stable for the whole window."""
        await self.proof.stable()

    async def steady(self, for_: timedelta) -> None:
        """Wait until the service was stable for so long: enough to begin to put things back, not to close."""
        await self.proof.stable(for_)

    async def classify(self, facts: Facts) -> None:
        """Classify again. Automation may only raise; what the rules say now stands on the screen either way."""
        found = classify(facts)
        self.state.breached |= any(ratio >= self.policy.mitigated_error_ratio for ratio in facts.err_ratio.values())
        self.state.exposure |= facts.data_exposure.at_least("SUSPECTED") or facts.isolation_failure.at_least("SUSPECTED")
        if self.state.raise_severity(found.severity, tuple(f"{r.rule}: {r.because}" for r in found.rules[:3])):
            self.comms.raised()

    async def resolve(self) -> None:
        """The gate has passed. Closing a SEV-1 or SEV-2 is the commander's (spec §2.8); what is in force must be lifted or held by name."""
        state, last = self.state, self.state.measures.until_stable()
        await self.proof.shadow.settle()
        if left := [imposed for imposed in state.measures.unheld() if imposed not in last]:
            raise HandOver(f"{len(left)} measures are still in force and nobody holds them: {', '.join(i.measure.name for i in left)}")
        if state.peak_severity <= Severity.SEV2 or last:
            decision = await self.questions.confirmation(
                f"Resolve {state.id}? The service was stable for {minutes(self.policy.stability.window)}",
                roles=(Role.INCIDENT_COMMANDER,),
                effect="; ".join(
                    (*(i.undo.effect() for i in last), "state becomes resolved, the status page says Resolved, the page ends")
                ),
                covers=tuple(i.undo.digest(action_of(i.measure.lift).name) for i in last),
                inverse="declare again",
                by_hand=tuple(line for i in last for line in i.undo.by_hand()),
            )
            if not decision.granted:
                raise HandOver(f"{decision.by} does not want it closed yet")
            for imposed in last:
                await self.changes.lift(imposed, decision.grant, may_ask=True)
        await self.finish("resolved: the stability gate passed")

    async def finish(self, summary: str) -> None:
        """It is over: the status page, the room and the page hear of it."""
        state = self.state
        state.resolved_at, state.run_state, state.outcome = workflow.now(), State.RESOLVED, summary
        state.note("resolved", summary)
        await self.comms.resolved()

    # -- phase blocks -----------------------------------------------------------------------------------------------------------------

    def triage(self) -> Any:
        """What is it, and how far does it reach?"""
        return self._block(Phase.TRIAGE)

    @asynccontextmanager
    async def mitigation(self) -> AsyncIterator[None]:
        """End the customers' impact. The block ends when the metrics say that it has ended, on no verb's word."""
        self._enter(Phase.MITIGATION)
        yield
        await self.proof.until_mitigated()

    def recovery(self) -> Any:
        """Return to normal, step by step."""
        return self._block(Phase.RECOVERY)

    def post_incident(self) -> Any:
        """What must not be forgotten afterwards."""
        return self._block(Phase.POST_INCIDENT)

    @asynccontextmanager
    async def _block(self, phase: Phase) -> AsyncIterator[None]:
        self._enter(phase)
        yield

    def _enter(self, phase: Phase) -> None:
        self.state.phase = phase
        self.state.phases.append(phase)
        self.state.note("phase", phase.title)
        self.comms.entered(phase)


def _keyed(incident: Incident, playbook: type[Playbook]) -> Incident:
    """An incident that was started plainly (Temporal UI, CLI) takes the key that an alert for the same thing would bring."""
    key = "/".join(part for part in (playbook.__module__.rpartition(".")[2], incident.service, incident.region) if part)
    return incident if incident.dedup_key else incident.model_copy(update={"dedup_key": key})
