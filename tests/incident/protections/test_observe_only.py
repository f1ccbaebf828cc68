"""Automation that is set to observe only looks, tells people what it would do, and changes nothing."""

from pathlib import Path

from tests.incident.roles.outage import heard
from tests.playbooks.llm_provider_outage.outage import outage
from tests.stage.organisation import brisk


async def test_set_to_observe_only_an_incident_looks_and_changes_nothing(tmp_path: Path) -> None:
    """It is asked for, refused with the way out, and put to people, who are paged as ever."""
    async with outage(tmp_path, lasts=None, policy=brisk(top="observe_only = true")) as (stage, incident):
        said = await incident.hears(": models.back_off")
        assert said.startswith("failed: ") and "automation is set to observe only; lift it, then retry" in said
        await incident.question("models.back_off on")
        assert [e for e in await stage.effects() if e["changed"] and e["face"] in ("llm", "unleash")] == []
        assert any(line.startswith("done: models.survey") for line in await incident.timeline())
        assert heard(stage, "dana")
