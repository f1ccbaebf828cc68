"""§2.7 from the alert to the post-mortem: a prompt that spoils one language is rolled back with its triple, and proven by evals, users and people."""

from pathlib import Path

from tests.playbooks.model_drift.drift import bad, declared, publish, registry, regression, serving, tasks, untouched
from workflows.incident import Phase, State


async def test_a_prompt_that_spoils_one_language_is_rolled_back_as_a_unit(tmp_path: Path) -> None:
    async with regression(tmp_path) as stage:
        await publish(stage)
        incident = await declared(stage)
        status = await incident.ends()
        lines = await incident.timeline()
        assert status.state is State.RESOLVED, "\n".join(lines)
        assert status.phases == (Phase.TRIAGE, Phase.MITIGATION, Phase.RECOVERY, Phase.POST_INCIDENT)
        assert serving(stage) == "6/12/3" and registry(stage).generation == 2 and untouched(stage) and bad(stage) < 0.06
        assert tasks(status, "invalidate the cached answers that are tagged with 6/13/3")
