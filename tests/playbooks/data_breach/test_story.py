"""§2.4: somebody reads data who must not; evidence, isolation, revocation, eviction, a clean return, and 72 hours of quiet."""

from pathlib import Path

from tests.playbooks.data_breach.breached import breached, ends, inside
from tests.stage.outages import story
from workflows.incident import Phase, Severity, State


async def test_evidence_then_isolation_then_revocation_then_eviction_then_a_clean_return(tmp_path: Path) -> None:
    """In this order, each once; the intruder is out for good; nothing was deleted."""
    async with breached(tmp_path) as (stage, incident):
        assert len(inside(stage)) == 4
        status = await ends(stage, incident)
        assert status.state is State.RESOLVED and status.severity is Severity.SEV1, story(await incident.timeline())
        assert status.phases == (Phase.TRIAGE, Phase.MITIGATION, Phase.RECOVERY, Phase.POST_INCIDENT)
        print(story(await incident.timeline()))
