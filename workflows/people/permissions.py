"""Who may do what in an incident: the spec's table (§4, "RACI as permissions"), as data; and who sent a message, and whether they may.

Authority is looked up now, for every message, by an activity.

`A` approves · `R` runs or proposes · `V` may veto or stop · `N` is notified · `-` has no right. A footnote limits a right: `1` only while
acting as commander · `2` while nobody commands · `3` on a confirmed isolation failure or breach · `4` where policy requires it · `s` in a
restricted (security) incident · `d` where data may have been exposed (severity rules A1, A2) · `*` automation within its caps, or
beforehand authorised. Rows below the line are ours: messages that the spec's table has no row for.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum

from activities.action import Role
from activities.identity.codes import Identify, Identities, Identity
from activities.organisation.people import Person
from workflows.errors import NotAccepted, RetriesExhausted
from workflows.people.context import Announcer, IncidentContext, VerbInvoker
from workflows.people.messages import Message


class Capability(StrEnum):
    """What somebody may want to do. The words are those of the table's rows."""

    RAISE = "declare; raise severity"
    LOWER = "lower severity; close SEV-1/2"
    ASSIGN = "assign, hand over roles"
    FREEZE_ON = "freeze on"
    FREEZE_OFF = "freeze off; exemption token"
    SHIFT = "rollback, traffic shift"
    SCALE = "scale, rate-limit, breaker"
    READ_ONLY = "read-only"
    PROMOTE = "promote replica"
    FLAG_OFF = "disable endpoint, flag off"
    QUARANTINE = "quarantine session, source"
    LIFT_QUARANTINE = "lift quarantine"
    REVOKE = "revoke key (single)"
    REVOKE_MANY = "mass revoke, mass rotation"
    EVIDENCE_ON = "evidence hold on"
    EVIDENCE_OFF = "evidence hold off"
    READ_RESTRICTED = "read restricted data"
    CLAMP = "tenant clamp (one tenant)"
    CLAMP_ALL = "global clamp"
    STATUS_PAGE = "status page (non-security)"
    SECURITY_TEXT = "customer letter, security text"
    NOTICE = "regulator, data-subject notice"
    MATERIALITY = "materiality, high risk"
    DROP_JOBS = "drop, expire jobs"
    EDIT_POLICY = "edit policy, approvers"
    PAUSE = "pause"
    RESUME = "resume"
    STAND_DOWN = "stand down"
    WIDEN = "widen the public cadence"


_COLUMNS: tuple[Role | str, ...] = (
    Role.INCIDENT_COMMANDER, Role.DEPUTY, Role.OPS_LEAD, Role.SECURITY_LEAD, Role.COMMS_LEAD, Role.SCRIBE, Role.LEGAL, Role.AI_ML_LEAD,
    Role.DB_LEAD, Role.FINANCE, Role.DUTY_EXECUTIVE, "automation",
)  # fmt: skip
_TABLE = """
                                 IC   Dep  Ops  Sec  Com  Scr  Leg  AI   DB   Fin  Exe  Auto
declare; raise severity          R    R    R    R    R    R    R    R    R    R    R    R
lower severity; close SEV-1/2    A    A1   -    As   -    -    Ad   -    -    -    N    -
assign, hand over roles          A    A    -    -    -    -    -    -    -    -    A2   R*
freeze on                        R    R    R    R    -    -    -    -    -    -    -    R*
freeze off; exemption token      A    A1   R    V    -    -    -    -    -    -    -    R*
rollback, traffic shift          A    A1   R    V    -    N    -    R    -    -    N    R*
scale, rate-limit, breaker       N    N    R    -    -    N    -    -    -    -    -    R
read-only                        A    A1   R    A3   N    N    -    -    R    -    N    R*
promote replica                  A    A1   -    -    -    N    -    -    A    -    N    -
disable endpoint, flag off       N    N    R    R    -    N    -    R    -    -    -    R
quarantine session, source       N    N    R    R    -    N    -    R    -    -    -    R
lift quarantine                  A    -    -    A    -    N    -    -    -    -    -    -
revoke key (single)              N    N    R    A    -    N    -    -    -    -    -    R*
mass revoke, mass rotation       A    -    R    A    N    N    N    -    -    -    N    -
evidence hold on                 N    -    R    R    -    R    R    -    R    -    -    R
evidence hold off                -    -    -    A    -    -    A    -    -    -    -    -
read restricted data             R    R    N    R    N    R    R    N    N    -    N    R*
tenant clamp (one tenant)        N    N    R    R    N    N    -    R    -    R    -    R
global clamp                     A    -    R    -    N    N    -    -    -    A    N    -
status page (non-security)       A    A1   -    -    R    N    -    -    -    -    -    R*
customer letter, security text   A    -    -    A    R    N    A    -    -    -    N    R*
regulator, data-subject notice   N    -    -    N    -    N    A    -    -    -    A4   R*
materiality, high risk           -    -    -    N    -    -    A    -    -    -    A    -
drop, expire jobs                A    -    R    -    N    N    -    -    -    -    -    -
edit policy, approvers           -    -    -    -    -    -    -    -    -    -    -    -
pause                            A    A    -    V    -    -    -    -    -    -    V    -
resume                           A    A    -    -    -    -    -    -    -    -    -    -
stand down                       A    A1   -    -    -    -    -    -    -    -    -    -
widen the public cadence         A    A1   -    -    R    -    -    -    -    -    -    -
"""


TABLE: Mapping[Capability, Mapping[Role | str, str]] = {
    Capability(row[:33].strip()): dict(zip(_COLUMNS, row[33:].split(), strict=True)) for row in _TABLE.splitlines()[2:]
}
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
    def __init__(self, state: IncidentContext, invoker: VerbInvoker, announcer: Announcer | None = None) -> None:
        self._state, self._invoker, self._announcer = state, invoker, announcer

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


def person_of(identity: Identity) -> Person:
    """Raises `NotAccepted` when nobody is meant."""
    if identity.person is None:
        raise NotAccepted(identity.why or "say who you are: by")
    return identity.person
