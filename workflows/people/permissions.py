"""Who may do what in an incident: the spec's table (§4, "RACI as permissions"), as data; and who sent a message, and whether they may.

Authority is looked up now, for every message, by an activity.

`A` approves · `R` runs or proposes · `V` may veto or stop · `N` is notified · `-` has no right. A footnote limits a right: `1` only while
acting as commander · `2` while nobody commands · `3` on a confirmed isolation failure or breach · `4` where policy requires it · `s` in a
restricted (security) incident · `d` where data may have been exposed (severity rules A1, A2) · `*` automation within its caps, or
beforehand authorised. Rows below the line are ours: messages that the spec's table has no row for.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from temporalio import workflow

from activities.action import Role, digest
from activities.identity.codes import Identify, Identities, Identity, SeenCodes
from activities.organisation.people import Person
from workflows.errors import NotAccepted, RetriesExhausted
from workflows.people.context import Announcer, IncidentContext, VerbInvoker
from workflows.people.messages import Message, codes_of
from workflows.people.notices import Notices


class Capability(StrEnum):
    """What somebody may want to do: who may (`_COLUMNS`), and the words of the table's row."""

    #                  IC   Dep  Ops  Sec  Com  Scr  Leg  AI   DB   Fin  Exe  Auto
    RAISE = "         R    R    R    R    R    R    R    R    R    R    R    R     declare; raise severity"
    LOWER = "         A    A1   -    As   -    -    Ad   -    -    -    N    -     lower severity; close SEV-1/2"
    ASSIGN = "        A    A    -    -    -    -    -    -    -    -    A2   R*    assign, hand over roles"
    FREEZE_ON = "     R    R    R    R    -    -    -    -    -    -    -    R*    freeze on"
    FREEZE_OFF = "    A    A1   R    V    -    -    -    -    -    -    -    R*    freeze off; exemption token"
    SHIFT = "         A    A1   R    V    -    N    -    R    -    -    N    R*    rollback, traffic shift"
    SCALE = "         N    N    R    -    -    N    -    -    -    -    -    R     scale, rate-limit, breaker"
    READ_ONLY = "     A    A1   R    A3   N    N    -    -    R    -    N    R*    read-only"
    PROMOTE = "       A    A1   -    -    -    N    -    -    A    -    N    -     promote replica"
    FLAG_OFF = "      N    N    R    R    -    N    -    R    -    -    -    R     disable endpoint, flag off"
    QUARANTINE = "    N    N    R    R    -    N    -    R    -    -    -    R     quarantine session, source"
    LIFT_QUARANTINE = "A    -    -    A    -    N    -    -    -    -    -    -     lift quarantine"
    REVOKE = "        N    N    R    A    -    N    -    -    -    -    -    R*    revoke key (single)"
    REVOKE_MANY = "   A    -    R    A    N    N    N    -    -    -    N    -     mass revoke, mass rotation"
    EVIDENCE_ON = "   N    -    R    R    -    R    R    -    R    -    -    R     evidence hold on"
    EVIDENCE_OFF = "  -    -    -    A    -    -    A    -    -    -    -    -     evidence hold off"
    READ_RESTRICTED = "R    R    N    R    N    R    R    N    N    -    N    R*    read restricted data"
    CLAMP = "         N    N    R    R    N    N    -    R    -    R    -    R     tenant clamp (one tenant)"
    CLAMP_ALL = "     A    -    R    -    N    N    -    -    -    A    N    -     global clamp"
    STATUS_PAGE = "   A    A1   -    -    R    N    -    -    -    -    -    R*    status page (non-security)"
    SECURITY_TEXT = " A    -    -    A    R    N    A    -    -    -    N    R*    customer letter, security text"
    NOTICE = "        N    -    -    N    -    N    A    -    -    -    A4   R*    regulator, data-subject notice"
    MATERIALITY = "   -    -    -    N    -    -    A    -    -    -    A    -     materiality, high risk"
    DROP_JOBS = "     A    -    R    -    N    N    -    -    -    -    -    -     drop, expire jobs"
    EDIT_POLICY = "   -    -    -    -    -    -    -    -    -    -    -    -     edit policy, approvers"
    PAUSE = "         A    A    -    V    -    -    -    -    -    -    V    -     pause"
    RESUME = "        A    A    -    -    -    -    -    -    -    -    -    -     resume"
    STAND_DOWN = "    A    A1   -    -    -    -    -    -    -    -    -    -     stand down"
    WIDEN = "         A    A1   -    -    R    -    -    -    -    -    -    -     widen the public cadence"


