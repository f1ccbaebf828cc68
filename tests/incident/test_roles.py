"""Who commands, who may do what, and what happens when nobody is there, or only one (seed §0.2, spec §4)."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.worker import Worker

from activities.action import Role
from activities.organisation.people import Person, Roster
from activities.organisation.rota import OnDuty
from practice.faces.slack.records import Channels
from tests.stage.drastic import Drastic
from tests.stage.drill import Drill, drill
from tests.stage.organisation import ORGANISATION, brisk
from tests.stage.running import RunningIncident, until
from worker.service import runner
from workflows.incident import QuestionState, State
from workflows.people.permissions import TABLE, Capability, may, vetoes, whose
from workflows.people.roster import RoleAssignments

AT = datetime.fromisoformat("2026-11-23T12:00:00+00:00")
MINUTE = timedelta(minutes=1)
SAM = '\n[people.sam]\nroles = ["security_lead"]\nemail = "sam@example.com"\nslack = "U_SAM"\npager = "P_SAM"\n'
ONE = """
[policy]
mode = "live"
plan_ahead = false
least_wait_for_people = 0
{policy}
[people.lee]
roles = [{roles}]
email = "lee@example.com"
slack = "U_LEE"
pager = "P_LEE"
"""
PATIENCE = ORGANISATION.partition("# On a server that skips time")[2].partition("\n")[2]


@asynccontextmanager
async def incident_of(
    tmp: Path, *, policy: str | None = None, more: str = "", organisation: str = "", lasts: int | None = None, **declared: Any
) -> AsyncIterator[tuple[Drill, RunningIncident]]:
    """A provider outage whose failover is asked."""
    written = organisation or ORGANISATION.format(policy=brisk() if policy is None else policy) + more
    async with drill(tmp, organisation=written) as stage:
        await stage.edit(providers={"borealis": {"parity": 0.93}})
        await stage.break_provider(provider="aurora", kind="overload", rate=0.6, **({"for_seconds": lasts} if lasts else {}))
        yield stage, await stage.declare(**declared)


@asynccontextmanager
async def drastic(tmp: Path, organisation: str) -> AsyncIterator[tuple[Drill, RunningIncident]]:
    """An incident that puts one C3 question."""
    async with (
        drill(tmp, organisation=organisation, serving=False) as stage,
        Worker(
            stage.env.client,
            task_queue=stage.settings.queue,
            workflows=[Drastic],
            activities=stage.fleet.activities,
            workflow_runner=runner(),
        ),
    ):
        yield stage, await stage.declare("Drastic")


def heard(stage: Drill, person: str, via: str = "page") -> list[str]:
    """What reached somebody's phone."""
    return [str(letter["text"]) for letter in stage.world.state.people[person].inbox if letter["via"] == via]


async def when(look: Any, told: RunningIncident, what: str, skip: timedelta = timedelta(seconds=30)) -> Any:
    """Let time pass until something is so."""

    async def seen() -> Any:
        found = look()
        if not found:
            await told.pass_time(skip)
        return found

    return await until(seen, what)


async def minutes_of(incident: RunningIncident, *kinds: str) -> list[tuple[str, int]]:
    """Lines of the timeline with the minute at which they were written: `(text, minute)`."""
    began = (await incident.status()).declared_at
    entries = await incident.handle.query("timeline")
    return [(e["text"], round((datetime.fromisoformat(e["at"]) - began) / MINUTE)) for e in entries if e["kind"] in kinds]


# -- the table ------------------------------------------------------------------------------------------------------------------------


def test_every_row_of_the_table_says_something_about_every_role() -> None:
    assert set(TABLE) == set(Capability)
    assert all(len(row) == 12 for row in TABLE.values())


