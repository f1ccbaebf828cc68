"""Roles inside an incident: taking one, giving one, and handing one over by offer and acceptance (spec §4)."""

from temporalio import workflow

from activities.action import Role
from activities.organisation.people import Person
from workflows.errors import NotAccepted
from workflows.incident import Severity
from workflows.people.context import Announcer, IncidentContext
from workflows.people.messages import Message
from workflows.people.permissions import AccessCheck, Capability


class RoleCommands:
    def __init__(self, state: IncidentContext, access: AccessCheck, announcer: Announcer) -> None:
        self._state, self._access, self._announcer = state, access, announcer

    def acknowledge(self, person: Person) -> str:
        """Accept what was offered; else take command, if nobody has; else take up the roles that the rota names."""
        state, assignments = self._state, self._state.assignments
        if offered := assignments.offered_to(person):
            return " · ".join(self._accept(person, offer.role, offer.by) for offer in offered)
        if self.take_command(person):
            return f"{person.id} is the Incident Commander of {state.id}"
        roles = tuple(role for role in assignments.takes_up(person) if not self._clash(role, person))
        assignments.confirmed.update({role: person.id for role in roles})
        assignments.taken = {**dict.fromkeys(roles, workflow.now()), **assignments.taken}
        as_what = f" as {' and '.join(role.title for role in roles)}" if roles else ""
        state.note("acknowledged", f"{person.id} is on it{as_what}", by=person.id)
        return f"{person.id} is on {state.id}{as_what}; commander: {state.commander() or 'nobody yet'}"

    def take_command(self, person: Person) -> bool:
        """False when somebody commands already, or when this person may not."""
        state = self._state
        if state.acknowledged_at is not None or not state.assignments.may_command(person):
            return False
        self._give(Role.INCIDENT_COMMANDER, person)
        state.note("acknowledged", f"{person.id} takes command", by=person.id)
        self._announcer.role_taken()
        return True

    def assign(self, person: Person, message: Message) -> str:
        """Give a role. One that somebody holds and who can be reached is offered; it changes hands when it is accepted (spec §4)."""
        self._access.require(person, Capability.ASSIGN, "assign roles")
        if message.role not in set(Role):
            raise NotAccepted(f"there is no role {message.role!r}; there are {', '.join(Role)}")
        state, assignments, role = self._state, self._state.assignments, Role(message.role)
        to = assignments.roster.person(message.to)
        if to is None:
            raise NotAccepted(f"nobody called {message.to!r} is on the roster")
        self._check_fits(role, to)
        holder = assignments.name(role)
        taken = holder not in ("", to.id) and assignments.can_reach(holder)
        if taken and role is Role.INCIDENT_COMMANDER and person.id != holder:
            raise NotAccepted(f"{holder} commands and can be reached: only {holder} may hand command over")
        if taken and to.id != person.id:
            self._announcer.offer(role, to, person.id)
            return f"{role.title} of {state.id} is offered to {to.id}; it stays with {holder} until {to.id} acknowledges"
        self._give(role, to)
        state.note("assigned", f"{to.id} is {role.title}", by=person.id)
        if to.id != person.id:
            self._announcer.remind((to,), f"{person.id} made you {role.title} of {state.id}. Say that you are on it: incident ack")
        return f"{to.id} is {role.title} of {state.id}"

    def _accept(self, person: Person, role: Role, by: str) -> str:
        self._check_fits(role, person)
        before = self._state.assignments.name(role)
        self._give(role, person)
        was = f" (was {before})" if before else ""
        self._state.note("accepted", f"{person.id} is {role.title}{was}, offered by {by}", by=person.id)
        return f"{person.id} is {role.title} of {self._state.id}"

    def _give(self, role: Role, person: Person) -> None:
        state = self._state
        state.assignments.assign(role, person)
        state.assignments.taken.setdefault(role, workflow.now())
        if role is Role.INCIDENT_COMMANDER and state.acknowledged_at is None:
            state.acknowledged_at = workflow.now()

    def _check_fits(self, role: Role, to: Person) -> None:
        if self._clash(role, to):
            raise NotAccepted("at SEV-1 the Incident Commander does not also lead operations")

    def _clash(self, role: Role, to: Person) -> bool:
        """At SEV-1 the commander delegates and does not resolve; a person who is alone has nobody to delegate to (spec §4)."""
        assignments = self._state.assignments
        other = {Role.OPS_LEAD: Role.INCIDENT_COMMANDER, Role.INCIDENT_COMMANDER: Role.OPS_LEAD}.get(role)
        if other is None or self._state.severity is not Severity.SEV1 or assignments.solo:
            return False
        return assignments.name(other) == to.id
