"""§2.5, *if the playbook itself fails*: what cannot be denied, what nobody can say, a fix that breaks tenants, and a surface that goes offline."""

from pathlib import Path

import pytest

from practice.databases.cluster import Databases
from practice.tenancy.model import Tenancy
from tests.playbooks.tenant_isolation.leaking import admitted, crossed, ends, leaking, of, quick
from tests.stage.outages import STANDING, makes, story
from workflows.incident import Phase, State

SURFACES = STANDING.format(verb="surfaces.take_offline")
REGIONS = STANDING.format(verb="write_gate.close_region")


def offline(there: Tenancy) -> set[str]:
    return {name for name, one in there.surfaces.items() if one.offline}


async def test_a_leak_that_nothing_stops_takes_the_surface_offline(tmp_path: Path) -> None:
    """The gateway says 200 and denies nothing: within 15 minutes the surface is taken off the load balancer, on the commander's word."""
    async with leaking(tmp_path, "missing_where", policy=quick('offline_after = "PT2M"')) as (stage, incident):
        await stage.inject("platform.endpoints.put", "nothing_changed")
        await incident.answer("endpoints.deny", "skip", by="sam")
        question = await incident.question("off the load balancer")
        assert not offline(of(stage)) and any("confirmed" in fact for fact in question.facts)
        await incident.answer("off the load balancer", by="dana")
        await incident.hears("done: surfaces.take_offline")
        assert offline(of(stage)) == {"documents"}
        await stage.stop_injecting()
        await ends(stage, incident, until=Phase.RECOVERY)
        assert await crossed(stage) == 0
        ended = await ends(stage, incident, fix={})
        assert ended.state is State.RESOLVED and not offline(of(stage)) and set(admitted(stage).values()) == {1.0}, story(
            await incident.timeline()
        )


async def test_under_a_signed_standing_policy_read_only_comes_unasked_and_only_when_it_is_confirmed(tmp_path: Path) -> None:
    async with leaking(tmp_path, "missing_where", policy=quick(more=REGIONS)) as (stage, incident):
        status = await ends(stage, incident, until=Phase.RECOVERY)
        asked = [q.asks for q in status.questions]
        assert not any("takes no writes" in one for one in asked), asked
        gates = {name: place.gate.admitted for name, place in stage.world.state.fleet.services["api"].places.items()}
        assert gates == {"eu-west": 0.0, "us-east": 0.0} and "the standing policy for write_gate.close_region" in story(
            await incident.timeline()
        )


async def test_an_unknown_layer_widens_to_the_whole_surface(tmp_path: Path) -> None:
    async with leaking(tmp_path, "missing_where") as (stage, incident):
        await makes(stage, "tenancy-dials", layer_unknown=True)
        await ends(stage, incident, until=Phase.RECOVERY)
        closed = {name for name, share in admitted(stage).items() if share == 0}
        assert closed == {"documents.get", "documents.export", "documents.put"}, story(await incident.timeline())
        assert "on which layer it leaks is unknown" in story(await incident.timeline())


async def test_a_hotfix_that_breaks_tenants_stays_behind_denied_endpoints_and_nobody_goes_back(tmp_path: Path) -> None:
    async with leaking(tmp_path, "missing_where") as (stage, incident):
        await ends(stage, incident, until=Phase.RECOVERY)
        await makes(stage, "tenancy-fixes", breaks=True)
        await incident.answer("Which artefact", "decline")
        await incident.hears("the hotfix keeps tenants from their own data")
        assert admitted(stage)["documents.get"] == 0
        status = await incident.status()
        assert any(task.text.startswith("Mend the hotfix") for task in status.tasks)
        ended = await ends(stage, incident, fix={"breaks": False})
        assert ended.state is State.RESOLVED and set(admitted(stage).values()) == {1.0}, story(await incident.timeline())


async def test_where_nobody_can_tell_who_saw_what_everybody_counts(tmp_path: Path) -> None:
    """The access log has gaps: nothing of it shows that it stopped either, so that the surface goes offline."""
    async with leaking(tmp_path, "missing_where", policy=quick('offline_after = "PT2M"', more=SURFACES)) as (stage, incident):
        await makes(stage, "tenancy-dials", unlogged=True)
        status = await ends(stage, incident, until=Phase.RECOVERY)
        said = story(await incident.timeline())
        assert "the log has gaps: everybody whom it could concern is assumed" in said and offline(of(stage)) == {"documents"}
        assert [one.section for one in status.called_in if "data of 20 tenants, seen by 20" in one.why] == ["2.4"], said
        assert not any("off the load balancer" in q.asks for q in status.questions), "the signed policy covers it, once it is confirmed"


