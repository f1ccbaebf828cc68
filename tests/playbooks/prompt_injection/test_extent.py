"""Attempt, side effect and exfiltration are told apart; what nobody can say counts as yes."""

import json
from pathlib import Path

from practice.agents.runtime import Profile
from practice.egress.outbound import outbound
from practice.injection.attacks import DROP, PAYLOAD
from tests.playbooks.prompt_injection.attacked import attacked, control, effects, ends, first_tenant, quick, reached, runtime
from tests.stage.drill import drill
from tests.stage.outages import story
from workflows.incident import Phase, Severity, State


async def test_an_attempt_that_was_refused_is_no_more_than_that(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=quick()) as stage:
        runtime(stage).profiles[first_tenant(stage)] = Profile(strict=True)
        incident = await reached(stage)
        status = await ends(incident)
        lines = story(await incident.timeline())
        assert status.state is State.RESOLVED and status.severity is Severity.SEV3 and not status.restricted, lines
        assert "attempt: executed no, data outside no" in lines and await effects(stage) == 0
        assert "§2.4" not in lines and not incident.done("egress.deny") and not incident.done("rendering.stop")
        assert incident.done("agents.quarantine") and incident.done("search.keep_out")


async def test_what_left_for_a_host_is_sev_1_the_host_is_refused_and_data_breach_is_called_in(tmp_path: Path) -> None:
    async with attacked(tmp_path, "outbound") as (stage, incident):
        await incident.hears("§2.4 Suspected data breach")
        await ends(incident, until=Phase.RECOVERY)
        status = await incident.status()
        assert status.severity is Severity.SEV1 and status.restricted
        assert f"host/{DROP}" in outbound(stage.world.state).denied and not outbound(stage.world.state).auto_render["chat"]
        await incident.hears("Contact kestrel-retail, before anything is public")


async def test_no_click_is_not_no_leak(tmp_path: Path) -> None:
    """An image that a client fetched by itself has told its host something."""
    async with attacked(tmp_path, "rendered") as (stage, incident):
        await ends(incident, until=Phase.RECOVERY)
        assert (await incident.status()).severity is Severity.SEV1
        assert not outbound(stage.world.state).auto_render["chat"]


async def test_where_nobody_can_say_what_left_it_counts_as_yes(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=quick()) as stage:
        await control(stage, "outbound", unreadable=["cdn", "client"])
        incident = await reached(stage, "reversible")
        await incident.hears("data outside unknown (unknown counts as yes)")
        await incident.hears("§2.4 Suspected data breach")
        assert (await incident.status()).severity is Severity.SEV1


async def test_without_a_trace_nothing_is_excluded_and_nobody_is_let_go_on_without_people(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=quick()) as stage:
        await control(stage, "injection-dials", kept=False)
        incident = await reached(stage, "reversible")
        status = await ends(incident)
        lines = story(await incident.timeline())
        assert "no trace of it was kept: what it did cannot be excluded" in lines and "§2.4 Suspected data breach" in lines
        assert any("cannot be excluded that data was seen" in task.text for task in status.tasks)
        assert any("No replay has shown" in question.asks and question.quorum == 2 for question in status.questions)
        assert all(one.quarantined for one in runtime(stage).sessions.values() if one.id in lines and one.revoked)
        assert any(one.name == "quarantined" and one.held_by for one in status.in_force)


async def test_another_tenant_in_the_arguments_is_isolations_business_too(tmp_path: Path) -> None:
    async with attacked(tmp_path, "foreign") as (_, incident):
        await incident.hears("called in: §2.5 Multi-tenant isolation failure")


async def test_a_document_that_answers_are_made_from_is_grounding_business_too(tmp_path: Path) -> None:
    async with attacked(tmp_path, "reversible", store="corpus") as (_, incident):
        await incident.hears("§2.11 ")


async def test_no_word_of_the_attack_is_in_a_history_a_room_or_an_inbox(tmp_path: Path) -> None:
    """INV-14: references, hashes and ids only; the text itself is in the evidence."""
    async with attacked(tmp_path, "reversible", "irreversible") as (stage, incident):
        await ends(incident, until=Phase.RECOVERY)
        history = json.dumps((await incident.handle.fetch_history()).to_json())
        seen = [history, str(await stage.effects()), str((await stage.look())["fleet"])]
        for who in ("dana", "sam", "lee", "ravi"):
            seen.append(str((await stage.http.get(f"/practice/inbox/{who}")).json()))
        assert not any("previous instructions" in text or "every customer" in text for text in seen)
        kept = [path.read_bytes() for path in (tmp_path / "evidence").rglob("*") if path.is_file()]
        assert PAYLOAD.encode() in kept
