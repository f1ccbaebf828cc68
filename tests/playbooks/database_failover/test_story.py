"""§2.9 as it should go: a dead primary is fenced, the standby that has most is promoted once, and writes come back in steps."""

from pathlib import Path

from tests.playbooks.database_failover.broken import broken, ends, of, written
from workflows.incident import Severity


async def test_a_dead_primary_is_fenced_and_one_standby_promoted(tmp_path: Path) -> None:
    async with broken(tmp_path, "dead") as (stage, incident):
        ended = await ends(incident)
        cluster = of(stage)
        assert ended.resolved_at is not None and ended.severity <= Severity.SEV2
        assert [node.name for node in cluster.writers] == ["db-3"] and cluster.nodes["db-3"].timeline == 4
        assert cluster.nodes["db-1"].fenced, "the fence stays, whatever becomes of the incident"
        assert cluster.endpoint.writes_to == "db-3" and cluster.access.writes
        book = written(incident)
        order = ["write_gate.close", "databases.snapshot", "databases.fence", "databases.promote", "databases.repoint", "write_gate.reopen"]
        assert [verb for verb in dict.fromkeys(book) if verb in order] == order, "integrity before availability"
        assert book.count("databases.promote") == 1
        lines = await incident.timeline()
        assert any("objectives met" in line or "objective missed" in line for line in lines)
        assert cluster.queued == 0 and any("the ledger matches" in str(row) for row in incident.done("databases.replay"))
        assert any("failing back" in task.text for task in ended.tasks)