def test_the_table_says_what_the_spec_says() -> None:
    """A sample of each kind of right, footnotes included."""
    assert whose(Capability.ASSIGN) == (Role.INCIDENT_COMMANDER, Role.DEPUTY)
    assert whose(Capability.ASSIGN, limits="2") == (Role.INCIDENT_COMMANDER, Role.DEPUTY, Role.DUTY_EXECUTIVE)
    assert not may(Capability.STAND_DOWN, (Role.DEPUTY,)) and may(Capability.STAND_DOWN, (Role.DEPUTY,), limits="1")
    assert whose(Capability.EVIDENCE_OFF) == (Role.SECURITY_LEAD, Role.LEGAL)
    assert vetoes("models.shift") == (Role.SECURITY_LEAD,) and vetoes("freezes.release") == (Role.SECURITY_LEAD,)
    assert not whose(Capability.EDIT_POLICY) and not vetoes("pager.page")
    assert all(may(Capability.RAISE, (role,), rights="R") for role in Role if role is not Role.ONCALL_MANAGER)


# -- the assignments -------------------------------------------------------------------------------------------------------------------------

PEOPLE = {"dana": (Role.INCIDENT_COMMANDER,), "lee": (Role.OPS_LEAD,), "kim": (Role.DEPUTY,), "eve": ()}
ROSTER = Roster(people={who: Person(id=who, name=who.title(), roles=roles, slack=f"U_{who}") for who, roles in PEOPLE.items()})


def assignments(**duty: Any) -> RoleAssignments:
    """Everybody on the roster, nobody assigned."""
    team = RoleAssignments()
    team.read(OnDuty(roster=ROSTER, **duty), AT)
    return team


def test_a_schedule_says_who_is_called_and_the_roster_file_who_may() -> None:
    team = assignments(on_call={Role.OPS_LEAD: ("eve",)}, sources={Role.OPS_LEAD: "PagerDuty EP_OPS"})
    assert [p.id for p in team.holders((Role.OPS_LEAD,))] == ["eve"]
    assert team.role_of(ROSTER.people["eve"], (Role.OPS_LEAD,)) and team.role_of(ROSTER.people["lee"], (Role.OPS_LEAD,))
    assert "Ops Lead eve (PagerDuty EP_OPS)" in team.rota() and "Deputy kim (roster file)" in team.rota()
    team.assign(Role.OPS_LEAD, ROSTER.people["kim"])
    assert team.role_of(ROSTER.people["eve"], (Role.OPS_LEAD,)) is None and "Ops Lead kim (assigned here)" in team.rota()


def test_whoever_is_alone_acts_in_every_role_and_is_told_everything() -> None:
    team = assignments()
    assert team.role_of(ROSTER.people["eve"], (Role.LEGAL,)) is None
    team.solo = "eve"
    assert team.role_of(ROSTER.people["eve"], (Role.LEGAL,)) is Role.LEGAL and team.may_command(ROSTER.people["eve"])
    assert team.role_of(ROSTER.people["eve"], (Role.LEGAL,), alone=False) is None
    assert [p.id for p in team.holders((Role.LEGAL, Role.OPS_LEAD))] == ["lee", "eve"]


@given(
    st.lists(
        st.tuples(st.sampled_from(("offer", "assign", "accept")), st.sampled_from(list(Role)), st.sampled_from(list(PEOPLE))), max_size=30
    )
)
def test_an_offer_changes_nothing_until_it_is_accepted(moves: list[tuple[str, Role, str]]) -> None:
    """Whatever is offered, assigned and accepted: a role has one holder, and only assignment and acceptance change who it is."""
    team, holder = assignments(), dict[Role, str]()
    for move, role, who in moves:
        if move == "offer":
            team.offer(role, ROSTER.people[who], "dana", AT)
        elif move == "assign":
            team.assign(role, ROSTER.people[who])
            holder[role] = who
        else:
            for offer in team.offered_to(ROSTER.people[who]):
                team.assign(offer.role, ROSTER.people[who])
                holder[offer.role] = who
        assert {role: team.name(role) for role in holder} == holder
        assert all(offer.role not in holder or holder[offer.role] != offer.to or offer.at == AT for offer in team.offers.values())


# -- handing over ---------------------------------------------------------------------------------------------------------------------


