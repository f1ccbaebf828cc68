"""How an incident ends: resolved by the gate, carried on by people, or stood down. What was imposed is lifted, or kept in a person's name."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from temporalio import workflow

from activities.action import Role
from activities.kit.words.shell import command
from workflows.engine.lift import Lifts
from workflows.engine.measures import lift_question
from workflows.engine.proof.proof import Proof, minutes
from workflows.engine.state import IncidentState
from workflows.errors import HandOver, RetriesExhausted
from workflows.incident import Severity, State
from workflows.people.commands import StandDown
from workflows.people.context import Announcer
from workflows.people.questions import Questions


class Ending:
    def __init__(
        self,
        state: IncidentState,
        questions: Questions,
        proof: Proof,
        lifts: Lifts,
        announcer: Announcer,
        others: Callable[[], Awaitable[None]],
    ) -> None:
        """`others`: waits until the playbooks that were called in have ended."""
        self._state, self._others = state, others
        self._questions = questions
        self._proof = proof
        self._lifts = lifts
        self._announcer = announcer

    async def resolve(self) -> None:
        """The gate has passed. Closing a SEV-1 or SEV-2 is the commander's (spec §2.8); what is in force must be lifted or kept by name."""
        state = self._state
        await self._others()
        await self._proof.shadow.settle()
        await self._give_back()
        last = state.measures.until_stable()
        if left := [imposed for imposed in state.measures.unheld() if imposed not in last]:
            raise HandOver(f"{len(left)} measures are still in force and nobody has taken them over: {', '.join(i.name for i in left)}")
        if state.peak_severity <= Severity.SEV2 or last:
            asks = f"Resolve {state.id}? The service was stable for {minutes(state.policy.stability.window)}"
            draft = lift_question(asks, last, (Role.INCIDENT_COMMANDER,), inverse="declare again")
            effects = [draft.effect, "state becomes resolved, the status page says Resolved, the page ends"]
            decision = await self._questions.confirmation(draft.model_copy(update={"effect": "; ".join(filter(None, effects))}))
            if not decision.granted:
                raise HandOver(f"{decision.by} does not want it closed yet")
            await self._proof.rounds.look()  # the answer may have taken its time
            for imposed in last:
                await self._lifts.lift(imposed, decision.grant)
        await self.finish("resolved: the stability gate passed")

    async def _give_back(self) -> None:
        """Nothing is resolved while customers get less than usual by a measure of ours, in whoever's name: they have it back first.

        Asked again, each time after twice as long, until it is lifted; whoever wants to end the incident with it stands down.
        """
        state, policy = self._state, self._state.policy
        pause, way_out = policy.repage, f"`{command('incident', 'stand-down', state.id)}` ends the incident with it in force"
        while felt := state.measures.felt():
            names = ", ".join(imposed.says for imposed in felt)
            asks = f"Not resolved yet: customers get less than usual ({names}). Put it back now?"
            decision = await self._lifts.confirm(asks, felt, (Role.OPS_LEAD, Role.INCIDENT_COMMANDER), way_out)
            if decision.granted:
                for imposed in felt:
                    imposed.held_by = ""
                await self._lifts.lift_all(felt, decision)
            if state.measures.felt():
                pause = min(2 * pause, timedelta(hours=4))
                state.note("not resolved", f"{names} still in force, says {decision.by}; asked again in {minutes(pause)}")
                await self._proof.rest(pause, f"until customers may have it back: {names}")

    async def finish(self, summary: str) -> None:
        """It is over, without another question: the status page, the room and the page say so."""
        state = self._state
        state.resolved_at, state.run_state, state.outcome = workflow.now(), State.RESOLVED, summary
        state.note("resolved", summary)
        await self._announcer.resolved()

    async def hand_over(self, why: str) -> None:
        """People carry on: nothing more is changed by us, updates go on, and what we imposed stays until somebody says so."""
        state = self._state
        state.run_state, state.waiting_for = State.HANDED_OVER, f"by hand: {why}"
        state.note("handed over", why)
        if state.shadow and not state.measures.in_force():
            await self._repaired_by_people()
            return
        rest = command("incident", "status", state.id)
        open_ = "; ".join(f"{task.number} {task.text} ({task.owner.title})" for task in state.tasks if task.open)
        tasks = f" Open tasks: {open_}." if open_ else ""
        self._announcer.say(f"Handed over to {state.commander() or 'the commander'}: {why}. `{rest}` has the rest.{tasks}")
        decision = await self._lifts.confirm_all(f"All in hand? {why}. Approve when the impact has ended: the rest is lifted and closed")
        try:
            await self._others()
            await self._lifts.lift_all(state.measures.liftable(), decision)
            await self._give_back()
        except HandOver as again:
            await self.hand_over(str(again))
            return
        for imposed in state.measures.unheld():  # a freeze needs the stability gate, and a pin a fixed build
            self._lifts.keep(imposed, decision.by)
        await self.finish(f"resolved by hand, says {decision.by}")

    async def _repaired_by_people(self) -> None:
        """Shadow mode: nobody is asked, and nothing is ours to lift. The metrics say when people have repaired it, and that it holds."""
        try:
            if self._state.mitigated_at is None:
                await self._proof.until_mitigated()
            await self._proof.stable()
        except HandOver as again:
            await self.hand_over(str(again))
            return
        await self._proof.shadow.settle()
        await self.finish("resolved by people, as the metrics show (shadow mode)")

    async def stop(self, order: StandDown | None, cancelled: bool) -> None:
        """Stopped before it was resolved: lift what may be lifted, latest first; sticky measures stay, in somebody's name."""
        state = self._state
        self._questions.withdraw()
        who = order.by if order else "the Temporal operator who cancelled it" if cancelled else "nobody: the playbook ended early"
        liftable = state.measures.liftable(on_abort=True)
        if order is not None and order.false_alarm:  # nothing else is in force, and nobody was affected: our own freeze ends at once
            liftable = [*liftable, *state.measures.until_stable()]
        covers = [digest for imposed in liftable for digest in imposed.covers([imposed.undo])]
        grant = state.approvals.ordered(who, order.verified if order else False, covers, timedelta(days=1), workflow.now())
        state.paused_by = ""  # this order is later than the pause, and from the same authority
        state.waiting_for = "standing down: lifting what this incident imposed"
        for imposed in liftable:
            try:
                await self._lifts.lift_at_once(imposed, grant)
            except RetriesExhausted as out:
                state.note("still in force", f"{imposed.says}: {out.why}")
        for imposed in state.measures.unheld():
            self._lifts.keep(imposed, who)
        state.run_state = State.STOOD_DOWN
        state.outcome = f"stood down by {who}: {order.reason if order else 'cancelled'}"
        await self._announcer.closed("Stood down")
