"""An incident's page at PagerDuty: one under the incident's id, and everybody who is wanted asked in once."""

import asyncio
from functools import partial
from typing import NamedTuple

from activities.action import Call, Order, Refused
from activities.kit.create_once import CreateOnce, once
from activities.paging.pagerduty import JSON, PagerDuty, marked


class Wanted(NamedTuple):
    """A user (id) to be called, and what they are to read."""

    user: str
    message: str


class Summons(Order, target="page {incident_id}"):
    """People called through an incident's page. `wanted`: by our key for each. `again`: also whom PagerDuty has called by itself."""

    incident_id: str
    summary: str
    severity: int
    details: dict[str, str] = {}
    wanted: dict[str, Wanted]
    again: bool = False


class Pages(CreateOnce[Summons, JSON]):
    """PagerDuty opens one incident for a key while it is open, so that the same event may be sent twice."""

    keyed = True

    def __init__(self, pagerduty: PagerDuty) -> None:
        self._pagerduty = pagerduty

    async def summon(self, call: Call, order: Summons) -> tuple[JSON, bool]:
        """Open the page and ask everybody in: the page, and whether earlier attempts had done it all.

        One request for each person: a request for several can be carried out for some of them. One who cannot be called keeps no other
        from being called; what went wrong is raised only after that.
        """
        page = await self.once(call, order)
        left = await self._uncalled(call, order, page.found)
        requests = (self._request(call, page.found["id"], key, wanted) for key, wanted in left.items())
        broken = [one for one in await asyncio.gather(*requests, return_exceptions=True) if isinstance(one, BaseException)]
        for failed in sorted(broken, key=lambda one: isinstance(one, Refused)):  # what may succeed on another attempt comes first
            raise failed
        return page.found, page.adopted and not left

    async def _request(self, call: Call, page: str, key: str, wanted: Wanted) -> None:
        async def find() -> JSON | None:
            found = await self._pagerduty.incident(call, page)
            return found if _was_sent(found, key) else None

        ask = partial(self._pagerduty.request_responders, call, page, wanted.user, marked(wanted.message, key))
        await once(call, f"page {page}", find, ask)

    async def find(self, call: Call, order: Summons) -> JSON | None:
        """A closed page wakes nobody: while somebody is still wanted it counts as none."""
        found = await self._pagerduty.incident_of(call, order.incident_id)
        if found is None or found["status"] != "resolved":
            return found
        return None if await self._uncalled(call, order, found) else found

    async def make(self, call: Call, order: Summons) -> None:
        await self._pagerduty.trigger(call, order.incident_id, order.summary, order.severity, order.details)

    async def _uncalled(self, call: Call, order: Summons, found: JSON) -> dict[str, Wanted]:
        """Whom this page has not called yet: neither we nor, for a first page, its escalation policy."""
        left = {key: wanted for key, wanted in order.wanted.items() if not _was_sent(found, key)}
        if not left or order.again:
            return left
        if found["status"] != "resolved":
            called = {str(assignment["assignee"]["id"]) for assignment in found.get("assignments") or ()}
        else:  # a closed page has no assignments any more; its log knows
            log = await self._pagerduty.log(call, found["id"])
            called = {str(line["user"]["id"]) for line in log if line["type"] == "notify_log_entry" and line.get("user")}
        return {key: wanted for key, wanted in left.items() if wanted.user not in called}


def _was_sent(incident: JSON, key: str) -> bool:
    return any(f"[{key}]" in str(request.get("message", "")) for request in incident.get("responder_requests") or ())
