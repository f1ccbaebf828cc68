"""Who may do what in an incident: the spec's table (§4, "RACI as permissions"), as data.

`A` approves · `R` runs or proposes · `V` may veto or stop · `N` is notified · `-` has no right. A footnote limits a right: `1` only while
acting as commander · `2` while nobody commands · `3` on a confirmed isolation failure or breach · `4` where policy requires it · `s` in a
restricted (security) incident · `d` where data may have been exposed (severity rules A1, A2) · `*` automation within its caps, or
beforehand authorised. Rows below the line are ours: messages that the spec's table has no row for.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum

from activities.action import Role, action_of
from activities.everything import verbs
from workflows.people.roster import COMMAND, FURTHER_ROLES


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


def approving() -> frozenset[Role]:
    """The roles that may say yes to something of C2 or above: by the table, because a verb asks them, or because a ladder ends with them."""
    asked = (action_of(verb).asks for system in verbs() for verb in vars(system).values() if hasattr(verb, "__action__"))
    by_table = (role for capability in Capability for role in Role if TABLE[capability].get(role, "-").startswith("A"))
    return frozenset((*by_table, *COMMAND, *FURTHER_ROLES, *(role for roles in asked for role in roles)))
