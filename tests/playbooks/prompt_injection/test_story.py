"""§2.3, told as stories: from a letter that gives orders to sessions that go on. The other stories are in `prompt_injection/`."""

from pathlib import Path

from tests.playbooks.prompt_injection.attacked import attacked, effects, ends, first_tenant, runtime, traces
from tests.stage.outages import story
from workflows.incident import Phase, Severity, State


async def test_a_letter_that_gives_orders_is_contained_undone_repaired_and_let_go_on(tmp_path: Path) -> None:
    """Export, quarantine, revoke, hunt, patch: in this order; what was done is undone; the source stays out in Security's name."""
    async with attacked(tmp_path, "reversible") as (stage, incident):
        status = await ends(incident, until=Phase.RECOVERY)
        assert status.severity is Severity.SEV2 and status.restricted
        before = await effects(stage)
        status = await ends(incident)
        assert status.state is State.RESOLVED, story(await incident.timeline())
        assert status.phases == (Phase.TRIAGE, Phase.MITIGATION, Phase.RECOVERY, Phase.POST_INCIDENT)
        assert await effects(stage) == before, "nothing more was brought about"
        done = [row.verb for row in incident.book() if row.outcome in ("done", "adopted")]
        order = (
            "evidence.export_session",
            "agents.quarantine",
            "agents.revoke_tokens",
            "search.keep_out",
            "agents.undo_call",
            "agents.replay",
            "agents.release",
        )
        assert [done.index(verb) for verb in order] == sorted(done.index(verb) for verb in order), done
        assert {call.state for trace in traces(stage).traces.values() for call in trace.calls} == {"undone"}
        assert [(one.name, one.held_by) for one in status.in_force] == [("kept out of retrieval", "sam")]
        assert not any(one.quarantined for one in runtime(stage).sessions.values())
        assert runtime(stage).profiles[first_tenant(stage)].strict is False
