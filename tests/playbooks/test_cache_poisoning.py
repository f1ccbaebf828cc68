"""§2.11, told as stories: the happy path, and the ways to be wrong told apart. The other stories are in `cache_poisoning/`."""

from pathlib import Path

from tests.playbooks.cache_poisoning.poisoned import ends, entries, of, poisoned, wrong
from tests.stage.outages import story
from tests.stores.caches import server
from workflows.incident import Phase, State


async def test_a_poisoned_source_is_kept_out_fetched_anew_and_the_cache_comes_back(tmp_path: Path) -> None:
    async with poisoned(tmp_path, "poisoned") as (stage, incident):
        status = await ends(incident)
        assert status.state is State.RESOLVED, story(await incident.timeline())
        print(story(await incident.timeline()))
        assert status.phases == (Phase.TRIAGE, Phase.MITIGATION, Phase.RECOVERY, Phase.POST_INCIDENT)
        domain = of(stage)
        assert domain.cag.share == 1.0 and domain.namespace.version == 2 and domain.alias.index == "billing-2"
        assert await wrong(stage) == 0
        assert not any("900 days" in one for one in entries(server()))
