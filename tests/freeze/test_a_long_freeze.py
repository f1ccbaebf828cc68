"""A freeze that lasts, as stories: asked about again, deployed past, unlocked by hand, ended by an operator, begun anew."""

from datetime import timedelta
from pathlib import Path

from temporalio.client import WorkflowExecutionStatus

from activities.freeze.orders import ExemptionPurpose
from activities.organisation.policy import Policy
from tests.freeze.story import A, B, story
from tests.stage.running import until

SOON = '[policy.freeze]\nask_again = "PT10M"\n'  # a day of the practice world's traffic takes longer than a story may


async def test_an_old_freeze_is_asked_about_again_and_again_and_never_ends_by_itself(tmp_path: Path) -> None:
    """Whoever commands is asked, and whoever holds it."""
    assert Policy().freeze.ask_again == timedelta(hours=24)
    async with story(tmp_path, more=SOON) as freeze:

        async def inbox(person: str) -> list[str]:
            letters = (await freeze.stage.http.get(f"/practice/inbox/{person}")).json()["inbox"]
            return [str(letter["text"]) for letter in letters]

        await freeze.hold()
        await freeze.stage.env.sleep(timedelta(minutes=8))
        assert not [text for text in await inbox("dana") if "Still needed?" in text]
        for nth in (1, 2):
            await freeze.stage.env.sleep(timedelta(minutes=10))

            async def asked(times: int = nth) -> bool:
                return sum("Still needed?" in text for text in await inbox("dana")) >= times

            await until(asked, f"message {nth}")
        assert any(f"incident freeze release api --incident {A}" in text for text in await inbox("dana"))
        assert await freeze.push() == 422 and (await freeze.state()).in_force
        await freeze.release()
        await freeze.ended()
        await freeze.replayed()


async def test_a_gate_that_somebody_unlocked_by_hand_is_said_so(tmp_path: Path) -> None:
    """What people did is not fought; it is not hidden either."""
    async with story(tmp_path, more=SOON) as freeze:
        await freeze.hold()
        freeze.repository.rulesets.clear()
        assert await freeze.push(message="by hand") == 200
        await freeze.stage.env.sleep(timedelta(minutes=11))
        await freeze.hears("NOT IN FORCE: somebody has unlocked the branches by hand")
        assert not (await freeze.state()).in_force and freeze.rulesets() == []
        assert "by hand" in (await freeze.state()).drift[0]
        released = await freeze.release()
        assert "deployed without an exemption: main" in released.summary


async def test_deploys_past_the_freeze_are_reported_with_the_release(tmp_path: Path) -> None:
    """Drift check first (spec §7.2)."""
    async with story(tmp_path) as freeze:
        await freeze.hold()
        freeze.repository.lenient = True
        assert await freeze.push(message="urgent!!!") == 200
        released = await freeze.release()
        drift = released.after["drift"]
        assert "by ada" in str(drift) and "urgent!!!" in released.summary


async def test_cancelled_it_holds_all_the_same_and_terminated_it_is_found_again(tmp_path: Path) -> None:
    """Nothing a Temporal operator does loses a holder that is still there."""
    async with story(tmp_path) as freeze:
        await freeze.hold(A)
        await freeze.handle.cancel()
        await freeze.hears("refused: cancelled by an operator")
        assert (await freeze.state()).in_force
        await freeze.replayed()
        await freeze.handle.terminate("by mistake")
        assert not (await freeze.state()).holders and await freeze.push() == 422
        await freeze.hold(B)
        assert [h.id for h in (await freeze.state()).holders] == [B, A], "the ruleset still says who held it"
        await freeze.release(B)
        assert await freeze.push() == 422
        await freeze.release(A)
        assert await freeze.push() == 200
        await freeze.ended()


async def test_a_release_after_a_termination_unlocks_what_is_left(tmp_path: Path) -> None:
    """The incident's own lift ends it, though its workflow is gone."""
    async with story(tmp_path) as freeze:
        await freeze.hold(A)
        await freeze.handle.terminate("by mistake")
        await freeze.release(A)
        assert freeze.rulesets() == [] and await freeze.push() == 200
        await freeze.ended()
        assert (await freeze.release(A)).adopted
        await freeze.ended()


async def test_a_history_that_begins_anew_keeps_everything(tmp_path: Path) -> None:
    """Holders, exemptions, the numbers of questions, keys: the next run knows what the last one knew. It does not begin while a question waits."""
    async with story(tmp_path, more="[policy.freeze]\nmessages_per_run = 3\n") as freeze:
        await freeze.hold(A)
        first = (await freeze.handle.describe()).run_id
        await freeze.exempt(ExemptionPurpose.ROLLBACK)
        await freeze.refused("release", {"holder": A, "by": "lee"})
        await freeze.say("decline", code=await freeze.stage.code("dana", 1))

        async def renewed() -> bool:
            return (await freeze.handle.describe()).run_id != first

        await until(renewed, "the next run")
        old = freeze.stage.env.client.get_workflow_handle("freeze-api", run_id=first)
        assert (await old.describe()).status is WorkflowExecutionStatus.CONTINUED_AS_NEW
        state = await freeze.state()
        assert [h.id for h in state.holders] == [A] and state.in_force and len(state.exemptions) == 1
        await freeze.refused("release", {"holder": A, "by": "lee"})
        await freeze.say("approve", code=await freeze.stage.code("dana", 2))
        await freeze.ended()
        keys = [e["key"] for e in await freeze.stage.effects() if e["face"] == "github" and e["changed"]]
        assert len(keys) == len(set(keys)), "no key is used for two effects"
        assert await freeze.push() == 200
        await freeze.replayed()
