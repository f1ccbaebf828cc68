"""§2.1, told as stories: one for every branch of spec §9.1 and Annex A.1."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.drill import Drill, Told, drill
from workflows.incident import State

MINUTE, FIVE = timedelta(minutes=1), timedelta(minutes=5)
QUICK = """
mitigated_window = "PT1M"
[policy.stability]
window = "PT5M"
[policy.production_outage]
improvement_within = "PT3M"
unknown_after = "PT5M"
steady = "PT2M"
resting = "PT0S"
[policy.roll_back]
proven_within = "PT3M"
look_again = "PT15S"
samples = 20
least_answers = 10
canary_step = "PT1M"
{more}
"""


def quick(more: str = "", top: str = "") -> str:
    """The same story in less policy time."""
    return f"{top}\n" + QUICK.format(more=more)


@asynccontextmanager
async def outage(tmp: Path, *, policy: str = "", service: str = "api", **deploy: Any) -> AsyncIterator[tuple[Drill, Told]]:
    """A bad revision of a service came to traffic, its metrics show it, and an incident is declared."""
    async with drill(tmp, policy=policy or quick()) as stage:
        if deploy:
            (await stage.http.post("/practice/deploys", json={"service": service, **deploy})).raise_for_status()
        await passes(stage, 180)
        yield stage, await stage.declare("ProductionOutage", service=service)


async def passes(stage: Drill, seconds: float) -> None:
    """Let time pass for the world and for the server alike, before anything is declared."""
    stage.forward(seconds)
    await stage.env.sleep(timedelta(seconds=seconds))


async def makes(stage: Drill, path: str, **given: Any) -> None:
    """Do something to the world (docs/practice-platform.md)."""
    (await stage.http.post(f"/practice/{path}", json=given)).raise_for_status()


async def split_of(stage: Drill, service: str = "api") -> dict[str, dict[str, float]]:
    """What serves where, as the world has it."""
    places = (await stage.look())["fleet"]["services"][service]["places"]
    return {region: {name: share for name, share in place["split"].items() if share} for region, place in places.items()}


async def failing(stage: Drill, service: str = "api") -> float:
    """The share of requests that fail now, by the metrics."""
    of = f'service="{service}"'
    failed, every = f'service_requests_total{{{of},outcome="error"}}[1m]', f"service_requests_total{{{of}}}[1m]"
    found = await stage.measured(f"sum(increase({failed})) / sum(increase({every}))")
    return float(found[0]["value"][1]) if found else 0.0


def pinned(revision: str) -> dict[str, dict[str, float]]:
    """Everywhere on one revision."""
    return {region: {revision: 1.0} for region in ("eu-west", "us-east")}


def story(lines: list[str]) -> str:
    """A timeline, as an assertion shows it."""
    return "\n".join(lines)


# -- our own change -------------------------------------------------------------------------------------------------------------------


async def test_a_bad_revision_is_rolled_back_and_stays_pinned_in_somebodys_name(tmp_path: Path) -> None:
    """Found, asked once, rolled back in every region, proven three times; the pin is held by a person, with a ticket."""
    async with outage(tmp_path, error_rate=0.4) as (stage, incident):
        question = await incident.question("Roll api back to api-00041")
        assert "gcloud run services update-traffic api --region eu-west --to-revisions api-00041=100 --project acme" in question.by_hand
        assert any("api-00042" in fact for fact in question.facts), question.facts
        status = await incident.ends()
        assert status.state is State.RESOLVED, story(await incident.timeline())
        assert await split_of(stage) == pinned("api-00041")
        assert [(m.name, m.held_by) for m in status.in_force] == [("traffic pinned", "dana")]
        assert any("Fix api forward" in task.text for task in status.follow_ups)
        assert len(incident.done("deploys.shift")) == 1
        assert {row.outcome for row in incident.book()} <= {"done", "adopted"}
        assert stage.fleet.ledger.verify(incident.id).intact


async def test_a_service_on_kubernetes_is_rolled_back_to_an_explicit_revision(tmp_path: Path) -> None:
    """The same story on the other platform; never a bare undo (G4)."""
    async with outage(tmp_path, service="orchestrator", error_rate=0.5) as (stage, incident):
        question = await incident.question("Roll orchestrator back")
        assert any("rollout undo deployment/orchestrator --to-revision=" in line for line in question.by_hand), question.by_hand
        status = await incident.ends()
        assert status.state is State.RESOLVED, story(await incident.timeline())
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


# -- innocent changes -----------------------------------------------------------------------------------------------------------------


async def test_an_innocent_latest_deploy_is_not_the_end_of_it(tmp_path: Path) -> None:
    """A bad artefact is read by everything, whatever its revision: it is paused and pinned; no rollback is called a success."""
    async with drill(tmp_path, policy=quick()) as stage:
        await makes(stage, "deploys", service="api", error_rate=0.0, what="an innocent deploy")
        await passes(stage, 60)
        await makes(stage, "feeds/routing-rules", bad=True, error_rate=0.5)
        await passes(stage, 300)
        incident = await stage.declare("ProductionOutage", service="api")
        await incident.hears("done: feeds.pause")
        await makes(stage, "feeds/routing-rules", bad=False)
        status = await incident.ends()
        lines = await incident.timeline()
        assert status.state is State.RESOLVED, story(lines)
        assert status.in_force == []
        assert not any("the rollback helps" in line for line in lines)
        assert await split_of(stage) == pinned("LATEST")
