"""§2.4: somebody reads data who must not; evidence, isolation, revocation, eviction, a clean return, and 72 hours of quiet."""

from itertools import pairwise
from pathlib import Path

from practice.credentials.cast import credentials
from tests.playbooks.data_breach.breached import breached, contained, done_before, ends, inside, of, rows
from tests.stage.outages import story
from workflows.incident import Phase, Severity, State

ORDER = (
    "evidence.breach", "disks.snapshot", "network.isolate", "credentials.revoke", "footholds.evict", "network.rejoin", "access.give_back",
)  # fmt: skip


async def test_evidence_then_isolation_then_revocation_then_eviction_then_a_clean_return(tmp_path: Path) -> None:
    """In this order; the intruder is out for good; nothing was deleted, and whoever keeps what stays has a name."""
    async with breached(tmp_path) as (stage, incident):
        assert len(inside(stage)) == 4
        status = await ends(stage, incident)
        lines = story(await incident.timeline())
        assert status.state is State.RESOLVED and status.severity is Severity.SEV1, lines
        assert status.phases == (Phase.TRIAGE, Phase.MITIGATION, Phase.RECOVERY, Phase.POST_INCIDENT)
        assert all(done_before(incident, first, then) for first, then in pairwise(ORDER)), [
            (row.verb, row.last_at) for row in incident.book()
        ]
        there, before = of(stage), rows(stage)
        assert inside(stage) == [] and credentials(stage.world.state, 0).keys["exp-1"].revoked is not None
        assert len(there.footholds) == 3 and not any(one.state.enabled for one in there.footholds.values()), "switched off, and kept"
        assert {one.disk for one in contained(stage).snapshots.values()} == {"api-1", "api-2"}
        stage.forward(600)
        assert rows(stage) == before, "nothing is read any more"
        assert {one.name for one in status.in_force} == {"foothold evicted", "denied", "audit enhanced"}
        assert all(one.held_by for one in status.in_force) and status.restricted
        assert [one.section for one in status.called_in] == ["2.10"] and "conversations (CONTENT/PII, we are processor)" in lines
        assert stage.fleet.ledger.verify(incident.id).intact


async def test_who_has_what_to_do_after_it_is_written_down(tmp_path: Path) -> None:
    """Register, assessment, report, processors, evidence: each with its owner. Authorities are Legal's; nothing is sent by us."""
    async with breached(tmp_path, footholds=[]) as (stage, incident):
        status = await ends(stage, incident)
        begins = ("Look until", "Enter it into", "Update the data", "Write the privileged", "Review the processors", "Decide for how long")
        assert [one.text.startswith(said) for one, said in zip(status.follow_ups[-6:], begins, strict=True)] == [True] * 6
        assert any(task.text.startswith("Decide which notices") and task.owner == "legal" for task in status.tasks)
        assert not incident.done("mail.send"), "Legal and the commander did not agree to the letter"
