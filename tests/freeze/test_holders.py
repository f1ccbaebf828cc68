"""Who holds a freeze, as stories: a set of holders, and branches that were proven to be locked."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.client import WorkflowExecutionStatus
from temporalio.exceptions import ApplicationError

from activities.action import Refused
from activities.freeze.freezes import Freezes
from activities.freeze.orders import FreezeState, Hold, Release
from tests.freeze.story import API, SELF_DECLARED, A, B, story
from tests.stage.running import until


async def test_a_freeze_holds_when_a_deploy_was_turned_away(tmp_path: Path) -> None:
    """Hold, push, release, push: the world says what is frozen, and not the reply."""
    async with story(tmp_path) as freeze:
        assert not (await freeze.state()).holders
        held = await freeze.hold()
        assert "GitHub refused the push" in held.proven_by and "rules in force" in held.proven_by
        assert (held.adopted, held.after) == (False, {"holders": [A], "drift": []})
        state = await freeze.state()
        assert state.in_force and [(h.id, h.by) for h in state.holders] == [(A, "dana")]
        assert await freeze.push() == 422
        released = await freeze.release()
        assert "nobody holds the freeze any more" in released.summary and "come from no ruleset of ours" in released.proven_by
        assert await freeze.push() == 200 and freeze.deployed() == ["a change (main)"]
        await freeze.ended()
        assert not (await freeze.state()).holders
        await freeze.replayed()


async def test_the_release_of_one_holder_keeps_it_for_the_other(tmp_path: Path) -> None:
    """F21, I3: two incidents, one service."""
    async with story(tmp_path) as freeze:
        await freeze.hold(A)
        await freeze.hold(B)
        assert freeze.rulesets() == [f"change-freeze api: {A}, {B}"]
        kept = await freeze.release(A)
        assert f"it goes on for {B}" in kept.summary and kept.after["holders"] == [B]
        assert await freeze.push() == 422
        assert (await freeze.release(A)).adopted, "it holds nothing any more"
        with pytest.raises(Refused, match="cannot release a freeze in the name of"):
            await freeze.release(A, holder=B)
        await freeze.release(B)
        assert await freeze.push() == 200
        await freeze.ended()
        await freeze.replayed()


async def test_a_playbooks_release_does_not_end_the_error_budgets_freeze(tmp_path: Path) -> None:
    """Its exit is another one: budget above zero, or a named waiver."""
    async with story(tmp_path, SELF_DECLARED) as freeze:
        await freeze.hold(A)
        await freeze.hold(A, holder="budget")
        await freeze.release(A)
        with pytest.raises(Refused, match="cannot release a freeze in the name of budget"):
            await freeze.release(A, holder="budget")
        assert [h.id for h in (await freeze.state()).holders] == ["budget"]
        assert "nobody holds" in await freeze.say("release", holder="budget", by="dana", reason="waived by the product review")
        await freeze.ended()


async def test_the_budgets_own_release_releases_nothing_else(tmp_path: Path) -> None:
    """Two verbs, two exits: the budget's does not let go of an incident, and an incident's not of the budget."""
    async with story(tmp_path) as freeze:
        await freeze.hold(A)
        await freeze.hold(A, holder="budget")
        theirs, ours = (Release(service=API, holder=holder, reason="positive again") for holder in (A, "budget"))
        with pytest.raises(Refused, match="only of budget"):
            await freeze.freezes.release_budget(theirs, await freeze.call(Freezes.release_budget, theirs, A))
        kept = await freeze.freezes.release_budget(ours, await freeze.call(Freezes.release_budget, ours, B))
        assert f"it goes on for {A}" in kept.summary and kept.after["holders"] == [A]
        await freeze.release(A)
        await freeze.ended()


async def test_holding_twice_is_holding_once(tmp_path: Path) -> None:
    """A lost reply, a late try, a second wish: one holder, one ruleset."""
    async with story(tmp_path) as freeze:
        order = Hold(service=API, holder=A, reason="errors")
        call = await freeze.call(Freezes.hold, order, A)
        first = await freeze.freezes.hold(order, call)
        assert await freeze.freezes.hold(order, call) == first, "the same message is answered with the same words"
        again = await freeze.hold(A)
        assert again.adopted and [h.id for h in (await freeze.state()).holders] == [A]
        assert len(await freeze.stage.wrote("github.rulesets.create")) == 1
        assert len(await freeze.stage.wrote("github.rulesets.update")) == 0


async def test_a_probe_that_goes_through_fails_the_hold_and_says_so(tmp_path: Path) -> None:
    """A gate that looks locked and is not: the caller hears it, and still has it to release."""
    async with story(tmp_path) as freeze:
        freeze.repository.lenient = True
        with pytest.raises(ApplicationError, match="NOT FROZEN: the probe deploy was accepted") as failed:
            await freeze.hold()
        assert failed.value.type == "NotProven" and failed.value.non_retryable
        state = await freeze.state()
        assert state.holders and not state.in_force and "NOT FROZEN" in state.trouble
        assert len(freeze.deployed()) == 1, "one probe, however patient the caller is"
        freeze.repository.lenient = False
        assert not (await freeze.hold()).adopted, "now it is proven"
        assert (await freeze.state()).in_force
        released = await freeze.release()
        assert "change freeze probe" in str(released.after["drift"]), "the probe that went through was a deploy without an exemption"
        await freeze.replayed()


async def test_while_github_is_down_the_hold_is_patient_and_then_says_why(tmp_path: Path) -> None:
    """A person's *retry* comes under the same key; it is a new message all the same."""
    async with story(tmp_path, tries=2) as freeze:
        await freeze.stage.inject("github.*", "fail", status=503)
        order = Hold(service=API, holder=A, reason="errors")
        call = await freeze.call(Freezes.hold, order, A)
        with pytest.raises(ApplicationError, match=r"not proven to be frozen.*503") as failed:
            await freeze.freezes.hold(order, call)
        assert failed.value.type == "NotProven"
        assert not (await freeze.state()).in_force
        await freeze.stage.stop_injecting()
        later = call.model_copy(update={"at": call.at + timedelta(seconds=30), "again": True})
        assert "GitHub refused the push" in (await freeze.freezes.hold(order, later)).proven_by
        assert (await freeze.state()).in_force
        await freeze.replayed()


