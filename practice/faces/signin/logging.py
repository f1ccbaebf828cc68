"""`/cloudarmor-log/v2`: of Cloud Logging, what a load balancer and Cloud Armor have decided (cloud.google.com/logging/docs/reference/v2)."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from pydantic import Field

from practice.faces.signin.cloud_armor import POLICY, PROJECT
from practice.faces.signin.waf import seen_within
from practice.http.face import Ask, Call, Reply
from practice.http.google import google_face
from practice.signin.model import DENIED, OK, SLOT, Seen, SignIn
from practice.world.clock import from_rfc3339
from practice.world.state import JSON

FACE = google_face("cloud_logging", throttled="Quota exceeded for quota metric 'Read requests'.")
FILTER = re.compile(r'resource\.type="http_load_balancer" AND jsonPayload\.enforcedSecurityPolicy\.name="([^"]+)" AND timestamp>="([^"]+)"')
HTTP = {OK: 200, DENIED: 403}


class Listing(Ask):
    resourceNames: list[str] = Field(min_length=1)  # noqa: N815 - as Google spells it
    filter: str
    orderBy: str = "timestamp asc"  # noqa: N815
    pageSize: int = Field(50, ge=1, le=1000)  # noqa: N815
    pageToken: str = ""  # noqa: N815


@FACE.reads("entries.list", "/cloudarmor-log/v2/entries:list", "POST")
def entries(call: Call) -> Reply:
    """One entry for each request. A page is followed by another one as long as there is a token, also where it is empty."""
    asked, there = call.ask(Listing), call.state.part(SignIn)
    said = FILTER.fullmatch(asked.filter)
    if said is None or asked.resourceNames != [f"projects/{PROJECT}"]:
        raise call.refuse(400, "Unparseable filter, or a project that is not there")
    since = call.world.clock.to_world(from_rfc3339(said[2]))
    rows = seen_within(there, call.now, call.now - since) if said[1] == POLICY else []
    whole = [(row, n) for row, many in rows for n in range(many)]
    start = int(asked.pageToken or 0)
    page = [_entry(call, there, row, n) for row, n in whole[start : start + asked.pageSize]]
    more = {"nextPageToken": str(start + asked.pageSize)} if start + asked.pageSize < len(whole) else {}
    return Reply({**({"entries": page} if page else {}), **more})


def _entry(call: Call, there: SignIn, row: Seen, n: int) -> JSON:
    real = call.world.clock.to_real(there.born + SLOT * row.slot)
    payload: JSON = {
        "@type": "type.googleapis.com/google.cloud.loadbalancing.type.LoadBalancerLogEntry",
        "enforcedSecurityPolicy": _policy(row.rule, row.outcome == DENIED),
        "statusDetails": "denied_by_security_policy" if row.outcome == DENIED else "response_sent_by_backend",
    }
    if row.would:
        payload["previewSecurityPolicy"] = _policy(row.would, denied=True)
    return {
        "insertId": f"{row.slot}-{row.address}-{row.key}-{row.outcome}-{row.rule}-{row.would}-{n}",
        "timestamp": datetime.fromtimestamp(real, UTC).isoformat().replace("+00:00", "Z"),
        "resource": {"type": "http_load_balancer"},
        "httpRequest": {"remoteIp": row.address, "requestMethod": "POST", "requestUrl": "https://www.example.com/sign-in",
                        "status": HTTP.get(row.outcome, 401)},
        "jsonPayload": payload,
    }  # fmt: skip


def _policy(priority: int, denied: bool) -> JSON:
    return {
        "name": POLICY, "priority": priority, "configuredAction": "DENY" if denied else "ALLOW", "outcome": "DENY" if denied else "ACCEPT",
    }  # fmt: skip
