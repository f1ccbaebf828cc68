"""A plan is the playbook itself, rehearsed: real reads, nothing done; and it is printed when nothing of ours runs any more."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from activities.action import Risk
from tests.incident.mechanisms.outage import LOW_PARITY
from tests.incident.test_notes_and_by_hand import by_hand, commands
from tests.stage.drill import Drill, drill
from tests.stage.organisation import ORGANISATION
from tests.stage.outages import makes, passes, quick
from tests.stage.running import RunningIncident, until
from workflows.status import Outcome, Status, StepState


async def broken(stage: Drill, playbook: str) -> dict[str, Any]:
    """Something that the playbook is for; returns what it is started with."""
    if playbook == "ProductionOutage":
        await makes(stage, "deploys", service="api", error_rate=0.4)
    else:
        await stage.edit(providers=LOW_PARITY)
        await stage.break_provider(provider="aurora", kind="overload", rate=0.6)
    await passes(stage, 180)
    return {"service": "api" if playbook == "ProductionOutage" else "chat"}


async def rehearsed(told: RunningIncident) -> Status:
    outcome = Outcome.model_validate(await asyncio.wait_for(told.handle.result(), 30))
    assert outcome.rehearsed is not None
    return outcome.rehearsed


@pytest.mark.parametrize(
    ("playbook", "verb", "question"),
    [("ProductionOutage", "deploys.shift", "Roll api back to api-00041"), ("LLMProviderOutage", "models.shift", "over from aurora")],
)
async def test_a_plan_reads_only_and_says_every_step_with_its_command_and_every_question(
    tmp_path: Path, playbook: str, verb: str, question: str
) -> None:
    """No effect anywhere; what would be asked and done is said to the end, each change with how to do it by hand."""
    async with drill(tmp_path, policy=quick()) as stage:
        given = await broken(stage, playbook)
        told = await stage.declare(playbook, {**given, "rehearsal": True})
        plan = await rehearsed(told)
        assert [e for e in await stage.effects() if not e["route"].startswith("practice.")] == []
        assert stage.fleet.ledger.effects(told.id) == []
        changes = [step for step in plan.steps if step.risk >= Risk.C1]
        assert verb in {step.verb for step in changes}
        assert all(step.by_hand for step in changes), [step.verb for step in changes if not step.by_hand]
        assert {step.state for step in changes} == {StepState.ASSUMED}
        assert any(question in one.asks and one.by_hand for one in plan.questions), [one.asks for one in plan.questions]
        assert all(one.assumed for one in plan.questions) and any("Resolve" in one.asks for one in plan.questions)
        assert plan.in_force == []


async def test_an_incident_plans_ahead_and_the_rest_is_printed_from_the_ledger_alone(tmp_path: Path) -> None:
    """The plan stands in the status; what was begun leaves it; `incident by-hand` prints it with server and worker dead."""
    organisation = ORGANISATION.format(policy=quick()).replace("plan_ahead = false", "plan_ahead = true")
    async with drill(tmp_path, organisation=organisation) as stage:
        given = await broken(stage, "ProductionOutage")
        incident = await stage.declare("ProductionOutage", given)
        await incident.hears("planned:")
        question = await incident.question("Roll api back to api-00041")
        planned = (await incident.status()).plan
        assert any(one.verb == "deploys.shift" and "api-00041" in one.says for one in planned), planned
        assert all(one.by_hand for one in planned if one.verb)

        async def kept() -> Status | None:
            known = stage.fleet.ledger.status(incident.id)
            status = Status.model_validate(known.status) if known else None
            return status if status and status.plan and status.asking else None

        status: Status = await until(kept, "the plan on the ledger")
    printed = by_hand(tmp_path, "by-hand", incident.id)
    told = " ".join(word for line in printed.splitlines() for word in line.lstrip("# ").split())
    assert set(question.by_hand) <= set(commands(printed))
    for one in status.plan:
        assert " ".join(one.says.split()) in told and "-plan" not in one.says
        assert {line for line in one.by_hand if not line.startswith("#")} <= set(commands(printed))
