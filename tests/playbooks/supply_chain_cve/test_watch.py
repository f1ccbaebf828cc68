"""The watch outlives its incident: for thirty days a superseded fix opens a linked incident, which takes over what was blocked."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from activities.watches.orders import PREFIX
from practice.supply.faults import GHSA
from tests.playbooks.supply_chain_cve.supplied import ends, of, quick, supplied
from tests.stage.drill import Drill
from tests.stage.outages import makes
from tests.stage.running import RunningIncident, until
from workflows.incident import State
from workflows.watch.advisory_watch import WatchState


async def begun(stage: Drill, incident: RunningIncident) -> str:
    """The id of the watch that the incident has begun."""
    assert (await ends(stage, incident)).state is State.RESOLVED
    (row,) = incident.done("watches.begin")
    return next(word.strip(",") for word in row.proven_by.split() if word.startswith(PREFIX))


def stands_still(stage: Drill) -> None:
    """The world lives no further: weeks of it would take minutes, and nothing in it matters to a watch but what OSV says."""
    stage.world.clock.show = lambda instant: None  # type: ignore[method-assign]


async def seen(stage: Drill, watch: str) -> WatchState:
    return WatchState.model_validate(await stage.env.client.get_workflow_handle(watch).query("state"))


async def test_a_superseded_fix_opens_a_linked_incident_that_carries_the_blocklist(tmp_path: Path) -> None:
    soon = quick('watched = "PT8H"\nwatched_every = "PT30M"')
    async with supplied(tmp_path, policy=soon) as (stage, incident):
        watch = await begun(stage, incident)
        await stage.env.sleep(timedelta(minutes=70))
        assert not (await seen(stage, watch)).opened and (await seen(stage, watch)).looks
        await makes(stage, "supply-faults", kind="superseded")
        stage.forward(60)

        async def opened() -> str:
            await stage.env.sleep(timedelta(minutes=20))
            return (await seen(stage, watch)).opened

        name: str = await until(opened, "a linked incident", 5)
        linked = RunningIncident(stage, stage.env.client.get_workflow_handle(name))
        status = await ends(stage, linked)
        assert status.state is State.RESOLVED and name != incident.id
        lines = await linked.timeline()
        assert any(f"linked to {incident.id}, whose fix is superseded" in line for line in lines)
        assert of(stage).locks["api"]["quickyaml"] == "2.3.5"
        assert of(stage).blocked["ci/PyPI/quickyaml"].versions == ["2.1.0", "2.2.0", "2.3.0", "2.3.1", "2.3.4"], "the first ones stay"


async def test_a_quiet_watch_ends_after_thirty_days(tmp_path: Path) -> None:
    async with supplied(tmp_path) as (stage, incident):
        watch = await begun(stage, incident)
        stands_still(stage)
        await stage.env.sleep(timedelta(days=31))
        ended: Any = await stage.env.client.get_workflow_handle(watch, result_type=WatchState).result()
        assert ended.looks >= 29 and not ended.opened


async def test_a_database_that_is_away_is_asked_again_soon_and_no_fix_is_claimed(tmp_path: Path) -> None:
    """It is asked hourly then, and begins anew before its history is too long; what it has seen before is kept."""
    async with supplied(tmp_path, policy=quick("looks_per_run = 20")) as (stage, incident):
        watch = await begun(stage, incident)
        handle = stage.env.client.get_workflow_handle(watch)
        stands_still(stage)
        await stage.env.sleep(timedelta(hours=25))
        before = await seen(stage, watch)
        await stage.inject("osv.vulns.get", "fail")
        first = (await handle.describe()).run_id
        await stage.env.sleep(timedelta(days=2))
        state = await seen(stage, watch)
        assert state.blind_since is not None and "nobody can say" in state.last
        assert (await handle.describe()).run_id != first and state.looks == before.looks > 0 and state.until == before.until
        assert before.last_at and state.blind_since < before.last_at + timedelta(hours=26)
        await stage.stop_injecting()
        await stage.env.sleep(timedelta(hours=6))
        assert (await seen(stage, watch)).blind_since is None


async def test_a_watch_of_nothing_ends_at_once(tmp_path: Path) -> None:
    async with supplied(tmp_path) as (stage, _):
        for given in ([], [{"advisory": GHSA}], ["x"]):
            handle = await stage.env.client.start_workflow(
                "AdvisoryWatch", args=given, id=f"watch-{len(str(given))}", task_queue=stage.settings.queue
            )
            with pytest.raises(Exception, match="Workflow execution failed"):
                await handle.result()
