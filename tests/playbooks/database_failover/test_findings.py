"""Who may take over, by what the nodes say alone: where nobody has seen the primary, a standby must bear out what it says itself."""

from datetime import UTC, datetime

from activities.databases.seen import ClusterSeen, Node, Says
from activities.organisation.database_numbers import DatabaseFailover
from workflows.playbooks.database_failover.findings import choose

NOW = datetime(2026, 11, 30, tzinfo=UTC)


def standby(id: str, lsn: int, replayed: int) -> Node:
    return Node(id=id, system_id="7", says=Says.STANDBY, lsn=lsn, replayed=replayed, last_commit_at=NOW, streaming=False, paused=False)


def test_more_than_it_has_replayed_is_not_believed_although_nobody_saw_the_primary() -> None:
    nodes = (standby("db-2", 2_000_000, 1_000_000), standby("db-3", 1_500_000, 1_500_000))
    seen = ClusterSeen(cluster="main", system_id="7", nodes=nodes, probes=(), writes_to="db-1", at=NOW)
    choice = choose(seen, "db-1", NOW, DatabaseFailover())
    assert choice.node is not None and choice.node.id == "db-3"
    assert "1000000 bytes more than it has replayed" in choice.passed_over[0]
