"""§2.10 at sign-in: a wave of tried passwords is limited, a second factor asked for, and only accounts that were opened choose another password."""

from pathlib import Path
from typing import Any

from practice.signin.model import SignIn
from practice.tenancy.cast import tenancy
from tests.playbooks.secret_compromise.stolen import ends, quick, stolen
from tests.playbooks.secret_compromise.test_edge import STUFFING, WAVE
from tests.stage.drill import Drill
from tests.stage.outages import story
from workflows.incident import State

YES = {"second factor": "approve", "choose another password": "approve"}


def there(stage: Drill) -> SignIn:
    return stage.world.state.part(SignIn)


def strangers(stage: Drill) -> list[str]:
    """Sessions that were opened with a password that was tried, and are alive."""
    auth = tenancy(stage.world.state, stage.world.clock.now()).auth
    return [one.id for one in auth.sessions.values() if "stranger" in one.id and auth.alive(one)]


async def test_what_was_opened_is_shut_and_nobody_else_has_to_choose_another_password(tmp_path: Path) -> None:
    async with stolen(tmp_path, "", thief=False, dials=WAVE, labels=STUFFING) as (stage, incident):
        assert len(strangers(stage)) == 4
        await incident.commanded()
        question = await incident.question("choose another password")
        assert "4 accounts" in question.asks and question.risk.label == "C2"
        await incident.answer("choose another password", by="sam")
        await incident.answer("second factor", by="sam")
        await incident.hears("done: sign_in.force_reset")
        await incident.hears("done: sign_in.step_up")
        await incident.hears("done: sign_in.limit")
        await incident.hears("none of them is signed in")
        accounts = there(stage).accounts
        assert {name for name, one in accounts.items() if one.must_reset} == {name for name, one in accounts.items() if one.good}
        status = await ends(stage, incident)
        assert status.state is State.RESOLVED and not strangers(stage), story(await incident.timeline())
        assert not any(one.factor.asked or one.limits.per_account for one in there(stage).tenants.values()), "what was imposed was put back"


async def test_what_is_declined_is_a_persons_and_nobody_is_signed_out(tmp_path: Path) -> None:
    async with stolen(tmp_path, "", thief=False, dials=WAVE, labels=STUFFING) as (stage, incident):
        await incident.commanded()
        await incident.answer("choose another password", "decline", by="sam")
        await incident.answer("second factor", "decline", by="sam")
        await incident.hears("Let the accounts that were really opened choose another password")
        assert len(strangers(stage)) == 4 and not any(one.must_reset for one in there(stage).accounts.values())


async def test_a_list_that_is_too_long_is_nobodys_list(tmp_path: Path) -> None:
    """A mass reset is never by automation, whoever says yes."""
    policy = quick(more="\n[policy.sign_in]\nmost_reset = 3\n")
    async with stolen(tmp_path, "", thief=False, dials=WAVE, labels=STUFFING, policy=policy) as (stage, incident):
        await incident.hears("never everybody's")
        status = await incident.status()
        assert not any("choose another password" in q.asks for q in status.questions)
        assert not any(one.must_reset for one in there(stage).accounts.values())


async def test_by_keycloak(tmp_path: Path) -> None:
    policy: dict[str, Any] = {"policy": quick(more='\n[policy.systems]\nsign_in = "keycloak sign-in"\n')}
    async with stolen(tmp_path, "", thief=False, dials=WAVE, labels=STUFFING, **policy) as (stage, incident):
        await incident.commanded()
        await incident.answer("choose another password", by="sam")
        await incident.answer("second factor", by="sam")
        await incident.hears("done: sign_in.force_reset")
        await incident.hears("done: sign_in.step_up")
        assert any(one.flow == "browser-second-factor" for one in there(stage).tenants.values())


async def test_sign_in_that_does_not_answer_is_for_people(tmp_path: Path) -> None:
    async with stolen(tmp_path, "", thief=False, dials=WAVE, labels=STUFFING) as (stage, incident):
        await stage.inject("auth.attempts.list", "fail", times=50)
        await incident.hears("Limit each account and address")
        tasks = [task.text for task in (await incident.status()).tasks]
        assert any(one.startswith("Ask sign-in for a second factor") for one in tasks) and any("really opened" in one for one in tasks)
