"""What people decide: whose documents are kept out, what is undone, when a fix is good, who lets go on, and what stays when they stand down."""

from datetime import timedelta
from pathlib import Path

from practice.agents.runtime import Profile
from tests.playbooks.prompt_injection.attacked import attacked, control, ends, first_tenant, quick, reached, runtime, traces
from tests.stage.drill import drill
from tests.stage.outages import story
from workflows.incident import Phase, State


async def test_a_tenants_own_document_is_kept_out_only_when_security_agrees(tmp_path: Path) -> None:
    async with attacked(tmp_path, "reversible", owner="kestrel-retail", tenants=["kestrel-retail"]) as (stage, incident):
        question = await incident.question("out of what agents retrieve from mail")
        assert any("owned by kestrel-retail" in fact for fact in question.facts) and not traces(stage).kept_out.get("mail")
        await incident.answer("out of what agents retrieve from mail", by="sam")
        await incident.hears("done: search.keep_out")
        assert list(traces(stage).kept_out["mail"].values()) == ["everywhere"]


async def test_nobody_answers_and_it_is_kept_only_from_sessions_with_tools(tmp_path: Path) -> None:
    """Silence is no yes: the narrow thing is done that needs none."""
    async with attacked(tmp_path, "reversible", owner="kestrel-retail", tenants=["kestrel-retail"]) as (stage, incident):
        await incident.question("out of what agents retrieve from mail")
        await incident.hears("done: search.keep_out", skip=timedelta(minutes=10))
        assert list(traces(stage).kept_out["mail"].values()) == ["tools"]


async def test_more_than_a_hundred_items_are_asked_about(tmp_path: Path) -> None:
    async with attacked(tmp_path, "reversible", copies=120) as (stage, incident):
        await incident.question("out of what agents retrieve from mail")
        await incident.answer("out of what agents retrieve from mail", "decline", by="sam")
        await incident.hears("from agents in another way: their quarantine was declined")
        assert not traces(stage).kept_out.get("mail")


async def test_what_others_own_takes_two_and_what_cannot_be_undone_is_told(tmp_path: Path) -> None:
    async with attacked(tmp_path, "reversible", "external", "irreversible") as (stage, incident):
        status = await ends(incident, {"of files.write": "decline"}, until=Phase.POST_INCIDENT)
        by_text = {question.asks: question for question in status.questions if question.asks.startswith("Undo ")}
        assert {question.risk.label for asks, question in by_text.items() if "files.write" in asks} == {"C3"}
        assert {question.risk.label for asks, question in by_text.items() if "tickets.create" in asks} == {"C2"}
        states = {(call.tool, call.state) for trace in traces(stage).traces.values() for call in trace.calls}
        assert states == {("tickets.create", "undone"), ("files.write", "done"), ("mail.send", "done")}
        tasks = story([task.text for task in status.tasks])
        assert "cannot be undone (mail.send" in tasks and "by hand, or tell them: it was declined" in tasks


async def test_a_fix_that_some_variants_get_through_lets_nobody_go_on(tmp_path: Path) -> None:
    async with attacked(tmp_path, "reversible") as (stage, incident):
        await ends(incident, until=Phase.RECOVERY)
        await control(stage, "injection-fixes", tools=["mail.send"])
        await ends(incident, fix={"never": True}, until=Phase.RECOVERY)
        await incident.answer("Undo", by="lee")
        await incident.answer("Undo", by="lee")
        await incident.hears("not repaired: 9 of 30 variants by 9 transformations got through")
        assert not any("Let these sessions go on" in one.asks for one in (await incident.status()).questions)
        await control(stage, "injection-fixes")
        status = await ends(incident, fix={"never": True})
        assert status.state is State.RESOLVED


async def test_a_fix_that_refuses_innocent_requests_is_none_and_people_take_over(tmp_path: Path) -> None:
    async with attacked(tmp_path, "reversible", policy=quick(patience="PT5M")) as (_, incident):
        await ends(incident, {"No replay": "decline", "All in hand": ""}, fix={"refuses_more": 0.05}, until_told="handed over")
        lines = story(await incident.timeline())
        assert "+5.0 points of innocent ones refused" in lines and "Let these sessions go on" not in lines
        assert (await incident.status()).state is State.HANDED_OVER


async def test_declined_a_session_stays_in_quarantine_in_that_persons_name(tmp_path: Path) -> None:
    async with attacked(tmp_path, "reversible") as (stage, incident):
        status = await ends(incident, {"Let these sessions go on": "decline"})
        assert status.state is State.RESOLVED, story(await incident.timeline())
        held = {(one.name, one.held_by) for one in status.in_force}
        assert held == {("quarantined", "sam"), ("kept out of retrieval", "sam")}
        assert sum(one.quarantined for one in runtime(stage).sessions.values()) == 2


async def test_stood_down_in_the_middle_what_is_sticky_stays_and_the_rest_is_given_back(tmp_path: Path) -> None:
    async with attacked(tmp_path, "outbound") as (stage, incident):
        await incident.answer("agent profile of kestrel-retail", by="sam")
        await incident.hears("done: agents.hold_strictly")
        await incident.verified("stand_down", "dana", reason="Security carries on elsewhere")
        status = await incident.ends()
        assert status.state is State.STOOD_DOWN
        assert {one.name for one in status.in_force} == {"quarantined", "kept out of retrieval", "denied", "nothing fetched by itself"}
        assert {one.held_by for one in status.in_force} == {"dana"}
        assert runtime(stage).profiles[first_tenant(stage)] == Profile()


async def test_an_id_that_is_a_command_names_no_session(tmp_path: Path) -> None:
    for label in ("$(rm -rf /)", "../../etc/passwd", "s-00002; ls"):
        async with drill(tmp_path, policy=quick()) as stage:
            incident = await reached(stage, seconds=0, labels={"session": label}, after_seconds=3600)
            await incident.question("In which session")
            assert not await stage.wrote("agents.quarantine.put")


async def test_in_shadow_mode_nothing_is_written_but_evidence(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=quick(), mode="shadow") as stage:
        incident = await reached(stage, "reversible")
        await incident.hears("assumed: agents.quarantine session/")
        await incident.hears("executed yes")
        changed = {
            e["route"] for e in await stage.effects() if e["changed"] and e["face"] in ("agents", "search", "egress", "ui", "guardrails")
        }
        assert not changed and not any(one.quarantined for one in runtime(stage).sessions.values())


async def test_a_plan_says_what_would_be_done_and_does_nothing(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=quick()) as stage:
        await control(stage, "injections", store="mail", deeds=["reversible"])
        stage.forward(90)
        incident = await stage.declare("PromptInjection", rehearsal=True)
        status = await incident.ends()
        named = {step.verb for step in status.steps}
        assert {"evidence.export_session", "agents.quarantine", "agents.revoke_tokens", "agents.hold_strictly"} <= named, story(
            await incident.timeline()
        )
        assert not any(one.quarantined for one in runtime(stage).sessions.values())
