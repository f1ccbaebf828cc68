"""Revoked at the issuer, and tried: what is called revoked is not believed, a refusal is. Nothing brings a stolen key back."""

from typing import Any

import pytest

from activities.action import NotYet, Refused, Risk, action_of
from activities.credentials.inventory import Inventory
from activities.credentials.issuers import KeyRevocations, Surveys
from activities.credentials.orders import CredentialOf, Exposure, ForgetKey, KeyRef, ReachOf, RevokeKey, SurveyOf
from activities.credentials.verifiers import Forgetting, NegativeTests
from activities.organisation.policy import Policy
from activities.secrets.store import DisableVersion, Disabling, Secrets, VersionsOf, VersionState
from practice.credentials.cast import GATEWAY, MARK
from tests.activities.credentials.stage import Vaulted, vaulted
from tests.activities.kit.stage import attempt, tried

REVOKES = {
    "database": "credentials.keys.revoke", "llm-main": "openai.api_keys.delete", "ci-token": "github.personal_access_tokens.revoke",
    "deployer": "iam.serviceAccounts.keys.delete",
}  # fmt: skip


async def revoked(stage: Vaulted, name: str) -> tuple[Any, list[Exception]]:
    return await tried(KeyRevocations.create, stage.revocations, await stage.revoking(name), stage.stage.call(key="k"))


async def refused_everywhere(stage: Vaulted, name: str, version: int | None) -> Any:
    return await attempt(NegativeTests.attempt, stage.tests, await stage.trying(name, version), stage.stage.call())


@pytest.mark.parametrize("name", REVOKES)
@pytest.mark.parametrize("mode", ["", "fail", "hang", "commit_then_drop", "nothing_changed"])
async def test_each_issuer_revokes_once_whatever_breaks_and_a_second_time_does_nothing(name: str, mode: str) -> None:
    async with vaulted() as stage:
        if mode:
            stage.stage.inject(REVOKES[name], mode, times=1)
        effect, _ = await revoked(stage, name)
        assert effect.proven_by == "its issuer shows it as revoked" and len(stage.stage.effects(REVOKES[name])) == 1
        again, _ = await revoked(stage, name)
        assert again.adopted and len(stage.stage.effects(REVOKES[name])) == 1


async def test_a_key_that_its_issuer_has_never_listed_is_not_called_revoked() -> None:
    """A wrong id in the inventory looks like a key that is gone."""
    async with vaulted() as stage:
        order = RevokeKey(credential="x", key=KeyRef(issuer="github", subject="acme", key="999"), exposure=Exposure.CONFIRMED)
        with pytest.raises(Refused, match="does not list 999"):
            await attempt(KeyRevocations.create, stage.revocations, order, stage.stage.call(key="k"))


@pytest.mark.parametrize(("name", "version", "by_value"), [("database", 3, True), ("llm-main", 1, True), ("ci-token", None, False)])
async def test_the_old_key_is_shown_where_it_is_in_the_store(name: str, version: int | None, by_value: bool) -> None:
    async with vaulted() as stage:
        before = await refused_everywhere(stage, name, version)
        assert before.accepted and not before.dead
        await revoked(stage, name)
        after = await refused_everywhere(stage, name, version)
        assert after.dead and after.by_value is by_value


async def test_an_issuer_that_says_revoked_and_lets_it_in_is_not_believed() -> None:
    async with vaulted() as stage:
        await revoked(stage, "database")
        stage.there.keys["db-3"].lies = True
        seen = await refused_everywhere(stage, "database", 3)
        assert seen.accepted == ("own",) and not seen.dead


async def test_a_verifier_lets_it_in_from_its_cache_until_it_is_made_to_forget() -> None:
    async with vaulted() as stage:
        await revoked(stage, "signing")
        seen = await refused_everywhere(stage, "signing", 2)
        assert seen.refused == ("own",) and seen.accepted == (GATEWAY,) and not seen.dead
        one = await stage.credential("signing")
        order = ForgetKey(credential="signing", verifier=GATEWAY, key=one.ref, secret="SIGNING_KEY", version=2)
        effect, _ = await tried(Forgetting.create, stage.forgetting, order, stage.stage.call(key="k"))
        assert effect.proven_by == f"{GATEWAY} refuses the old key" and (await refused_everywhere(stage, "signing", 2)).dead


