"""What `incident doctor` can tell of a permission to write, without writing; and where it cannot, it says so."""

from typing import Any

import pytest

from activities.action import Refused
from activities.deploys.cloud_run import CloudRun
from activities.deploys.system import _probe_cloud_run
from activities.flags.system import _probe_unleash
from activities.flags.unleash import Unleash
from activities.organisation.catalogue import Catalogue, Deployed
from activities.paging import system as paging
from activities.paging.pagerduty import PagerDuty
from activities.status_page.statuspage import Statuspage
from activities.status_page.system import _probe as probe_status_page
from activities.systems import Look
from practice.faces.cloud_run.forms import shown_service
from practice.faces.iam import NotActedAs
from practice.faces.pagerduty.face import TokenUser
from practice.faces.unleash import FlagPermissions
from practice.world.state import JSON
from practice.world.world import World
from tests.activities.conftest import MakeCall, MakeClient, effects, inject

API = Deployed(name="api", platform="cloud_run", regions=("eu-west", "us-east"), project="acme")
ACCOUNT = "api@acme.iam.gserviceaccount.com"


class PagerSettings:
    pagerduty_requester = "P_DANA"


@pytest.fixture
def look(call: MakeCall) -> Look:
    return Look(call(), Catalogue(services={"api": API}), PagerSettings())


@pytest.fixture
def run(door: MakeClient) -> CloudRun:
    return CloudRun(door("/run"), door("/iam"))


@pytest.fixture
def pagerduty(door: MakeClient) -> PagerDuty:
    rest = door("/pagerduty/api", Authorization="Token token=practice-token")
    return PagerDuty(door("/pagerduty"), rest, routing_key="practice-token", requester="P_DANA", sender="dana@example.com")


# ---- Cloud Run ----


async def test_cloud_run_may_be_written_to_where_we_may_also_act_as_the_services_account(world: World, run: CloudRun, look: Look) -> None:
    seen = await _probe_cloud_run(run, look)
    assert (seen.may_write, seen.said) == (True, "api read in every region")
    world.state.part(NotActedAs).append(ACCOUNT)
    seen = await _probe_cloud_run(run, look)
    assert seen.may_write is False and f"iam.serviceAccounts.actAs is missing on {ACCOUNT}" in seen.said
    assert not effects(world)


async def test_a_service_account_of_another_project_is_asked_there(run: CloudRun, call: MakeCall) -> None:
    """Its project stands in its name; the practice platform knows each only under its own."""
    elsewhere = API.model_copy(update={"project": "other"})
    assert await run.may_act_as(call(), elsewhere, "eu-west") == (ACCOUNT, True)


async def test_a_service_that_names_no_account_is_not_taken_for_one_that_we_may_act_as(
    run: CloudRun, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:

    def unnamed(*given: Any) -> JSON:
        said = shown_service(*given)
        del said["template"]["serviceAccount"]
        return said

    monkeypatch.setattr("practice.faces.cloud_run.face.shown_service", unnamed)
    seen = await _probe_cloud_run(run, look)
    assert seen.may_write is True and "not probed whether we may act as the default service account" in seen.said


# ---- PagerDuty ----


async def test_the_role_of_a_users_token_tells_whether_it_may_write(world: World, pagerduty: PagerDuty, look: Look) -> None:
    world.state.part(TokenUser).append("lee")
    assert (await paging._probe(pagerduty, look)).may_write is True
    world.state.people["lee"].pagerduty_role = "observer"
    assert (await paging._probe(pagerduty, look)).may_write is False
    assert not effects(world)


async def test_an_accounts_token_tells_nothing_and_that_is_said(world: World, pagerduty: PagerDuty, look: Look) -> None:
    seen = await paging._probe(pagerduty, look)
    assert seen.may_write is None and "not probed whether the token may write: it is the account's" in seen.said
    world.state.people["dana"].pagerduty_role = "read_only_user"
    assert (await paging._probe(pagerduty, look)).may_write is False, "nobody can be paged in the name of a user who only reads"


async def test_a_token_that_is_refused_is_no_token_of_the_account(world: World, pagerduty: PagerDuty, look: Look) -> None:
    inject(world, "pagerduty.users.me", "fail", status=403)
    with pytest.raises(Refused, match="403"):
        await paging._probe(pagerduty, look)


# ---- Unleash ----


@pytest.mark.parametrize(
    ("permissions", "may"),
    [
        ([], True),
        ([{"permission": "UPDATE_FEATURE_ENVIRONMENT", "project": "default", "environment": "production"}], True),
        ([{"permission": "UPDATE_FEATURE_ENVIRONMENT", "project": "*"}], True),
        ([{"permission": "UPDATE_FEATURE_ENVIRONMENT", "project": "default", "environment": "development"}], False),
        ([{"permission": "UPDATE_FEATURE_ENVIRONMENT", "project": "other", "environment": "production"}], False),
        ([{"permission": "READ_PROJECT_API_TOKEN"}], False),
    ],
)
async def test_unleash_says_whether_our_token_switches_flags_in_our_environment(
    world: World, door: MakeClient, look: Look, permissions: list[JSON], may: bool
) -> None:
    world.state.part(FlagPermissions).extend(permissions)
    assert (await _probe_unleash(unleash(door), look)).may_write is may


async def test_an_unleash_that_knows_no_such_question_is_not_probed_and_that_is_said(world: World, door: MakeClient, look: Look) -> None:
    inject(world, "unleash.user", "fail", status=404)
    seen = await _probe_unleash(unleash(door), look)
    assert seen.may_write is None and "not probed whether we may write" in seen.said


def unleash(door: MakeClient) -> Unleash:
    http = door("/unleash", Authorization="practice-token")
    return Unleash(http, http, project="default", environment="production")


# ---- Statuspage ----


async def test_statuspage_cannot_be_asked_and_that_is_said(door: MakeClient, look: Look) -> None:
    page = Statuspage(door("/statuspage/v1", Authorization="OAuth practice-token"), door("/statuspage/public"), "main")
    seen = await probe_status_page(page, look)
    assert seen.may_write is None and "not probed whether we may write: Statuspage offers no way to ask" in seen.said
