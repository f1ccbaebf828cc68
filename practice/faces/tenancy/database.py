"""`/tenancy/…/row-security`: what the product's own audit of its database says, where nobody lets us into the database itself."""

from __future__ import annotations

from practice.faces.tenancy.plane import FACE, OF, _there
from practice.http.face import Call, Reply, RouteModels, Shown
from practice.tenancy.leaking import leaks
from practice.tenancy.model import DATABASE, POOL, Tenancy

ROLE = "app"
TABLES = ("documents", "reports", "files")


class HoleShown(Shown):
    """A way past row security. `kind`: as in docs/tenancy.md; `where`: the table, view, function or role."""

    kind: str
    where: str


class Audit(Shown):
    """What stands between tenants in the database. `unknown`: what could not be read, so that nothing can be said of it."""

    role: str
    owner: bool
    bypassrls: bool
    tables: list[str]
    holes: list[HoleShown]
    unknown: list[str]


class Pair(Shown):
    viewer: str
    owner: str
    table: str
    rows: int


class Proof(Shown):
    """What the application role really sees. `read`: how many pairs were tried; `forgotten`: whose rows are seen after a transaction has ended."""

    role: str
    read: int
    seen: list[Pair]
    transaction_local: bool


class Integrity(Shown):
    """Rows whose parent belongs to another tenant, by table."""

    rows: dict[str, int]
    unknown: list[str]


def _holes(call: Call, there: Tenancy) -> list[HoleShown]:
    kinds = {one.kind for one in there.leaks for end in there.endpoints.values() if leaks(call.state, there, one, end)}
    found = (
        [HoleShown(kind="the application role owns the table, and row security is not forced", where="documents")]
        if DATABASE in kinds
        else []
    )
    return found + ([HoleShown(kind="a tenant that outlives its transaction", where="reports")] if POOL in kinds else [])


@FACE.reads("row_security.audit", OF + "/row-security", models=RouteModels(shows=Audit))
def audit(call: Call) -> Reply:
    """Every table with a tenant, the policies on it, and the role that the application comes by."""
    there = _there(call)
    holes, unknown = _holes(call, there), ["the policy of files"] if there.dials.unreadable else []
    owner = any("owns" in one.kind for one in holes)
    shown = Audit(role=ROLE, owner=owner, bypassrls=False, tables=list(TABLES), holes=holes, unknown=unknown)
    return Reply(shown.model_dump())


@FACE.reads("row_security.proof", OF + "/row-security/proof", models=RouteModels(shows=Proof))
def proof(call: Call) -> Reply:
    """Each canary tenant tries, as the application role, to see the rows of each other one."""
    there = _there(call)
    names = sorted(there.canaries)
    pairs = [(a, b) for a in names for b in names if a != b]
    seen = (
        [Pair(viewer=a, owner=b, table="documents", rows=1) for a, b in pairs[:4]]
        if any("owns" in one.kind for one in _holes(call, there))
        else []
    )
    local = all("outlives" not in one.kind for one in _holes(call, there))
    return Reply(Proof(role=ROLE, read=len(pairs) * len(TABLES), seen=seen, transaction_local=local).model_dump())


@FACE.reads("row_security.integrity", OF + "/row-security/integrity", models=RouteModels(shows=Integrity))
def integrity(call: Call) -> Reply:
    """Rows that hang on another tenant's rows."""
    there = _there(call)
    return Reply(Integrity(rows=dict.fromkeys(TABLES, 0), unknown=["files"] if there.dials.unreadable else []).model_dump())
