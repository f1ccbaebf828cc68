"""What all routes of the platform's own control plane share."""

from __future__ import annotations

from practice.http.face import Call
from practice.http.own_api import own_api
from practice.services.fleet import Service

FACE = own_api(
    "platform",
    "The control plane of the platform: where traffic goes, what is let in, how much runs, which artefacts are read, and what was changed.",
)


def of_service(part: str) -> str:
    """The path of one part of a service."""
    return f"/platform/v1/services/{{service}}/{part}"


def service_of(call: Call) -> Service:
    found = call.state.fleet.services.get(call.path["service"])
    if found is None:
        raise call.refuse(404, f"there is no service {call.path['service']}")
    return found


def named(call: Call) -> list[str]:
    """The service in the path, as those that a write concerns."""
    return [call.path["service"]]