async def test_a_policy_that_cannot_be_read_is_asked_about_and_never_taken_for_sound(tmp_path: Path) -> None:
    """Bad input: unknown, said, asked."""
    async with leaking(tmp_path, "missing_where") as (stage, incident):
        await makes(stage, "tenancy-dials", unreadable=True)
        await ends(stage, incident, until=Phase.RECOVERY)
        await makes(stage, "tenancy-fixes")
        await incident.answer("Which artefact", "decline")
        question = await incident.question("the policy of files cannot be read")
        assert "db_lead" in [role.value for role in question.roles] and admitted(stage)["documents.get"] == 0
        ended = await ends(stage, incident)
        assert ended.state is State.RESOLVED, story(await incident.timeline())


async def test_a_policy_that_nobody_vouches_for_keeps_everything_closed(tmp_path: Path) -> None:
    async with leaking(tmp_path, "missing_where") as (stage, incident):
        await makes(stage, "tenancy-dials", unreadable=True)
        await ends(stage, incident, until=Phase.RECOVERY)
        await makes(stage, "tenancy-fixes")
        await incident.answer("Which artefact", "decline")
        await incident.answer("the policy of files cannot be read", "decline", by="sam")
        await incident.hears("not repaired: row security of 3 tables, as app: 0 holes; cannot be read: the policy of files")
        assert admitted(stage)["documents.get"] == 0


async def test_a_tenant_in_two_regions_counts_in_both_until_somebody_says_where(tmp_path: Path) -> None:
    """Bad input: it is said and asked, and nothing waits for it."""
    async with leaking(tmp_path, "missing_where") as (stage, incident):
        tenant = sorted(stage.world.state.tenants)[0]
        await makes(stage, "tenancy-dials", two_homes=tenant)
        await incident.question(f"In which region is {tenant} at home")
        await incident.hears("done: endpoints.deny")
        status = await ends(stage, incident, {"In which region": ""}, until=Phase.RECOVERY)
        assert f"{tenant} is said to be at home in several regions" in story(await incident.timeline())
        assert any(task.text.startswith(f"Say in which region {tenant}") for task in status.tasks)
        assert any(q.asks.startswith(f"In which region is {tenant}") for q in status.asking)


async def test_the_database_is_kept_by_us_and_its_restore_is_tried_by_people(tmp_path: Path) -> None:
    """M2: of the node that takes writes, before anything of it is mended."""
    async with leaking(tmp_path, "missing_where") as (stage, incident):
        status = await ends(stage, incident, until=Phase.RECOVERY)
        assert [row.target for row in incident.done("databases.snapshot")] == ["databases/main/db-1/snapshot"], story(
            await incident.timeline()
        )
        assert [e["route"] for e in await stage.effects() if e["face"] == "databases" and e["changed"]] == ["databases.jobs.start"]
        assert [task.owner for task in status.tasks if task.text.startswith("Try to restore the snapshot of db-1 of main")] == ["db_lead"]
        assert not [task for task in status.tasks if task.text.startswith("Take a snapshot")]


@pytest.mark.parametrize("how", ["no cluster", "no answer", "it fails"])
async def test_where_we_cannot_keep_the_database_a_person_does_and_the_rest_goes_on(tmp_path: Path, how: str) -> None:
    async with leaking(tmp_path, "missing_where") as (stage, incident):
        if how == "no cluster":
            stage.world.state.part(Databases).clusters["main"].service = "orchestrator"
        else:
            await stage.inject("databases.*" if how == "no answer" else "databases.jobs.start", "fail", status=403)
        if how == "it fails":
            await incident.answer("databases.snapshot", "skip", by="lee")
        status = await ends(stage, incident, until=Phase.RECOVERY)
        (task,) = [task for task in status.tasks if task.text.startswith("Take a snapshot of ")]
        why = {"no cluster": "no cluster of api is known", "no answer": "does not answer", "it fails": "ours could not be taken"}[how]
        assert why in task.text and task.owner == "db_lead" and task.by_hand and not incident.done("databases.snapshot")


async def test_canaries_that_see_it_again_send_it_back_to_mitigation(tmp_path: Path) -> None:
    """A hotfix that has forgotten a sibling passes no matrix: the first hour ends where a canary reads another's object."""
    async with leaking(tmp_path, "missing_where", endpoints=("documents.get", "documents.export")) as (stage, incident):
        await ends(stage, incident, until=Phase.RECOVERY)
        await makes(stage, "tenancy-fixes", still=["documents.export"])
        await incident.answer("Which artefact", "decline")
        await incident.hears("not repaired:")
        assert admitted(stage)["documents.export"] == 0 and admitted(stage)["documents.get"] == 0
        ended = await ends(stage, incident, fix={"still": []})
        assert ended.state is State.RESOLVED and await crossed(stage) == 0, story(await incident.timeline())
