"""§2.9 when it twists: a hanging postmaster, a partition, a standby that lies, another cluster's standby, a platform that promotes by itself."""

from pathlib import Path
from typing import Any

import pytest

from tests.playbooks.database_failover.broken import Break, broken, ends, of, written
from workflows.incident import Phase, Severity, State


async def test_a_hanging_postmaster_is_alive_and_takes_nothing_after_the_fence(tmp_path: Path) -> None:
    """New connections time out, and whoever is connected would write on."""
    async with broken(tmp_path, "hung") as (stage, incident):
        await ends(incident, until=Phase.RECOVERY)
        cluster = of(stage)
        assert any("cut off or hangs, and is alive" in line for line in await incident.timeline())
        assert cluster.nodes["db-1"].fenced and [node.name for node in cluster.writers] == ["db-3"]
        book = written(incident)
        assert book.index("databases.fence") < book.index("databases.promote")


async def test_a_primary_that_some_still_reach_is_fenced_before_anybody_is_promoted(tmp_path: Path) -> None:
    cut = {"kind": "partitioned", "vantages": ["us-east", "outside"]}
    async with broken(tmp_path, cut) as (stage, incident):
        await ends(incident, until=Phase.RECOVERY)
        cluster = of(stage)
        assert any("db-1 is alive: seen by eu-west" in line for line in await incident.timeline())
        assert incident.done("databases.revoke"), "it can still be told that nobody may write"
        assert [node.name for node in cluster.writers] == ["db-3"] and cluster.nodes["db-1"].fenced
        assert cluster.access.writes, "the application may write again, in the new primary"


async def test_a_standby_that_lies_about_its_position_is_passed_over(tmp_path: Path) -> None:
    async with broken(tmp_path, {"kind": "lies", "node": "db-3"}, "dead") as (stage, incident):
        await ends(incident, until=Phase.RECOVERY)
        assert [node.name for node in of(stage).writers] == ["db-2"], "the one that bears out what it says"
        question = next(one for one in (await incident.status()).questions if "Promote" in one.asks)
        assert any("not db-3" in fact and "not believed" in fact for fact in question.facts)


async def test_a_standby_of_another_cluster_is_never_promoted(tmp_path: Path) -> None:
    async with broken(tmp_path, {"kind": "foreign", "node": "db-3"}, "dead") as (stage, incident):
        await ends(incident, until=Phase.RECOVERY)
        assert [node.name for node in of(stage).writers] == ["db-2"]
        assert any("db-3 has the data of another cluster" in line for line in await incident.timeline())


@pytest.mark.parametrize("dial", ["promotes_after_fence", "promotes_by_itself"])
async def test_what_the_platform_has_promoted_is_adopted_and_nothing_is_promoted_beside_it(tmp_path: Path, dial: str) -> None:
    """Between our fence and our promotion, or before anybody was there."""
    async with broken(tmp_path, "dead", dials={dial: True}) as (stage, incident):
        await ends(incident, until=Phase.RECOVERY)
        cluster = of(stage)
        assert "databases.promote" not in written(incident) and len(cluster.writers) == 1
        assert cluster.endpoint.writes_to == cluster.writers[0].name and cluster.nodes["db-1"].fenced
        assert any("adopted, and verified by us" in line for line in await incident.timeline())


async def test_what_was_queued_and_contradicts_the_data_is_for_people(tmp_path: Path) -> None:
    async with broken(tmp_path, "dead", {"kind": "conflicts", "amount": 4}) as (stage, incident):
        status = await ends(incident, until=Phase.RECOVERY)
        assert of(stage).queued == 0
        assert any(task.text.startswith("Decide on 4 queued writes that contradict the data") for task in status.tasks)


async def test_two_writers_are_both_stopped_and_people_say_which_goes_on(tmp_path: Path) -> None:
    async with broken(tmp_path, {"kind": "clone", "node": "db-2"}) as (stage, incident):
        status = await ends(incident, until=Phase.RECOVERY, second="kim")
        cluster, book = of(stage), written(incident)
        assert [node.name for node in cluster.writers] == ["db-1"] and cluster.nodes["db-2"].fenced
        assert "databases.promote" not in book, "nothing is promoted on a split"
        assert book.index("write_gate.close") < book.index("databases.snapshot") < book.index("databases.fence")
        assert {row.target for row in incident.done("databases.snapshot")} >= {
            "databases/main/db-1/snapshot",
            "databases/main/db-2/snapshot",
        }
        assert status.severity is Severity.SEV1, "of two sides that have committed one is lost whatever is decided"
        assert any("have one system id" in line for line in await incident.timeline())
        assert any(one.section == "2.4" and "may be lost" in one.why for one in status.called_in), status.called_in


LATE: dict[str, tuple[Any, str]] = {
    "paused": ({"kind": "paused", "node": "db-2"}, "Let db-2 replay again"),
    "broken": ({"kind": "broken", "node": "db-2"}, "Attach db-2 again"),
}


@pytest.mark.parametrize("kind", LATE)
async def test_stale_replicas_are_not_read_from_and_nothing_is_promoted(tmp_path: Path, kind: str) -> None:
    fault, task = LATE[kind]
    async with broken(tmp_path, fault, seconds=420) as (stage, incident):
        status = await ends(incident, until=Phase.RECOVERY)
        assert of(stage).endpoint.reads_from == ["db-3"] and of(stage).endpoint.writes_to == "db-1"
        assert not {"databases.promote", "databases.fence", "write_gate.close"} & set(written(incident))
        assert any(one.text.startswith(task) for one in status.tasks)


async def test_overload_sheds_and_never_fails_over(tmp_path: Path) -> None:
    async with broken(tmp_path, "busy") as (stage, incident):
        await ends(incident, until=Phase.RECOVERY)
        assert [node.name for node in of(stage).writers] == ["db-1"]
        assert {"flags.switch_off", "edge.limit"} <= set(written(incident))
        assert not {"databases.promote", "databases.fence"} & set(written(incident))


async def test_a_full_disk_stops_batch_writers_and_removes_nothing(tmp_path: Path) -> None:
    async with broken(tmp_path, "disk") as (_stage, incident):
        status = await ends(incident, until=Phase.RECOVERY)
        assert "flags.switch_off" in written(incident) and "databases.fence" not in written(incident)
        assert any("Make room on the disk of db-1: no slot, log or snapshot is removed by us" in task.text for task in status.tasks)


async def test_a_healthy_cluster_is_left_alone(tmp_path: Path) -> None:
    async with broken(tmp_path) as (_stage, incident):
        status = await ends(incident)
        assert status.state is State.RESOLVED
        assert not any(verb.startswith(("databases.", "write_gate.")) for verb in written(incident))


async def test_what_is_missing_is_lost_and_said_before_anybody_agrees(tmp_path: Path) -> None:
    """Both standbys had stopped to stream a while before: the loss is shown with the question, and it is SEV-1."""
    cut: list[Break] = [{"kind": "broken", "node": "db-2"}, {"kind": "broken", "node": "db-3"}, 120, "dead"]
    async with broken(tmp_path, *cut) as (stage, incident):
        status = await ends(incident, until=Phase.RECOVERY)
        assert of(stage).endpoint.reads_from == ["db-3"], "nobody reads from a standby that follows nobody"
        question = next(one for one in status.questions if "Promote" in one.asks)
        assert "bytes are missing as far as was seen" in question.asks and " 0 bytes" not in question.asks
        assert status.severity is Severity.SEV1 and any("Say publicly what was lost" in task.text for task in status.tasks)
