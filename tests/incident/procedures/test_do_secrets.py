"""`incident do`, the quick actions of §1.5: another key, a service started with it by its number, and everybody signed out on two words."""

from pathlib import Path

import pytest

from practice.credentials.cast import MARK, credentials
from practice.tenancy.cast import tenancy
from tests.playbooks.secret_compromise.stolen import living, of, quick, served_by
from tests.stage.drill import Drill, drill
from tests.stage.outages import story
from tests.stage.running import until
from workflows.errors import NotAccepted
from workflows.procedures.secrets import asked_of


def strangers(stage: Drill) -> int:
    auth = tenancy(stage.world.state, stage.world.clock.now()).auth
    return sum(auth.alive(one) and not one.service_account for one in auth.sessions.values())


async def test_another_key_is_made_once_kept_by_its_number_and_a_service_started_with_it(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=quick(), secret_manager_project="acme") as stage:
        incident = await stage.declare("Triage", service="api")
        await incident.commanded()
        await incident.say("do", {"by": "sam", "procedure": "rotate-secret", "fields": {"inventory_id": "database"}, "reason": "a drill"})
        said = await incident.hears("api takes it by")
        assert "pin-secret name=DATABASE_URL version=4 --service api" in said
        (key,) = living(stage, incident.id)
        assert of(stage).store["DATABASE_URL"][4].value == key.value and of(stage).keys["db-3"].revoked is None, "the old one lives on"
        await incident.say("do", {"by": "lee", "procedure": "pin-secret", "fields": {"name": "DATABASE_URL", "version": "4"}})
        question = await incident.question("Start api with version 4 of DATABASE_URL?")
        assert question.risk.label == "C2"
        await incident.answer("Start api with version 4", by="dana")
        await incident.hears("done: deploys.pin_secret")
        assert served_by(stage, "DATABASE_URL")["api"] == {4}
        assert MARK not in story(await incident.timeline())
        await incident.verified("stand_down", "dana", reason="a drill")


async def test_where_only_people_can_make_one_they_are_told_so_and_nothing_is_made(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=quick(), secret_manager_project="acme") as stage:
        incident = await stage.declare("Triage", service="api")
        before = set(credentials(stage.world.state, stage.world.clock.now()).keys)
        for name, why in (("ci-token", "only people can make another key for ci-token"), ("nobody", "nobody is in no inventory")):
            await incident.say("do", {"by": "sam", "procedure": "rotate-secret", "fields": {"inventory_id": name}})
            await incident.hears(why)
        assert set(of(stage).keys) == before
        await incident.say("do", {"by": "sam", "procedure": "rotate-secret"})
        await incident.question("Rotate a secret: done?")
        (task,) = [one for one in (await incident.status()).tasks if "Rotate a secret" in one.text]
        assert any("gcloud secrets versions add OPENAI_API_KEY --data-file ./new-key.txt" in line for line in task.by_hand), (
            "the seed's own"
        )
        await incident.verified("stand_down", "dana", reason="a drill")


async def test_everybody_is_signed_out_on_two_words_tenant_by_tenant_and_service_accounts_go_on(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=quick()) as stage:
        incident = await stage.declare("Triage", service="api")
        await incident.commanded()
        assert strangers(stage) > 0
        await incident.say("do", {"by": "lee", "procedure": "revoke-all-sessions", "reason": "a drill"})
        question = await incident.question("Sign out everybody of")
        assert question.risk.label == "C3" and strangers(stage) > 0
        await incident.answer("Sign out everybody of", by="dana")
        await incident.answer("Sign out everybody of", by="sam")
        await incident.hears("done: sessions.revoke")
        tenants = set(stage.world.state.tenants)

        async def all_of_them() -> bool:
            done = {row.target for row in incident.book() if row.verb == "sessions.revoke" and row.outcome in ("done", "adopted")}
            return done == {f"sessions/{one}" for one in tenants}

        await until(all_of_them, "every tenant to be signed out")
        auth = tenancy(stage.world.state, stage.world.clock.now()).auth
        ours = [one for one in auth.sessions.values() if one.tenant in tenants]
        assert all(auth.alive(one) is one.service_account for one in ours)
        await incident.verified("stand_down", "dana", reason="a drill")


async def test_declined_nobody_is_signed_out(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=quick()) as stage:
        incident = await stage.declare("Triage", service="api")
        await incident.commanded()
        before = strangers(stage)
        await incident.say("do", {"by": "lee", "procedure": "revoke-all-sessions"})
        await incident.answer("Sign out everybody of", "decline", by="dana")
        await incident.hears("declined")
        assert strangers(stage) == before and not any(row.verb == "sessions.revoke" for row in incident.book())
        await incident.verified("stand_down", "dana", reason="a drill")


@pytest.mark.parametrize(
    ("procedure", "fields", "why"),
    [
        ("pin-secret", {}, "which version, by its number"),
        ("pin-secret", {"name": "A", "version": "latest"}, "which version, by its number"),
        ("pin-secret", {"name": "A", "version": "0"}, "which version, by its number"),
        ("pin-secret", {"name": "A", "versions": "3"}, r"has no field versions; did you mean version\?"),
        ("rotate-secret", {"value": "x"}, "has no field value"),
        ("revoke-all-sessions", {"tenant": "a"}, "it has none"),
    ],
)
def test_what_is_missing_or_means_nothing_is_not_accepted(procedure: str, fields: dict[str, str], why: str) -> None:
    with pytest.raises(NotAccepted, match=why):
        asked_of(procedure, fields)
