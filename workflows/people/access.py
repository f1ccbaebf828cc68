"""Who sent a message, and whether they may. Authority is looked up now, for every message, by an activity.

What changes authority is verified like what it allows: `COMMANDS_NEED` says of every message of which class it is now, and one check compares
that with `Policy.verified_from`, as approvals do for answers (design §4, "Authority is vouched for").
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from temporalio import workflow

from activities.action import Risk, Role, digest
from activities.identity.codes import COMMANDS, Identify, Identities, Identity, SeenCodes, for_commands
from activities.kit.words.shell import command
from activities.organisation.people import Person
from workflows.errors import NotAccepted, RetriesExhausted
from workflows.incident import Severity
from workflows.people.approvals import check_verified
from workflows.people.context import Announcer, IncidentContext, VerbInvoker
from workflows.people.messages import VERDICTS, Message, codes_of
from workflows.people.notices import Notices
from workflows.people.permissions import Capability, approving, may, whose


@dataclass(frozen=True)
class Need:
    """What a message takes. `may`: the row of the table that its sender needs a right in; or one of `roles`. `risk`: the class of what it
    allows, from which on policy wants it verified; None: never, because it stops something, or only says something.
    """

    what: str = ""  # as in "dana may not stand down"
    may: Capability | None = None
    rights: str = "A"
    roles: tuple[Role, ...] = ()
    risk: Risk | None = None


FREE = Need()
# Who may have a universal procedure run (spec §4: whoever runs things; the question that it asks goes to whoever may approve it).
MAY_RUN_PROCEDURES = (Role.INCIDENT_COMMANDER, Role.DEPUTY, Role.OPS_LEAD, Role.SECURITY_LEAD, Role.AI_ML_LEAD, Role.DB_LEAD)


def _to_give(roles: Iterable[Role]) -> Risk | None:
    return Risk.C2 if set(roles) & approving() else None


def _acknowledge(state: IncidentContext, message: Message, person: Person) -> Need:
    """Taking the page is free. So is taking command: it counts as self-declared until a code vouches for it (`RoleAssignments.claims`)."""
    offered = tuple(offer.role for offer in state.assignments.offered_to(person))
    return Need(f"accept {' and '.join(role.title for role in offered)}", risk=_to_give(offered)) if offered else FREE


def _assign(state: IncidentContext, message: Message, person: Person) -> Need:
    return Need("assign roles", Capability.ASSIGN, risk=_to_give(role for role in Role if role == message.role))


def _reclassify(state: IncidentContext, message: Message, person: Person) -> Need:
    try:
        lowering = Severity.parse(message.severity) > state.severity
    except ValueError:
        return FREE  # and refused, because it is no severity
    return Need("lower the severity", Capability.LOWER, risk=Risk.C2) if lowering else FREE


def _stand_down(state: IncidentContext, message: Message, person: Person) -> Need:
    """A false alarm also ends our own freeze at once; otherwise that stays, in the name of whoever stands down."""
    return Need("stand down", Capability.STAND_DOWN, risk=state.risk_in_force(freeze=message.false_alarm))


COMMANDS_NEED: Mapping[str, Need | Callable[[IncidentContext, Message, Person], Need]] = {
    **dict.fromkeys(VERDICTS, FREE),  # an answer takes what its question takes: `Approvals.take`
    "note": FREE,
    "code": FREE,
    "done": FREE,  # it changes nothing but what is shown
    "acknowledge": _acknowledge,
    "assign": _assign,
    "reclassify": _reclassify,
    "pause": Need("pause the playbook", Capability.PAUSE, rights="AV"),
    "resume": Need("resume the playbook", Capability.RESUME, risk=Risk.C2),
    "do": Need("run procedures", roles=MAY_RUN_PROCEDURES, risk=Risk.C1),
    "widen": Need("widen the public cadence", Capability.WIDEN, risk=Risk.C1),
    "stand_down": _stand_down,
}


@dataclass(frozen=True)
class Sender:
    """Who sent a command, and in which roles that counts."""

    person: Person
    verified: bool
    roles: tuple[Role, ...]

    @property
    def id(self) -> str:
        return self.person.id

    @property
    def how(self) -> str:
        return "verified" if self.verified else "self-declared"


class AccessCheck:
    def __init__(self, state: IncidentContext, invoker: VerbInvoker, notices: Notices, announcer: Announcer | None = None) -> None:
        self._state, self._invoker, self._notices, self._announcer = state, invoker, notices, announcer
        self._spent: set[str] = set()  # codes that were brought to `identify`, which spends them

    async def identify(self, name: str, message: Message) -> Identity:
        """Who sent the message called `name`. Raises `NotAccepted` when the incident is over, or when nobody can be looked up now."""
        state, code = self._state, message.code.strip()
        if state.run_state.over:
            raise NotAccepted(f"{state.id} is {state.run_state}; nothing can be changed any more")
        sent = message.model_dump(mode="json", exclude={"code"})
        if for_commands(code):
            sent["once"] = workflow.uuid4().hex  # a code for commands is good for this one message, and not for the same one again
        asked = tuple((q.number, q.digest, q.sendings) for q in state.approvals.questions)
        order = Identify(
            incident_id=state.id, code=code, claims=message.by.strip(), verdict=name, message=_digest(name, sent),
            questions=(*asked, *state.command_codes.good(workflow.now())), read={q.number: q.read for q in state.approvals.questions if q.read},
        )  # fmt: skip
        try:
            identity = await self._invoker.quietly(Identities.identify, order)
        except RetriesExhausted as out:
            raise NotAccepted(f"cannot find out who you are just now ({out.why}); try again") from None
        self._spent.add(code)
        state.assignments.roster = identity.roster
        if identity.owner is not None and identity.question == COMMANDS:
            state.command_codes.used(identity.owner.id)
        if identity.person is not None:
            self._recognise(identity, identity.person)
        return identity

    async def spend(self, name: str, given: Sequence[object]) -> None:
        """Spend every code in a message that nobody was identified by: it stands in the history now, where others read it."""
        found = codes_of(given)
        codes = tuple(code for code in found if code not in self._spent)
        self._spent -= set(found)
        if codes:
            order = SeenCodes(incident_id=self._state.id, verdict=name, message=_digest(name, "seen"), codes=codes)
            spending = self._invoker.quietly(Identities.spend, order)
            if self._state.run_state.over:
                await spending  # nobody waits for what is begun in the background any more
            else:
                self._notices.background.run("a code that was seen could not be spent", spending)

    def refused(self, why: NotAccepted, identity: Identity) -> NotAccepted:
        """The refusal of a message; if its code was spent by it in vain, with the word that another one is sent."""
        owner, number, assignments = identity.owner, identity.question, self._state.assignments
        if owner is None or not number:
            return why
        question = self._state.approvals.questions[number - 1]
        counted = owner.id != assignments.solo and any(given.by == owner.id for given in question.answers)
        may_answer = any(
            assignments.role_of(owner, question.roles, sure=sure) for sure in (False, True)
        )  # also past a self-declared commander
        if counted or not question.open or not may_answer:
            return why
        self._notices.renew(question, owner, f"a new code, because the last one was used: {why}")
        return NotAccepted(f"{why}; a new code for question {number} is sent to {owner.id}")

    def check(self, name: str, message: Message, identity: Identity) -> Sender:
        """The one check of every command. Raises `NotAccepted` unless its sender may do this now, and is verified as far as policy wants it."""
        state, person = self._state, person_of(identity)
        if identity.question not in (None, COMMANDS):
            raise NotAccepted(f"that code is for question {identity.question}, and good for nothing else; {self._ask_for_a_code()}")
        row = COMMANDS_NEED[name]
        need = row(state, message, person) if callable(row) else row
        roles = state.assignments.roles_of(person)
        nothing_is_written = state.policy.may_write_to == ()  # shadow mode: no code could be sent
        if need.risk is None or need.risk < state.policy.verified_from or nothing_is_written:
            self._require(person, need, roles)
            return Sender(person, identity.verified, roles)
        sure = state.assignments.roles_of(person, sure=True)
        self._require(person, need, (*roles, *sure))
        check_verified(f"the message to {need.what}", need.risk, identity, state.policy, self._ask_for_a_code())
        if not self._may(person, need, sure):
            raise NotAccepted(f"{person.id} may {need.what} by a self-declared message only, which does not count for {need.risk.label}")
        return Sender(person, identity.verified, sure)

    def _recognise(self, identity: Identity, person: Person) -> None:
        """Somebody spoke. Whoever shows who they are vouches for the roles that they took themselves."""
        state = self._state
        if self._announcer is not None:
            self._announcer.spoke(person)
        if identity.verified and (own := state.assignments.proved(person)):
            roles = " and ".join(role.title for role in own)
            state.note("verified", f"{person.id} has shown who they are, and is {roles} no longer by a self-declared message", by=person.id)

    def _ask_for_a_code(self) -> str:
        return f"`{command('incident', 'code', self._state.id)}` sends you a code for commands; send this again with it"

    def _may(self, person: Person, need: Need, roles: tuple[Role, ...]) -> bool:
        """Whether somebody who acts in these roles may do it now. Whoever is alone may."""
        if person.id == self._state.assignments.solo or (need.may is None and not need.roles):
            return True
        by_table = need.may is not None and may(need.may, roles, rights=need.rights, limits=self.footnotes(person))
        return by_table or bool(set(roles) & set(need.roles))

    def _require(self, person: Person, need: Need, roles: tuple[Role, ...]) -> None:
        if not self._may(person, need, roles):
            holders = whose(need.may, need.rights[0], limits=self.footnotes(person)) if need.may else need.roles
            theirs = " or ".join(f"the {role.title}'s" for role in holders)
            raise NotAccepted(f"{person.id} may not {need.what}: that is {theirs}")

    def footnotes(self, person: Person) -> str:
        """The footnotes of the table that hold now: acting, vacant, restricted, exposure."""
        state, commander = self._state, self._state.commander()
        vacant = not state.assignments.can_reach(commander)
        holding = {"1": vacant or commander == person.id, "2": vacant, "s": state.restricted, "d": state.severity_history.exposure}
        return "".join(footnote for footnote, holds in holding.items() if holds)


def _digest(name: str, sent: object) -> str:
    """What a message is known by. After a reset, which is another run, the same message is another one."""
    return digest({"run": workflow.info().run_id, "name": name, "sent": sent})


def person_of(identity: Identity) -> Person:
    """Who gives a command. Raises `NotAccepted` when nobody is meant."""
    if identity.person is None:
        raise NotAccepted(identity.why or "say who you are: by")
    return identity.person
