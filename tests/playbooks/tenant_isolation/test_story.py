"""§2.5: from a read that crossed to the last endpoint that is let in again; and each layer by its own remedy."""

from pathlib import Path

from tests.playbooks.tenant_isolation.leaking import admitted, crossed, ends, leaking, of
from tests.stage.outages import story
from workflows.incident import Phase, Severity, State

FOLLOW_UPS = ("Add contract tests of tenancy", "Expand canaries", "Run a privacy post-mortem", "Let new connectors inherit")


async def test_a_missing_where_is_denied_proven_repaired_and_let_in_again_a_share_at_a_time(tmp_path: Path) -> None:
    """Disable, evidence, scope, hotfix, canary: in this order, each once, and nothing else was touched."""
    async with leaking(tmp_path, "missing_where") as (stage, incident):
        status = await ends(stage, incident, fix={})
        assert status.state is State.RESOLVED and status.severity is Severity.SEV1, story(await incident.timeline())
        assert status.phases == (Phase.TRIAGE, Phase.MITIGATION, Phase.RECOVERY, Phase.POST_INCIDENT)
        assert set(admitted(stage).values()) == {1.0} and await crossed(stage) == 0
        done = [row.verb for row in incident.book() if row.outcome in ("done", "adopted")]
        order = ("endpoints.deny", "evidence.isolation", "write_gate.close_region", "endpoints.reopen", "write_gate.reopen_region")
        assert [done.index(verb) for verb in order] == sorted(done.index(verb) for verb in order) and "evidence.leak_ledger" in done, done
        assert {e["target"] for e in await stage.effects() if e["route"] == "platform.endpoints.put" and e["changed"]} == {
            "services/api/endpoints/documents.get"
        }
        assert [task.text.startswith(begins) for task, begins in zip(status.follow_ups[-4:], FOLLOW_UPS, strict=True)] == [True] * 4
        assert stage.fleet.ledger.verify(incident.id).intact and status.in_force == []
        assert [one.section for one in status.called_in] == ["2.4"], status.called_in
        assert of(stage).leaks, "the fault is there still: what was shipped keeps it from leaking"
