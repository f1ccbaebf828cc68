"""`/unleash`: the admin and client API of Unleash 8 (docs.getunleash.io/reference/api), as far as switching flags goes."""

from __future__ import annotations

from practice.http.face import TOKEN, Call, Face, Refusal, Reply
from practice.world.state import JSON


class FlagEvents(list[JSON]):
    """What was switched, oldest first."""


class FlagPermissions(list[JSON]):
    """What the token may do; all, where nothing is said."""


def _refused(status: int, message: str) -> Reply:
    name = {400: "BadDataError", 404: "NotFoundError"}.get(status, "InternalError")
    return Reply({"id": "practice", "name": name, "message": message, "details": [{"message": message}]}, status)


FACE = Face(
    "unleash",
    refused=_refused,
    authorised=lambda headers: headers.get("authorization") == TOKEN,
    unauthorised=lambda headers: Reply({"name": "AuthenticationRequired", "message": "You must log in to use Unleash."}, 401),
    throttled=lambda: Reply({"name": "RateLimitError", "message": "Too many requests"}, 429),
)
_ADMIN = "/unleash/api/admin/projects/default/features/{feature}"


@FACE.reads("feature", _ADMIN)
def feature(call: Call) -> Reply:
    name = _known(call)
    environment = {
        "name": "production",
        "type": "production",
        "enabled": call.state.flags[name],
        "strategies": [_everyone(name)],
        "sortOrder": 1,
    }
    return Reply({**_described(name), "archived": False, "stale": False, "environments": [environment]})


@FACE.writes("feature.on", _ADMIN + "/environments/{environment}/on")
def switch_on(call: Call) -> Reply:
    return _switch(call, True)


@FACE.writes("feature.off", _ADMIN + "/environments/{environment}/off")
def switch_off(call: Call) -> Reply:
    return _switch(call, False)


@FACE.reads("client.features", "/unleash/api/client/features")
def client_features(call: Call) -> Reply:
    features = [
        {**_described(name), "enabled": on, "strategies": [_everyone(name)], "variants": []} for name, on in call.state.flags.items()
    ]
    return Reply({"version": 2, "features": features, "query": {"environment": "production"}})


@FACE.reads("user", "/unleash/api/admin/user")
def user(call: Call) -> Reply:
    """Whose token it is, and what it may do. An API token's permissions name no project and no environment."""
    may = call.may("feature.off") and call.may("feature.on")
    permissions = list(call.state.part(FlagPermissions)) or ([{"permission": "ADMIN"}] if may else [])
    return Reply({"user": {"id": -42, "username": "practice"}, "permissions": permissions, "feedback": [], "splash": {}})


@FACE.reads("events", "/unleash/api/admin/events")
def events(call: Call) -> Reply:
    wanted = call.one("feature")
    found = [e for e in reversed(call.state.part(FlagEvents)) if not wanted or e["featureName"] == wanted]
    return Reply({"version": 1, "events": found, "totalEvents": len(found)})


def _switch(call: Call, on: bool) -> Reply:
    name = _known(call)
    if call.path["environment"] != "production":
        raise call.refuse(404, f"Could not find environment {call.path['environment']} for project default")
    before, call.state.flags[name] = call.state.flags[name], on
    event = {
        "id": call.world.number(),
        "type": f"feature-environment-{'enabled' if on else 'disabled'}",
        "createdBy": "practice",
        "createdAt": call.stamp(),
        "featureName": name,
        "project": "default",
        "environment": "production",
        "data": None,
        "preData": None,
    }
    call.state.part(FlagEvents).append(event)
    call.did(f"features/{name}/production", {"enabled": before}, {"enabled": on})
    return Reply()


def _known(call: Call) -> str:
    name = call.path["feature"]
    if name not in call.state.flags:
        raise Refusal(_refused(404, f"Could not find feature flag with name {name}"))
    return name


def _described(name: str) -> JSON:
    return {"name": name, "type": "kill-switch", "project": "default", "description": "", "impressionData": False}


def _everyone(name: str) -> JSON:
    return {"name": "flexibleRollout", "parameters": {"rollout": "100", "stickiness": "default", "groupId": name}}
