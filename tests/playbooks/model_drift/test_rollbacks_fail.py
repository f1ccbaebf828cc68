"""§2.7: a rollback that fails its evals too, no blessed triple, a *no*, silence, and an incident that ends in the middle."""

from datetime import timedelta
from pathlib import Path

from tests.playbooks.model_drift.drift import (
    asked,
    bad,
    control,
    declared,
    posture,
    publish,
    registry,
    regression,
    serving,
    tasks,
    untouched,
)
from workflows.incident import Phase, State


async def test_a_triple_that_fails_its_evals_too_is_passed_over_for_an_older_one(tmp_path: Path) -> None:
    async with regression(tmp_path) as stage:
        await publish(stage)
        await control(stage, "faults", name="model 6", where={"model": "6"}, rate=0.3)
        incident = await declared(stage)
        status = await incident.ends()
        lines = "\n".join(await incident.timeline())
        assert status.state is State.RESOLVED and serving(stage) == "5/11/3" and bad(stage) < 0.06, lines
        assert "6/12/3 fails its evals too" in lines and "older ones are looked at" in lines


async def test_where_no_blessed_triple_passes_answers_are_degraded(tmp_path: Path) -> None:
    """At most three are tried. People take over the conversations, and the incident does not end with it."""
    async with regression(tmp_path) as stage:
        await publish(stage)
        for prompt in ("10", "11", "12"):
            await control(stage, "faults", name=f"prompt {prompt}", where={"prompt": prompt}, rate=0.3)
        incident = await declared(stage)
        await incident.hears("none of the blessed triples passes its evals, nor is better than what serves: 6/12/3, 5/11/3, 5/10/2")
        await incident.answer("retrieval only")
        await incident.hears("done: models.degrade")
        status = await incident.status()
        assert tasks(status, "Take over the conversations") and stage.world.state.route.modes
        await incident.verified("stand_down", "dana", reason="people make a new prompt")
        await incident.ends()
        assert untouched(stage, publishing="refused")


async def test_without_a_blessed_triple_the_guardrails_are_tightened_and_answers_degraded(tmp_path: Path) -> None:
    async with regression(tmp_path) as stage:
        await publish(stage)
        for triple in ("6/12/3", "5/11/3", "5/10/2", "5/10/1"):
            await control(stage, "releases", triple=triple, blessed=False)
        incident = await declared(stage)
        await incident.hears("no blessed triple is left to roll back to")
        await incident.hears("done: guardrails.tighten")
        assert posture(stage)["strictness"] == "strict" and registry(stage).publishing.publishes == "refused"
        await incident.answer("retrieval only")
        await incident.hears("done: models.degrade")
        assert serving(stage) == "6/13/3" and not incident.done("registry.roll_back")
        await incident.verified("stand_down", "dana", reason="people make a new prompt")
        await incident.ends()
        assert untouched(stage, publishing="refused")


async def test_what_would_reopen_an_injection_is_never_a_target(tmp_path: Path) -> None:
    async with regression(tmp_path) as stage:
        await publish(stage)
        await control(stage, "releases", triple="6/12/3", blocklisted=True)
        incident = await declared(stage)
        status = await incident.ends()
        assert status.state is State.RESOLVED and serving(stage) == "5/11/3", "\n".join(await incident.timeline())


async def test_a_no_is_a_no_and_the_incident_is_handed_over(tmp_path: Path) -> None:
    """Nobody wants to roll back, nor to degrade: nothing that customers use is changed."""
    async with regression(tmp_path) as stage:
        await publish(stage)
        incident = await declared(stage)
        await incident.answer("as one unit", "decline", by="ravi")
        await incident.answer("retrieval only", "decline")
        await incident.hears("handed over: nothing that we could do has helped")
        assert serving(stage) == "6/13/3" and not stage.world.state.route.modes and registry(stage).publishing.publishes == "refused"
        await incident.say("stand_down", {"by": "dana", "reason": "recorded"})
        await incident.ends()
        assert untouched(stage, publishing="refused") and serving(stage) == "6/13/3"


async def test_silence_keeps_only_the_worst_slice_from_the_model(tmp_path: Path) -> None:
    """Nobody answers the ladder: the safe action is a few tenants, and the triple still serves everybody else."""
    async with regression(tmp_path) as stage:
        await publish(stage)
        incident = await declared(stage)
        await incident.question("as one unit")
        await incident.commanded()
        await incident.hears("nobody answered: only the worst slice is kept from the model", skip=timedelta(minutes=2))
        await incident.hears("done: models.degrade")
        assert serving(stage) == "6/13/3" and 0 < len(stage.world.state.route.modes) <= 3
        await incident.say("stand_down", {"by": "dana", "reason": "carried on by hand"})
        await incident.ends()
        assert untouched(stage, publishing="refused")


async def test_stood_down_in_the_middle_the_rollback_stays_and_publishes_go_through(tmp_path: Path) -> None:
    async with regression(tmp_path) as stage:
        await publish(stage)
        incident = await declared(stage)
        await incident.is_in(Phase.RECOVERY)
        await incident.verified("stand_down", "dana", reason="carried on by hand")
        status = await incident.ends()
        assert status.state is State.STOOD_DOWN and untouched(stage, publishing="refused") and serving(stage) == "6/12/3"
        assert not asked(status, "People have judged")
