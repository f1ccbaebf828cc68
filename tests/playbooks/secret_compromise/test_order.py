"""§2.10, INV-2: what is surely stolen is revoked first; what is only suspected is replaced first; an overlap is chosen, and ends."""

from datetime import timedelta
from pathlib import Path

from tests.playbooks.secret_compromise.stolen import NO_OVERLAP, ends, living, of, quick, served_by, stolen
from tests.stage.outages import STANDING, story
from tests.stage.running import RunningIncident
from workflows.incident import Phase, State

SIGNED = STANDING.format(verb="credentials.revoke")


def begun(incident: RunningIncident) -> list[str]:
    return [row.verb for row in incident.book() if row.outcome in ("done", "adopted")]


async def test_what_is_only_suspected_is_replaced_everywhere_before_it_is_revoked(tmp_path: Path) -> None:
    """No service stands still; nobody is asked about an overlap."""
    async with stolen(tmp_path, "database", thief=False, exposure="suspected") as (stage, incident):
        status = await ends(stage, incident)
        done = begun(incident)
        assert status.state is State.RESOLVED, story(await incident.timeline())
        last_pin = max(n for n, verb in enumerate(done) if verb == "deploys.pin_secret")
        assert done.index("credentials.mint") < last_pin < done.index("credentials.revoke") < done.index("secrets.disable"), done
        assert "had no key that works" not in story(await incident.timeline())
        assert not any("Keep the stolen" in q.asks for q in status.questions)


async def test_an_overlap_is_chosen_by_two_and_the_key_dies_when_everybody_has_another_one(tmp_path: Path) -> None:
    async with stolen(tmp_path, "database") as (stage, incident):
        status = await ends(stage, incident, {"Keep the stolen": "approve"}, until=Phase.RECOVERY)
        done, (question,) = begun(incident), [q for q in status.questions if "Keep the stolen" in q.asks]
        assert {one.by for one in question.answers} == {"dana", "sam"} and question.risk.label == "C3"
        assert max(n for n, verb in enumerate(done) if verb == "deploys.pin_secret") < done.index("credentials.revoke"), done
        assert of(stage).keys["db-3"].revoked is not None
        assert not any(q.asks.startswith("Revoke db-3") for q in status.questions), "the same yes covers its end"


async def test_at_the_end_of_the_overlap_it_is_revoked_whatever_stands_still(tmp_path: Path) -> None:
    async with stolen(tmp_path, "database", policy=quick('overlap = "PT10M"')) as (stage, incident):
        await incident.commanded()
        await incident.answer("Keep the stolen", by="dana")
        await incident.answer("Keep the stolen", by="sam")
        await incident.question("Start api")
        assert of(stage).keys["db-3"].revoked is None
        await incident.hears("the overlap of database is over")
        await incident.hears("done: credentials.revoke")
        assert of(stage).keys["db-3"].revoked is not None and served_by(stage, "DATABASE_URL")["api"] == {3}
        status = await ends(stage, incident)
        assert status.state is State.RESOLVED and served_by(stage, "DATABASE_URL") == {"api": {4}, "orchestrator": {4}}


async def test_silence_chooses_no_overlap_and_revokes_nothing_by_itself(tmp_path: Path) -> None:
    """Where it is an outage nobody's silence is a yes: it is asked, and asked again."""
    async with stolen(tmp_path, "database") as (stage, incident):
        await incident.hears("nobody has chosen an overlap for database")
        question = await incident.question("Revoke db-3")
        assert "stand still" in question.asks and of(stage).keys["db-3"].revoked is None
        await incident.commanded()
        await incident.answer("Revoke db-3", by="sam")
        await incident.hears("done: credentials.revoke")
        assert of(stage).keys["db-3"].revoked is not None


async def test_under_a_signed_standing_policy_silence_revokes(tmp_path: Path) -> None:
    async with stolen(tmp_path, "database", policy=quick(more=SIGNED)) as (stage, incident):
        await incident.hears("nobody has chosen an overlap for database")
        await incident.hears("done: credentials.revoke")
        assert of(stage).keys["db-3"].revoked is not None
        status = await incident.status()
        assert not any(q.asks.startswith("Revoke db-3") for q in status.questions), story(await incident.timeline())


