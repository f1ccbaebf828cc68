"""§2.5 on a real PostgreSQL: a hotfix is not proven while the database has a hole, whatever the product says of itself."""

from pathlib import Path
from typing import Any

from tests.activities.row_security.planted import planted
from tests.playbooks.tenant_isolation.leaking import admitted, ends, leaking, quick, ships
from tests.stage.outages import story
from workflows.incident import Phase, State

ON_POSTGRES = '[policy.systems]\nrow_security = "postgresql_catalogue"\n'
HOLES = ("a policy that lets everybody through", "a view with its owner's rights", "the application has BYPASSRLS")


async def test_nothing_is_let_in_again_before_the_application_role_itself_sees_nothing(tmp_path: Path) -> None:
    with planted(*HOLES) as database:
        database.as_owner(
            "insert into documents select 'x' || n, 'canary-us-' || n, 'private' from generate_series(1, 2) n",
        )
        real: dict[str, Any] = {"row_security_address": database.at("rs_audit"), "row_security_application": database.at("rs_app")}
        async with leaking(tmp_path, "missing_where", policy=quick(more=ON_POSTGRES), **real) as (stage, incident):
            await ends(stage, incident, until=Phase.RECOVERY)
            await ships(stage)
            await incident.answer("Which artefact", "decline")
            said = await incident.hears("not repaired: row security of 2 tables, as rs_app: 4 holes")
            assert "all_documents: a view with its owner's rights" in said and "as rs_app:" in said and "private" not in said
            assert admitted(stage)["documents.get"] == 0
            database.as_owner("drop policy everybody on documents", "drop view all_documents", "alter role rs_app nobypassrls")
            status = await ends(stage, incident)
            assert status.state is State.RESOLVED and set(admitted(stage).values()) == {1.0}, story(await incident.timeline())
            assert any(step.verb == "row_security.prove" and "as rs_app: 0 of" in step.result for step in status.steps)
