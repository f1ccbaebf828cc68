"""§2.9 when what is done fails, or people say no, or nothing: integrity before availability."""

from pathlib import Path

import pytest

from tests.playbooks.database_failover.broken import Break, broken, ends, makes, of, written
from workflows.incident import Phase, State


async def test_a_fence_that_cannot_be_verified_promotes_nobody_until_people_have_cut_the_network(tmp_path: Path) -> None:
    """The fence reads fenced, and a write comes through: it is alive."""
    async with broken(tmp_path, {"kind": "partitioned", "vantages": ["us-east", "outside"]}, dials={"fence_leaks": True}) as (
        stage,
        incident,
    ):
        await ends(incident, {"databases.fence": "skip", "cut off": ""}, rounds=25, lenient=True)
        assert [node.name for node in of(stage).writers] == ["db-1"] and "databases.promote" not in written(incident)
        await incident.question("cut off")
        await makes(stage, "database-dials", fence_leaks=False)
        await ends(incident, {"databases.fence": "skip"}, until=Phase.RECOVERY)
        assert [node.name for node in of(stage).writers] == ["db-3"]


async def test_a_promotion_that_fails_is_followed_by_the_next_candidate_or_by_nobody(tmp_path: Path) -> None:
    async with broken(tmp_path, "dead", dials={"promotion_fails": True}) as (stage, incident):
        await ends(incident, {"databases.promote": "skip", "Restore": "decline"}, rounds=80, lenient=True)
        assert of(stage).writers == [] and {row.target for row in incident.book() if row.verb == "databases.promote"} == {
            "databases/main/db-3", "databases/main/db-2",
        }  # fmt: skip
        assert any("no standby of main may take over" in line for line in await incident.timeline())


async def test_without_a_standby_the_newest_backup_that_was_restored_once_is_restored(tmp_path: Path) -> None:
    gone: list[Break] = [{"kind": "dead", "node": "db-2"}, {"kind": "dead", "node": "db-3"}, "dead"]
    async with broken(tmp_path, *gone) as (stage, incident):
        await ends(incident, rounds=80, lenient=True)
        (restored,) = incident.done("backups.restore")
        assert restored.target == "backups/main/b-1/restore", "the newer one was never restored"
        assert of(stage).writers == [] and "databases.promote" not in written(incident)
        assert any("later writes are not in it" in line for line in await incident.timeline())


async def test_no_backup_that_restores_is_said_and_nothing_is_opened(tmp_path: Path) -> None:
    gone: list[Break] = [
        {"kind": "dead", "node": "db-2"},
        {"kind": "dead", "node": "db-3"},
        "dead",
        "untested",
        "unrestorable",
    ]
    async with broken(tmp_path, *gone) as (stage, incident):
        status = await ends(incident, {"backups.test": "skip", "All in hand": "decline"}, rounds=80, lenient=True)
        assert not incident.done("backups.test") and not incident.done("backups.restore")
        assert stage.world.state.fleet.services["api"].gate.admitted == 0
        assert any("Search for snapshots of main" in task.text for task in status.tasks)


@pytest.mark.parametrize("question", ["takes no writes", "Fence db-1", "Promote"])
async def test_a_no_ends_it_where_it_was_said(tmp_path: Path, question: str) -> None:
    """Nobody is promoted without read-only, without a fence, or against a word of people."""
    async with broken(tmp_path, "dead") as (stage, incident):
        await ends(incident, {question: "decline", "cut off": "decline", "All in hand": "decline"}, rounds=40, lenient=True)
        assert of(stage).writers == [] and "databases.promote" not in written(incident)
        assert (await incident.status()).state is State.HANDED_OVER


async def test_silence_is_never_consent(tmp_path: Path) -> None:
    async with broken(tmp_path, "dead") as (stage, incident):
        await ends(incident, {"Fence db-1": ""}, rounds=60, lenient=True)
        assert not of(stage).nodes["db-1"].fenced and of(stage).writers == []


async def test_too_few_vantage_points_are_asked_and_not_guessed(tmp_path: Path) -> None:
    async with broken(tmp_path, "dead", {"kind": "unsure", "vantages": ["us-east", "outside"]}) as (stage, incident):
        await ends(incident, values={"What is wrong": "look"}, rounds=15, lenient=True)
        assert not {"write_gate.close", "databases.fence"} & set(written(incident))
        await stage.http.delete("/practice/database-faults")
        await makes(stage, "database-faults", kind="dead")
        await ends(incident, until=Phase.RECOVERY, second="kim")
        assert [node.name for node in of(stage).writers] == ["db-3"]


async def test_standing_down_leaves_the_fence_in_somebodys_name(tmp_path: Path) -> None:
    async with broken(tmp_path, "dead") as (stage, incident):
        await ends(incident, {"Promote": ""}, rounds=12, lenient=True)
        await incident.question("Promote")
        await incident.verified("stand_down", "dana", reason="by hand from here")
        status = await incident.ends()
        assert of(stage).nodes["db-1"].fenced and any(one.sticky and one.held_by for one in status.in_force)
        assert of(stage).writers == []
