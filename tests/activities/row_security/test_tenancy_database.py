"""Row security as our own product says it: the same answers as PostgreSQL gives to the same holes."""

import pytest

from activities.row_security.plane import TenancyDatabase
from activities.row_security.row_security import AuditOf, IntegrityOf, ProofOf, RowSecurity
from practice.tenancy.cast import tenancy
from practice.tenancy.leaking import begin
from practice.tenancy.model import Fix
from tests.activities.kit.stage import attempt, stage


@pytest.mark.parametrize(("kind", "local"), [("missing_where", True), ("pooled", False)])
async def test_a_hole_is_told_until_it_is_mended_in_the_database(kind: str, local: bool) -> None:
    played = stage()
    there, system = tenancy(played.world.state, 0), RowSecurity(TenancyDatabase(played.client("/tenancy")))
    prove = ProofOf(service="api", tenants=tuple(there.canaries))
    assert (await attempt(RowSecurity.audit, system, AuditOf(service="api"), played.call())).sound
    begin(played.world.state, there, kind, [], played.world.clock.now())
    audit, proof = (
        await attempt(RowSecurity.audit, system, AuditOf(service="api"), played.call()),
        await attempt(RowSecurity.prove, system, prove, played.call()),
    )
    assert not audit.sound and not proof.holds and proof.transaction_local is local
    there.fix = Fix(service=True, database=True)
    assert (await attempt(RowSecurity.audit, system, AuditOf(service="api"), played.call())).sound
    assert (await attempt(RowSecurity.prove, system, prove, played.call())).holds


async def test_what_cannot_be_read_is_named() -> None:
    played = stage()
    tenancy(played.world.state, 0).dials.unreadable = True
    system = RowSecurity(TenancyDatabase(played.client("/tenancy")))
    audit = await attempt(RowSecurity.audit, system, AuditOf(service="api"), played.call())
    found = await attempt(RowSecurity.integrity, system, IntegrityOf(service="api"), played.call())
    assert audit.unknown == ("the policy of files",) and found.unknown == ("files",) and "cannot be read" in audit.summary
