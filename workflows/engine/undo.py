"""Undoing what one step imposed, on a person's word: `incident undo INCIDENT STEP`. It is a lift like any other, with the same approvals."""

from dataclasses import dataclass

from activities.action import STANDING, Grant, Risk, Role, action_of
from activities.kit.words.shell import Command, command
from workflows.engine.lift import Lifts
from workflows.engine.measures import Imposed
from workflows.engine.state import IncidentState
from workflows.errors import NeedsApproval, NotAccepted, Relapse
from workflows.status import imposed_by


def undo_command(state: IncidentState, step: int) -> Command:
    """What is typed to undo what a step imposed."""
    return command("incident", "undo", state.id, str(step))


def unasked(grant: Grant | None) -> bool:
    """Whether nobody was asked for it at the time."""
    return grant is None or grant.basis == STANDING


@dataclass
class Undo:
    state: IncidentState
    lifts: Lifts

    def imposed_by(self, number: int | None) -> Imposed:
        """What a step imposed that is in force. Raises `NotAccepted`, with what can be undone."""
        measures = self.state.measures
        shown = [(imposed, imposed_by(self.state.steps, imposed.shown())) for imposed in measures.standing if not imposed.assumed]
        found = next((imposed for imposed, step in shown if step is not None and step.number == number), None)
        if found is None:
            listed = ", ".join(f"{step.number} ({imposed.says})" for imposed, step in shown if step is not None)
            raise NotAccepted(f"say which step is undone; in force by a step of ours: {listed or 'nothing'}")
        if found.measure.own_end:
            raise NotAccepted(
                f"{found.says} ends by a procedure of its own: {command('incident', 'do', self.state.id, 'return-to-latest')}"
            )
        if found.measure.until_stable:
            raise NotAccepted(f"{found.says} ends when the service has been stable, or by `{command('incident', 'freeze')}`")
        return found

    def typed(self, imposed: Imposed) -> str:
        """What is typed to undo what is in force; empty where no step of ours imposed it."""
        step = imposed_by(self.state.steps, imposed.shown())
        return str(undo_command(self.state, step.number)) if step is not None else ""

    async def undo(self, number: int | None, by: str, why: str = "") -> None:
        """Lift it, asked first where lifting is broad. Raises what a lift raises."""
        imposed, state = self.imposed_by(number), self.state
        grant, lift = None, imposed.measure.lift
        orders = imposed.order.undo_steps(state.policy.return_steps)
        if any(self.lifts.invoker.risk(lift, order) >= Risk.C2 for order in orders):
            roles = tuple(dict.fromkeys((*action_of(lift).asks, Role.INCIDENT_COMMANDER)))
            asks = f"Undo step {number}, {imposed.says}? {by} asks for it{f': {why}' if why else ''}"
            decision = await self.lifts.confirm(asks, [imposed], roles)
            if decision.grant is None:
                state.note(
                    "not undone", f"step {number}, {imposed.says}, stays as it is: {decision.by or 'nobody'} has not said yes", by=by
                )
                return
            grant = decision.grant
        try:
            await self.lifts.lift(imposed, grant)
        except (Relapse, NeedsApproval) as out:
            state.note("not undone", f"step {number}, {imposed.says}: {out}", by=by)
            return
        if imposed.lifted_at is not None:
            state.note("undone", f"step {number}, {imposed.says}{f': {why}' if why else ''}", by=by)