async def test_a_release_that_cannot_be_done_leaves_it_held(tmp_path: Path) -> None:
    """Nobody is told that deploys go on while they do not."""
    async with story(tmp_path, tries=2) as freeze:
        await freeze.hold()
        await freeze.stage.inject("github.rulesets.delete", "fail", status=503)
        with pytest.raises(ApplicationError, match="503") as failed:
            await freeze.release()
        assert failed.value.type == "NotProven" and (await freeze.state()).holder(A)
        await freeze.stage.stop_injecting()
        await freeze.release()
        await freeze.ended()


async def test_a_service_nobody_knows_is_refused_and_leaves_no_workflow_behind(tmp_path: Path) -> None:
    """A typo must not start something that lives for ever."""
    async with story(tmp_path) as freeze:
        order = Hold(service=API.model_copy(update={"name": "apo"}), holder=A, reason="errors")
        with pytest.raises(Refused, match="no service 'apo'"):
            await freeze.freezes.hold(order, await freeze.call(Freezes.hold, order, A))
        handle = freeze.stage.env.client.get_workflow_handle("freeze-apo")

        async def over() -> bool:
            return (await handle.describe()).status is WorkflowExecutionStatus.COMPLETED

        await until(over, "the empty freeze to end")


def test_the_order_says_itself_by_hand() -> None:
    """With real values, for the night in which nothing of ours is alive."""
    hold = Hold(service=API, holder=A, reason="errors")
    (line,) = hold.by_hand()
    assert "repos/acme/api/rulesets" in line and json.dumps(f"change-freeze api: {A}") in line
    assert hold.undo().by_hand()[1].startswith("# "), "what releases it for everybody is a comment"
    assert f"incident freeze release api --incident {A}" in hold.undo().by_hand()[0]
    assert hold.digest("freezes.hold") == hold.given(FreezeState(service="api", since=datetime.now(UTC))).digest("freezes.hold")
