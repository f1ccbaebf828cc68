"""§2.1: what a rollback target is held against is read where it is kept, said where it cannot be read, and read again before the step."""

from datetime import timedelta
from pathlib import Path

from tests.stage.drill import Drill
from tests.stage.outages import MINUTE, changed, outage, pinned, split_of


async def revision_of(stage: Drill, number: int) -> dict[str, object]:
    found: dict[str, object] = (await stage.look())["fleet"]["services"]["api"]["revisions"][f"api-{number:05d}"]
    return found


def forbids(stage: Drill, **lists: list[str]) -> None:
    """The organisation's lists of what must not run again."""
    file = stage.settings.organisation
    before = file.read_text().partition("[blocked]")[0]
    file.write_text(before + "[blocked]\n" + "".join(f"{name} = {found}\n" for name, found in lists.items()))


async def test_what_is_on_no_list_and_what_the_feed_cannot_see_stands_in_the_question(tmp_path: Path) -> None:
    """Unknown is not nothing: whoever approves reads what the target was not held against."""
    async with outage(tmp_path, error_rate=0.4) as (stage, incident):
        await stage.http.post("/practice/changes/gaps", json={"gaps": ["migration"]})
        question = await incident.question("Roll api back to api-00041")
        (said,) = [fact for fact in question.facts if fact.startswith("eligible as far as known; not read: ")]
        assert "blocked images ([blocked] images)" in said and "disabled secrets ([blocked] secrets)" in said
        assert "whether an irreversible migration ran since" in said and "whether we may change it" not in said


async def test_with_every_list_kept_nothing_is_said_to_be_unread(tmp_path: Path) -> None:
    """An empty list is knowledge."""
    async with outage(tmp_path, error_rate=0.4) as (stage, incident):
        forbids(stage, images=[], dependencies=[], secrets=[])
        question = await incident.question("Roll api back to api-00041")
        assert not any("not read" in fact for fact in question.facts), question.facts


async def test_a_blocked_image_is_passed_over_by_name(tmp_path: Path) -> None:
    """The organisation's list decides, not the age."""
    async with outage(tmp_path, error_rate=0.4) as (stage, incident):
        forbids(stage, images=[str((await revision_of(stage, 41))["digest"])], dependencies=[], secrets=[])
        question = await incident.question("Roll api back to api-00040")
        assert "not api-00041: its digest is on the blocklist" in question.facts


async def test_an_irreversible_migration_bars_every_older_revision_however_long_ago_it_was(tmp_path: Path) -> None:
    """The feed is read back to the oldest revision, not only for the day in which causes are looked for."""
    async with outage(tmp_path, error_rate=0.4) as (stage, incident):
        fleet = stage.world.state.fleet
        migration = next(one for one in fleet.changes if one.kind == "migration")
        migration.reversible, migration.at = False, fleet.services["api"].revisions["api-00041"].created - 12 * 3600
        forbids(stage, images=[str((await revision_of(stage, 41))["digest"])], dependencies=[], secrets=[])
        line = await incident.hears("no revision may be rolled back to", skip=MINUTE, patience=5)
        assert "api-00040: an irreversible migration ran since it was built" in line


async def test_a_secret_that_is_disabled_while_the_question_waits_stops_what_was_approved(tmp_path: Path) -> None:
    """Approved for what it was; held against the lists again before the step, and asked anew for the next target."""
    async with outage(tmp_path, error_rate=0.4) as (stage, incident):
        forbids(stage, images=[], dependencies=[], secrets=[])
        await incident.question("Roll api back to api-00041")
        forbids(stage, images=[str((await revision_of(stage, 41))["digest"])], dependencies=[], secrets=[])
        await incident.answer("Roll api back to api-00041")
        await incident.hears("approved, and not done: api-00041 is no target any more: its digest is on the blocklist")
        assert await changed(stage, "run.") == []
        await incident.answer("Roll api back to api-00040")
        await incident.hears("the rollback helps", skip=MINUTE)
        assert await split_of(stage) == pinned("api-00040")


async def test_a_permission_that_is_taken_away_while_the_question_waits_is_noticed_before_anything_is_written(tmp_path: Path) -> None:
    """Asked of the platform again; a task for whoever may, and the suspect is kept."""
    async with outage(tmp_path, error_rate=0.4) as (stage, incident):
        await incident.question("Roll api back to api-00041")
        await stage.inject("run.services.patch", "fail", status=403)
        await incident.answer("Roll api back to api-00041")
        await incident.hears("no target any more: we may not change eu-west, us-east any more")
        line = await incident.hears("still suspected: change", skip=timedelta(seconds=30))
        assert "remedy not possible: we may not change it in eu-west and us-east" in line
        fix = "Let us change api in eu-west and us-east, or roll it back by hand"
        assert fix in [task.text for task in (await incident.status()).tasks]
        assert await changed(stage, "run.") == [] and incident.done("freezes.exempt") == []
