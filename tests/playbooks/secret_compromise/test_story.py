"""§2.10: a key is stolen; it is revoked, refused, replaced, and every service is started with another one."""

from pathlib import Path

from tests.playbooks.secret_compromise.stolen import ends, living, of, served_by, stolen
from tests.stage.outages import story
from workflows.incident import Phase, Severity, State


async def test_a_stolen_key_is_revoked_first_then_replaced_and_tried_everywhere(tmp_path: Path) -> None:
    """Evidence, revoke, mint, redeploy: in this order, each once."""
    async with stolen(tmp_path, "database") as (stage, incident):
        status = await ends(stage, incident)
        assert status.state is State.RESOLVED and status.severity <= Severity.SEV2, story(await incident.timeline())
        assert status.phases == (Phase.TRIAGE, Phase.MITIGATION, Phase.RECOVERY, Phase.POST_INCIDENT)
        done = [row.verb for row in incident.book() if row.outcome in ("done", "adopted")]
        order = ("evidence.credentials", "credentials.revoke", "credentials.mint", "deploys.pin_secret", "secrets.disable")
        assert [done.index(verb) for verb in order] == sorted(done.index(verb) for verb in order), done
        (key,) = living(stage, incident.id)
        there = of(stage)
        assert there.keys["db-3"].revoked is not None and there.store["DATABASE_URL"][3].state == "DISABLED"
        assert there.store["DATABASE_URL"][4].value == key.value and key.scopes == ["read", "write"]
        assert served_by(stage, "DATABASE_URL") == {"api": {4}, "orchestrator": {4}}
        assert stage.fleet.ledger.verify(incident.id).intact and [one.name for one in status.in_force] == ["audit enhanced"]
        said = story(await incident.timeline())
        assert "had no key that works for" in said and "1 of 1 done" in said
