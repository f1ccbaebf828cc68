"""§2.1: a cause is crossed out only by proof. What could not be done, or not be seen, keeps its suspect, with what remains."""

from datetime import timedelta
from pathlib import Path

import pytest

from activities.action import Effect
from tests.stage.drill import drill
from tests.stage.outages import MINUTE, changed, makes, outage, passes, quick, story
from workflows.engine.changes import ChangeResult
from workflows.incident import State
from workflows.playbooks.production_outage.diagnosis import Cause, Diagnosis, Hypothesis
from workflows.playbooks.production_outage.suspects import Remedy, Suspects, remedy_of
from workflows.status import Standing

# -- the rules, as a table ------------------------------------------------------------------------------------------------------------

DONE = ChangeResult(Effect(target="t", summary="s", proven_by="p"))
ADOPTED = ChangeResult(Effect(target="t", summary="s", proven_by="p", adopted=True))
NOTED = ChangeResult(Effect(target="t", summary="s", proven_by="p", assumed=True))


@pytest.mark.parametrize(
    ("results", "begun", "applied", "why"),
    [
        ((DONE,), True, True, ""),
        ((ADOPTED,), True, True, ""),
        ((NOTED,), False, False, "only noted, not done"),
        ((ChangeResult(declined=True),), False, False, "declined"),
        ((ChangeResult(unanswered=True),), False, False, "nobody answered"),
        ((ChangeResult(),), False, False, "skipped by a person"),
        ((DONE, ChangeResult(declined=True)), True, False, "declined"),
    ],
)
def test_a_remedy_is_applied_when_all_of_it_was_read_back(results: tuple[ChangeResult, ...], begun: bool, applied: bool, why: str) -> None:
    found = remedy_of(*results)
    assert (found.begun, found.applied, found.why) == (begun, applied, why)


@pytest.mark.parametrize(
    ("remedy", "blind", "standing"),
    [
        (Remedy(begun=True, applied=True), False, Standing.RULED_OUT),
        (Remedy(begun=True, applied=True), True, Standing.UNPROVEN),
        (Remedy(begun=True, applied=False, why="declined"), False, Standing.UNPROVEN),
        (Remedy(), False, Standing.NOT_POSSIBLE),
    ],
)
def test_only_what_was_applied_and_seen_not_to_help_is_crossed_out(remedy: Remedy, blind: bool, standing: Standing) -> None:
    found = Diagnosis().of(Hypothesis(Cause.REGION, "eu-west", doubt=0.2, reasons=["60 % fail there"]), 0.8)
    suspects = Suspects()
    said = suspects.judge(found, remedy, blind=blind)
    assert said.startswith("ruled out" if standing is Standing.RULED_OUT else "still suspected")
    assert (Cause.REGION, "eu-west") in suspects, "it is not proposed again in any case"
    (shown,) = suspects.shown(found.without(suspects))
    assert (shown.what, shown.standing, shown.evidence) == ("region eu-west", standing, ("60 % fail there",))
    assert bool(suspects.kept()) is (standing is not Standing.RULED_OUT)


def test_the_cause_that_gave_way_becomes_a_rival_of_the_next() -> None:
    best, other = Hypothesis(Cause.REGION, "eu-west", doubt=0.2), Hypothesis(Cause.LOAD, doubt=0.4)
    found = Diagnosis(others=(other,)).of(best, 0.8)
    suspects = Suspects()
    suspects.judge(found, Remedy())
    follows = found.without(suspects)
    assert (follows.cause, follows.others) == (Cause.LOAD, (best,))
    assert [(one.what, one.standing) for one in suspects.shown(follows)] == [
        ("load", Standing.ACTED_ON), ("region eu-west", Standing.NOT_POSSIBLE),
    ]  # fmt: skip


# -- stories --------------------------------------------------------------------------------------------------------------------------


