"""Who is on this incident: the rota as last read, who was given which role here, and who can be reached (spec §4)."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from activities.action import Role
from activities.organisation.people import Person, Roster
from activities.organisation.rota import ROSTER_FILE, OnDuty

# Who else may answer when the first asked do not: each step of the escalation ladder adds one (spec §2.5.4).
FURTHER_ROLES: tuple[Role, ...] = (Role.DEPUTY, Role.DUTY_EXECUTIVE)
# Who is paged, one after another, while nobody commands (spec §4, IC vacancy). Each of them takes command by acknowledging.
VACANCY: tuple[Role, ...] = (Role.DEPUTY, Role.ONCALL_MANAGER, Role.DUTY_EXECUTIVE)
COMMAND: tuple[Role, ...] = (Role.INCIDENT_COMMANDER, *VACANCY)


class Offer(NamedTuple):
    """A role that was offered to somebody and not accepted yet. Until then its holder keeps it."""

    role: Role
    to: str
    by: str
    at: datetime
    vouched: bool = True  # whether whoever offers it was verified


class RoleAssignments:
    """Authority comes from here, never from a message: from the rota as it is now, and from what was assigned and accepted here."""

    def __init__(self) -> None:
        self.roster = Roster()
        self.assigned: dict[Role, str] = {}
        # Of these, what stands on a self-declared message only. True: taken by themselves, so that their own code vouches for it.
        self.claims: dict[Role, bool] = {}
        self.taken: dict[Role, datetime] = {}  # since when somebody has the role here
        self.confirmed: dict[Role, str] = {}  # who acknowledged the role that the rota gives them; this excludes nobody else
        self.offers: dict[Role, Offer] = {}
        self.last_message: dict[str, datetime] = {}  # when each person last sent something to this incident
        self.unresponsive: set[str] = set()  # who left a decision open for too long and has sent nothing since
        self.solo = ""  # the one person who can be reached, if it is only one
        self._duty = OnDuty()
        self.read_at: datetime | None = None  # when the rota was read

    def read(self, duty: OnDuty, at: datetime) -> tuple[str, ...]:
        """Take in who is on duty. Returns what was remarked about it and had not been before."""
        fresh = tuple(remark for remark in duty.remarks if remark not in self._duty.remarks)
        self.roster, self._duty, self.read_at = duty.roster, duty, at
        return fresh

    def holders(self, roles: Iterable[Role]) -> tuple[Person, ...]:
        """Who is told about what concerns these roles: the holder here; else who is on call; else the roster file, primaries first."""
        found = {person.id: person for role in roles for person in self._of(role)}
        alone = self.roster.people.get(self.solo)
        return tuple((found | ({alone.id: alone} if alone else {})).values())

    def role_of(self, person: Person, roles: Iterable[Role], *, alone: bool = True, sure: bool = False) -> Role | None:
        """The first of the roles that this person may act in now. An assignment replaces the rota's; who is `alone` acts in any.

        `sure`: as far as it is vouched for. What was assigned by a self-declared message then neither gives a role nor takes one.
        """
        wanted = tuple(roles)
        held = next((role for role in wanted if self._acts(person, role, sure)), None)
        return held or (wanted[0] if alone and wanted and person.id == self.solo else None)

    def roles_of(self, person: Person, *, sure: bool = False) -> tuple[Role, ...]:
        """Every role that this person may act in now. `sure`: as above."""
        return tuple(role for role in Role if self._acts(person, role, sure))

    def may_command(self, person: Person, *, sure: bool = False) -> bool:
        """True for those who take command by acknowledging: the ladder; a person who is alone; anybody, when the roster names nobody for it.

        `sure`: as above.
        """
        nobody = not any(self._of(role) for role in COMMAND)
        return nobody or person.id == self.solo or self.role_of(person, COMMAND, sure=sure) is not None

    def assign(self, role: Role, person: Person, *, vouched: bool = True, own: bool = False) -> None:
        """`vouched`: by a verified message. `own`: they took it themselves, and were entitled to."""
        self.assigned[role] = person.id
        self.claims.pop(role, None)
        if not vouched:
            self.claims[role] = own
        self.offers.pop(role, None)

    def proved(self, person: Person) -> tuple[Role, ...]:
        """Somebody has shown who they are: the roles that they took themselves are vouched for from now on. Returns those."""
        own = tuple(role for role, own in self.claims.items() if own and self.assigned.get(role) == person.id)
        for role in own:
            del self.claims[role]
        return own

    def self_declared(self) -> tuple[Role, ...]:
        """The roles that somebody has here on the word of a message only, and not by the rota either."""
        held = ((role, self.roster.people.get(self.assigned[role])) for role in self.claims)
        return tuple(role for role, person in held if person and not self._acts(person, role, sure=True))

    def offer(self, role: Role, to: Person, by: str, at: datetime, *, vouched: bool = True) -> None:
        """Offer a role that somebody holds. A later offer of the role replaces an earlier one."""
        self.offers[role] = Offer(role, to.id, by, at, vouched)

    def offered_to(self, person: Person) -> tuple[Offer, ...]:
        return tuple(offer for offer in self.offers.values() if offer.to == person.id)

    def name(self, role: Role) -> str:
        """Who has the role here: assigned, or acknowledged; empty when nobody has."""
        person = self.roster.people.get(self.assigned.get(role, "") or self.confirmed.get(role, ""))
        return person.id if person else ""

    def takes_up(self, person: Person) -> tuple[Role, ...]:
        """Roles that this person is on duty for and nobody has taken up here; command is no such role."""
        free = (role for role in Role if role not in COMMAND and not self.name(role))
        return tuple(role for role in free if any(held.id == person.id for held in self._of(role)[:1]))

    def spoke(self, person: Person, at: datetime) -> None:
        """Somebody sent something: they can be reached."""
        self.last_message[person.id] = at
        self.unresponsive.discard(person.id)

    def can_reach(self, who: str) -> bool:
        """True when there is a way to this person and they did not fall silent over an open decision."""
        person = self.roster.people.get(who)
        return person is not None and who not in self.unresponsive and bool(person.slack or person.pager)

    def reachable(self) -> tuple[Person, ...]:
        """Everybody on the roster whom there is a way to."""
        return tuple(person for person in self.roster.people.values() if person.slack or person.pager)

    def rota(self) -> tuple[str, ...]:
        """Who has which role, and where that is written: `Ops Lead lee (PagerDuty EP_OPS)`."""
        held = ((role, " or ".join(person.id for person in self._of(role))) for role in Role)
        here = {role: "self-declared here" if role in self.claims else "assigned here" for role in self.assigned if self.name(role)}
        sources = {**self._duty.sources, **here}
        return tuple(f"{role.title} {names} ({sources.get(role, ROSTER_FILE)})" for role, names in held if names)

    def _of(self, role: Role) -> tuple[Person, ...]:
        assigned = self.roster.people.get(self.assigned.get(role, ""))
        if assigned and role not in self.claims:
            return (assigned,)
        called = (self.roster.people.get(who) for who in self._duty.on_call.get(role, ()))
        named = tuple(filter(None, called)) or self.roster.holders((role,))
        return (assigned, *(person for person in named if person.id != assigned.id)) if assigned else named

    def _acts(self, person: Person, role: Role, sure: bool = False) -> bool:
        if self.assigned.get(role) in self.roster.people and not (sure and role in self.claims):
            return self.assigned[role] == person.id
        known = self.roster.people.get(person.id)
        return known is not None and (role in known.roles or person.id in self._duty.on_call.get(role, ()))
