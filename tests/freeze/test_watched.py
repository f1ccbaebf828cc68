"""A freeze is watched while it is held, as stories: what goes around it is paged within a minute, once, and recorded."""

from datetime import timedelta
from pathlib import Path

from activities.freeze.orders import ExemptionPurpose
from activities.organisation.policy import Policy
from tests.freeze.story import ARTEFACT, A, B, Story, story
from tests.stage.outages import makes
from tests.stage.running import until

MINUTELY = '[policy.freeze]\nwatched_for = "PT1M"\n'  # on a server that skips time one look stands for so long
MINUTE = timedelta(minutes=1)


async def pages(freeze: Story) -> list[str]:
    """What woke people about the freeze."""
    letters = [(await freeze.stage.http.get(f"/practice/inbox/{person}")).json()["inbox"] for person in ("dana", "lee")]
    return [str(letter["text"]) for inbox in letters for letter in inbox if "is frozen for" in str(letter["text"])]


def test_it_is_looked_three_times_a_minute() -> None:
    assert 2 * Policy().freeze.watch_every < MINUTE < Policy().freeze.watched_for


async def test_a_deploy_around_the_freeze_is_noticed_within_a_minute_paged_once_and_recorded(tmp_path: Path) -> None:
    """Straight to the platform, past every branch: which revision, by whom, under no exemption; two holders are one watch."""
    async with story(tmp_path, more=MINUTELY) as freeze:
        await freeze.hold(A)
        await freeze.hold(B)
        await freeze.stage.env.sleep(2 * MINUTE)
        assert not [line for line in await freeze.lines() if line.startswith(("deployed", "paged", "blind", "not watched"))]
        await makes(freeze.stage, "deploys", service="api", actor="mallory", what="straight to production")
        await freeze.stage.env.sleep(MINUTE)
        line = await freeze.hears("deployed: revision api-00042", skip=timedelta(seconds=5))
        assert "by mallory" in line and "under no exemption" in line
        await freeze.hears("paged: dana, lee")
        await freeze.stage.env.sleep(5 * MINUTE)
        assert sorted("revision api-00042" in text for text in await pages(freeze)) == [True, True], "dana and lee, once each"
        assert any("revision api-00042" in drift for drift in (await freeze.state()).drift)
        await freeze.release(A)
        released = await freeze.release(B)
        assert "deployed without an exemption" in released.summary and "by mallory" in released.summary
        await freeze.ended()
        await freeze.replayed()


async def test_what_an_exemption_covers_is_recorded_and_wakes_nobody(tmp_path: Path) -> None:
    """The watch knows what may pass, also when that was said after it began."""
    async with story(tmp_path, more=MINUTELY) as freeze:
        await freeze.hold()
        await freeze.exempt(ExemptionPurpose.HOTFIX)
        assert await freeze.push("hotfix/0a1b2c3d4e5f", "the fix") == 201
        line = await freeze.hears("deployed: revision api-00042")
        assert line.endswith("under an exemption") and ARTEFACT[:19] in line
        await freeze.stage.env.sleep(2 * MINUTE)
        assert await pages(freeze) == [] and (await freeze.state()).drift == ()
        await freeze.release()
        await freeze.ended()
        await freeze.replayed()


async def test_an_unlocked_branch_is_noticed_without_waiting_for_a_deploy(tmp_path: Path) -> None:
    """Whoever unlocks by hand is not fought; it is said at once, and once."""
    async with story(tmp_path, more=MINUTELY) as freeze:
        await freeze.hold()
        freeze.repository.rulesets.clear()
        await freeze.hears("lock: somebody has unlocked the branches by hand", skip=MINUTE)
        assert not (await freeze.state()).in_force
        await freeze.stage.env.sleep(3 * MINUTE)
        assert len(await pages(freeze)) == 2, "dana and lee, once each"


async def test_what_cannot_be_seen_is_said_and_a_watch_that_sees_nothing_at_all_pages(tmp_path: Path) -> None:
    """Not seeing a deploy is not the same as seeing none."""
    async with story(tmp_path, more=MINUTELY, tries=2) as freeze:
        await freeze.hold()
        await freeze.stage.inject("run.*", "fail", status=403)
        await freeze.hears("not watched: the revisions of api:", skip=MINUTE)
        await freeze.stage.stop_injecting()
        await freeze.stage.inject("github.*", "fail", status=503)
        await freeze.hears("blind: nobody can see whether anything is deployed all the same", skip=MINUTE)

        async def paged() -> bool:
            letters = (await freeze.stage.http.get("/practice/inbox/lee")).json()["inbox"]
            return any("the freeze of api is not watched" in str(letter["text"]) for letter in letters)

        await until(paged, "a page about the watch")