async def test_where_nothing_is_eligible_the_change_stays_suspected_and_a_hotfix_is_offered(tmp_path: Path) -> None:
    """No target at all: said within the minute and not watched for, a task with the exemption's command; never proposed again."""
    async with drill(tmp_path, policy=quick()) as stage:
        await makes(stage, "world", services={"api": {"schema": 9}})
        await makes(stage, "deploys", service="api", error_rate=0.4)
        await passes(stage, 180)
        incident = await stage.declare("ProductionOutage", service="api")
        line = await incident.hears("still suspected: change")
        assert "remedy not possible: no revision may be rolled back to" in line
        exempt = f"incident freeze exempt {incident.id} --service api --digest"
        assert exempt in line and "--purpose hotfix" in line
        status = await incident.status()
        (fix,) = [task for task in status.tasks if "hotfix" in task.text]
        assert fix.by_hand[0].startswith(exempt)
        assert fix.text == "Fix api forward: build a hotfix, and let it pass the change freeze by its digest"
        assert "still suspected: change chg-1001" in await incident.hears("handed over:", skip=MINUTE)
        lines, status = await incident.timeline(), await incident.status()
        assert not any("ruled out" in said for said in lines), story(lines)
        suspect = next(one for one in status.suspects if one.what.startswith("change chg-1001"))
        assert suspect.standing is Standing.NOT_POSSIBLE and any("fails" in said for said in suspect.evidence)
        assert not any("Roll api back" in q.asks for q in status.questions)


async def test_a_no_to_the_remedy_crosses_nothing_out_and_the_same_is_not_asked_again(tmp_path: Path) -> None:
    """Declined: the next cause at once; a quarter of an hour later the same rollback is not proposed under another name."""
    async with outage(tmp_path, error_rate=0.4) as (stage, incident):
        await incident.answer("Roll api back", "decline")
        asked = await incident.hears("still suspected: change chg-1001 (remedy not possible: the rollback to api-00041: declined)")
        assert asked
        assert "still suspected: change chg-1001" in await incident.hears("handed over:", skip=MINUTE)
        status = await incident.status()
        assert sum("Roll api back" in q.asks for q in status.questions) == 1 and status.state is State.HANDED_OVER
        assert await changed(stage, "run.") == []


async def test_a_rollback_that_was_applied_and_did_not_help_crosses_the_change_out(tmp_path: Path) -> None:
    """Proven to serve, and no better: that is evidence, and the rival is looked at with its own."""
    policy = quick().replace("[policy.roll_back]", "[policy.roll_back]\nattempts = 1")
    async with drill(tmp_path, policy=policy) as stage:
        await makes(stage, "deploys", service="api", error_rate=0.0, what="an innocent deploy")
        await makes(stage, "service-faults", service="api", kind="region", rate=0.5)
        await passes(stage, 180)
        incident = await stage.declare("ProductionOutage", service="api")
        await incident.answer("Roll api back")
        await incident.hears("ruled out: change chg-1001: its remedy was applied and did not help", skip=MINUTE)
        await incident.hears("handed over:", skip=MINUTE)
        (suspect,) = [one for one in (await incident.status()).suspects if one.what == "change chg-1001"]
        assert suspect.standing is Standing.RULED_OUT


async def test_a_cause_that_people_repair_stays_suspected_while_they_have_not(tmp_path: Path) -> None:
    """A task is no remedy that was applied: not better yet is no proof of innocence."""
    async with outage(tmp_path, fault={"kind": "integrity", "rate": 0.4}) as (stage, incident):
        await incident.answer("Api takes no writes", "decline")
        line = await incident.hears("still suspected: data api", skip=MINUTE)
        assert "remedy unproven: it is with people" in line and "Repair the data of api" in line
        assert not any("ruled out" in said for said in await incident.timeline())
        assert await changed(stage, "platform.write-gate") == []


async def test_when_nobody_can_see_whether_it_helped_the_suspect_is_kept_and_the_split_put_back_on_a_no(tmp_path: Path) -> None:
    """Blind, and the commander will not keep it: put back, unproven, and the revision is not called one that did not help."""
    async with outage(tmp_path, error_rate=0.4) as (stage, incident):
        await incident.question("Roll api back")
        await makes(stage, "blind", on=True)
        await incident.answer("Roll api back")
        await incident.question("Keep the rollback of api", skip=MINUTE)
        await incident.answer("Keep the rollback of api", "decline")
        await incident.hears("the rollback to api-00041 is unproven: the split from before serves again")
        line = await incident.hears("still suspected: change", skip=timedelta(seconds=30))
        assert "remedy unproven" in line
        assert not any("did not help" in said for said in await incident.timeline())
