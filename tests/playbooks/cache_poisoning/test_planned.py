"""§2.11 as a plan, in shadow mode, and by hand: everything is said, and nothing is done."""

from pathlib import Path

from tests.playbooks.cache_poisoning.poisoned import ends, of, of_settings, poisoned
from tests.stage.outages import story
from workflows.incident import State
from workflows.status import Outcome


async def test_a_plan_says_every_step_and_changes_nothing(tmp_path: Path) -> None:
    async with poisoned(tmp_path, "poisoned", cache=False) as (stage, incident):
        before = of_settings(of(stage))
        plan = await stage.declare("CachePoisoning", labels={"domain": "billing"}, rehearsal=True)
        outcome = Outcome.model_validate(await plan.handle.result())
        assert outcome.rehearsed is not None
        verbs = [step.verb for step in outcome.rehearsed.steps]
        for verb in ("retriever.cag_off", "retriever.quarantine", "retriever.bump_namespace", "retriever.refetch", "retriever.build_index",
                     "retriever.swap_index", "retriever.check_freshness", "retriever.cag_on"):  # fmt: skip
            assert verb in verbs, verbs
        assert of_settings(of(stage)) == before or incident.book()


async def test_in_shadow_mode_only_people_change_anything(tmp_path: Path) -> None:
    async with poisoned(tmp_path, "poisoned", cache=False, mode="shadow") as (stage, incident):
        before = of_settings(of(stage))
        await incident.hears("swap_index")
        assert of_settings(of(stage)) == before and not [e for e in await stage.effects() if e["face"] == "retriever"]
        await incident.say("stand_down", {"by": "dana", "reason": "enough seen"})
        status = await ends(incident)
        assert status.state is State.STOOD_DOWN and status.in_force == [], story(await incident.timeline())


async def test_everything_can_be_done_by_hand(tmp_path: Path) -> None:
    """Each step and each question prints its own commands, with real values."""
    async with poisoned(tmp_path, "poisoned") as (_, incident):
        question = await incident.question("from index")
        assert any("/v1/domains/billing/alias" in line and "billing-2" in line for line in question.by_hand)
        steps = {step.verb: step.by_hand for step in (await incident.status()).steps}
        assert any('redis-cli -u "$CACHE_ADDRESS"' in line for line in steps["caches.census"])
        assert any("/v1/domains/billing/quarantine" in line for line in steps["retriever.quarantine"])
        assert any("/v1/domains/billing/fetches" in line and "billing/refunds" in line for line in steps["retriever.refetch"])
