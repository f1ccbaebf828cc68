"""The clients of the systems that reach people, against their practice faces."""

import pytest

from activities.chat.slack import Slack
from activities.chat.war_room import WarRoom
from activities.identity.codes import Codes
from activities.paging.pager import Pager
from activities.paging.pagerduty import PagerDuty
from activities.status_page.status_page import StatusPage
from activities.status_page.statuspage import Statuspage
from activities.tickets.github import GitHub, Repositories
from tests.activities.conftest import MakeClient

CODES = Codes(b"a practice secret, long enough")
REPOSITORY = "acme/incidents"


@pytest.fixture
def pagerduty(door: MakeClient) -> PagerDuty:
    rest = door("/pagerduty/api", Authorization="Token token=practice-token")
    return PagerDuty(
        door("/pagerduty", Accept="application/json"), rest, routing_key="practice-token", requester="P_DANA", sender="dana@example.com"
    )


@pytest.fixture
def slack(door: MakeClient) -> Slack:
    return Slack(door("/slack/api"))


@pytest.fixture
def pager(pagerduty: PagerDuty, slack: Slack) -> Pager:
    return Pager(pagerduty, slack, CODES)


@pytest.fixture
def war_room(slack: Slack) -> WarRoom:
    return WarRoom(slack)


@pytest.fixture
def page(door: MakeClient) -> StatusPage:
    manage = door("/statuspage/v1", Authorization="OAuth practice-token")
    return StatusPage(Statuspage(manage, door("/statuspage/public", Accept="application/json"), "main"))


@pytest.fixture
def github(door: MakeClient) -> GitHub:
    return GitHub(door("/github"), REPOSITORY)


@pytest.fixture
def repositories(door: MakeClient) -> Repositories:
    return Repositories(door("/github"))
