"""What happens when only one person is there (seed §0.2, spec §4)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.worker import Worker

from activities.action import Role
from tests.incident.roles.drastic import Drastic
from tests.incident.roles.outage import MINUTE, heard, incident_of, when
from tests.stage.drill import Drill, drill
from tests.stage.organisation import ORGANISATION, brisk
from tests.stage.running import RunningIncident, until
from worker.service import runner
from workflows.incident import State

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
        await incident.verified("assign", "dana", role="ops_lead", to="dana")  # alone there is nobody to delegate to
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
        used = ""

        async def answer(reason: str) -> dict[str, Any]:
            """Each with a code of its own: the last one was spent."""
            nonlocal used
            used = await stage.code("lee", question.number, used)
            return {"question": question.number, "code": used, "reason": reason}

        assert "1 more needed" in await incident.say("approve", first := await answer("it burns"))
        await incident.hears("a second person is paged for 5 min: kim", skip=timedelta(seconds=5))
        await when(
            lambda: any("second person is needed" in text for text in heard(stage, "kim")), incident, "a page for kim", 5 * MINUTE / 60
        )
        assert "used already" in await incident.refused("approve", {**first, "reason": "break glass: nobody else is awake"})
        early = await incident.refused("approve", await answer("break glass: nobody else is awake"))
        await incident.pass_time(timedelta(minutes=6))
        if not allowed:
            assert "does not allow break-glass" in early
            assert "does not allow" in await incident.refused("approve", await answer("break glass: nobody else is awake"))
            assert "by kim" in await incident.say("approve", await stage.code("kim", question.number))
            assert "decided: answer by ('lee', 'kim')" in await incident.hears("note: decided")
            return
        assert "a second person is being paged" in early
        assert "begins “break glass:”" in await incident.refused("approve", await answer("it burns"))
        await incident.say("approve", await answer("break glass: the database burns and nobody else is awake"))
        assert "decided: break-glass by ('lee',)" in await incident.hears("note: decided")
        assert [
            line for line in await incident.timeline() if line.startswith("break-glass: [1] lee decided alone: break glass: the database")
        ]
        (review,) = [task for task in (await incident.status()).follow_ups if "Review the break-glass" in task.text]
        why = "break glass: the database burns and nobody else is awake"
        assert (review.owner, review.text) == (Role.DUTY_EXECUTIVE, f"Review the break-glass decision [1] by lee: {why}")


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
