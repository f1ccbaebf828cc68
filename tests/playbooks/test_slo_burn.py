"""An exhausted error budget: changes halt in its own name, Prod Review is engaged, and the halt ends by a budget or by a named waiver."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from practice.faces.slack.records import Channels
from practice.services.fleet import ServiceFault
from tests.stage.drill import Drill, drill
from tests.stage.running import until
from workflows.incident import Phase, Silence, State

# A month in twenty minutes. `history`: how much data there must be.
BRIEF = """
mitigated_window = "PT1M"
[policy.stability]
window = "PT5M"
[policy.slo]
window = "PT20M"
least_history = "{history}"
look_again = "PT5M"
ask_again = "PT30M"
"""


@asynccontextmanager
async def burnt(tmp_path: Path, *, rate: float = 0.005, lasts: float = 900, history: str = "PT10M", more: str = "") -> AsyncIterator[Drill]:
    """A stage on which `api` has failed that share of its requests for a quarter of an hour, and goes on for `lasts` seconds in all."""
    async with drill(tmp_path, policy=BRIEF.format(history=history) + more) as stage:
        now = stage.world.clock.now()
        stage.world.state.fleet.faults.append(ServiceFault("api", kind="region", rate=rate, since=now, until=now + lasts))
        stage.forward(900)
        await stage.env.sleep(timedelta(seconds=900))
        yield stage


async def holders(stage: Drill) -> list[str]:
    """Who holds the freeze of `api`."""
    state: Any = await stage.env.client.get_workflow_handle("freeze-api").query("state")
    return [held["id"] for held in state["holders"]]


async def frozen(stage: Drill) -> None:
    """Wait until the budget holds the freeze, proven."""

    async def proven() -> bool:
        try:
            state: Any = await stage.env.client.get_workflow_handle("freeze-api").query("state")
        except Exception:
            return False
        return bool(state["proven_at"] and [held for held in state["holders"] if held["id"] == "budget"])

    await until(proven, "the budget to hold a proven freeze")


async def test_an_exhausted_budget_halts_changes_in_its_own_name_until_it_is_positive_again(tmp_path: Path) -> None:
    """The bad minutes leave the window; a person's word releases; nothing was published."""
    async with burnt(tmp_path) as stage:
        incident = await stage.declare("SloBurn", service="api")
        await frozen(stage)
        assert await holders(stage) == ["budget"]
        status = await incident.status()
        assert status.severity == 3
        assert [measure.name for measure in status.in_force] == ["change freeze for the error budget"]
        assert status.in_force[0].by_hand[0].startswith("incident freeze release api --incident budget")
        reviews = [task for task in status.tasks if "Engage Prod Review" in task.text]
        assert [task.owner for task in reviews] == ["duty_executive"] and "failed in" in reviews[0].text
        question = await incident.question("is positive again")
        waivers = [q for q in (await incident.status()).questions if "Waive" in q.asks]
        assert waivers and not [q for q in waivers if q.open], "nobody is asked to waive what has come back"
        assert question.roles[0] == "incident_commander"
        status = await incident.ends()
        assert status.state is State.RESOLVED and status.in_force == []
        assert status.phases == (Phase.TRIAGE, Phase.MITIGATION, Phase.RECOVERY, Phase.POST_INCIDENT)
        assert len(incident.done("freezes.release_budget")) == 1
        assert not stage.world.state.part(Channels) or not [e for e in await stage.effects() if e["face"] == "statuspage" and e["changed"]]


async def test_the_commander_waives_it_by_name(tmp_path: Path) -> None:
    """The budget is still spent; changes go on all the same, and the record says on whose word and why."""
    async with burnt(tmp_path, lasts=86400) as stage:
        incident = await stage.declare("SloBurn", service="api")
        await frozen(stage)
        await incident.answer("Waive the exhausted error budget", reason="the launch goes first")
        stage.world.state.fleet.faults.clear()
        status = await incident.ends()
        assert status.state is State.RESOLVED and status.in_force == []
        given = next(q for q in status.questions if "Waive" in q.asks).answers
        assert [(g.by, g.reason, g.verified) for g in given] == [("dana", "the launch goes first", True)]
        review, *others = [(task.owner.value, task.text) for task in status.tasks]
        assert review[0] == "duty_executive" and re.fullmatch(
            r"Engage Prod Review: -\d+% of the error budget of api is left: \d+ of \d+ requests failed in [\d.]+ days\. "
            r"Which reliability work goes before features\?", review[1],
        ), review  # fmt: skip
        assert others == [("incident_commander", "Bring to Prod Review what spent the budget, and who repairs it")]
        assert [(task.owner.value, task.text) for task in status.follow_ups] == [
            ("duty_executive", "Prod Review: which incidents and changes spent the error budget, and what is repaired first"),
            ("ops_lead", "Review the objective and its alerts with Prod Review"),
        ]