_COLUMNS: tuple[Role | str, ...] = (
    Role.INCIDENT_COMMANDER, Role.DEPUTY, Role.OPS_LEAD, Role.SECURITY_LEAD, Role.COMMS_LEAD, Role.SCRIBE, Role.LEGAL, Role.AI_ML_LEAD,
    Role.DB_LEAD, Role.FINANCE, Role.DUTY_EXECUTIVE, "automation",
)  # fmt: skip
TABLE: Mapping[Capability, Mapping[Role | str, str]] = {row: dict(zip(_COLUMNS, row.split()[:12], strict=True)) for row in Capability}
# The rows that our verbs belong to, by wire name: where the table knows a veto, its holder may decline a question about the verb.
VERBS: Mapping[str, Capability] = {
    "models.shift": Capability.SHIFT,
    "deploys.shift": Capability.SHIFT,
    "freezes.release": Capability.FREEZE_OFF,
    "flags.change": Capability.FLAG_OFF,
    "status_page.publish": Capability.STATUS_PAGE,
}


def may(capability: Capability, roles: Iterable[Role], *, rights: str = "A", limits: Iterable[str] = ()) -> bool:
    """True when one of the roles has one of the `rights`. `limits`: the footnotes that hold now (`1`: acting, `2`: nobody commands …)."""
    cells = (TABLE[capability].get(role, "-") for role in roles)
    return any(cell[0] in rights and (not cell[1:] or cell[1:] in set(limits)) for cell in cells)


def whose(capability: Capability, right: str = "A", *, limits: Iterable[str] = ()) -> tuple[Role, ...]:
    """The roles that have a right, in the table's order."""
    return tuple(role for role in Role if may(capability, (role,), rights=right, limits=limits))


def vetoes(verb: str) -> tuple[Role, ...]:
    """Who may say no to a verb without being asked."""
    return whose(VERBS[verb], "V") if verb in VERBS else ()


class AccessCheck:
    def __init__(self, state: IncidentContext, invoker: VerbInvoker, notices: Notices, announcer: Announcer | None = None) -> None:
        self._state, self._invoker, self._notices, self._announcer = state, invoker, notices, announcer
        self._spent: set[str] = set()  # codes that were brought to `identify`, which spends them

    async def identify(self, name: str, message: Message) -> Identity:
        """Who sent the message called `name`. Raises `NotAccepted` when the incident is over, or when nobody can be looked up now."""
        state, code = self._state, message.code.strip()
        if state.run_state.over:
            raise NotAccepted(f"{state.id} is {state.run_state}; nothing can be changed any more")
        order = Identify(
            incident_id=state.id, code=code, claims=message.by.strip(), verdict=name,
            message=_digest(name, message.model_dump(mode="json", exclude={"code"})),
            questions=tuple((q.number, q.digest, q.sendings) for q in state.approvals.questions),
        )  # fmt: skip
        try:
            identity = await self._invoker.quietly(Identities.identify, order)
        except RetriesExhausted as out:
            raise NotAccepted(f"cannot find out who you are just now ({out.why}); try again") from None
        self._spent.add(code)
        state.assignments.roster = identity.roster
        if identity.person is not None and self._announcer is not None:
            self._announcer.spoke(identity.person)
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
        if counted or not question.open or assignments.role_of(owner, question.roles) is None:
            return why
        self._notices.renew(question, owner, f"a new code, because the last one was used: {why}")
        return NotAccepted(f"{why}; a new code for question {number} is sent to {owner.id}")

    def require(self, person: Person, capability: Capability, what: str, rights: str = "A") -> None:
        """Raises `NotAccepted` unless the table of permissions lets this person do it now."""
        assignments, limits = self._state.assignments, self.footnotes(person)
        if person.id == assignments.solo or may(capability, assignments.roles_of(person), rights=rights, limits=limits):
            return
        theirs = " or ".join(f"the {role.title}'s" for role in whose(capability, rights[0], limits=limits))
        raise NotAccepted(f"{person.id} may not {what}: that is {theirs}")

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
    if identity.question:
        raise NotAccepted(f"that code is for question {identity.question}, and good for nothing else")
    return identity.person
