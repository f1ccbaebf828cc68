"""§2.10 and people: who may not approve, what only they know, and what they say is done."""

from pathlib import Path

from tests.playbooks.secret_compromise.stolen import ends, of, stolen
from tests.stage.outages import story
from workflows.incident import Phase, State


async def test_whose_key_it_is_may_say_no_and_not_yes(tmp_path: Path) -> None:
    async with stolen(tmp_path, "signing") as (stage, incident):
        of(stage).inventory["signing"].owner = "sam"
        await incident.commanded()
        await incident.answer("Keep the stolen", "decline", by="dana")
        question = await incident.question("Revoke kid-2")
        why = await incident.refused("approve", {"question": question.number, "by": "sam"})
        assert "sam may not approve here: signing is theirs" in why and of(stage).keys["kid-2"].revoked is None
        await incident.answer("Revoke kid-2", by="dana")
        await incident.hears("done: credentials.revoke")


async def test_a_customers_own_secret_is_a_letter_and_a_person_says_that_it_is_done(tmp_path: Path) -> None:
    async with stolen(tmp_path, "export") as (stage, incident):
        of(stage).inventory["export"].reaches = ["webhook-acme"]
        status = await ends(stage, incident)
        assert status.state is State.RESOLVED, story(await incident.timeline())
        assert any(task.text.startswith("Tell tenant-01 which secret of theirs to rotate") for task in status.tasks)
        (question,) = [q for q in status.questions if q.asks.startswith("Is webhook-acme revoked")]
        assert question.answers and "done, says" in story(await incident.timeline())


async def test_a_token_that_only_people_can_make_is_revoked_by_us_and_its_line_is_done(tmp_path: Path) -> None:
    """GitHub: revoked by its interface, by the issuer's word. What it reaches is replaced."""
    async with stolen(tmp_path, "ci-token") as (stage, incident):
        status = await ends(stage, incident)
        assert status.state is State.RESOLVED, story(await incident.timeline())
        assert of(stage).keys["21"].revoked is not None and of(stage).keys["gk-1"].revoked is not None


async def test_a_credential_that_is_in_no_inventory_is_said_asked_and_kept(tmp_path: Path) -> None:
    """Bad input: it is not revoked on a guess, and its line is a person's."""
    async with stolen(tmp_path, "nobody-knows", thief=False, exposure="confirmed") as (stage, incident):
        await incident.question("Which credential is it")
        assert "nobody-knows is in no inventory" in story(await incident.timeline())
        status = await incident.status()
        assert any(task.text.startswith("Find out who issued nobody-knows") for task in status.tasks)
        status = await ends(stage, incident, values={"Which credential": "export"}, until=Phase.RECOVERY)
        assert of(stage).keys["exp-1"].revoked is not None


async def test_nobody_says_which_one_it_is_and_nothing_is_revoked(tmp_path: Path) -> None:
    async with stolen(tmp_path, "", thief=False) as (stage, incident):
        await incident.answer("Which credential is it", "decline", by="sam")
        await incident.hears("nobody says which credential it is")
        assert all(one.revoked is None for one in of(stage).keys.values())


async def test_how_sure_it_is_is_asked_and_no_answer_is_a_suspicion(tmp_path: Path) -> None:
    async with stolen(tmp_path, "database", thief=False) as (_stage, incident):
        await incident.answer("How sure is it", "decline", by="sam")
        await incident.hears("database (data store, suspected)")


async def test_stuffing_without_a_credential_revokes_nothing(tmp_path: Path) -> None:
    async with stolen(tmp_path, "", thief=False, labels={"pattern": "stuffing"}) as (stage, incident):
        await incident.hears("phase: Mitigation")
        assert "passwords are tried by the thousand" in story(await incident.timeline())
        assert all(one.revoked is None for one in of(stage).keys.values())