async def test_where_no_deploy_system_is_configured_changes_are_halted_by_hand(tmp_path: Path) -> None:
    """Stated as a task, and nothing is waited for that nobody holds."""
    async with burnt(tmp_path, lasts=86400) as stage:
        file = stage.settings.organisation
        file.write_text(file.read_text().replace('repository = "acme/api"\n', ""))
        incident = await stage.declare("SloBurn", service="api")
        await incident.hears("phase: Recovery")
        halt = (await incident.status()).tasks[-1]
        said = "Halt changes of api until its error budget is positive again: no deploy system is configured"
        assert (halt.owner, halt.text) == ("ops_lead", said) and (await incident.status()).in_force == []


async def test_silence_and_a_no_keep_the_freeze_and_the_question_comes_again(tmp_path: Path) -> None:
    """Nobody is paged by the hour for weeks, and nothing is waived by waiting."""
    async with burnt(tmp_path, lasts=86400) as stage:
        incident = await stage.declare("SloBurn", service="api")
        await frozen(stage)
        first = await incident.question("Waive the exhausted error budget")
        await incident.answer("Waive the exhausted error budget", "decline")
        assert [q for q in (await incident.status()).asking if "Waive" in q.asks] == []
        second = await incident.question("Waive the exhausted error budget", skip=timedelta(minutes=10))
        assert second.number > first.number and (second.silence, second.open) == (Silence.SKIP, True)
        assert await holders(stage) == ["budget"]


async def test_a_budget_that_is_not_exhausted_freezes_nothing(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=BRIEF.format(history="PT1M")) as stage:
        incident = await stage.declare("SloBurn", service="api")
        status = await incident.ends()
        assert status.state is State.RESOLVED and status.outcome.startswith("no SLO burn: ")
        assert incident.done("freezes.hold") == []


@pytest.mark.parametrize("blind", [False, True], ids=["too young", "blind"])
async def test_where_nobody_can_say_so_a_person_takes_over_and_nothing_is_frozen(tmp_path: Path, blind: bool) -> None:
    """An hour of history exhausts no budget of thirty days; no data exhausts none either."""
    async with burnt(tmp_path, history="P3D") as stage:
        stage.world.state.blind = blind
        if blind:
            stage.forward(300)
            await stage.env.sleep(timedelta(seconds=300))
        incident = await stage.declare("SloBurn", service="api")
        said = await incident.hears("nobody can say whether it is exhausted")
        assert ("no data" in said) is blind
        assert incident.done("freezes.hold") == []


async def test_standing_down_leaves_the_freeze_in_force_in_a_persons_name(tmp_path: Path) -> None:
    """No stand-down lifts it: its exits are a budget and a waiver."""
    async with burnt(tmp_path, lasts=86400) as stage:
        incident = await stage.declare("SloBurn", service="api")
        await frozen(stage)
        await incident.verified("stand_down", "dana", reason="it is ours to live with")
        status = await incident.ends()
        assert [(measure.name, measure.held_by) for measure in status.in_force] == [("change freeze for the error budget", "dana")]
        assert await holders(stage) == ["budget"]


async def test_another_incidents_end_does_not_lift_it(tmp_path: Path) -> None:
    """Reference-counted by holder: an outage of the same service holds its own, and its release is not the budget's."""
    async with burnt(tmp_path, lasts=86400) as stage:
        slo = await stage.declare("SloBurn", service="api")
        await frozen(stage)
        outage = await stage.declare("ProductionOutage", service="api")
        await outage.hears("done: freezes.hold")
        assert sorted(await holders(stage)) == sorted(["budget", outage.id])
        await outage.say("stand_down", {"by": "dana", "reason": "the budget's incident has it"})
        status = await outage.ends()
        assert "change freeze for the error budget" not in [measure.name for measure in status.in_force]
        assert "budget" in await holders(stage)
        assert not await slo.over()


def test_only_the_budgets_own_incident_has_the_verb_that_releases_it() -> None:
    """`freezes.release` refuses in the name of `budget` (tests/freeze); the other verb stands in one place."""
    root = Path(__file__).parent.parent.parent
    users = [
        path.name for path in sorted((root / "workflows").rglob("*.py")) if re.search(r"BUDGET_FROZEN|release_budget", path.read_text())
    ]
    assert users == ["budget.py"]
    importers = [
        path.parent.name for path in sorted((root / "workflows").rglob("*.py")) if "workflows.playbooks.slo_burn.budget" in path.read_text()
    ]
    assert importers == ["slo_burn"]


async def test_what_stays_unmitigated_for_too_long_is_proposed_at_a_higher_severity(tmp_path: Path) -> None:
    """SEV-3 for longer than policy allows (spec §3, escalation): the commander is asked, once, and automation does not decide it."""
    more = '[policy.severity]\nsev3_patience = "PT40M"\n'
    async with burnt(tmp_path, rate=0.035, lasts=90_000, more=more) as stage:
        incident = await stage.declare("SloBurn", service="api")
        question = await incident.question("Raise to SEV-2?", skip=timedelta(minutes=5), patience=90)
        assert "SEV-3 for more than 0:40:00" in question.asks
        assert question.roles[0] == "incident_commander" and (await incident.status()).severity == 3
        await incident.answer("Raise to SEV-2?")
        assert (await incident.status()).severity == 2
        for _ in range(8):
            await incident.pass_time(timedelta(minutes=5))
        assert sum("Raise to" in asked.asks for asked in (await incident.status()).questions) == 1
