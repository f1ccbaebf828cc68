"""What all routes of the platform's own control plane share: how it says no, how settings are versioned, and who is told to have written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from practice.http.face import Call, Face, Refusal, Reply
from practice.services.fleet import Change, Service
from practice.world.state import JSON

NOBODY = "somebody"  # who wrote without saying who they are
_CODES = {400: "invalid", 404: "not_found", 412: "stale_etag", 428: "if_match_required"}

FACE = Face(
    "platform",
    refused=lambda status, message: Reply({"error": {"code": _code(status), "message": message}}, status),
    invalid=lambda problems: Reply({"error": {"code": "invalid", "message": "; ".join(problems)}}, 422),
    unauthorised=lambda headers: Reply({"error": {"code": "unauthorized", "message": "unknown token"}}, 401),
    throttled=lambda: Reply({"error": {"code": "rate_limited", "message": "slow down"}}, 429),
)


def _code(status: int) -> str:
    return _CODES.get(status, "unavailable" if status >= 500 else "refused")


def of_service(part: str) -> str:
    """The path of one setting of a service."""
    return f"/platform/v1/services/{{service}}/{part}"


def service_of(call: Call) -> Service:
    found = call.state.fleet.services.get(call.path["service"])
    if found is None:
        raise call.refuse(404, f"there is no service {call.path['service']}")
    return found


def shown(call: Call, setting: str, etag: str, body: JSON) -> Reply:
    """A setting as it is read: its version, and who wrote it last (empty: nobody since the beginning)."""
    return Reply({"etag": etag, **body, "changed_by": _by(call, setting)}, headers={"ETag": f'"{etag}"'})


def already(call: Call, setting: str, etag: str, at_epoch: int, epoch: int, same: bool) -> bool:
    """Whether this very write was done before. Raises what keeps it from being done now."""
    if epoch == at_epoch and same:
        return True
    if epoch <= at_epoch:
        why = "it was used for another write" if epoch == at_epoch else "yours is older"
        raise conflict("stale_epoch", f"{setting} is at epoch {at_epoch}{_by_whom(call, setting)}: {why}")
    matches(call, setting, etag)
    return False


def matches(call: Call, setting: str, etag: str) -> None:
    """Refuse a write that does not name the version that it read, or names another one."""
    given = call.headers.get("if-match")
    if given is None:
        raise call.refuse(428, "If-Match is required")
    if given.removeprefix("W/").strip('"') != etag:
        raise call.refuse(412, f"the etag is stale: {setting} was changed{_by_whom(call, setting)}; read again")


def conflict(code: str, message: str) -> Refusal:
    return Refusal(Reply({"error": {"code": code, "message": message}}, 409))


def unprocessable(call: Call, message: str) -> Refusal:
    return Refusal(FACE.invalid([message]))


def written(call: Call, setting: str, services: list[str], before: JSON, after: JSON) -> None:
    """Say what a write did: to the effect log, to whoever reads the setting, and to the change feed."""
    call.did(setting, before, after)
    if before == after:
        return
    fleet, author = call.state.fleet, call.headers.get("x-actor") or call.headers.get("x-incident-id") or NOBODY
    fleet.written_by[setting] = author
    fleet.writes[setting] = fleet.writes.get(setting, 0) + 1
    what = f"{setting}: {_difference(before, after)}"
    entered = Change(f"chg-{1000 + call.world.number()}", "config", call.now, author, list(services), what, details={"setting": setting})
    fleet.changes.append(entered)


def put(part: str) -> Callable[[Any], Any]:
    """Declare the route that writes a setting of a service."""
    return FACE.writes(part.replace("-", "_") + ".put", of_service(part), "PUT")


def get(part: str) -> Callable[[Any], Any]:
    """Declare the route that reads something of a service."""
    return FACE.reads(part.replace("-", "_") + ".get", of_service(part))


def _difference(before: JSON, after: JSON) -> str:
    return ", ".join(f"{key} {before.get(key)} → {value}" for key, value in after.items() if before.get(key) != value)


def _by(call: Call, setting: str) -> str:
    return call.state.fleet.written_by.get(setting, "")


def _by_whom(call: Call, setting: str) -> str:
    by = _by(call, setting)
    return f" by {by}" if by else ""
