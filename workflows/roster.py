"""Who is on this incident: the roster as last read, and who was assigned to which role here (spec §4)."""

from collections.abc import Iterable

from activities.action import Role
from activities.organisation import Person, Roster

# Who else may answer when the first asked stay silent: each rung of the ladder adds one (spec §2.5.4).
RUNGS: tuple[Role, ...] = (Role.DEPUTY, Role.DUTY_EXECUTIVE)


class Crew:
    """Authority comes from here, never from a message: from the roster as it is now, and from assignments by the commander."""

    def __init__(self) -> None:
        self.roster = Roster()
        self.assigned: dict[Role, str] = {}

    def holders(self, roles: Iterable[Role]) -> tuple[Person, ...]:
        """Who holds one of the roles: first whoever was assigned here, then the roster's, primaries first. An assignment replaces the roster's."""
        found: list[Person] = []
        for role in roles:
            assigned = self.roster.people.get(self.assigned.get(role, ""))
            found += [assigned] if assigned else [p for p in self.roster.people.values() if role in p.roles]
        return tuple({person.id: person for person in found}.values())

    def role_of(self, person: Person, roles: Iterable[Role]) -> Role | None:
        """The first of the roles that this person holds now."""
        return next((role for role in roles if any(p.id == person.id for p in self.holders((role,)))), None)

    def assign(self, role: Role, person: Person) -> None:
        """Give a role to a person for this incident."""
        self.assigned[role] = person.id

    def name(self, role: Role) -> str:
        """Who was assigned to the role here; empty when nobody was."""
        person = self.roster.people.get(self.assigned.get(role, ""))
        return person.id if person else ""
