"""Every class of answers has an outcome: a move says what to change, a refusal stays one, and what is unknown is tried again."""

from collections.abc import Awaitable, Callable

import httpx
import pytest

from activities.action import Call, NotYet, Refused
from activities.chat.slack import Slack
from activities.kit.http import HttpClient
from activities.paging.pagerduty import PagerDuty
from activities.status_page.statuspage import Statuspage
from activities.tickets.github import GitHub, Repositories
from tests.activities.conftest import MakeCall

READS: dict[str, Callable[[HttpClient, Call], Awaitable[object]]] = {
    "slack": lambda client, call: Slack(client).whoami(call),
    "slack channel": lambda client, call: Slack(client).channel(call, "C1"),
    "pagerduty incident": lambda client, call: _pagerduty(client).incident(call, "Q1"),
    "pagerduty user": lambda client, call: _pagerduty(client).user(call, "P1"),
    "statuspage": lambda client, call: Statuspage(client, client, "main").incident(call, "sp1"),
    "issue": lambda client, call: GitHub(client, "acme/incidents").issue(call, 1),
    "rulesets": lambda client, call: Repositories(client).rulesets(call, "acme/api"),
}
WRITES: dict[str, Callable[[HttpClient, Call], Awaitable[object]]] = {
    "slack": lambda client, call: Slack(client).create(call, "inc", private=False),
    "pagerduty event": lambda client, call: _pagerduty(client).resolve(call, "inc"),
    "pagerduty note": lambda client, call: _pagerduty(client).add_note(call, "Q1", "x"),
    "statuspage": lambda client, call: Statuspage(client, client, "main").create(call, {}),
    "issue": lambda client, call: GitHub(client, "acme/incidents").create(call, "t", "b"),
    "ruleset": lambda client, call: Repositories(client).set_ruleset(call, "acme/api", {}),
}
ALL = [*READS.items(), *((f"write {name}", act) for name, act in WRITES.items())]
PERMANENT = (400, 401, 402, 403, 405, 406, 410, 411, 413, 414, 415, 422, 428, 431, 451)
UNKNOWN = (408, 425, 500, 501, 502, 503, 504, 505, 507)


def _pagerduty(client: HttpClient) -> PagerDuty:
    return PagerDuty(client, client, routing_key="k", requester="P1", sender="s@example.com")


async def answered(act: Callable[[HttpClient, Call], Awaitable[object]], call: Call, status: int, text: str = "", **headers: str) -> None:
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(status, headers=headers, text=text)

    transport = httpx.MockTransport(answer)
    try:
        async with HttpClient("https://vendor.example", {}, transport=transport, setting="INCIDENT_VENDOR_URL") as client:
            await act(client, call)
    finally:
        assert len(sent) == 1, "nothing is sent twice, or to another address"


@pytest.mark.parametrize(("name", "act"), ALL, ids=lambda one: one if isinstance(one, str) else "")
@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_vendor_that_has_moved_is_refused_with_the_setting_to_change(
    call: MakeCall, name: str, act: Callable[[HttpClient, Call], Awaitable[object]], status: int
) -> None:
    with pytest.raises(Refused, match=r"moved to https://new\.example/") as refused:
        await answered(act, call(), status, Location="https://new.example/")
    assert "INCIDENT_VENDOR_URL" in refused.value.message
    assert ("INCIDENT_GITHUB_REPOSITORY" in refused.value.message) is ("issue" in name or "ruleset" in name)


@pytest.mark.parametrize(("name", "act"), ALL, ids=lambda one: one if isinstance(one, str) else "")
async def test_a_no_stays_a_no_and_what_is_unknown_is_tried_again(
    call: MakeCall, name: str, act: Callable[[HttpClient, Call], Awaitable[object]]
) -> None:
    for status in PERMANENT:
        with pytest.raises(Refused):
            await answered(act, call(), status, text="no")
    for status in (420, 423, 429):
        with pytest.raises(NotYet):
            await answered(act, call(), status)
    for status in UNKNOWN:
        with pytest.raises(httpx.HTTPStatusError):
            await answered(act, call(), status)


@pytest.mark.parametrize("text", ["API rate limit exceeded", "You have exceeded a secondary rate limit."])
async def test_githubs_used_up_rate_limit_is_no_refusal(call: MakeCall, text: str) -> None:
    for act in (READS["issue"], READS["rulesets"], WRITES["issue"]):
        with pytest.raises(NotYet):
            await answered(act, call(), 403, text=text)


async def test_a_vendors_error_carries_no_secret_further(call: MakeCall) -> None:
    with pytest.raises(Refused) as refused:
        await answered(READS["statuspage"], call(), 400, text='you sent {"api_key": "abcdef0123456"}')
    assert "abcdef" not in refused.value.message
