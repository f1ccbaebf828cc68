"""`/llm`: the model gateway and ModelSelector of our own product: who serves whom, how it retries, what it saw."""

from __future__ import annotations

from practice.http.face import Call
from practice.http.own_api import own_api
from practice.world.state import Route

FACE = own_api(
    "llm", "The model gateway and ModelSelector: which provider serves which tenant, how calls are tried again, and what was seen."
)


def route_of(call: Call) -> Route:
    if call.path["alias"] != call.state.route.alias:
        raise call.refuse(404, f"there is no route {call.path['alias']}")
    return call.state.route
