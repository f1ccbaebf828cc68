"""The verbs every playbook has, the phase blocks, and how an incident begins and ends. Everything behind it is composed.

A playbook file is its docstring, its card and its `run`; what `run` says, this class does: `do` looks, `propose` and `impose` change (and ask
where that is not ours to decide), `stable` waits for proof, `lift_measures` undoes, `task` hands over what no system of ours can do.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, TypeVar, TypeVarTuple, cast

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from activities.action import A, Effect, Grant, I, Imposition, Measure, O, Order, Risk, Role, Verb, action_of
from activities.organisation import Organisation, Policy, Whole
from activities.telemetry import Gate, ServiceHealth, StabilityVerdict, Surface, Telemetry
from workflows.approvals import NotAccepted
from workflows.comms import Comms
from workflows.doors import Doors, alert_of, incident_of
from workflows.hearing import Hearing, StandDown
from workflows.incident import Card, Incident, Joined, Outcome, Phase, Silence, State, Status, Step, StepState
from workflows.invoker import Invoker, NeedsApproval, RanOut
from workflows.measures import Imposed
from workflows.questions import Decision, Questions
from workflows.recorder import Recorder
from workflows.severity import Facts, Severity, classify
from workflows.situation import Situation

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class HandOver(Exception):
    """A person carries on by hand from here."""


class Drifted(Exception):
    """The state changed between the question and the act, so that the undo would be another one: the answer does not hold any more."""


@dataclass(frozen=True)
class Proposed:
    """What became of a change that was proposed. True when it is in force, read back."""

    effect: Effect | None = None
    silent: bool = False
    declined: bool = False
    imposed: Imposed | None = None

    def __bool__(self) -> bool:
        return self.effect is not None


class Playbook(Doors):
    """One incident, run by the section of the seed that the subclass is."""

    card: ClassVar[Card]

    @workflow.init
    def __init__(self, *given: Any) -> None:
        info = workflow.info()
        self.situation = Situation(info.workflow_id, info.workflow_type, self.card, workflow.now())
        self.situation.incident = _keyed(incident_of(given), type(self))
        self.invoker = Invoker(self.situation)
        self.questions = Questions(self.situation, self.invoker)
        self.comms = Comms(self.situation, self.invoker, self.questions)
        self.hearing = Hearing(self.situation, self.invoker)
        self.recorder = Recorder(self.situation, self.invoker)
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
        cancelled: asyncio.CancelledError | None = None
        await self._declare()
        recording = asyncio.create_task(self.recorder.run())
        self.comms.start()
        work = asyncio.create_task(self._follow(body))
        try:
            await workflow.wait_condition(lambda: work.done() or self.hearing.stand_down is not None)
        except asyncio.CancelledError as asked:
            cancelled = asked
        if not work.done():
            work.cancel()
        await self._settled(work)
        if self.situation.state is not State.RESOLVED:
            await self._abort(self.hearing.stand_down, cancelled is not None)
        await self._close(recording)
        if cancelled:
            raise cancelled
        return self._outcome()

    async def _declare(self) -> None:
        """Policy first: everything after is decided by what was in force at this moment, and the history says so."""
        situation, incident = self.situation, self.situation.incident
        try:
            situation.policy = await self.invoker.quietly(Organisation.policy, Whole())
            situation.crew.roster = await self.invoker.quietly(Organisation.roster, Whole())
        except RanOut as out:
            situation.note("configuration", f"{out.why}; the spec's defaults hold, and nobody can be paged until it is mended")
        if incident.severity is not None:
            situation.severity = situation.peak_severity = min(situation.card.floor, incident.severity)
        situation.alerts += 1 if incident.delivery else 0
        situation.note(
            "declared",
            f"{situation.severity.label} §{situation.card.section} {situation.card.title}: {incident.title or incident.service}",
            by=incident.declared_by or incident.source,
            service=incident.service,
        )
        if incident.refused_input:
            situation.note("refused", f"the start input could not be understood: {incident.refused_input}")
        self._declared = True

    async def _follow(self, body: Callable[["Playbook", Incident], Awaitable[None]]) -> None:
        try:
            if not self.situation.incident.service:
                await self._ask_for_the_scope()
            await body(self, self.situation.incident)
        except HandOver as why:
            await self._by_hand(str(why))

    async def _ask_for_the_scope(self) -> None:
        service = ""
        while not service:
            roles = (Role.INCIDENT_COMMANDER, *self.card.lead, Role.DEPUTY)
            value = await self.ask("Which service is affected?", roles=roles, example='"chat"')
            service = str(value.get("service", "") if isinstance(value, dict) else value or "").strip()
        self.situation.incident = self.situation.incident.model_copy(update={"service": service})
        self.situation.note("scope", f"service: {service}")

    async def _by_hand(self, why: str) -> None:
        """The people carry on: nothing more is changed by us, comms go on, and what we imposed stays until somebody says so."""
        situation = self.situation
        situation.state, situation.waiting_for = State.HANDED_OVER, f"by hand: {why}"
        situation.note("handed over", why)
        self.comms.said(f"Handed over to {situation.commander() or 'the commander'}: {why}. `incident status {situation.id}` has the rest.")
        decision = await self._confirm_lifting(f"All in hand? {why}. Approve when the impact has ended: the rest is lifted and closed")
        try:
            await self._lift_all(situation.measures.liftable(), decision)
        except HandOver as again:
            await self._by_hand(str(again))
        else:
            await self.finish(f"resolved by hand, says {decision.by}")

    async def _abort(self, order: StandDown | None, cancelled: bool) -> None:
        """Stopped before it was resolved: lift what may be lifted, latest first; sticky measures stay, in somebody's name."""
        situation = self.situation
        who = order.by if order else "the Temporal operator who cancelled it" if cancelled else "nobody: the playbook ended early"
        liftable = situation.measures.liftable(on_abort=True)
        covers = [i.undo.digest(action_of(i.measure.lift).name) for i in liftable]
        verified = order.verified if order else False
        grant = situation.approvals.ordered(who, verified, covers, timedelta(days=1), workflow.now())
        situation.paused_by = ""  # a later order than the pause, and by the same authority
        situation.waiting_for = "standing down: lifting what this incident imposed"
        for imposed in liftable:
            try:
                await self._lift(imposed, grant, may_ask=False)
            except RanOut as out:
                situation.note("still in force", f"{imposed.measure.name}: {imposed.order.target()}: {out.why}")
        for imposed in situation.measures.unheld():
            situation.measures.take_over(imposed, who)
            situation.note("held", f"{imposed.measure.name}: {imposed.order.target()} stays in force in the name of {who}", by=who)
        situation.state = State.STOOD_DOWN
        situation.outcome = f"stood down by {who}: {order.reason if order else 'cancelled'}"
        await self.comms.closed("Stood down")

    async def _close(self, recording: asyncio.Task[None]) -> None:
        situation = self.situation
        situation.closed_at, situation.phase, situation.waiting_for = workflow.now(), Phase.CLOSED, ""
        situation.next_update_due = None
        situation.note("closed", situation.outcome)
        await self.questions.settle()
        await self.comms.stop()
        await self.recorder.stop(recording)
        await workflow.wait_condition(workflow.all_handlers_finished)
        await self.recorder.flush()
        while situation.timeline.unrecorded:
            await self.recorder.flush()

    async def _settled(self, work: asyncio.Task[None]) -> None:
        try:
            await work
        except asyncio.CancelledError:
            self.situation.note("stopped", "the playbook was stopped; what it was doing has come to rest")

    def _outcome(self) -> Outcome:
        situation = self.situation
        return Outcome(
            incident_id=situation.id, state=situation.state, summary=situation.outcome, mitigated_at=situation.mitigated_at,
            resolved_at=situation.resolved_at, questions=len(situation.approvals.questions),
            in_force=tuple(f"{m.name}: {m.target} (held by {m.held_by})" for m in situation.measures.in_force()),
            last_entry=situation.timeline.entries[-1],
        )  # fmt: skip

    # -- messages ---------------------------------------------------------------------------------------------------------------------

    async def hear(self, name: str, given: Sequence[object]) -> str:
        """Act on one message. A message may come before the first activity has read the policy: it waits for that."""
        await workflow.wait_condition(lambda: self._declared)
        before = self.situation.severity
        said = await self.hearing.hear(name, tuple(given))
        if self.situation.severity < before:
            self.comms.raised()
        return said

    def refuse(self, name: str, given: Sequence[object], why: str) -> None:
        """Note what was not accepted. What was sent is not repeated: it may be somebody's code."""
        self.situation.note("refused", f"{name}: {why}")

    @workflow.update(name="alert", description="One more delivery of an alert, from the receiver")
    def alert(self, *given: Any) -> Joined:
        """Count an alert that came for this incident; say so when it is not ours."""
        situation = self.situation
        try:
            alert = alert_of(given)
        except NotAccepted as no:
            self.refuse("alert", given, str(no))
            return Joined(mine=True, alerts=situation.alerts)
        if alert.dedup_key != situation.incident.dedup_key or (situation.state.over and alert.status == "firing"):
            return Joined(mine=False, alerts=situation.alerts)
        if alert.delivery == situation.incident.delivery:
            return Joined(mine=True, alerts=max(situation.alerts, 1))
        situation.alerts += 1
        situation.note("alert", f"{alert.name} {alert.status}: {alert.summary}", by="alertmanager", delivery=alert.delivery)
        if alert.status == "firing":
            situation.alarm = f"{alert.name} is firing"
            situation.surer(alert.labels.get("confidence", ""))
        return Joined(mine=True, alerts=situation.alerts)

    @alert.validator
    def _is_an_alert(self, *given: Any) -> None:
        try:
            alert_of(given)
        except NotAccepted as no:
            raise ApplicationError(str(no), type="NotAccepted", non_retryable=True) from None

    @workflow.query(description="Everything that is true of this incident now")
    def status(self, *given: Any) -> Status:
        """The status."""
        return self.situation.status()

    @workflow.query(description="The timeline: numbered, chained, in UTC")
    def timeline(self, *given: Any) -> list[dict[str, Any]]:
        """The entries so far."""
        return [entry.model_dump(mode="json") for entry in self.situation.timeline.entries]

    # -- the verbs of a playbook ------------------------------------------------------------------------------------------------------

    @property
    def policy(self) -> Policy:
        """The policy this incident runs under."""
        return self.situation.policy

    def note(self, text: str) -> None:
        """A line on the timeline."""
        self.situation.note("note", text)

    def task(self, text: str, owner: Role, by_hand: tuple[str, ...] = ()) -> None:
        """Hand a step to a person because no system of ours can do it. Stated in status and timeline, never silent."""
        self.situation.task(text, owner, by_hand)
        self.comms.said(f"Task for {owner.title}: {text}")

    def follow_up(self, text: str, owner: Role) -> None:
        """An after-action item for its owner (seed §4.2, Remediations)."""
        situation = self.situation
        task = situation.task(text, owner, due="5 business days")
        situation.tasks.remove(task)
        situation.follow_ups.append(task)

    async def ask(self, asks: str, *, roles: tuple[Role, ...], example: str) -> Any:
        """A value that only people know."""
        decision = await self.questions.fact(asks, roles=roles, example=example)
        return decision.question.given[-1].value

    def hand_over(self, why: str) -> None:
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

    async def do(self, verb: Verb[O, A], order: O) -> A:
        """Look at something (C0), or make a change that automation may make alone. Anything graver goes through `propose` or `impose`."""
        step = self.situation.begin(action_of(verb), order, self.invoker.risk(verb, order))
        again = False
        while True:
            try:
                answer = await self.invoker.step(verb, order, step, again=again)
            except RanOut as out:
                await self._repair(step, verb, order, out, may_skip=False)
                again = True
                continue
            self._done(step, answer)
            return answer

    async def propose(
        self, verb: Verb[O, Effect], order: O, *, facts: tuple[str, ...] = (), silence: Silence = Silence.HOLD, under: Grant | None = None
    ) -> Proposed:
        """Make a change that is no temporary measure; the invoker refuses it at C2 and above without the grant that this asks for."""
        step = self.situation.begin(action_of(verb), order, self.invoker.risk(verb, order), StepState.ASKING)
        grant = under
        if step.risk >= Risk.C2 and grant is None:
            decision = await self.questions.approval(verb, [order], facts=facts, silence=silence)
            if decision.grant is None:
                return self._not_granted(step, decision)
            grant = decision.grant
        again = False
        while True:
            try:
                effect = await self.invoker.step(verb, order, step, grant=grant, again=again)
            except RanOut as out:
                if await self._repair(step, verb, order, out, may_skip=True) == "skip":
                    return Proposed()
                again = True
                continue
            self._done(step, effect)
            return Proposed(effect)

    def needs_asking(self, verb: Verb[O, Any], order: O) -> bool:
        """True when automation may not do this alone."""
        return self.invoker.risk(verb, order) >= Risk.C2

    async def plan(
        self, verb: Verb[O, Effect], orders: Sequence[O], *, asks: str, facts: tuple[str, ...] = (), silence: Silence = Silence.HOLD,
        lasting: timedelta | None = None,
    ) -> Decision:  # fmt: skip
        """One question for several orders that belong together (a ramp, a canary): asked once, granted for exactly these."""
        return await self.questions.approval(verb, orders, asks=asks, facts=facts, silence=silence, lasting=lasting)

    async def impose(
        self, measure: Measure[I], order: I, *, facts: tuple[str, ...] = (), silence: Silence = Silence.HOLD, under: Grant | None = None,
        onto: Imposed | None = None, authorised: bool = False,
    ) -> Proposed:  # fmt: skip
        """Put a temporary measure in force. Its state before is read first, its lift is registered before the call (design §4).

        `onto`: change a measure that is in force already (the next step of a ramp), keeping the state from before the first step.
        `authorised`: this is the safe action after silence; a signed standing policy for the verb allows it without asking again (spec §2.5.5).
        """
        if _nobody(order):
            return Proposed()
        step = self.situation.begin(action_of(measure.impose), order, self.invoker.risk(measure.impose, order))
        while True:
            step.risk = risk = self.invoker.risk(measure.impose, order)
            grant = under or (self._standing(measure, order) if authorised else None)
            undo = ""
            if risk >= Risk.C2 and grant is None:
                prior = await self._look(measure, order, step)
                asked = order.given(prior)
                undo = asked.undo().digest(measure.name)
                step.state = StepState.ASKING
                decision = await self.questions.approval(measure.impose, [asked], facts=facts, silence=silence)
                if decision.grant is None:
                    return self._not_granted(step, decision)
                grant = decision.grant
            try:
                return await self._impose(measure, order, step, grant, undo, onto)
            except (Drifted, NeedsApproval) as changed:
                self.situation.note("changed meanwhile", f"{order.target()}: {changed}; asking again", step=step)

    async def lift_measures(self, *, asking: Role, resting: timedelta, asks: str) -> None:
        """Lift what is in force, latest first, resting between and stopping at the first regression. A *no* leaves it in that person's name."""
        standing = self.situation.measures.liftable()
        if not standing:
            return
        decision = await self._confirm_lifting(asks, standing, (asking, Role.INCIDENT_COMMANDER))
        if not decision.granted:
            for imposed in standing:
                self.situation.measures.take_over(imposed, decision.by)
                self.situation.note("held", f"{imposed.measure.name}: {imposed.order.target()} stays in force", by=decision.by)
            return
        await self._lift_all(standing, decision, resting)

    def discharge(self, measure: Measure[Any]) -> None:
        """The measure has ended by itself (traffic came back by canary): nothing is left to lift."""
        for imposed in self.situation.measures.of(measure):
            self.situation.measures.lifted(imposed, workflow.now())
            self.situation.note("lifted", f"{measure.name}: {imposed.order.target()}")

    async def classify(self, facts: Facts) -> None:
        """Classify again. Automation may only raise; what the rules say now stands on the screen either way."""
        found = classify(facts)
        if self.situation.raise_severity(found.severity, tuple(f"{r.rule}: {r.because}" for r in found.rules[:3])):
            self.comms.raised()

    async def rest(self, duration: timedelta, why: str) -> None:
        """Let policy time pass."""
        self.situation.waiting_for = why
        await workflow.sleep(self.policy.paced(duration), summary=why)
        self.situation.waiting_for = ""

    async def stable(self) -> None:
        """Wait until the service was stable for the whole window. A violation, a gap in the data or an alarm starts the window again."""
        gate = self.policy.stability
        await self.holds(
            lambda start, end: self.look(
                Telemetry.stability, Gate(service=self.situation.incident.service, start=start, end=end, stability=gate)
            ),
            gate.window,
            f"{self.situation.incident.service} stable for {_minutes(gate.window)}",
        )

    async def until(self, instant: datetime, why: str) -> None:
        """Let time pass until an instant; at once when it is over."""
        if instant > workflow.now():
            self.situation.waiting_for = why or self.situation.waiting_for
            await workflow.sleep(instant - workflow.now(), summary=why or None)

    async def holds(
        self, gate: Callable[[datetime, datetime], Awaitable[StabilityVerdict]], window: timedelta, what: str, *,
        within: timedelta | None = None, give_up: Callable[[], Awaitable[bool]] | None = None,
    ) -> bool:  # fmt: skip
        """Ask the metrics store about whole windows until one holds from end to end. False: not `within` that time, or given up."""
        situation, length = self.situation, self.policy.paced(window)
        start = workflow.now()
        deadline = start + self.policy.paced(within) if within else None
        while deadline is None or workflow.now() < deadline:
            situation.alarm = ""
            situation.waiting_for = what
            await self._sleep_unless_alarmed(start + length - workflow.now(), what)
            verdict = await gate(start, workflow.now())
            if give_up is not None and (situation.alarm or not verdict.stable) and await give_up():
                return False
            if situation.alarm:
                situation.note("alarm", f"{situation.alarm}: the window starts again")
                start = workflow.now()
            elif verdict.stable:
                situation.waiting_for = ""
                situation.note("held", what)
                return True
            else:
                start = self._again_from(verdict, what)
        situation.note("given up", f"{what}: not within {_minutes(within or timedelta(0))}")
        return False

    def _again_from(self, verdict: StabilityVerdict, what: str) -> datetime:
        blind = verdict.blind_at is not None and (verdict.violated_at is None or verdict.blind_at >= verdict.violated_at)
        kind = "blind" if blind else "violated"
        self.situation.note(kind, f"{what}: {verdict.why}; the window starts again")
        if blind:
            self.comms.said(f"BLIND: {verdict.why}. Nothing is called healthy on missing data.")
        at = verdict.blind_at if blind else verdict.violated_at
        return at or workflow.now()

    async def _sleep_unless_alarmed(self, left: timedelta, what: str) -> None:
        if left <= timedelta(0):
            return
        try:
            await workflow.wait_condition(lambda: bool(self.situation.alarm), timeout=left, timeout_summary=what)
        except TimeoutError:
            return

    async def resolve(self) -> None:
        """The gate has passed. Closing a SEV-1 or SEV-2 is the commander's (spec §2.8); what is in force must be lifted or held by name."""
        situation = self.situation
        if left := situation.measures.unheld():
            raise HandOver(f"{len(left)} measures are still in force and nobody holds them: {', '.join(i.measure.name for i in left)}")
        if situation.peak_severity <= Severity.SEV2:
            decision = await self.questions.confirmation(
                f"Resolve {situation.id}? The service was stable for {_minutes(self.policy.stability.window)}",
                roles=(Role.INCIDENT_COMMANDER,),
                effect="state becomes resolved, the status page says Resolved, the page ends",
                inverse="declare again",
            )
            if not decision.granted:
                raise HandOver(f"{decision.by} does not want it closed yet")
        await self.finish("resolved: the stability gate passed")

    # -- phase blocks -----------------------------------------------------------------------------------------------------------------

    def triage(self) -> Any:
        """What is it, and how far does it reach?"""
        return self._block(Phase.TRIAGE)

    @asynccontextmanager
    async def mitigation(self) -> AsyncIterator[None]:
        """End the customers' impact. The block ends when the metrics say that it has ended, on no verb's word."""
        self._enter(Phase.MITIGATION)
        yield
        await self._until_mitigated()

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
        self.situation.phase = phase
        self.situation.phases.append(phase)
        self.situation.note("phase", phase.title)
        self.comms.entered(phase)

    async def _until_mitigated(self) -> None:
        situation, policy = self.situation, self.policy
        deadline = workflow.now() + policy.paced(policy.mitigated_within)
        surface = Surface(service=situation.incident.service, window=policy.mitigated_window)
        while True:
            situation.waiting_for = "customer impact to end, by the metrics"
            await workflow.sleep(policy.paced(policy.mitigated_window), summary="look whether the impact has ended")
            health = await self.look(Telemetry.impact, surface)
            if not health.blind and health.error_ratio is not None and health.error_ratio <= policy.mitigated_error_ratio:
                break
            if workflow.now() < deadline:
                continue
            if await self._carry_on_unmitigated(_impact_in_words(health)):
                situation.waiting_for = ""
                return
            deadline = workflow.now() + policy.paced(policy.mitigated_within)
        situation.waiting_for = ""
        situation.mitigated_at, situation.state = workflow.now(), State.MITIGATED
        situation.note("mitigated", _impact_in_words(health), error_ratio=health.error_ratio)

    async def _carry_on_unmitigated(self, impact: str) -> bool:
        decision = await self.questions.repair(
            action_of(Telemetry.impact), "The impact has not ended. Look again, carry on without, or take over?", impact, order=None,
            may_skip=True,
        )  # fmt: skip
        if decision.verdict == "hand_over":
            raise HandOver(f"the impact has not ended ({impact}); {decision.by} takes over")
        return decision.verdict == "skip"

    # -- behind the verbs -------------------------------------------------------------------------------------------------------------

    async def look(self, verb: Verb[O, A], order: O) -> A:
        """A reading that is part of a wait, not a step of its own."""
        while True:
            try:
                return await self.invoker.quietly(verb, order)
            except RanOut as out:
                self.situation.note("blind", f"{order.effect()}: {out.why}")
                decision = await self.questions.repair(
                    action_of(verb), f"Cannot look: {order.effect()}", out.why, order=order, may_skip=False
                )
                if decision.verdict == "hand_over":
                    raise HandOver(f"cannot look ({out.why}); {decision.by} takes over") from out

    async def _look(self, measure: Measure[I], order: I, step: Step) -> Any:
        while True:
            try:
                return await self.invoker.quietly(measure.look, order.look())
            except RanOut as out:
                await self._repair(step, measure.look, order, out, may_skip=False)

    async def _impose(
        self, measure: Measure[I], order: I, step: Step, grant: Grant | None, undo_asked: str, onto: Imposed | None
    ) -> Proposed:
        imposed, again = onto, False
        while True:
            try:
                async with self.invoker.one_at_a_time[_system(measure.impose)]:
                    fresh = await self.invoker.quietly(measure.look, order.look())
                    wanted = order.given(fresh)
                    if imposed is None:
                        if undo_asked and wanted.undo().digest(measure.name) != undo_asked:
                            raise Drifted("it is not as it was when the question was put")
                        imposed = self.situation.measures.register(measure, wanted, workflow.now())
                    elif again:
                        # A lost try may have worked: what we see now may be our own doing, not the state before.
                        wanted = wanted.model_copy(update={"prior": cast("Any", imposed.order).prior})
                    effect = await self.invoker.step(measure.impose, wanted, step, grant=grant, again=again)
            except NeedsApproval:
                if imposed is not None and imposed is not onto and not again:
                    self.situation.measures.lifted(imposed, workflow.now())
                raise
            except RanOut as out:
                if out.lapsed:
                    self.situation.note("lapsed", out.why, step=step)
                    again = True
                    continue
                if out.refused and imposed is not None and imposed is not onto and not imposed.certain:
                    self.situation.measures.lifted(imposed, workflow.now())
                if await self._repair(step, measure.impose, order, out, may_skip=True) == "skip":
                    return Proposed(imposed=imposed)
                if imposed is not None and imposed.lifted_at is not None:
                    imposed = None
                again = imposed is not None
                continue
            imposed.certain = True
            self._done(step, effect)
            return Proposed(effect, imposed=imposed)

    async def _lift_all(self, standing: Sequence[Imposed], decision: Decision, resting: timedelta = timedelta(0)) -> None:
        for n, imposed in enumerate(standing):
            if n and resting:
                await self.rest(resting, "rest between two lifts")
            await self._lift(imposed, decision.grant, may_ask=True)
            await self._stop_at_a_regression(imposed)

    async def _lift(self, imposed: Imposed, grant: Grant | None, *, may_ask: bool) -> None:
        verb, undo, again = imposed.measure.lift, imposed.undo, False
        step = self.situation.begin(action_of(verb), undo, self.invoker.risk(verb, undo))
        while True:
            try:
                async with self.invoker.one_at_a_time[_system(verb)]:
                    if isinstance(undo, Imposition):
                        undo = undo.given(await self.invoker.quietly(imposed.measure.look, undo.look()))
                    effect = await self.invoker.step(verb, undo, step, grant=grant, again=again)
            except RanOut as out:
                if not may_ask:
                    self.situation.end(step, StepState.FAILED, out.why)
                    raise
                if await self._repair(step, verb, undo, out, may_skip=True) == "skip":
                    self.situation.measures.take_over(imposed, step.result or "the commander")
                    return
                again = True
                continue
            self._done(step, effect)
            self.situation.measures.lifted(imposed, workflow.now())
            return

    async def _stop_at_a_regression(self, imposed: Imposed) -> None:
        policy = self.policy
        surface = Surface(service=self.situation.incident.service, window=policy.mitigated_window)
        await workflow.sleep(policy.paced(policy.mitigated_window), summary=f"watch after lifting {imposed.measure.name}")
        health = await self.look(Telemetry.impact, surface)
        if health.blind or health.error_ratio is None or health.error_ratio > policy.mitigated_error_ratio:
            self.comms.regressed()
            raise HandOver(f"lifting {imposed.measure.name} brought the impact back ({_impact_in_words(health)}); the rest stays in force")

    async def _confirm_lifting(
        self, asks: str, standing: Sequence[Imposed] | None = None, roles: tuple[Role, ...] = (Role.INCIDENT_COMMANDER,)
    ) -> Decision:
        """A person's word for lifting. Only a commander who declined while by hand is asked again; `lift_measures` takes a no for an answer."""
        while True:
            measures = self.situation.measures.liftable() if standing is None else standing
            decision = await self.questions.confirmation(
                asks,
                roles=roles,
                effect="lift, latest first: " + ("; ".join(f"{i.measure.name} ({i.order.target()})" for i in measures) or "nothing"),
                covers=tuple(i.undo.digest(action_of(i.measure.lift).name) for i in measures),
                inverse="impose again",
                by_hand=tuple(line for i in measures for line in i.undo.by_hand()),
            )
            if decision.granted or standing is not None:
                return decision
            await self.rest(self.policy.repage, "the commander carries on by hand")

    async def _repair(self, step: Step, verb: Verb[Any, Any], order: Order, out: RanOut, *, may_skip: bool) -> str:
        """Ask what to do about a step that cannot be done. Returns the verdict; raises `HandOver`."""
        situation = self.situation
        step.state, step.result = StepState.FAILED, out.why
        situation.note("failed", f"{step.verb} {step.target}: {out.why}", step=step)
        decision = await self.questions.repair(
            action_of(verb), f"{step.verb} on {step.target} is not done", out.why, order=order, may_skip=may_skip
        )
        if decision.verdict == "hand_over":
            raise HandOver(f"{step.verb} on {step.target} failed ({out.why}); {decision.by} takes over")
        if decision.verdict == "skip":
            situation.end(step, StepState.SKIPPED, f"left out by {decision.by}")
            step.result = decision.by
        return decision.verdict

    def _standing(self, measure: Measure[Any], order: Imposition) -> Grant | None:
        """What policy signed beforehand for this verb, if anything."""
        policy, verb, now = self.policy, action_of(measure.impose).name, workflow.now()
        signed = policy.stood(verb, now)
        valid = policy.paced(policy.approval_valid[Risk.C2])
        return self.situation.approvals.standing(verb, [order], signed, valid, now) if signed else None

    def _done(self, step: Step, answer: object) -> None:
        if isinstance(answer, Effect):
            state = StepState.ADOPTED if answer.adopted else StepState.DONE
            self.situation.end(step, state, f"{answer.summary} (proven by {answer.proven_by})")
        else:
            self.situation.end(step, StepState.DONE, getattr(answer, "summary", "") or "looked")

    def _not_granted(self, step: Step, decision: Decision) -> Proposed:
        if decision.silent:
            self.situation.end(step, StepState.DECLINED, "nobody answered")
            return Proposed(silent=True)
        self.situation.end(step, StepState.DECLINED, f"declined by {decision.by}")
        return Proposed(declined=True)

    async def finish(self, summary: str) -> None:
        """It is over: the status page, the room and the page hear of it."""
        situation = self.situation
        situation.resolved_at, situation.state, situation.outcome = workflow.now(), State.RESOLVED, summary
        situation.note("resolved", summary)
        await self.comms.resolved()


def _keyed(incident: Incident, playbook: type[Playbook]) -> Incident:
    """An incident that was started plainly (Temporal UI, CLI) takes the key that an alert for the same thing would bring."""
    key = "/".join(part for part in (playbook.__module__.rpartition(".")[2], incident.service, incident.region) if part)
    return incident if incident.dedup_key else incident.model_copy(update={"dedup_key": key})


def _nobody(order: Order) -> bool:
    """An order for an empty set of tenants wants nothing done."""
    return getattr(order, "tenants", None) == ()


def _system(verb: Verb[Any, Any]) -> str:
    return action_of(verb).name.partition(".")[0]


def _minutes(duration: timedelta) -> str:
    return f"{duration.total_seconds() / 60:g} min"


def _impact_in_words(health: ServiceHealth) -> str:
    if health.blind or health.error_ratio is None:
        return "no data: blind"
    return f"{health.error_ratio:.2%} of {health.requests:g} requests fail"
