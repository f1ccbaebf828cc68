"""What changes who may approve is verified like an approval (design §4, "Authority is vouched for")."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from temporalio.worker import Worker

from activities.action import Risk, Role
from activities.identity.codes import COMMANDS
from activities.organisation.people import Person, Roster
from tests.incident.roles.drastic import Drastic
from tests.incident.roles.outage import heard, incident_of
from tests.stage.drill import Drill, drill
from tests.stage.organisation import ORGANISATION
from tests.stage.running import RunningIncident
from worker.service import runner
from workflows.incident import QuestionState, Severity
from workflows.people.access import COMMANDS_NEED, Need
from workflows.people.command_codes import CommandCodes
from workflows.people.context import IncidentContext
from workflows.people.messages import Message
from workflows.people.permissions import approving
from workflows.people.roster import RoleAssignments

AT = datetime.fromisoformat("2026-11-23T12:00:00+00:00")
TEAM = {"dana": (Role.INCIDENT_COMMANDER,), "lee": (Role.OPS_LEAD,), "kim": (Role.DEPUTY,), "eve": ()}
ROSTER = Roster(people={who: Person(id=who, name=who.title(), roles=roles, slack=f"U_{who}") for who, roles in TEAM.items()})


@asynccontextmanager
async def drastic(tmp: Path, policy: str = "", **declared: Any) -> AsyncIterator[tuple[Drill, RunningIncident]]:
    """An incident that puts one C3 question, to the commander and the Ops Lead. With a title it asks for a value first."""
    async with drill(tmp, organisation=ORGANISATION.format(policy=policy), serving=False) as stage:
        queue = stage.settings.queue
        async with Worker(
            stage.env.client, task_queue=queue, workflows=[Drastic], activities=stage.fleet.activities, workflow_runner=runner()
        ):
            yield stage, await stage.declare("Drastic", **declared)


# -- the table ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "said", "state", "risk"),
    [
        ("assign", {"role": "ops_lead"}, {}, Risk.C2),
        ("assign", {"role": "incident_commander"}, {}, Risk.C2),
        ("assign", {"role": "scribe"}, {}, None),
        ("assign", {"role": "king"}, {}, None),
        ("acknowledge", {}, {}, None),
        ("acknowledge", {}, {"offered": Role.DB_LEAD}, Risk.C2),
        ("acknowledge", {}, {"offered": Role.SCRIBE}, None),
        ("reclassify", {"severity": "SEV-3"}, {}, Risk.C2),
        ("reclassify", {"severity": "SEV-1"}, {}, None),
        ("reclassify", {"severity": "worse"}, {}, None),
        ("stand_down", {}, {"in_force": Risk.C3}, Risk.C3),
        ("stand_down", {}, {"in_force": Risk.C1, "with_freeze": Risk.C2}, Risk.C1),
        ("stand_down", {"false_alarm": True}, {"in_force": Risk.C1, "with_freeze": Risk.C2}, Risk.C2),
        ("resume", {}, {}, Risk.C2),
        ("do", {}, {}, Risk.C1),
        ("pause", {}, {}, None),
        ("note", {}, {}, None),
        ("code", {}, {}, None),
    ],
)
def test_what_a_command_takes_depends_on_what_it_would_allow_now(
    name: str, said: dict[str, Any], state: dict[str, Any], risk: Risk | None
) -> None:
    team = RoleAssignments()
    if "offered" in state:
        team.offer(state["offered"], ROSTER.people["eve"], "dana", AT)
    force = state.get("in_force", Risk.C0)
    context = SimpleNamespace(
        assignments=team, severity=Severity.SEV2, risk_in_force=lambda *, freeze: state.get("with_freeze", force) if freeze else force
    )
    row = COMMANDS_NEED[name]
    need = row if isinstance(row, Need) else row(cast("IncidentContext", context), Message(**said), ROSTER.people["eve"])
    assert need.risk == risk


def test_every_role_but_the_scribes_may_say_yes_to_something_broad() -> None:
    assert approving() == set(Role) - {Role.SCRIBE}


# -- the assignments ------------------------------------------------------------------------------------------------------------------


def acts(team: RoleAssignments, *, sure: bool) -> set[str]:
    return {person.id for person in ROSTER.people.values() if team.role_of(person, (Role.INCIDENT_COMMANDER,), sure=sure)}


def test_a_self_declared_assignment_neither_gives_nor_takes_what_must_be_vouched_for() -> None:
    team = RoleAssignments()
    team.roster = ROSTER
    team.assign(Role.INCIDENT_COMMANDER, ROSTER.people["eve"], vouched=False)
    assert acts(team, sure=False) == {"eve"} and acts(team, sure=True) == {"dana"}
    assert [person.id for person in team.holders((Role.INCIDENT_COMMANDER,))] == ["eve", "dana"], "dana is asked, and sent her code"
    assert team.self_declared() == (Role.INCIDENT_COMMANDER,)
    assert team.proved(ROSTER.people["eve"]) == () and acts(team, sure=True) == {"dana"}, "who eve is says not that it was given to her"
    team.assign(Role.INCIDENT_COMMANDER, ROSTER.people["kim"], vouched=False, own=True)
    assert team.proved(ROSTER.people["eve"]) == () and team.proved(ROSTER.people["kim"]) == (Role.INCIDENT_COMMANDER,)
    assert acts(team, sure=True) == {"kim"} and not team.self_declared()
    team.assign(Role.OPS_LEAD, ROSTER.people["lee"], vouched=False)
    assert not team.self_declared(), "the rota says so too"


def test_a_person_has_one_code_for_commands_that_is_good_once_and_not_for_long() -> None:
    codes, valid, minute = CommandCodes("inc-1"), timedelta(minutes=15), timedelta(minutes=1)
    first = codes.issue("dana", AT, valid, "n1")
    assert codes.issue("dana", AT + minute, valid, "n2") == first._replace(sent_at=AT + minute), "nobody voids it by asking again"
    assert codes.good(AT + valid) == ((COMMANDS, first.digest, 1),) and codes.good(AT + valid + minute) == ()
    assert codes.issue("lee", AT, valid, "n1").digest != first.digest != CommandCodes("inc-2").issue("dana", AT, valid, "n1").digest
    codes.used("dana")
    assert codes.good(AT) == ((COMMANDS, codes.issue("lee", AT, valid, "n1").digest, 1),)
    assert codes.issue("dana", AT, valid, "n3").digest != first.digest


# -- stories --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verified_from", [2, 3], ids=["production", "the demo"])
async def test_a_bystander_whom_a_name_made_commander_takes_no_seat_of_a_decision_for_two(tmp_path: Path, verified_from: int) -> None:
    """The attack: somebody assigns in the commander's name. And no decision at C3 has one self-declared yes among its two."""
    async with drastic(tmp_path, policy=f"verified_from = {verified_from}") as (stage, incident):
        await incident.say("acknowledge", {"by": "dana"})
        question = await incident.question("drastic")
        attack = {"role": "ops_lead", "to": "noor", "by": "dana"}
        if verified_from == 2:
            refused = await incident.refused("assign", attack)
            assert "must be verified (C2)" in refused and f"`incident code {incident.id}`" in refused
        else:
            assert "noor is Ops Lead" in await incident.say("assign", attack)
            assert "assigned: noor is Ops Lead (self-declared)" in await incident.timeline()
            assert (await incident.status()).holder(Role.OPS_LEAD) == "noor (self-declared)"
        assert "1 more needed" in await incident.say("approve", await stage.code("dana", question.number))
        if verified_from == 3:
            await incident.pass_time(timedelta(minutes=12))  # until everybody who may answer is asked again
            yes = {"question": question.number, "code": await stage.code("noor", question.number)}
            assert "noor is Ops Lead by a self-declared message only" in await incident.refused("approve", yes)
        by_name = await incident.refused("approve", {"question": question.number, "by": "noor" if verified_from == 3 else "lee"})
        assert "must be verified (C3)" in by_name
        assert (await incident.question("drastic")).state is QuestionState.OPEN
        assert "by lee" in await incident.say("approve", await stage.code("lee", question.number))
        assert "decided: answer by ('dana', 'lee')" in await incident.hears("note: decided")


