"""§2.7 from the alert to the post-mortem: a prompt that spoils one language is rolled back with its triple, and proven by evals, users and people."""

from pathlib import Path

from tests.playbooks.model_drift.drift import asked, bad, declared, publish, registry, regression, serving, tasks, untouched
from workflows.incident import Phase, State


async def test_a_prompt_that_spoils_one_language_is_rolled_back_as_a_unit(tmp_path: Path) -> None:
    async with regression(tmp_path) as stage:
        await publish(stage)
        incident = await declared(stage)
        status = await incident.ends()
        lines = await incident.timeline()
        assert status.state is State.RESOLVED, "\n".join(lines)
        assert status.phases == (Phase.TRIAGE, Phase.MITIGATION, Phase.RECOVERY, Phase.POST_INCIDENT)
        named = ("releases.pause", "evidence.answers", "registry.roll_back", "releases.clear_sticky", "releases.resume")
        assert [row.verb for row in incident.book() if row.outcome == "done" and row.verb in named] == list(named)
        assert serving(stage) == "6/12/3" and registry(stage).generation == 2 and untouched(stage) and bad(stage) < 0.06
        assert tasks(status, "Invalidate the cached answers that are tagged with 6/13/3")
        assert any(line.startswith("slice: triple 6/13/3, language de: ") for line in lines)
        (told,) = [one for one in status.tasks if "Let people judge 50 answers" in one.text]
        assert told.done_at and told.said == "ravi: drill" and status.severity == 2
        assert not asked(status, "publishing"), "to hold releases back is narrow, and the curve calls for it"
        kept = incident.done("evidence.answers")[0].after
        assert int(str(kept["failing"])) > 50 and len(str(kept["sha256"])) == 64
