"""Who commands and who may do what, and what happens when nobody is there (seed §0.2, spec §4)."""

import re
from datetime import datetime, timedelta
from pathlib import Path

from activities.action import Role
from activities.identity.codes import COMMANDS
from practice.faces.slack.records import Channels
from tests.incident.roles.outage import MINUTE, heard, incident_of, when
from tests.stage.drill import drill
from tests.stage.organisation import ORGANISATION, brisk
from tests.stage.running import RunningIncident
from workflows.incident import QuestionState

SAM = '\n[people.sam]\nroles = ["security_lead"]\nemail = "sam@example.com"\nslack = "U_SAM"\npager = "P_SAM"\n'


async def minutes_of(incident: RunningIncident, *kinds: str) -> list[tuple[str, int]]:
    """Lines of the timeline with the minute at which they were written: `(text, minute)`."""
    began = (await incident.status()).declared_at
    entries = await incident.entries()
    return [(e["text"], round((datetime.fromisoformat(e["at"]) - began) / MINUTE)) for e in entries if e["kind"] in kinds]


# -- handing over ---------------------------------------------------------------------------------------------------------------------


async def test_command_changes_hands_by_offer_and_acceptance_both_on_the_record(tmp_path: Path) -> None:
    """Until it is accepted whoever holds it holds it; nobody takes it from a commander who can be reached."""
    async with incident_of(tmp_path) as (stage, incident):
        question = await incident.question("over from aurora")
        await incident.say("acknowledge", {"by": "dana"})
        assert "only dana may hand command over" in await incident.refused(
            "assign", {"role": "incident_commander", "to": "kim", "code": await incident.command_code("kim")}
        )
        said = await incident.verified("assign", "dana", role="incident_commander", to="kim")
        assert "offered to kim" in said and "stays with dana" in said
        status = await incident.status()
        assert status.commander == "dana" and status.offers == {Role.INCIDENT_COMMANDER: "kim"}
        await when(lambda: any("To accept" in text for text in heard(stage, "kim", "dm")), incident, "the offer on kim's phone")
        await incident.say("acknowledge", {"by": "lee"})
        assert (await incident.status()).commander == "dana"
        refused = await incident.refused("acknowledge", {"by": "kim"})
        assert "accept Incident Commander must be verified (C2)" in refused and (await incident.status()).commander == "dana"
        assert "kim is Incident Commander" in await incident.say("acknowledge", await stage.code("kim", COMMANDS, incident.used))
        status = await incident.status()
        assert status.commander == "kim" and not status.offers and not status.self_declared
        lines = [line for line in await incident.timeline() if line.startswith(("offered: ", "accepted: "))]
        assert [line.partition(";")[0] for line in lines] == [
            "offered: dana offers Incident Commander to kim", "accepted: kim is Incident Commander (was dana), offered by dana (verified)",
        ]  # fmt: skip
        assert "dana is not" in await incident.refused(
            "approve", {"question": question.number, "code": await stage.code("dana", question.number)}
        )


async def test_who_takes_up_a_role_is_shown_and_at_sev1_the_commander_does_not_lead_operations(tmp_path: Path) -> None:
    """The deputy acts only while nobody commands; Ops and command are two people."""
    async with incident_of(tmp_path, severity=1) as (_, incident):
        await incident.question("over from aurora")
        assert "as Ops Lead" in await incident.say("acknowledge", {"by": "lee"})
        await incident.say("acknowledge", {"by": "dana"})
        assert (await incident.status()).roles == {Role.SCRIBE: "timeline bot", Role.OPS_LEAD: "lee", Role.INCIDENT_COMMANDER: "dana"}
        for role, to in (("ops_lead", "dana"), ("incident_commander", "lee")):
            sent = {"role": role, "to": to, "code": await incident.command_code("dana")}
            assert "does not also lead operations" in await incident.refused("assign", sent)
        assert "kim may not stand down" in await incident.refused("stand_down", {"by": "kim", "reason": "x"})
        assert "kim may not lower" in await incident.refused("reclassify", {"severity": "SEV-2", "by": "kim", "reason": "x"})
        await incident.say("pause", {"by": "kim", "reason": "stopping is never made harder"})


# -- nobody there ---------------------------------------------------------------------------------------------------------------------


async def test_while_nobody_commands_the_ladder_is_climbed_and_what_is_broad_is_held(tmp_path: Path) -> None:
    """5 min → deputy, +5 → on-call manager, +5 → duty executive; narrow steps are taken, a yes to a broad one waits (IC_VACANT)."""
    manager = '\n[people.sam]\nroles = ["oncall_manager"]\nslack = "U_SAM"\npager = "P_SAM"\n'
    async with incident_of(tmp_path, policy="", more=manager, severity=1) as (stage, incident):
        await incident.question("over from aurora")
        await incident.answer("over from aurora", by="ravi", vacant=True)
        await incident.hears("nobody is in command (IC_VACANT)")
        await incident.pass_time(timedelta(minutes=16))
        paged = [
            (text, minute) for text, minute in await minutes_of(incident, "paged") if "nobody commands" in text or "acknowledge to" in text
        ]
        assert [(text.partition(":")[0].split(", ")[-1], minute) for text, minute in paged] == [
            ("ravi", 0), ("kim", 5), ("sam", 10), ("pat", 15),
        ]  # fmt: skip
        assert await stage.wrote("llm.routes.weights") == [] and len(await stage.wrote("unleash.feature.off")) == 4
        assert "Incident Commander of" in await incident.say("acknowledge", {"by": "pat"})
        await incident.hears("done: models.shift")


