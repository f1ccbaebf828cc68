"""If it fails (spec §9.3): guardrails that are down, a quarantine that is not honoured, an attack that writes itself on, a false alarm."""

from datetime import datetime
from pathlib import Path

from practice.agents.runtime import PLATFORM
from practice.injection.attacks import PAYLOAD
from practice.quality.guardrails import Posture
from tests.playbooks.prompt_injection.attacked import (
    attacked,
    control,
    effects,
    ends,
    first_tenant,
    pass_time,
    quick,
    reached,
    runtime,
    traces,
)
from tests.stage.drill import drill
from tests.stage.organisation import ORGANISATION
from tests.stage.outages import story
from workflows.incident import Phase, Severity, State


async def test_while_the_guardrails_are_down_risky_tools_are_closed_and_people_say_which_session(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=quick()) as stage:
        await control(stage, "quality/judging", guardrails_down=True)
        incident = await reached(stage, "irreversible")
        question = await incident.question("In which session")
        assert question.facts and "effects of an injected instruction" in question.facts[0]
        session = next(iter(traces(stage).traces))
        status = await ends(incident, values={"In which session": session}, until=Phase.MITIGATION)
        assert "the guardrails are down" in story(await incident.timeline())
        posture = stage.world.state.part(Posture)
        assert (posture.high_risk_tools, posture.banner) == ("closed", True) and status.severity is not Severity.SEV3
        assert runtime(stage).sessions[session].quarantined


async def test_nobody_says_which_session_and_none_is_quarantined_on_a_guess(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=quick()) as stage:
        incident = await stage.declare("PromptInjection", labels={"session": "s-*"})
        await incident.answer("In which session", "decline")
        await incident.hears("no session is quarantined on a guess")
        assert not any(one.quarantined for one in runtime(stage).sessions.values())


async def test_a_quarantine_that_the_runtime_does_not_honour_is_followed_by_its_tokens(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=quick()) as stage:
        await control(stage, "agent-dials", quarantine_leaks=True)
        incident = await reached(stage, "reversible")
        await incident.hears("is not proven yet: its tokens are revoked")
        await ends(incident, until=Phase.RECOVERY)
        before = await effects(stage)
        await pass_time(stage, 600)
        assert await effects(stage) == before and incident.done("agents.quarantine"), "revoked, nothing of it calls"


async def test_where_tokens_cannot_be_revoked_either_its_tools_are_stopped(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=quick()) as stage:
        await control(stage, "agent-dials", quarantine_leaks=True)
        await stage.inject("agents.tokens.put", "fail")
        incident = await reached(stage, "reversible")
        await incident.hears("done: agents.block_tool tools/tickets.create")
        assert runtime(stage).blocked_tools["tickets.create"] == [first_tenant(stage)]
        before = await effects(stage)
        await pass_time(stage, 600)
        assert await effects(stage) == before


async def test_a_memory_of_another_agent_fires_it_again_and_tools_are_stopped_everywhere(tmp_path: Path) -> None:
    """The store of memories cannot be searched at first: *not excluded* was right."""
    async with drill(tmp_path, policy=quick()) as stage:
        await control(stage, "stores", store="memory", readable=False)
        other = first_tenant(stage, 2)
        incident = await reached(stage, "reversible", spreads_to=other, seconds=45)
        await incident.hears("Look through memory by hand: it is not excluded")
        await control(stage, "stores", store="memory", readable=True)
        question = await incident.question("for everybody?")
        assert {role.value for role in question.roles} >= {"security_lead"}
        await ends(incident, until=Phase.RECOVERY)
        status = await incident.status()
        assert status.severity is Severity.SEV1 and "it writes itself into what agents remember" in story(await incident.timeline())
        assert {one.tenant for one in runtime(stage).sessions.values() if one.quarantined} == {first_tenant(stage), other}
        assert runtime(stage).blocked_tools["mail.send"] == [] and len(traces(stage).kept_out["memory"]) >= 1


async def test_what_was_no_attack_leaves_its_tenant_tools_that_only_read(tmp_path: Path) -> None:
    async with attacked(tmp_path, innocent=True, policy=quick()) as (stage, incident):
        status = await ends(incident, {"false positive": "approve"})
        assert status.state is State.RESOLVED, story(await incident.timeline())
        assert any(task.text.startswith("Review what the guardrails have taken") and task.due for task in status.tasks)
        assert not any(task.text.startswith("Patch the tools") for task in status.tasks)
        assert any("only kb.search and crm.lookup" in row.effect for row in incident.done("agents.hold_strictly"))
        assert not any(one.quarantined for one in runtime(stage).sessions.values()), "Security and the commander have let them go on"
        assert not status.in_force and not traces(stage).kept_out["mail"]


async def test_a_session_is_quarantined_in_time_whether_its_export_has_ended_or_not(tmp_path: Path) -> None:
    patient = ORGANISATION.format(policy=quick()).replace("tries = 7", "tries = 60")
    async with drill(tmp_path, organisation=patient) as stage:
        await stage.inject("agents.sessions.export", "fail")
        incident = await reached(stage, "reversible")
        await incident.hears("is quarantined before its export has ended")
        await incident.hears("agents.quarantine session/")
        lines = await incident.entries()
        began, held = lines[0]["at"], next(one["at"] for one in lines if "agents.quarantine session/" in one["text"])
        assert 60 <= (datetime.fromisoformat(held) - datetime.fromisoformat(began)).total_seconds() <= 120, "policy time"
        await stage.stop_injecting()
        await incident.hears("done: evidence.export_session")
        assert PAYLOAD.encode() in [path.read_bytes() for path in (tmp_path / "evidence").rglob("*") if path.is_file()]


async def test_three_tenants_are_everybodys_business_and_two_people_decide(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=quick()) as stage:
        incident = await reached(stage, "reversible", tenants=[first_tenant(stage, n) for n in range(3)])
        question = await incident.question("agent profile of all")
        assert question.quorum == 2
        await ends(incident, until=Phase.RECOVERY)
        assert runtime(stage).profiles[PLATFORM].strict and first_tenant(stage) not in runtime(stage).profiles