async def test_a_standing_policy_is_never_for_a_suspicion(tmp_path: Path) -> None:
    """Replacing is declined, so that revoking would be an outage: people are asked, whatever was signed."""
    async with stolen(tmp_path, "database", thief=False, exposure="suspected", policy=quick(more=SIGNED)) as (stage, incident):
        await incident.commanded()
        await incident.answer("Start api", "decline")
        await incident.answer("Start orchestrator", "decline")
        question = await incident.question("Revoke db-3")
        assert question.open and of(stage).keys["db-3"].revoked is None


async def test_the_most_dangerous_goes_first_and_there_is_one_replacement_of_each(tmp_path: Path) -> None:
    """Whoever holds the deployer's key can read four more. The one that nobody uses is revoked too."""
    async with stolen(tmp_path, "deployer") as (stage, incident):
        status = await ends(stage, incident)
        assert status.state is State.RESOLVED, story(await incident.timeline())
        revoked = [row.target for row in incident.book() if row.verb == "credentials.revoke" and row.outcome == "done"]
        assert revoked == [f"credential/{name}" for name in ("deployer", "signing", "database", "llm-main", "export")]
        assert sorted(one.label for one in living(stage, incident.id)) == sorted(
            [f"{incident.id}/database", f"{incident.id}/signing", f"svc:{incident.id}/llm-main"]
        )
        assert of(stage).store["EXPORT_TOKEN"][1].state == "DISABLED" and "credentials.forget" in begun(incident)
        signed_out = [row for row in incident.book() if row.verb == "sessions.revoke" and row.outcome == "done"]
        assert len(signed_out) == 20, "everybody, because whoever can sign can sign in as anybody"


async def test_a_stolen_key_waits_for_nothing_that_is_only_suspected(tmp_path: Path) -> None:
    """Nobody answers about the more dangerous ones that it reaches: it is revoked all the same, and so is what nobody needs."""
    async with stolen(tmp_path, "ci-token") as (stage, incident):
        await incident.question("Start api")
        await incident.hears("done: credentials.revoke credential/ci-token")
        assert of(stage).keys["21"].revoked is not None and of(stage).keys["kid-2"].revoked is None


async def test_what_is_named_while_it_works_is_revoked_at_once_and_what_is_named_later_sends_it_back(tmp_path: Path) -> None:
    """The first one waits for people; one that is named meanwhile waits for nobody. One that is named in recovery is no return of the impact."""
    more = {"procedure": "call-in", "by": "dana", "reason": "found in a log"}
    async with stolen(tmp_path, "llm-main", policy=quick('overlap_choice = "PT20M"')) as (stage, incident):
        await incident.question("Keep the stolen llm-main alive")
        await incident.commanded()
        named = {"playbook": "secret_compromise", "credentials": "export", "exposure": "confirmed"}
        await incident.say("do", {**more, "fields": named})
        await incident.hears("done: credentials.revoke credential/export", skip=timedelta(seconds=5))
        assert of(stage).keys["exp-1"].revoked is not None and of(stage).keys["key_1"].revoked is None
        await incident.is_in(Phase.RECOVERY, NO_OVERLAP)
        await incident.say("do", {**more, "fields": {**named, "credentials": "CI-UNKNOWN, 21"}})
        line = await incident.hears("§2.10 Secret/API-key compromise goes on: found in a log", skip=timedelta(seconds=5))
        assert line.startswith("called in:")
        await incident.question("Revoke 21 of acme at github", skip=timedelta(seconds=5))
        assert "CI-UNKNOWN is in no inventory" in story(await incident.timeline())
        assert not [line for line in await incident.timeline() if line.startswith("relapse:")]


async def test_in_shadow_mode_nothing_is_revoked_and_nothing_is_claimed(tmp_path: Path) -> None:
    async with stolen(tmp_path, "database", mode="shadow") as (stage, incident):
        await incident.hears("not done: shadow mode")
        await incident.pass_time(timedelta(minutes=40))
        said = story(await incident.timeline())
        assert "although it is revoked" not in said and all(one.revoked is None for one in of(stage).keys.values()), said
