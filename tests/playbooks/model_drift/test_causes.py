"""§2.7: the second cause hides behind the first; what is rolled back wrongly leaves the symptom; each cause has a remedy of its own."""

from pathlib import Path

from tests.playbooks.model_drift.drift import (
    asked,
    bad,
    control,
    declared,
    faults,
    posture,
    publish,
    registry,
    regression,
    serving,
    tasks,
    untouched,
)
from workflows.incident import State


async def test_the_first_rollback_cures_half_of_the_slices(tmp_path: Path) -> None:
    """A prompt that spoils one language, and a model that the provider moved. The playbook goes on looking after the first."""
    async with regression(tmp_path) as stage:
        await publish(stage)
        await control(stage, "moves", spoils={"context": "long"}, rate=0.8)
        incident = await declared(stage)
        status = await incident.ends()
        lines = "\n".join(await incident.timeline())
        assert status.state is State.RESOLVED, lines
        assert serving(stage) == "6/12/3" and registry(stage).snapshot.pinned == "aurora-large-4-2026-08-06" and bad(stage) < 0.06
        assert "partly better: cured" in lines and "There is another cause" in lines
        kept = [measure for measure in status.in_force if measure.name == "model snapshot pinned"]
        assert [measure.held_by for measure in kept] == ["ravi"], "the pin stays in somebody's name"
        assert tasks(status, "Open a case with aurora") and tasks(status, "Evaluate the provider's newer snapshot")


async def test_rolling_back_the_wrong_triple_leaves_the_symptom_and_is_said(tmp_path: Path) -> None:
    """The newest prompt is innocent: something spoils one region, whatever serves. People mend it; nothing is resolved before."""
    async with regression(tmp_path) as stage:
        await control(stage, "publishes", part="prompt")
        await control(stage, "faults", name="region", where={"region": "eu-west"}, rate=0.5, in_evals=False)
        incident = await declared(stage)
        await incident.answer("as one unit")
        await incident.answer("sticky session")
        line = await incident.hears("no better: the remedy for the triple that serves")
        assert "ruled out, and the next cause is looked for" in line
        question = await incident.question("retrieval only")
        assert "eu-west" in " ".join(question.facts)
        await incident.answer("retrieval only")
        await incident.hears("done: models.degrade")
        faults(stage).spoilt.clear()
        status = await incident.ends()
        assert status.state is State.RESOLVED and untouched(stage) and bad(stage) < 0.06 and serving(stage) == "6/12/3"
        ruled_out = [one for one in status.suspects if one.what == "the triple that serves"]
        assert [str(one.standing) for one in ruled_out] == ["ruled out"]


async def test_a_guard_chain_alone_is_restored_without_a_question(tmp_path: Path) -> None:
    async with regression(tmp_path) as stage:
        await publish(stage, "guard", spoils={"tool": "code"})
        incident = await declared(stage)
        status = await incident.ends()
        assert status.state is State.RESOLVED and serving(stage) == "6/12/3" and not asked(status, "as one unit")
        assert len(incident.done("registry.restore_guards")) == 1 and bad(stage) < 0.06


async def test_guardrails_that_are_down_are_a_state(tmp_path: Path) -> None:
    """High-risk tools are closed and chat says so, while they are down."""
    async with regression(tmp_path) as stage:
        await publish(stage, spoils={"tool": "code"})
        await control(stage, "judging", guardrails_down=True)
        await control(stage, "releases", triple="6/12/3", blessed=False)
        for triple in ("5/11/3", "5/10/2", "5/10/1"):
            await control(stage, "releases", triple=triple, blessed=False)
        incident = await declared(stage)
        await incident.hears("done: guardrails.tighten")
        assert posture(stage) == {"strictness": "strict", "high_risk_tools": "closed", "banner": True}
        await control(stage, "judging", guardrails_down=False)
        await incident.commanded()
        await incident.verified("stand_down", "dana", reason="carried on by hand")
        await incident.ends()
        assert untouched(stage, publishing="refused")


async def test_a_moved_model_without_a_known_snapshot_is_failed_over_by_its_playbook(tmp_path: Path) -> None:
    """There is nothing to pin: a vendor case, and §2.2 is called in on the same incident."""
    async with regression(tmp_path) as stage:
        registry(stage).snapshots.clear()
        await control(stage, "moves", spoils={}, rate=0.5)
        incident = await declared(stage)
        line = await incident.hears("called in: §2.2")
        assert "the model of aurora answers worse than what we evaluated" in line
        await incident.verified("stand_down", "dana", reason="the rest by hand")
        status = await incident.ends()
        assert tasks(status, "Open a case with aurora") and serving(stage) == "6/12/3"


async def test_a_rollout_that_is_to_blame_is_stopped_at_once_and_not_resumed(tmp_path: Path) -> None:
    async with regression(tmp_path) as stage:
        await publish(stage, percent=40, spoils={}, rate=0.8)
        incident = await declared(stage)
        await incident.hears("done: releases.roll_out")
        assert registry(stage).rollout.percent == 0
        status = await incident.ends()
        lines = "\n".join(await incident.timeline())
        assert status.state is State.RESOLVED and untouched(stage) and bad(stage) < 0.06, lines
        assert "no rollout is resumed: 6/13/3 was to blame: triple 6/13/3" in lines and not incident.done("registry.roll_back")


async def test_without_consent_nothing_is_sampled_and_changes_decide(tmp_path: Path) -> None:
    async with regression(tmp_path) as stage:
        await publish(stage)
        await control(stage, "judging", consent=False)
        incident = await declared(stage)
        status = await incident.ends()
        lines = "\n".join(await incident.timeline())
        assert status.state is State.RESOLVED and serving(stage) == "6/12/3" and bad(stage) < 0.06, lines
        assert "customers have not consented to samples" in lines and "no answers kept: customers have not consented" in lines
