"""Pages and direct messages to people: PagerDuty, and Slack beside it."""

from activities.action import Refused
from activities.paging.pagerduty import PagerDuty
from activities.systems import ClientInfo, ClientSettings, Look, Opening, Seen, SystemInfo, secret, setting


class PagerDutySettings(ClientSettings):
    pagerduty_events_url: str = setting("https://events.pagerduty.com", practice="{url}/pagerduty")
    pagerduty_routing_key: str = secret()
    pagerduty_url: str = setting("https://api.pagerduty.com", practice="{url}/pagerduty/api")
    pagerduty_token: str = secret()
    pagerduty_from: str = setting(
        "incident-playbooks@example.com", "the user in whose name the REST API is written to",
        example="oncall@example.com", practice="dana@example.com",
    )  # fmt: skip
    pagerduty_requester: str = setting(about="the same user's id", example="PXXXXXX", practice="P_DANA")


def _pagerduty(opening: Opening) -> PagerDuty:
    return PagerDuty(
        opening.http("pagerduty_events"),
        opening.http("pagerduty", scheme="Token token=", Accept="application/vnd.pagerduty+json;version=2"),
        routing_key=opening.secret("pagerduty_routing_key"),
        requester=opening.settings.pagerduty_requester,
        sender=opening.settings.pagerduty_from,
    )


READERS = frozenset({"observer", "read_only_user", "read_only_limited_user"})  # roles of users who change nothing


async def _probe(pagerduty: PagerDuty, look: Look) -> Seen:
    ours = look.settings.pagerduty_requester
    user = await pagerduty.user(look.call, ours)
    if user is None:
        raise Refused(f"INCIDENT_PAGERDUTY_REQUESTER is {ours!r}: no user has this id")
    said, role = f"pages in the name of {user.get('name')}; the routing key is set, and only a real page would prove it", user.get("role")
    if role not in READERS and (role := await pagerduty.own_role(look.call)) is None:
        return Seen(f"{said}; not probed whether the token may write: it is the account's, and PagerDuty tells nothing of such a token")
    return Seen(said, may_write=role not in READERS)


SYSTEM = SystemInfo(ClientInfo("pagerduty", PagerDuty, PagerDutySettings, _probe, _pagerduty))