async def test_a_verifier_that_does_not_forget_is_no_success() -> None:
    async with vaulted() as stage:
        await revoked(stage, "signing")
        stage.there.verifiers[GATEWAY].stubborn = True
        one = await stage.credential("signing")
        order = ForgetKey(credential="signing", verifier=GATEWAY, key=one.ref, secret="SIGNING_KEY", version=2)
        with pytest.raises(NotYet, match=f"accepted, but verifier/{GATEWAY} does not show it"):
            await attempt(Forgetting.create, stage.forgetting, order, stage.stage.call(key="k"))


async def test_a_verifier_that_does_not_answer_is_unknown_and_no_refusal() -> None:
    async with vaulted() as stage:
        await revoked(stage, "signing")
        stage.stage.inject("credentials.verifiers.check", "fail", times=None)
        seen = await refused_everywhere(stage, "signing", 2)
        assert seen.unknown == (GATEWAY,) and not seen.dead


async def test_our_own_token_that_is_refused_says_nothing_of_the_key() -> None:
    """401 because of us is no negative test."""
    async with vaulted() as stage:
        stage.stage.inject("credentials.whoami", "fail", times=None, status=401)
        with pytest.raises(Refused):
            await refused_everywhere(stage, "database", 3)


@pytest.mark.parametrize("mode", ["", "fail", "hang", "commit_then_drop", "nothing_changed"])
async def test_a_version_is_disabled_by_the_official_client_and_given_to_nobody(mode: str) -> None:
    async with vaulted() as stage:
        if mode:
            stage.stage.inject("secretmanager.versions.disable", mode, times=1)
        order = DisableVersion(secret="DATABASE_URL", version=3, dead=True)
        effect, _ = await tried(Disabling.create, stage.disabling, order, stage.stage.call(key="k"))
        assert effect.proven_by == "the store refuses to give it to anybody"
        assert "DATABASE_URL:3" in stage.stage.world.state.fleet.disabled_secrets
        again, _ = await tried(Disabling.create, stage.disabling, order, stage.stage.call(key="k"))
        assert again.adopted and len(stage.stage.effects("secretmanager.versions.disable")) == 1
        seen = await attempt(Secrets.versions, stage.secrets, VersionsOf(secret="DATABASE_URL"), stage.stage.call())
        assert seen.state(3) is VersionState.DISABLED and seen.state(9) is VersionState.UNKNOWN


async def test_a_survey_says_who_uses_it_and_which_version_holds_it_and_no_value() -> None:
    async with vaulted() as stage:
        one = await stage.credential("database")
        seen = await attempt(Surveys.survey, stage.surveys, SurveyOf(credential=one), stage.stage.call())
        assert (seen.alive, seen.version, seen.mints, set(seen.uses)) == (True, 3, True, {"api", "orchestrator"})
        assert MARK not in repr((one, seen)) and one.unlisted == ()
        customers = await stage.credential("webhook-acme")
        unknown = await attempt(Surveys.survey, stage.surveys, SurveyOf(credential=customers), stage.stage.call())
        assert unknown.alive is None


async def test_the_blast_set_has_what_nobody_uses_and_says_where_nobody_could_look() -> None:
    async with vaulted() as stage:
        stage.there.dials.unread.append("ci")
        reach = await attempt(Inventory.reach, stage.inventory, ReachOf(credential="ci-token"), stage.stage.call())
        assert {one.id for one in reach.credentials} == {"deployer", "llm-main", "signing", "database", "export"}
        assert reach.unread == ("ci",) and "not checked: ci" in reach.summary


async def test_a_credential_that_is_in_no_inventory_is_nothing_and_no_error() -> None:
    async with vaulted() as stage:
        assert (await attempt(Inventory.find, stage.inventory, CredentialOf(credential="nobody"), stage.stage.call())).credential is None


def test_what_is_surely_stolen_is_narrow_and_what_stops_a_service_is_not() -> None:
    limits, risk = Policy().limits, action_of(KeyRevocations.create).risk
    order = RevokeKey(credential="x", key=KeyRef(issuer="own", subject="s", key="k"), exposure=Exposure.CONFIRMED)
    assert risk(order, limits) is Risk.C1 and order.within_limits(limits)
    assert risk(order.model_copy(update={"stops": ("api",)}), limits) is Risk.C2
    suspected = order.model_copy(update={"exposure": Exposure.SUSPECTED})
    assert risk(suspected, limits) is Risk.C2 and not suspected.within_limits(limits)
    assert risk(suspected.model_copy(update={"replaced": True, "stops": ("api",)}), limits) is Risk.C1