async def test_while_nobody_commands_the_executive_may_give_command_and_it_counts_at_once(tmp_path: Path) -> None:
    async with incident_of(tmp_path) as (_, incident):
        await incident.question("over from aurora")
        assert "lee may not assign" in await incident.refused("assign", {"role": "incident_commander", "to": "lee", "by": "lee"})
        assert "kim is Incident Commander" in await incident.verified("assign", "pat", role="incident_commander", to="kim")
        status = await incident.status()
        assert status.commander == "kim" and status.acknowledged_at is not None
        assert "pat may not assign" in await incident.refused("assign", {"role": "ops_lead", "to": "ravi", "by": "pat"})


async def test_a_commander_who_falls_silent_over_a_decision_is_paged_and_the_deputy_is_offered_command(tmp_path: Path) -> None:
    """SEV-1, 20 minutes: the deputy accepts, or may take what is the commander's."""
    async with incident_of(tmp_path, policy="", severity=1) as (_, incident):
        await incident.say("acknowledge", {"by": "dana"})
        await incident.question("from retrieval only")
        await incident.pass_time(timedelta(minutes=27))
        ((line, minute),) = await minutes_of(incident, "silent")
        assert line.startswith("dana commands and has not answered [") and 20 <= minute <= 26
        assert (await incident.status()).offers == {Role.INCIDENT_COMMANDER: "kim"}
        assert "accept Incident Commander must be verified" in await incident.refused("acknowledge", {"by": "kim"})
        await incident.verified("acknowledge", "kim")  # the code that came with the offer has expired
        assert (await incident.status()).commander == "kim"


# -- who is on call -------------------------------------------------------------------------------------------------------------------


async def test_who_is_on_call_comes_from_pagerduty_and_its_source_is_shown(tmp_path: Path) -> None:
    """Sam is on call for operations there, and has no role in the roster file; without PagerDuty the file holds, and it says so."""
    rota = '\n[oncall]\nops_lead = "EP_SECURITY"\n[people.sam]\nroles = []\nslack = "U_SAM"\npager = "P_SAM"\nemail = "sam@example.com"\n'
    async with incident_of(tmp_path, more=rota) as (stage, incident):
        question = await incident.question("from retrieval only")
        await when(lambda: heard(stage, "sam"), incident, "a page for sam")
        room = next(c for c in stage.world.state.part(Channels).values() if c["name"] == incident.id)
        pins = [str(m["text"]) for m in room["messages"] if m["ts"] in room["pins"]]
        assert "Ops Lead sam (PagerDuty EP_SECURITY)" in pins[2] and "Incident Commander dana (roster file)" in pins[2]
        await incident.commanded()
        assert "by sam" in await incident.say("approve", {"question": question.number, "code": await stage.code("sam", question.number)})
    (tmp_path / "down").mkdir()
    async with drill(tmp_path / "down", organisation=ORGANISATION.format(policy=brisk()) + rota) as stage:
        await stage.inject("pagerduty.oncalls", "fail")
        incident = await stage.declare()
        assert "the roster file holds" in await incident.hears("rota: PagerDuty does not say")
        await when(lambda: heard(stage, "lee"), incident, "a page for lee")


# -- rights ---------------------------------------------------------------------------------------------------------------------------


async def test_security_may_veto_a_traffic_shift_and_may_not_grant_it(tmp_path: Path) -> None:
    """`V` in the table: a no that was not asked for counts, a yes does not. The wrong person's does neither."""
    async with incident_of(tmp_path, more=SAM) as (stage, incident):
        question = await incident.question("over from aurora")
        assert question.vetoes == (Role.SECURITY_LEAD,)
        assert "sam is not" in await incident.refused("approve", {"question": question.number, "by": "sam", "reason": "x"})
        assert "noor is not" in await incident.refused("decline", {"question": question.number, "by": "noor", "reason": "x"})
        await incident.say("decline", {"question": question.number, "by": "sam", "reason": "the fallback provider leaks"})
        status = await incident.status()
        asked = next(q for q in status.questions if q.number == question.number)
        assert asked.state is QuestionState.DECLINED and asked.answers[0].role is Role.SECURITY_LEAD
        await incident.hears("declined: [")
        assert await stage.wrote("llm.routes.weights") == []


async def test_lowering_a_restricted_incident_takes_security_too(tmp_path: Path) -> None:
    """The commander's word alone is kept, and named as incomplete (spec §3, de-escalation)."""
    async with incident_of(tmp_path, more=SAM, severity=1, restricted=True) as (_, incident):
        await incident.say("acknowledge", {"by": "dana"})
        said = await incident.verified("reclassify", "dana", severity="SEV-2", reason="one tenant only")
        assert "until Security Lead says so too" in said and (await incident.status()).severity == 1
        assert "lee may not lower" in await incident.refused("reclassify", {"severity": "SEV-2", "by": "lee", "reason": "x"})
        by_name = {"severity": "SEV-2", "by": "sam", "reason": "contained"}
        assert "must be verified" in await incident.refused("reclassify", by_name)
        refused = await incident.refused("reclassify", {**by_name, "code": await incident.command_code("sam")})
        assert "stays SEV-1" in refused and "mitigation is not verified" in refused and "Security" not in refused
        assert re.search(r"consent: dana would lower it to SEV-2", "\n".join(await incident.timeline()))
