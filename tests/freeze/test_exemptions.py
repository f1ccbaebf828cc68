"""What may pass a freeze, as stories: one artefact, one purpose, once, for half an hour."""

from datetime import timedelta
from pathlib import Path

import pytest

from activities.action import Refused
from activities.freeze.freezes import Freezes
from activities.freeze.orders import ExemptDeploy, ExemptionPurpose
from activities.organisation.policy import Policy
from tests.freeze.story import API, ARTEFACT, A, story
from tests.stage.running import until


async def test_a_rollback_has_a_token_that_is_used_up_at_once(tmp_path: Path) -> None:
    """INV-4. It does not pass through GitHub: nothing is opened there, and nothing is left to pass."""
    async with story(tmp_path) as freeze:
        with pytest.raises(Refused, match="not frozen"):
            await freeze.exempt(ExemptionPurpose.ROLLBACK)
        await freeze.hold()
        order = ExemptDeploy(service=API, holder=A, artefact=ARTEFACT, purpose=ExemptionPurpose.ROLLBACK)
        call = await freeze.call(Freezes.exempt, order, A)
        given = await freeze.freezes.exempt(order, call)
        assert "one rollback of sha256:0a1b2c3d4e5f for" in given.summary and "may pass now" in given.summary
        assert await freeze.freezes.exempt(order, call) == given, "a lost reply is not a second exemption"
        assert [(e.token, e.ended) for e in (await freeze.state()).exemptions] == [(given.after["token"], "used")]
        assert (await freeze.exempt(ExemptionPurpose.ROLLBACK)).after["token"] != given.after["token"]
        assert len(await freeze.stage.wrote("github.rulesets.update")) == 0
        await freeze.replayed()


async def test_an_exemption_that_nobody_uses_is_over_after_half_an_hour(tmp_path: Path) -> None:
    """Told in five minutes."""
    assert Policy().freeze.exemption == timedelta(minutes=30)
    async with story(tmp_path, more='[policy.freeze]\nexemption = "PT5M"\n') as freeze:
        await freeze.hold()
        given = await freeze.exempt(ExemptionPurpose.HOTFIX)
        again = await freeze.exempt(ExemptionPurpose.HOTFIX)
        assert again.adopted and again.after["token"] == given.after["token"], "asked twice, given once"
        assert [r.exclude for r in freeze.repository.rulesets.values()] == [["refs/heads/hotfix/0a1b2c3d4e5f"]]
        await freeze.stage.env.sleep(timedelta(minutes=4))
        assert not [e for e in (await freeze.state()).exemptions if e.ended]
        await freeze.stage.env.sleep(timedelta(minutes=2))
        await freeze.hears("expired: one hotfix")
        await freeze.closed()
        assert await freeze.push("hotfix/0a1b2c3d4e5f") == 422
        await freeze.replayed()


async def test_a_hotfix_passes_once_and_the_branch_is_closed_behind_it(tmp_path: Path) -> None:
    """INV-18: tied to the artefact's digest; nobody need tell us that it was used."""
    async with story(tmp_path) as freeze:
        await freeze.hold()
        given = await freeze.exempt(ExemptionPurpose.HOTFIX)
        assert "by a push to hotfix/0a1b2c3d4e5f" in given.summary
        assert await freeze.push("hotfix/123") == 422 and await freeze.push() == 422
        assert await freeze.push("hotfix/0a1b2c3d4e5f", "the fix") == 201
        newest = freeze.stage.world.state.fleet.services["api"].newest()
        assert newest.digest.startswith("sha256:0a1b2c3d4e5f")
        await freeze.hears("used: one hotfix")
        await freeze.closed()
        assert await freeze.push("hotfix/0a1b2c3d4e5f", "and one more") == 422
        released = await freeze.release()
        assert released.after["drift"] == []
        await freeze.ended()


async def test_a_branch_that_cannot_be_closed_is_a_hole_that_everybody_sees(tmp_path: Path) -> None:
    """It is tried again until it is closed."""
    async with story(tmp_path, tries=2) as freeze:
        await freeze.hold()
        await freeze.exempt(ExemptionPurpose.HOTFIX)
        await freeze.stage.inject("github.rulesets.update", "fail", status=503)
        assert await freeze.push("hotfix/0a1b2c3d4e5f", "the fix") == 201
        await freeze.hears("not closed: hotfix/0a1b2c3d4e5f may still be let through")
        assert not (await freeze.state()).in_force
        await freeze.stage.stop_injecting()
        await freeze.stage.env.sleep(timedelta(minutes=6))
        await freeze.closed()

        async def proven() -> bool:
            return (await freeze.state()).in_force

        await until(proven, "it to be proven again")
        await freeze.replayed()
