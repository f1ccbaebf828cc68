"""Who is on duty: PagerDuty says who is called first (`[oncall]`), the roster file who somebody is and what they may decide.

Where PagerDuty does not answer, or names somebody whom the roster does not know, the roster file holds, and it is said so.
"""

import asyncio

from temporalio.exceptions import ApplicationError

from activities.action import Call, Role, System, Value, action
from activities.organisation.organisation import Organisation, ReadAll
from activities.organisation.people import Roster
from activities.paging.pagerduty import JSON, PagerDuty

_ANSWER_SECONDS = 3.0  # real seconds: people are told from the roster file rather than late
ROSTER_FILE = "roster file"


class OnDuty(Value):
    """Who is on duty now. `on_call`: ids of people, by role; only roles whose schedule names somebody. `sources`: where that was read."""

    roster: Roster = Roster()
    on_call: dict[Role, tuple[str, ...]] = {}
    sources: dict[Role, str] = {}
    remarks: tuple[str, ...] = ()  # what did not fit, in sentences


class Rota(System):
    def __init__(self, organisation: Organisation, pagerduty: PagerDuty) -> None:
        self._organisation = organisation
        self._pagerduty = pagerduty

    @action("rota.now")
    async def now(self, order: ReadAll, call: Call) -> OnDuty:
        """Who is on duty. Refused: the roster file cannot be read. PagerDuty being down is a remark."""
        roster, policies = self._organisation.read_roster(), self._organisation.read_on_call()
        if not policies:
            return OnDuty(roster=roster)
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                listed = await self._pagerduty.on_call(call, sorted(set(policies.values())))
        except Exception as broke:
            why = broke.message if isinstance(broke, ApplicationError) else f"{type(broke).__name__} {broke}".strip()
            return OnDuty(roster=roster, remarks=(f"PagerDuty does not say who is on call ({why[:150]}): the roster file holds",))
        return _on_duty(roster, policies, listed)


def _on_duty(roster: Roster, policies: dict[Role, str], listed: tuple[JSON, ...]) -> OnDuty:
    by_pager = {person.pager: person.id for person in roster.people.values() if person.pager}
    on_call: dict[Role, tuple[str, ...]] = {}
    sources: dict[Role, str] = {}
    remarks: list[str] = []
    for role, policy in policies.items():
        first = [each["user"] for each in listed if each["escalation_policy"]["id"] == policy and each["escalation_level"] == 1]
        known = tuple(dict.fromkeys(by_pager[user["id"]] for user in first if user["id"] in by_pager))
        strangers = [str(user.get("summary") or user["id"]) for user in first if user["id"] not in by_pager]
        if known:
            on_call[role], sources[role] = known, f"PagerDuty {policy}"
        elif strangers:
            remarks.append(f"{' and '.join(strangers)} is on call as {role.title} ({policy}) and not on the roster: the roster file holds")
        else:
            remarks.append(f"nobody is on call as {role.title} ({policy}): the roster file holds")
    return OnDuty(roster=roster, on_call=on_call, sources=sources, remarks=tuple(remarks))
