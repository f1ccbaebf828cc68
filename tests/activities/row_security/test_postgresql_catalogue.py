"""Row security on a real PostgreSQL: sound is called sound, every way past it is found by catalogue and application role."""

from typing import Any

import pytest

from activities.action import NotYet, Refused
from activities.row_security.row_security import AuditOf, IntegrityOf, ProofOf, RowSecurity, RowSecurityAudit, RowSecurityProof
from tests.activities.kit.stage import attempt, refused, stage
from tests.activities.row_security.planted import BY_AUDIT_ALONE, CANARIES, PLANTED, Planted, planted

SERVICE = "api"


async def audited(there: Planted, **how: str) -> RowSecurityAudit:
    return await attempt(RowSecurity.audit, RowSecurity(there.catalogue(**how)), AuditOf(service=SERVICE), stage().call())  # type: ignore[no-any-return]


async def proven(there: Planted, **how: str) -> RowSecurityProof:
    order = ProofOf(service=SERVICE, tenants=CANARIES)
    return await attempt(RowSecurity.prove, RowSecurity(there.catalogue(**how)), order, stage().call())  # type: ignore[no-any-return]


async def test_a_sound_database_has_no_hole_and_shows_nobody_anything() -> None:
    with planted() as there:
        audit, proof = await audited(there), await proven(there)
        assert audit.sound and audit.tables == ("comments", "documents") and audit.unknown == () and audit.role == "rs_app"
        assert proof.holds and proof.read == 2 * 4, "two tables, two canaries both ways, and nobody at each of them"


@pytest.mark.parametrize("hole", PLANTED)
async def test_every_planted_hole_is_found_by_the_audit_and_by_the_matrix(hole: str) -> None:
    """By the catalogue, and by the application's own role: rows that it sees, rows that it can move, or a tenant that nobody has set."""
    with planted(hole) as there:
        audit, proof = await audited(there), await proven(there)
        assert not audit.sound and audit.holes, audit.summary
        assert hole in BY_AUDIT_ALONE or not proof.holds, proof.summary


async def test_five_holes_of_different_kinds_at_once_are_all_found() -> None:
    with planted(
        "row security is not enabled", "a view with its owner's rights", "a materialized view", "a function with its owner's rights",
        "the application has BYPASSRLS",
    ) as there:  # fmt: skip
        audit, proof = await audited(there), await proven(there)
        found = {one.where: one.kind for one in audit.holes}
        assert found.keys() == {"documents", "all_documents", "kept", "everything()", "rs_app"}, audit.summary
        assert audit.bypassrls and set(proof.tables) == {"documents", "comments", "all_documents", "kept"}


async def test_only_canaries_are_counted_and_nothing_that_was_tried_stays() -> None:
    with planted("a policy that takes rows for anybody", "a policy that lets everybody through") as there:
        proof = await proven(there)
        assert {one.owner for one in proof.seen} <= set(CANARIES) and "private" not in proof.model_dump_json()
        assert proof.written == ("documents",)
        from tests.stores.databases import server

        with server().connect(database=there.name) as owner:
            rows = owner.execute("select tenant_id, count(*) from documents group by 1 order by 1").fetchall()
        assert rows == [("amber-steel", 2), ("canary-eu-1", 2), ("canary-eu-2", 2)]


async def test_a_policy_that_calls_a_function_cannot_be_read_and_is_not_taken_for_sound() -> None:
    """Bad input: what it lets through stands elsewhere. It is unknown, and said."""

    def hidden(there: Planted) -> None:
        there.as_owner(
            "create function may(text) returns boolean language sql stable as 'select $1 = current_setting(''app.tenant_id'', true)'",
            "drop policy own on documents", "create policy own on documents using (may(tenant_id))",
        )  # fmt: skip

    with planted(more=hidden) as there:
        audit, proof = await audited(there), await proven(there)
        assert audit.holes == () and any("the policy own of documents" in one for one in audit.unknown), audit.summary
        assert proof.holds, "the application's role itself shows that it holds"


async def test_a_session_variable_that_a_pool_has_kept_is_seen() -> None:
    """Whoever gets the connection next is taken for the tenant before: the very first look shows it."""
    with planted() as there:
        catalogue = there.catalogue()
        catalogue._application = f"{there.at('rs_app')} options='-c app.tenant_id={CANARIES[0]}'"
        proof = await attempt(
            RowSecurity.prove, RowSecurity(_Pooled(catalogue)), ProofOf(service=SERVICE, tenants=CANARIES), stage().call()
        )
        assert not proof.transaction_local and not proof.holds and "outlives" in proof.summary


async def test_rows_that_hang_on_another_tenants_rows_are_counted() -> None:
    with planted(more=lambda there: there.as_owner("insert into comments values ('x', 'canary-eu-2', 'canary-eu-1.1', '')")) as there:
        system = RowSecurity(there.catalogue())
        hidden = await attempt(RowSecurity.integrity, system, IntegrityOf(service=SERVICE), stage().call())
        assert hidden.rows == {} and hidden.unknown == ("comments",), "an auditor whom row security shows nothing proves nothing"
        there.as_owner("alter role rs_audit bypassrls")
        found = await attempt(RowSecurity.integrity, system, IntegrityOf(service=SERVICE), stage().call())
        there.as_owner("alter role rs_audit nobypassrls")
        assert found.rows == {"comments": 1} and found.broken == 1, found.summary


async def test_a_database_that_is_away_and_one_that_lets_us_not_in() -> None:
    with planted() as there:
        nobody = there.catalogue(application="rs_nobody")
        assert "does not let us in" in await refused(
            lambda: attempt(RowSecurity.audit, RowSecurity(nobody), AuditOf(service=SERVICE), stage().call())
        )
        away = there.catalogue()
        away._audit = away._application = "host=127.0.0.1 port=1 user=rs_app dbname=nowhere"
        with pytest.raises(NotYet):
            await attempt(RowSecurity.audit, RowSecurity(away), AuditOf(service=SERVICE), stage().call())
        with pytest.raises(Refused, match="two canary tenants"):
            await attempt(RowSecurity.prove, RowSecurity(away), ProofOf(service=SERVICE, tenants=CANARIES[:1]), stage().call())


class _Pooled:
    """The same, by a pooler that has kept what the one before has set."""

    def __init__(self, catalogue: Any) -> None:
        self._catalogue = catalogue

    def __getattr__(self, name: str) -> Any:
        return getattr(self._catalogue, name)
