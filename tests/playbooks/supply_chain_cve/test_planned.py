"""§2.12 as a plan, in shadow mode, and by hand: everything is said, and nothing is done."""

from pathlib import Path

import pytest

from tests.playbooks.supply_chain_cve.supplied import ADVISORIES, hears, supplied
from tests.stage.outages import story
from workflows.incident import State
from workflows.status import Outcome

PLANNED = {
    "vulnerable": ("blocklist.block", "update_bots.stop", "flags.switch_off", "builds.fixes", "builds.rebuild", "builds.release"),
    "malicious": ("blocklist.block", "evidence.supply", "evidence.snapshot_host", "hosts.isolate", "egress.deny", "builds.rebuild"),
}


@pytest.mark.parametrize("kind", PLANNED)
async def test_a_plan_says_every_step_with_its_command_and_changes_nothing(tmp_path: Path, kind: str) -> None:
    async with supplied(tmp_path, kind, serving=False) as (stage, _):
        await stage.start_worker()
        plan = await stage.declare("SupplyChainCve", service="api", labels={"advisory": ADVISORIES[kind]}, rehearsal=True)
        outcome = Outcome.model_validate(await plan.handle.result())
        assert outcome.rehearsed is not None and stage.fleet.ledger.effects(plan.id) == []
        steps = {step.verb: step for step in outcome.rehearsed.steps}
        assert set(PLANNED[kind]) <= set(steps), sorted(steps)
        assert all(steps[verb].by_hand for verb in PLANNED[kind])


async def test_in_shadow_mode_only_people_change_anything(tmp_path: Path) -> None:
    async with supplied(tmp_path, mode="shadow") as (stage, incident):
        await hears(incident, "not at zero yet: api")
        changed = [e["route"] for e in await stage.effects() if e["changed"] and not e["route"].startswith("practice.")]
        assert changed == [], changed
        await incident.say("stand_down", {"by": "dana", "reason": "enough seen"})
        for _ in range(20):
            if await incident.over():
                break
            await stage.env.sleep(60)
        status = await incident.status()
        assert status.state is State.STOOD_DOWN and status.in_force == [], story(await incident.timeline())
