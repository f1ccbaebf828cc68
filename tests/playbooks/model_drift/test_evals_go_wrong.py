"""§2.7: evals that repeat themselves, say nothing, disagree with users, or are judged by a model that drifted. None of them is weakened."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.playbooks.model_drift.drift import bad, control, declared, publish, regression, serving, tasks, untouched
from workflows.incident import Phase, State

BLIND = {"impact has not ended": "skip"}  # without evals nobody can say that it has; a person goes on by what customers are answered


@pytest.mark.parametrize(
    ("wrong", "mended"), [({"stuck": True}, {"stuck": False}), ({"nan": True}, {"nan": False}), ({"few": 20}, {"few": None})]
)
async def test_what_cannot_be_believed_is_no_pass(tmp_path: Path, wrong: dict[str, object], mended: dict[str, object]) -> None:
    """The runner repeats yesterday's green, says NaN, or judges too few: users name the cause; recovery waits until the runner is mended."""
    async with regression(tmp_path) as stage:
        await publish(stage)
        await control(stage, "judging", **wrong)
        incident = await declared(stage)
        await incident.is_in(Phase.RECOVERY, BLIND)
        assert serving(stage) == "6/12/3"
        await incident.hears("says nothing that may be believed")
        assert State.RESOLVED is not (await incident.status()).state
        await control(stage, "judging", **mended)
        status = await incident.ends()
        lines = "\n".join(await incident.timeline())
        assert status.state is State.RESOLVED and "every suite that counts passes on 6/12/3" in lines and bad(stage) < 0.06, lines
        assert tasks(status, "See to the eval runner")


async def test_evals_that_stay_silent_are_put_to_a_person_and_a_no_is_a_no(tmp_path: Path) -> None:
    async with regression(tmp_path) as stage:
        await publish(stage)
        await control(stage, "judging", nan=True)
        incident = await declared(stage)
        await incident.is_in(Phase.RECOVERY, BLIND)
        await incident.answer("The evals have not passed", "decline", by="ravi")
        await incident.hears("handed over: the evals have not passed")
        assert (await incident.status()).state is State.HANDED_OVER and serving(stage) == "6/12/3"
        status = await incident.ends()
        assert status.state is State.RESOLVED and untouched(stage, publishing="refused"), "resolved by hand, in the commander's name"


async def test_users_are_trusted_where_the_evals_are_green(tmp_path: Path) -> None:
    """No suite holds the slice: the severity stays, the triple is rolled back by what users meet, and a new eval is asked for."""
    async with regression(tmp_path) as stage:
        await publish(stage, in_evals=False)
        incident = await declared(stage)
        status = await incident.ends()
        lines = "\n".join(await incident.timeline())
        assert status.state is State.RESOLVED and serving(stage) == "6/12/3" and bad(stage) < 0.06, lines
        assert "the evals of 6/13/3 are green, users are not: users decide" in lines and status.severity == 2
        assert tasks(status, "Build eval cases for triple 6/13/3, language de")


async def test_a_judge_model_that_drifted_changes_nothing_that_customers_use(tmp_path: Path) -> None:
    """What people labelled passes, and customers are answered as usual: the judge is not believed, and no threshold is lowered."""
    async with regression(tmp_path) as stage:
        await control(stage, "judging", judge=-0.2)
        stage.forward(1800)
        await stage.env.sleep(timedelta(seconds=1800))
        incident = await declared(stage, 60)
        await incident.hears("the judge model of the evals is not believed")
        assert not incident.done("registry.roll_back") and serving(stage) == "6/12/3"
        await control(stage, "judging", judge=0)
        stage.forward(1800)
        await stage.env.sleep(timedelta(seconds=1800))
        status = await incident.ends()
        assert status.state is State.RESOLVED and untouched(stage), "\n".join(await incident.timeline())
        assert tasks(status, "Mend the judge model") and not incident.done("releases.clear_sticky")


async def test_a_sample_that_people_find_bad_keeps_it_open(tmp_path: Path) -> None:
    """Every score is green; people are not content: no score closes it."""
    async with regression(tmp_path) as stage:
        await publish(stage)
        incident = await declared(stage)
        await incident.is_in(Phase.RECOVERY)
        await incident.answer("People have judged 50 answers", "decline", by="ravi", reason="14 of 50 are bad")
        await incident.hears("handed over: ravi does not find the sample good")
        assert (await incident.status()).state is State.HANDED_OVER
        assert (await incident.ends()).state is State.RESOLVED
