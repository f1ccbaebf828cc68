"""§2.4, INV-1: evidence is begun before anything is cut off; while harm goes on Security may turn that round, in its time, with a reason."""

from datetime import timedelta
from pathlib import Path

from tests.playbooks.data_breach.breached import breached, contained, done_before, ends, hears, inside, quick, rows
from tests.stage.outages import story
from workflows.incident import Phase, State

SNAPSHOTS = "gce.disks.createSnapshot"
BOX = 'disks_begun_within = "PT4M"'


async def broken(stage: object, route: str, **how: object) -> None:
    await stage.inject(route, "fail", **{"status": 403, "times": None, **how})  # type: ignore[attr-defined]


async def test_a_copy_that_takes_an_hour_is_begun_and_nothing_waits_for_it_while_rows_leave(tmp_path: Path) -> None:
    async with breached(tmp_path) as (stage, incident):
        contained(stage).copied_in = 3600.0
        await ends(stage, incident, until=Phase.RECOVERY, skip=20)
        assert done_before(incident, "disks.snapshot", "network.isolate")
        after = rows(stage)
        await incident.pass_time(timedelta(minutes=5))
        assert rows(stage) == after, "cut off although the copies go on"
        line = await hears(incident, "Do not wipe or rebuild api before its copy is complete", {"Is api rebuilt": ""})
        assert "CREATING" in line or "UPLOADING" in line, line


async def test_a_copy_that_cannot_be_begun_holds_isolation_until_security_says_that_the_harm_goes_first(tmp_path: Path) -> None:
    """Not before its time is over; the reason is on the record; the copy stays a person's task."""
    async with breached(tmp_path, policy=quick(BOX)) as (stage, incident):
        await broken(stage, SNAPSHOTS)
        question = await incident.question("Contain the harm before that?")
        assert [role.value for role in question.roles] == ["security_lead"] and not incident.done("network.isolate")
        assert (question.asked_at - (await incident.status()).declared_at) >= timedelta(minutes=4)
        assert inside(stage), "rows leave, and nothing is cut off on anybody's guess"
        await incident.answer("Contain the harm before that?", by="sam", reason="rows leave by the thousand")
        line = await hears(incident, "contained before copies of disks and databases were begun")
        assert "on the word of sam: rows leave by the thousand" in line
        await hears(incident, "network.isolate asset/api", {"disks.snapshot": "hand_over"})
        assert not contained(stage).snapshots


async def test_a_no_keeps_the_order_and_the_copy_is_tried_once_more(tmp_path: Path) -> None:
    async with breached(tmp_path, policy=quick(BOX)) as (stage, incident):
        await broken(stage, SNAPSHOTS)
        await incident.answer("Contain the harm before that?", "decline", by="sam")
        assert not incident.done("network.isolate")
        await stage.stop_injecting()
        status = await ends(stage, incident, {"disks.snapshot": "retry", "Contain the harm": "decline"})
        assert done_before(incident, "disks.snapshot", "network.isolate"), story(await incident.timeline())
        assert status.state is State.RESOLVED and len(contained(stage).snapshots) == 2


async def test_where_the_evidence_store_is_away_the_second_account_is_named_and_logs_are_kept_for_longer(tmp_path: Path) -> None:
    async with breached(tmp_path, policy=quick()) as (_, incident):
        (tmp_path / "evidence").write_text("no folder any more")
        await hears(incident, "Keep the access records in the second account, in another cloud", {"Contain the harm": ""})
        assert not incident.done("network.isolate")
        await incident.answer("Contain the harm before that?", by="sam", reason="the store is away")
        await hears(incident, "audit.enhance audit/acme")
        await hears(incident, "network.isolate asset/api")
