"""Who sent a message, and whether they may. Authority is looked up now, for every message, by an activity."""

from activities.action import Role
from activities.identity.codes import Identify, Identities, Identity
from activities.organisation.people import Person
from workflows.errors import NotAccepted, RetriesExhausted
from workflows.people import permissions
from workflows.people.context import Announcer, IncidentContext, VerbInvoker
from workflows.people.messages import Message
from workflows.people.permissions import Capability


class AccessCheck:
    def __init__(self, state: IncidentContext, invoker: VerbInvoker, announcer: Announcer | None = None) -> None:
        self._state = state
        self._invoker = invoker
        self._announcer = announcer

    async def identify(self, message: Message) -> Identity:
        """Raises `NotAccepted` when the incident is over, or when nobody can be looked up now."""
        state = self._state
        if state.run_state.over:
            raise NotAccepted(f"{state.id} is {state.run_state}; nothing can be changed any more")
        questions = tuple((q.number, q.digest) for q in state.approvals.questions)
        order = Identify(incident_id=state.id, code=message.code.strip(), claims=message.by.strip(), questions=questions)
        try:
            identity = await self._invoker.quietly(Identities.identify, order)
        except RetriesExhausted as out:
            raise NotAccepted(f"cannot find out who you are just now ({out.why}); try again") from None
        state.assignments.roster = identity.roster
        if identity.person is not None and self._announcer is not None:
            self._announcer.spoke(identity.person)
        return identity

    async def holder(self, message: Message, roles: tuple[Role, ...]) -> Person:
        """Who sent a message, when they hold one of the roles now. Raises `NotAccepted`."""
        person = person_of(await self.identify(message))
        if self._state.assignments.role_of(person, roles) is None:
            raise NotAccepted(f"{person.id} may not do that: it is for {' or '.join(role.title for role in roles)}")
        return person

    def require(self, person: Person, capability: Capability, what: str, rights: str = "A") -> None:
        """Raises `NotAccepted` unless the table of permissions lets this person do it now."""
        assignments, limits = self._state.assignments, self.footnotes(person)
        if person.id == assignments.solo or permissions.may(capability, assignments.roles_of(person), rights=rights, limits=limits):
            return
        whose = " or ".join(f"the {role.title}'s" for role in permissions.whose(capability, rights[0], limits=limits))
        raise NotAccepted(f"{person.id} may not {what}: that is {whose}")

    def footnotes(self, person: Person) -> str:
        """The footnotes of the table that hold now: acting, vacant, restricted, exposure."""
        state = self._state
        commander = state.commander()
        vacant = not state.assignments.can_reach(commander)
        return (
            ("1" if vacant or commander == person.id else "")
            + ("2" if vacant else "")
            + ("s" if state.restricted else "")
            + ("d" if state.severity_history.exposure else "")
        )


def person_of(identity: Identity) -> Person:
    """Raises `NotAccepted` when nobody is meant."""
    if identity.person is None:
        raise NotAccepted(identity.why or "say who you are: by")
    return identity.person