async def test_whoever_chose_the_option_is_not_one_of_the_two_who_grant_it(tmp_path: Path) -> None:
    """The value that lee gave led to the question: it says so, and goes to the deputy at once, because two others are needed."""
    async with drastic(tmp_path, title="Which of the two databases?") as (stage, incident):
        await incident.say("acknowledge", {"by": "dana"})
        chosen = await incident.question("two databases")
        await incident.say("answer", {"question": chosen.number, "by": "lee", "value": "the left one"})
        question = await incident.question("drastic")
        assert question.proposer == "lee" and "proposed by lee, who may not grant it too" in question.facts
        assert "lee chose this option" in await incident.refused("approve", await stage.code("lee", question.number))
        await incident.say("approve", await stage.code("dana", question.number))
        await incident.say("approve", await stage.code("kim", question.number))
        assert "decided: answer by ('dana', 'kim')" in await incident.hears("note: decided")


async def test_taking_the_page_is_free_and_takes_nobodys_authority_before_a_code_vouches_for_it(tmp_path: Path) -> None:
    """Somebody acknowledges in the deputy's name: it counts as command, is shown as self-declared, and the commander keeps her yes."""
    async with incident_of(tmp_path) as (stage, incident):
        question = await incident.question("over from aurora")
        await incident.say("acknowledge", {"by": "kim"})
        assert (await incident.status()).holder(Role.INCIDENT_COMMANDER) == "kim (self-declared)"
        assert "acknowledged: kim takes command (self-declared)" in await incident.timeline()
        assert "sent to dana" in await incident.say("code", {"by": "dana"})
        assert "can be sent again from" in await incident.say("code", {"by": "dana"})
        code = await stage.code("dana", COMMANDS)
        incident.used.add(code)
        assert "in your name" in next(text for text in heard(stage, "dana", "dm") if code in text)
        assert "a question is answered with the code that came with it" in await incident.refused("approve", code)
        yes = await stage.code("dana", question.number)
        assert f"is for question {question.number}, and good for nothing else" in await incident.refused("acknowledge", yes)
        assert "dana (verified)" in await incident.say("approve", await stage.code("dana", question.number, yes))
        assert (await incident.status()).commander == "kim", "an answer takes command from nobody"
        await incident.verified("acknowledge", "dana")
        assert "takes command from kim, who was self-declared (verified)" in await incident.hears("dana takes command")
        status = await incident.status()
        assert status.commander == "dana" and not status.self_declared
        assert not [line for line in await incident.timeline() if code in line]


async def test_the_first_code_of_whoever_took_command_vouches_for_it(tmp_path: Path) -> None:
    """From then on nobody else acts as commander, and nobody takes it from them."""
    async with incident_of(tmp_path) as (stage, incident):
        question = await incident.question("over from aurora")
        code = await stage.code("dana", question.number)
        await incident.say("acknowledge", {"by": "kim"})
        resume = await incident.command_code("kim")
        await incident.say("resume", resume)
        assert "used already, for resume" in await incident.refused("resume", resume), "not even the same message counts by it again"
        await incident.hears("verified: kim has shown who they are, and is Incident Commander")
        assert "dana is not" in await incident.refused("approve", code)
        await incident.verified("acknowledge", "dana")
        assert (await incident.status()).commander == "kim"