async def test_command_changes_hands_by_offer_and_acceptance_both_on_the_record(tmp_path: Path) -> None:
    """Until it is accepted whoever holds it holds it; nobody takes it from a commander who can be reached."""
    async with incident_of(tmp_path) as (stage, incident):
        question = await incident.question("over from aurora")
        await incident.say("acknowledge", {"by": "dana"})
        assert "only dana may hand command over" in await incident.refused(
            "assign", {"role": "incident_commander", "to": "kim", "by": "kim"}
        )
        said = await incident.say("assign", {"role": "incident_commander", "to": "kim", "by": "dana"})
        assert "offered to kim" in said and "stays with dana" in said
        status = await incident.status()
        assert status.commander == "dana" and status.offers == {Role.INCIDENT_COMMANDER: "kim"}
        await when(lambda: any("To accept" in text for text in heard(stage, "kim", "dm")), incident, "the offer on kim's phone")
        await incident.say("acknowledge", {"by": "lee"})
        assert (await incident.status()).commander == "dana"
        assert "kim is Incident Commander" in await incident.say("acknowledge", {"by": "kim"})
        status = await incident.status()
        assert status.commander == "kim" and not status.offers
        lines = [line for line in await incident.timeline() if line.startswith(("offered: ", "accepted: "))]
        assert [line.partition(";")[0] for line in lines] == [
            "offered: dana offers Incident Commander to kim", "accepted: kim is Incident Commander (was dana), offered by dana",
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
        assert "does not also lead operations" in await incident.refused("assign", {"role": "ops_lead", "to": "dana", "by": "dana"})
        assert "does not also lead operations" in await incident.refused(
            "assign", {"role": "incident_commander", "to": "lee", "by": "dana"}
        )
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
        assert "kim is Incident Commander" in await incident.say("assign", {"role": "incident_commander", "to": "kim", "by": "pat"})
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
        await incident.say("acknowledge", {"by": "kim"})
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


# -- alone ----------------------------------------------------------------------------------------------------------------------------


async def test_one_person_alone_brings_it_to_an_end_and_every_question_fits_on_a_phone(tmp_path: Path) -> None:
    """A roster of one: command, status page, failover, tools: all theirs. Each question fits on a phone: twelve lines."""
    async with incident_of(tmp_path, organisation=ONE.format(policy=brisk(), roles='"ops_lead"') + PATIENCE, lasts=200) as (
        stage,
        incident,
    ):
        await incident.hears("solo: lee is alone")

        async def ended() -> bool:
            status = await incident.status()
            for question in status.asking:
                code = await stage.code("lee", question.number)
                await incident.say("approve", {"question": question.number, "code": code, "reason": "alone"})
            if not status.asking:
                await incident.pass_time(MINUTE)
            return await incident.over()

        await until(ended, "the end", 60)
        status = await incident.status()
        assert status.state is State.RESOLVED and status.solo and status.commander == "lee"
        letters = {text for text in heard(stage, "lee", "dm") if text.startswith("Question ")}
        assert len(letters) >= 5 and all(len(text.splitlines()) <= 12 for text in letters)


async def test_whoever_hears_of_nobody_else_is_alone_until_somebody_speaks(tmp_path: Path) -> None:
    """After the ladder's time; a commander who is alone may answer for every role. The first other voice ends it."""
    async with incident_of(tmp_path, policy="", severity=1) as (_, incident):
        await incident.say("acknowledge", {"by": "dana"})
        await incident.pass_time(timedelta(minutes=21))
        assert "nobody else has acknowledged" in await incident.hears("solo: dana is alone")
        assert (await incident.status()).solo
        await incident.say("assign", {"role": "ops_lead", "to": "dana", "by": "dana"})  # alone there is nobody to delegate to
        await incident.say("acknowledge", {"by": "lee"})
        assert "not alone any more" in await incident.hears("lee has answered")
        assert not (await incident.status()).solo


@pytest.mark.parametrize("allowed", [True, False], ids=["break-glass", "no break-glass"])
async def test_alone_with_a_drastic_decision_a_second_person_is_paged_before_the_glass_may_break(tmp_path: Path, allowed: bool) -> None:
    """C3: five minutes for a second person; then a typed reason where policy allows it, reviewed afterwards; elsewhere it waits."""
    kim = '[people.kim]\nroles = ["deputy"]\nslack = "U_KIM"\npager = "P_KIM"\nemail = "kim@example.com"\n'
    organisation = ONE.format(policy=f"break_glass = {str(allowed).lower()}", roles='"incident_commander", "ops_lead"') + kim + PATIENCE
    async with drastic(tmp_path, organisation) as (stage, incident):
        await incident.say("acknowledge", {"by": "lee"})
        await incident.hears("solo: lee is alone", skip=timedelta(minutes=2))
        question = await incident.question("drastic")
        code = await stage.code("lee", question.number)
        answer = {"question": question.number, "code": code, "reason": "it burns"}
        assert "1 more needed" in await incident.say("approve", answer)
        await incident.hears("a second person is paged for 5 min: kim", skip=timedelta(seconds=5))
        await when(
            lambda: any("second person is needed" in text for text in heard(stage, "kim")), incident, "a page for kim", 5 * MINUTE / 60
        )
        early = await incident.refused("approve", {**answer, "reason": "break glass: nobody else is awake"})
        await incident.pass_time(timedelta(minutes=6))
        if not allowed:
            assert "does not allow break-glass" in early
            assert "does not allow" in await incident.refused("approve", {**answer, "reason": "break glass: nobody else is awake"})
            assert "by kim" in await incident.say("approve", await stage.code("kim", question.number))
            assert "decided: answer by ('lee', 'kim')" in await incident.hears("note: decided")
            return
        assert "a second person is being paged" in early
        assert "begins “break glass:”" in await incident.refused("approve", answer)
        await incident.say("approve", {**answer, "reason": "break glass: the database burns and nobody else is awake"})
        assert "decided: break-glass by ('lee',)" in await incident.hears("note: decided")
        assert [
            line for line in await incident.timeline() if line.startswith("break-glass: [1] lee decided alone: break glass: the database")
        ]
        (review,) = [task for task in (await incident.status()).follow_ups if "Review the break-glass" in task.text]
        assert review.owner is Role.DUTY_EXECUTIVE


async def test_a_second_person_who_answers_makes_the_glass_unnecessary(tmp_path: Path) -> None:
    """Within the five minutes: two people, two roles, and nobody is alone any more."""
    kim = '[people.kim]\nroles = ["deputy"]\nslack = "U_KIM"\npager = "P_KIM"\nemail = "kim@example.com"\n'
    async with drastic(tmp_path, ONE.format(policy="break_glass = true", roles='"incident_commander", "ops_lead"') + kim + PATIENCE) as (
        stage,
        incident,
    ):
        await incident.say("acknowledge", {"by": "lee"})
        await incident.hears("solo: lee is alone", skip=timedelta(minutes=2))
        question = await incident.question("drastic")
        await incident.say("approve", await stage.code("lee", question.number))
        await incident.hears("a second person is paged", skip=timedelta(seconds=5))
        assert "by kim" in await incident.say("approve", await stage.code("kim", question.number))
        assert "decided: answer by ('lee', 'kim')" in await incident.hears("note: decided")


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
        said = await incident.say("reclassify", {"severity": "SEV-2", "by": "dana", "reason": "one tenant only"})
        assert "until Security Lead says so too" in said and (await incident.status()).severity == 1
        assert "lee may not lower" in await incident.refused("reclassify", {"severity": "SEV-2", "by": "lee", "reason": "x"})
        refused = await incident.refused("reclassify", {"severity": "SEV-2", "by": "sam", "reason": "contained"})
        assert "stays SEV-1" in refused and "mitigation is not verified" in refused and "Security" not in refused
        assert re.search(r"consent: dana would lower it to SEV-2", "\n".join(await incident.timeline()))
