"""§2.4: somebody claims to have our data. Three records are compared by their hash; nobody answers, and nothing is copied."""

from pathlib import Path
from typing import Any

from tests.playbooks.data_breach.breached import breached, contained, ends, hears, quick
from tests.stage.outages import story
from workflows.incident import Severity, State

CLAIM = {"claim": "forum-77", "signal": "claim"}


def claimed(*, true: bool, **more: object) -> tuple[tuple[str, dict[str, Any]], ...]:
    return (("claims", {"id": "forum-77", "true": true, **more}),)


async def test_a_true_claim_is_corroborated_by_hash_and_is_sev_1(tmp_path: Path) -> None:
    """Although nothing goes on: what was taken was taken before."""
    async with breached(tmp_path, intruder=False, labels=CLAIM, before=claimed(true=True)) as (_, incident):
        line = await hears(incident, "finding: signal: claim")
        assert "3 of 3 records that the claim forum-77 shows are ours: conversations" in line
        status = await incident.status()
        assert status.severity is Severity.SEV1
        assert all("record-" not in one for one in await incident.timeline()), "ids and hashes only"


async def test_a_false_claim_is_closed_as_unfounded_by_security_and_legal_and_its_evidence_is_held(tmp_path: Path) -> None:
    """With its reasons. Nothing is cut off or revoked; the clocks are Legal's to end."""
    async with breached(tmp_path, intruder=False, labels=CLAIM, before=claimed(true=False)) as (stage, incident):
        status = await ends(stage, incident)
        lines = story(await incident.timeline())
        assert status.state is State.RESOLVED, lines
        assert "unfounded, say sam and lou" in lines or "unfounded, say lou and sam" in lines
        assert "0 of 3 records that the claim forum-77 shows are ours: it is false" in lines
        verbs = {row.verb for row in incident.book()}
        assert (
            not verbs & {"network.isolate", "credentials.revoke", "footholds.evict", "access.restrict"} and not contained(stage).snapshots
        )
        assert incident.done("evidence.breach")
        assert any(one.text.startswith("Decide after 30 days whether what was kept") for one in status.follow_ups)


async def test_a_claim_that_nobody_could_compare_is_no_false_claim(tmp_path: Path) -> None:
    """Two data sets could not be read: that none matched says nothing."""
    before = (*claimed(true=False), ("breach-dials", {"unread": ["payments"]}))
    async with breached(tmp_path, intruder=False, labels=CLAIM, before=before) as (_, incident):
        await hears(incident, "Compare 3 of the records that forum-77 shows with ours")
        assert not any("as unfounded" in one.asks for one in (await incident.status()).questions)
        assert "nobody can say whether it is true" in await hears(incident, "finding: signal: claim")


async def test_a_claim_with_fewer_records_than_are_wanted_is_not_called_false(tmp_path: Path) -> None:
    async with breached(tmp_path, intruder=False, labels=CLAIM, before=claimed(true=False, samples=2), policy=quick()) as (_, incident):
        assert "0 of 2 records that the claim forum-77 shows are ours: nobody can say" in await hears(incident, "finding: signal: claim")
        assert not any("as unfounded" in one.asks for one in (await incident.status()).questions)
