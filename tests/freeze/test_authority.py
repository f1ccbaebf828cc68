"""On whose word a freeze acts, as stories: a worker, a person with the role, or the answer to a question."""

from datetime import timedelta
from pathlib import Path

from activities.freeze.freezes import Freezes
from activities.freeze.orders import ExemptionPurpose, Release
from tests.freeze.story import API, ARTEFACT, OTHER, SELF_DECLARED, A, B, story


async def test_a_patch_is_securitys_and_a_hotfix_the_commanders(tmp_path: Path) -> None:
    """Spec §4: IC, or Security for a patch. What a person may not do alone becomes a question to those who may."""
    async with story(tmp_path, SELF_DECLARED) as freeze:
        await freeze.hold()
        hotfix = {"holder": A, "artefact": ARTEFACT, "purpose": "hotfix"}
        patch = {"holder": B, "artefact": OTHER, "purpose": "security-patch"}
        assert "sam is not Incident Commander or Deputy" in await freeze.refused("exempt", {**hotfix, "by": "sam"})
        assert "question 1 goes to Incident Commander or Deputy" in await freeze.refused("exempt", {**hotfix, "by": "lee"})
        assert "nobody called 'eve'" in await freeze.refused("exempt", {**hotfix, "by": "eve"})
        assert "may pass" in await freeze.say("exempt", **patch, by="sam")
        assert "may pass" in await freeze.say("exempt", **hotfix, by="dana")
        by = {e.purpose: (e.by, e.verified) for e in (await freeze.state()).exemptions}
        assert by == {ExemptionPurpose.SECURITY_PATCH: (("sam",), False), ExemptionPurpose.HOTFIX: (("dana",), False)}


async def test_where_policy_wants_it_verified_a_code_is_sent_and_needed(tmp_path: Path) -> None:
    """The commander orders; the code comes to their phone; the very same order with it is carried out. Another one is not."""
    async with story(tmp_path) as freeze:
        await freeze.hold()
        order = {"holder": A, "artefact": ARTEFACT, "purpose": "hotfix", "by": "dana"}
        said = await freeze.refused("exempt", order)
        assert "must be verified" in said and "incident approve freeze-api 1 --code CODE" in said
        code = await freeze.stage.code("dana", 1)
        assert "for question 1, not for 2" in await freeze.refused("exempt", {**order, "artefact": OTHER, "code": code})
        assert "not a code" in await freeze.refused("exempt", {**order, "code": "yes"})
        assert "used already, for exempt" in await freeze.refused("exempt", {**order, "code": code})
        code = await freeze.stage.code("dana", 1, used=code)
        told = await freeze.say("exempt", **{**order, "code": code})
        assert "may pass, by a push to hotfix/0a1b2c3d4e5f" in told
        (exemption,) = (await freeze.state()).exemptions
        assert (exemption.by, exemption.verified) == (("dana",), True)
        await freeze.replayed()


async def test_a_question_of_a_freeze_is_answered_like_any_other(tmp_path: Path) -> None:
    """Ops proposes the release, the commander approves it from the Temporal UI with nothing but the code."""
    async with story(tmp_path) as freeze:
        await freeze.hold()
        await freeze.refused("release", {"holder": A, "by": "lee", "reason": "all is well"})
        assert (await freeze.state()).questions == (f"[1] Release the freeze of api that {A} holds; deploys go on when nobody holds it?",)
        await freeze.handle.signal("approve", await freeze.stage.code("kim", 1))
        await freeze.ended()
        assert await freeze.push() == 200
        await freeze.replayed()


async def test_a_declined_or_forgotten_question_changes_nothing(tmp_path: Path) -> None:
    async with story(tmp_path) as freeze:
        await freeze.hold()
        await freeze.refused("release", {"holder": A, "by": "lee"})
        assert await freeze.say("decline", code=await freeze.stage.code("dana", 1)) == "declined by dana"
        await freeze.refused("release", {"holder": A, "by": "lee"})
        code = await freeze.stage.code("dana", 2)
        await freeze.stage.env.sleep(timedelta(minutes=16))
        await freeze.hears("silence: [2] nobody answered")
        assert "closed" in await freeze.refused("approve", code)
        assert await freeze.push() == 422


async def test_a_message_that_was_carried_out_is_not_carried_out_again(tmp_path: Path) -> None:
    """What stands in a history anybody may copy: an old release does not end a new freeze, and a changed one has no seal."""
    async with story(tmp_path) as freeze:
        await freeze.hold(B)
        await freeze.hold(A)
        order = Release(service=API, holder=A, reason="stable")
        call = await freeze.call(Freezes.release, order, A)
        await freeze.freezes.release(order, call)
        words = freeze.freezes.signed("release", order, call)
        await freeze.hold(A)
        assert "was done before" in await freeze.say("release", **words)
        assert (await freeze.state()).holder(A)
        assert "not one of our workers'" in await freeze.refused("release", {**words, "holder": B, "key": "another"})
        late = freeze.freezes.signed("release", order, await freeze.call(Freezes.release, order, A))
        await freeze.stage.env.sleep(timedelta(minutes=20))
        assert "expired at" in await freeze.refused("release", late)
        ungranted = freeze.freezes.signed("release", order, call.model_copy(update={"grant": None, "key": "n"}))
        assert "granted by nobody" in await freeze.refused("release", ungranted)
        assert [h.id for h in (await freeze.state()).holders] == [B, A]
