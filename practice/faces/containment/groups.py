"""`/keycloak-staff`: the realm of our own people (keycloak.org, Admin REST API): users, groups, who is in them, and their attributes."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from practice.containment.cast import there, user_id
from practice.containment.model import REALM, Group
from practice.http.face import Ask, Call, Face, Reply
from practice.world.state import JSON

FACE = Face(
    "keycloak_groups",
    refused=lambda status, message: Reply({"error": message}, status),
    unauthorised=lambda headers: Reply({"error": "HTTP 401 Unauthorized"}, 401),
)
OF = "/keycloak-staff/admin/realms/{realm}"
PREFIX = "staff."


class GroupAsked(Ask):
    name: Annotated[str, Field(min_length=1)]
    attributes: dict[str, list[str]] | None = None


def _groups(call: Call) -> dict[str, Group]:
    if call.path["realm"] != REALM:
        raise call.refuse(404, "Realm not found.")
    return there(call.state, call.now).groups


def _group(call: Call) -> Group:
    found = _groups(call).get(call.path["group"])
    if found is None:
        raise call.refuse(404, "Could not find group by id")
    return found


def _users(call: Call) -> list[str]:
    """Everybody who is in a group, and every person that there is."""
    held = {one for group in _groups(call).values() for one in group.members}
    return sorted(held | {user_id(name) for name in call.state.people})


def _user(call: Call) -> str:
    if call.path["user"] not in _users(call):
        raise call.refuse(404, "User not found")
    return call.path["user"]


def _shown(id: str) -> JSON:
    return {"id": id, "username": id.removeprefix(PREFIX), "enabled": True}


def _told(group: Group, *, brief: bool) -> JSON:
    return {"id": group.id, "name": group.name, "path": f"/{group.name}", **({} if brief else {"attributes": dict(group.attributes)})}


@FACE.reads("groups.list", OF + "/groups")
def groups(call: Call) -> Reply:
    """By name where it is asked for: a part of it, or `exact`. Attributes only where the representation is not to be brief."""
    name, exact, brief = call.one("search"), call.one("exact") == "true", call.one("briefRepresentation", "true") != "false"
    found = [one for one in _groups(call).values() if (one.name == name if exact else name in one.name)]
    first, most = int(call.one("first") or 0), int(call.one("max") or 100)
    return Reply([_told(one, brief=brief) for one in found[first : first + most]])


@FACE.reads("groups.get", OF + "/groups/{group}")
def group(call: Call) -> Reply:
    return Reply(_told(_group(call), brief=False))


@FACE.reads("groups.members", OF + "/groups/{group}/members")
def members(call: Call) -> Reply:
    first, most = int(call.one("first") or 0), int(call.one("max") or 100)
    return Reply([_shown(id) for id in sorted(_group(call).members)[first : first + most]])


@FACE.reads("users", OF + "/users")
def users(call: Call) -> Reply:
    name, exact = call.one("username"), call.one("exact") == "true"
    found = [id for id in _users(call) if (id.removeprefix(PREFIX) == name if exact else name in id)]
    return Reply([_shown(id) for id in found[:100]])


@FACE.writes("groups.update", OF + "/groups/{group}", "PUT")
def update(call: Call) -> Reply:
    """Name and attributes, whole."""
    held, asked = _group(call), call.ask(GroupAsked)
    before = dict(held.attributes)
    held.name, held.attributes = asked.name, {**(asked.attributes or {})}
    call.did(f"groups/{held.name}", before, dict(held.attributes))
    return Reply(None, 204)


@FACE.writes("members.join", OF + "/users/{user}/groups/{group}", "PUT")
def join(call: Call) -> Reply:
    held, user = _group(call), _user(call)
    before = len(held.members)
    if user not in held.members:
        held.members.append(user)
    call.did(f"groups/{held.name}/members", before, len(held.members))
    return Reply(None, 204)


@FACE.writes("members.leave", OF + "/users/{user}/groups/{group}", "DELETE")
def leave(call: Call) -> Reply:
    held, user = _group(call), _user(call)
    before = len(held.members)
    held.members = [one for one in held.members if one != user]
    call.did(f"groups/{held.name}/members", before, len(held.members))
    return Reply(None, 204)
