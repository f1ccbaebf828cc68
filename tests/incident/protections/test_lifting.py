"""Nothing is lifted in haste: there is a rest before and between, and a look after each lift that must show something."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

from tests.incident.test_comms import pages, published
from tests.playbooks.llm_provider_outage.outage import MINUTE, outage, retrieval_only
from tests.stage.drill import Drill
from tests.stage.organisation import brisk
from tests.stage.running import RunningIncident, until
from workflows.incident import Phase

FIRST = "done: retriever.stop_serving_cached"  # what was imposed last is lifted first
RARELY = 'impact_looked_at = "PT12H"'  # only the look after a lift sees what comes of it


@asynccontextmanager
async def to_be_restored(tmp: Path, policy: str) -> AsyncIterator[tuple[Drill, RunningIncident]]:
    """Everybody is back on the primary, and it is asked whether the rest may be put back."""
    async with outage(tmp, lasts=200, policy=policy) as (stage, incident):
        await incident.is_in(Phase.RECOVERY)
        await incident.answer("Canary back")
        await incident.question("Restore tools", skip=MINUTE)
        yield stage, incident


async def at(incident: RunningIncident, line: str) -> list[datetime]:
    """When lines were written that begin so."""
    return [datetime.fromisoformat(e["at"]) for e in await incident.entries() if f"{e['kind']}: {e['text']}".startswith(line)]


async def test_blind_after_a_lift_nothing_more_is_lifted_and_people_are_paged(tmp_path: Path) -> None:
    """No data is not health: the first lift is the last one until there is data again."""
    async with to_be_restored(tmp_path, brisk(top=RARELY)) as (stage, incident):
        (await stage.http.post("/practice/blind", json={"on": True})).raise_for_status()
        await incident.answer("Restore tools")
        await incident.hears(FIRST)
        left = await retrieval_only(stage)
        await incident.pass_time(timedelta(minutes=20))
        assert left and await retrieval_only(stage) == left and not any((await stage.look())["flags"].values())
        assert any("metrics are missing" in page for page in pages(stage, "dana"))
        (await stage.http.post("/practice/blind", json={"on": False})).raise_for_status()
        await incident.hears("done: flags.restore", skip=MINUTE)
        assert any((await stage.look())["flags"].values())


async def test_impact_after_a_lift_stops_the_rest(tmp_path: Path) -> None:
    """The next look shows it, by nobody's alarm: the flags stay as they are, and the playbook goes back to mitigation."""
    async with to_be_restored(tmp_path, brisk(top=RARELY)) as (stage, incident):
        await incident.say("reclassify", {"severity": "SEV-1", "by": "lee", "reason": "so that nothing raises it, which has it looked at"})
        await incident.answer("Restore tools")
        await incident.hears(FIRST, skip=timedelta(seconds=1))
        await stage.break_provider(provider="aurora", kind="overload", rate=0.9)
        said = await incident.hears("relapse:", skip=MINUTE, patience=5)
        assert "brought the impact back" in said and "the rest stays in force" in said, said
        assert not any((await stage.look())["flags"].values())


async def test_impact_after_a_lift_by_hand_takes_the_public_page_back_to_identified(tmp_path: Path) -> None:
    """Handed over in recovery, so that no round is gone any more: the page said Monitoring, and must not go on saying so."""
    async with outage(tmp_path, lasts=200, policy=brisk(top=RARELY)) as (stage, incident):
        await incident.is_in(Phase.RECOVERY)
        await incident.answer("Canary back", "decline")
        await incident.answer("Stay on borealis", "decline")
        await incident.hears("published: status page: Monitoring")
        await incident.answer("All in hand")
        await incident.hears(FIRST, skip=timedelta(seconds=1))
        await stage.break_provider(provider="borealis", kind="overload", rate=0.9)
        await incident.hears("brought the impact back", skip=MINUTE, patience=5)

        async def honest() -> bool:
            return [update["status"] for update in published(stage.world)][-2:] == ["monitoring", "identified"]

        await until(honest, "the page to go back", patience=2)


async def test_there_is_a_rest_before_the_first_lift_and_between_two(tmp_path: Path) -> None:
    """As long as policy says: the primary carries everybody for a while before it is given more."""
    policy = brisk(outage='rest_before_restoring = "PT10M"\nresting = "PT7M"', top=RARELY)
    async with to_be_restored(tmp_path, policy) as (_, incident):
        question = await incident.question("Restore tools")
        (back,) = await at(incident, "lifted: failed over")
        assert question.asked_at - back >= timedelta(minutes=10)
        await incident.answer("Restore tools")
        await incident.hears("done: flags.restore", skip=2 * MINUTE)
        first, second = max(await at(incident, FIRST)), min(await at(incident, "done: flags.restore"))
        assert second - first >= timedelta(minutes=7)
