"""§2.1, told as stories: one for every branch of spec §9.1 and Annex A.1."""

from pathlib import Path

from tests.stage.drill import drill
from tests.stage.outages import MINUTE, failing, makes, outage, passes, pinned, quick, split_of, story
from workflows.incident import State

FOLLOW_UPS = [
    ("ops_lead", "Fix api forward, and return it from api-00041 to the latest"),
    ("incident_commander", "Capture timelines, contributing causes, preventing actions"),
    ("ops_lead", "Add a regression test for the cause"),
    ("ops_lead", "Add a monitor that sees it before customers do"),
]

# -- our own change -------------------------------------------------------------------------------------------------------------------


async def test_a_bad_revision_is_rolled_back_and_stays_pinned_in_somebodys_name(tmp_path: Path) -> None:
    """Found, asked once, rolled back in every region, proven three times; the pin is held by a person, with a ticket."""
    async with outage(tmp_path, error_rate=0.4) as (stage, incident):
        question = await incident.question("Roll api back to api-00041")
        assert question.inverse == "let api serve LATEST 100 % in eu-west and us-east again", "the undo is the action itself"
        by_hand = "gcloud --quiet run services update-traffic api --region=eu-west --to-revisions=api-00041=100 --project=acme"
        assert by_hand in question.by_hand
        assert any("api-00042" in fact for fact in question.facts), question.facts
        status = await incident.ends()
        assert status.state is State.RESOLVED, story(await incident.timeline())
        assert await split_of(stage) == pinned("api-00041")
        assert [(m.name, m.held_by) for m in status.in_force] == [("traffic pinned", "dana")]
        assert [(task.owner.value, task.text) for task in status.follow_ups] == FOLLOW_UPS
        assert len(incident.done("deploys.shift")) == 1
        assert [row.verb for row in incident.book() if row.verb == "freezes.exempt"] == ["freezes.exempt"]
        assert {row.outcome for row in incident.book()} <= {"done", "adopted"}
        assert stage.fleet.ledger.verify(incident.id).intact


async def test_a_service_on_kubernetes_is_rolled_back_to_an_explicit_revision(tmp_path: Path) -> None:
    """The same story on the other platform; never a bare undo (G4)."""
    async with outage(tmp_path, service="orchestrator", error_rate=0.5) as (stage, incident):
        question = await incident.question("Roll orchestrator back")
        assert any("rollout undo" in line and "--to-revision=$NUMBER" in line for line in question.by_hand), question.by_hand
        status = await incident.ends()
        assert status.state is State.RESOLVED, story(await incident.timeline())
        assert await failing(stage, "orchestrator") < 0.01


async def test_a_rollback_that_an_admission_controller_altered_is_still_ours(tmp_path: Path) -> None:
    """It runs under another name: it is proven by that name, kept, and what was altered is on the record."""
    async with outage(tmp_path, service="orchestrator", error_rate=0.5) as (stage, incident):
        for cluster in stage.world.state.clusters.values():
            cluster.admission = {"spec": {"template": {"metadata": {"annotations": {"mesh.example.com/injected": "true"}}}}}
        status = await incident.ends()
        lines = await incident.timeline()
        assert status.state is State.RESOLVED, story(lines)
        assert any("others altered it on its way" in line and "added annotation mesh.example.com/injected" in line for line in lines), (
            story(lines)
        )
        assert len(incident.done("deploys.shift")) == 1, "it was not put back"
        revisions = stage.world.state.fleet.services["orchestrator"].revisions
        assert revisions["orchestrator-00043"].digest == revisions["orchestrator-00041"].digest
        assert await failing(stage, "orchestrator") < 0.01


async def test_a_target_that_is_bad_too_is_left_again_and_the_next_older_one_helps(tmp_path: Path) -> None:
    """Verify fails → the saved split serves again, that revision is bad, try the next; two failures and we stop."""
    async with drill(tmp_path, policy=quick()) as stage:
        await makes(stage, "world", services={"api": {"revisions": {"api-00041": {"error_rate": 0.4}}}})
        await makes(stage, "deploys", service="api", error_rate=0.4)
        await passes(stage, 180)
        incident = await stage.declare("ProductionOutage", service="api")
        status = await incident.ends()
        lines = await incident.timeline()
        assert status.state is State.RESOLVED, story(lines)
        assert any("did not help: the split from before serves again" in line for line in lines)
        assert len(incident.done("deploys.shift")) == 3, "there, back, and to the next older one"
        assert await split_of(stage) == pinned("api-00040")


async def test_with_no_eligible_revision_we_shed_and_hand_over(tmp_path: Path) -> None:
    """Nothing that cannot be shown to be safe is rolled back to; the reasons are said."""
    gone = {f"api-000{n}": {"image_present": False} for n in range(34, 42)}
    async with drill(tmp_path, policy=quick()) as stage:
        await makes(stage, "world", services={"api": {"revisions": gone}})
        await makes(stage, "deploys", service="api", error_rate=0.4)
        await passes(stage, 180)
        incident = await stage.declare("ProductionOutage", service="api")
        line = await incident.hears("no revision may be rolled back to", skip=MINUTE)
        assert "its image is gone" in line
        await incident.hears("handed over:", skip=MINUTE)
        assert incident.done("deploys.shift") == []


async def test_a_fixed_build_earns_the_traffic_by_a_canary(tmp_path: Path) -> None:
    """The pin ends: in steps, watched, and then the service follows the latest again."""
    async with outage(tmp_path, error_rate=0.4) as (stage, incident):
        await incident.answer("Roll api back")
        await incident.hears("api is pinned to api-00041")
        await makes(stage, "deploys", service="api", error_rate=0.0, what="the fix")
        await incident.question("Return api to api-00043", skip=MINUTE)
        status = await incident.ends()
        assert status.state is State.RESOLVED and status.in_force == [], story(await incident.timeline())
        assert await split_of(stage) == pinned("LATEST")
        shares = [row.effect for row in incident.done("deploys.shift")]
        assert len(shares) == 6, shares


async def test_a_fixed_build_that_is_not_fixed_is_put_back(tmp_path: Path) -> None:
    """The canary fails: the pin serves again, and a person keeps it."""
    async with outage(tmp_path, error_rate=0.4) as (stage, incident):
        await incident.answer("Roll api back")
        await incident.hears("api is pinned to api-00041")
        await makes(stage, "deploys", service="api", error_rate=0.6, what="no fix")
        await incident.question("Return api to api-00043", skip=MINUTE)
        status = await incident.ends()
        assert any("is put back" in line for line in await incident.timeline())
        assert await split_of(stage) == pinned("api-00041")
        assert [(m.name, m.held_by) for m in status.in_force] == [("traffic pinned", "dana")]
