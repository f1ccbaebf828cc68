"""Who may do what in an incident: the spec's table (§4, "RACI as permissions"), as data. Authority over a message or an answer is read here.

`A` approves · `R` runs or proposes · `V` may veto or stop · `N` is notified · `-` has no right. A footnote limits a right: `1` only while
acting as commander · `2` while nobody commands · `3` on a confirmed isolation failure or breach · `4` where policy requires it · `s` in a
restricted (security) incident · `d` where data may have been exposed (severity rules A1, A2) · `*` automation within its caps, or
beforehand authorised. Rows below the line are ours: messages that the spec's table has no row for.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from activities.action import Role


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


class Right(NamedTuple):
    """One right, and what limits it."""

    right: str
    only: str = ""


AUTOMATION = "automation"
_COLUMNS: tuple[Role | str, ...] = (
    Role.INCIDENT_COMMANDER, Role.DEPUTY, Role.OPS_LEAD, Role.SECURITY_LEAD, Role.COMMS_LEAD, Role.SCRIBE, Role.LEGAL, Role.AI_ML_LEAD,
    Role.DB_LEAD, Role.FINANCE, Role.DUTY_EXECUTIVE, AUTOMATION,
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


def _read(table: str) -> Mapping[Capability, Mapping[Role | str, Right]]:
    rows = {}
    for line in table.strip("\n").splitlines()[1:]:
        name, cells = line[:33].strip(), line[33:].split()
        found = (Right(cell[0], cell[1:]) for cell in cells)
        rows[Capability(name)] = MappingProxyType(dict(zip(_COLUMNS, found, strict=True)))
    return MappingProxyType(rows)


TABLE = _read(_TABLE)
# The rows that our verbs belong to, by wire name: where the table knows a veto, its holder may decline a question about the verb.
VERBS: Mapping[str, Capability] = MappingProxyType(
    {
        "models.shift": Capability.SHIFT,
        "deploys.shift": Capability.SHIFT,
        "freezes.release": Capability.FREEZE_OFF,
        "flags.change": Capability.FLAG_OFF,
        "status_page.publish": Capability.STATUS_PAGE,
    }
)


def may(capability: Capability, roles: Iterable[Role], *, rights: str = "A", limits: Iterable[str] = ()) -> bool:
    """True when one of the roles has one of the `rights`. `limits`: the footnotes that hold now (`1`: acting, `2`: nobody commands …)."""
    holding = set(limits)
    cells = (TABLE[capability].get(role, Right("-")) for role in roles)
    return any(cell.right in rights and (not cell.only or cell.only in holding) for cell in cells)


def whose(capability: Capability, right: str = "A", *, limits: Iterable[str] = ()) -> tuple[Role, ...]:
    """The roles that have a right, in the table's order."""
    return tuple(role for role in Role if may(capability, (role,), rights=right, limits=limits))


def vetoes(verb: str) -> tuple[Role, ...]:
    """Who may say no to a verb without being asked."""
    return whose(VERBS[verb], "V") if verb in VERBS else ()
