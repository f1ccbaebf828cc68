"""Slack's methods that only read. As Slack does, they take their arguments as JSON, as a form or in the query."""

from __future__ import annotations

from typing import Any

from practice.faces.slack.base import FACE, channel_of, method, no
from practice.faces.slack.records import BOT, channel_json, channels, user_json
from practice.http.face import Call, Refusal, Reply

PAGE = 100


def _argument(call: Call, name: str, default: Any = None) -> Any:
    body = call.body if isinstance(call.body, dict) else {}
    return body[name] if name in body else call.one(name) or default


def _known(call: Call, *names: str) -> None:
    """Refuse arguments that the method does not have."""
    body = call.body if isinstance(call.body, dict) else {}
    unknown = sorted((set(body) | set(call.query)) - set(names) - {"token"})
    if unknown:
        raise Refusal(no("invalid_arguments", response_metadata={"messages": [f"unknown: {name}" for name in unknown]}))


def _page(call: Call, rows: list[Any]) -> tuple[list[Any], dict[str, Any]]:
    """One page of rows and the cursor of the next."""
    try:
        limit = int(_argument(call, "limit", PAGE))
        start = int(_argument(call, "cursor", 0))
    except ValueError:
        raise Refusal(no("invalid_cursor")) from None
    if not 0 < limit <= 1000:
        raise Refusal(no("invalid_limit"))
    following = str(start + limit) if start + limit < len(rows) else ""
    return rows[start : start + limit], {"response_metadata": {"next_cursor": following}}


@FACE.reads("auth.test", method("auth.test"), "POST")
def auth_test(call: Call) -> Reply:
    _known(call)
    return Reply({"ok": True, "url": "https://practice.slack.example/", "team": "Practice", "user": "bot", "user_id": BOT,
                  "team_id": "T_PRACTICE", "bot_id": "B_PRACTICE"}, headers={"X-OAuth-Scopes": _scopes(call)})  # fmt: skip


def _scopes(call: Call) -> str:
    """What the bot may do, as its token was given it."""
    of = {"chat:write": "chat.postMessage", "channels:manage": "conversations.create", "groups:write": "conversations.create"}
    return ",".join(["channels:read", "groups:read", "users:read", *(scope for scope, route in of.items() if call.may(route))])


@FACE.reads("conversations.list", method("conversations.list"), "POST")
def conversations_list(call: Call) -> Reply:
    _known(call, "cursor", "limit", "exclude_archived", "types", "team_id")
    return _listed(call, channels(call))


def _listed(call: Call, every: list[dict[str, Any]]) -> Reply:
    live_only = str(_argument(call, "exclude_archived", "")).lower() in {"true", "1"}
    types = str(_argument(call, "types", "public_channel")).split(",")
    found = [channel_json(channel) for channel in every if not (live_only and channel["is_archived"]) and _kind(channel) in types]
    rows, more = _page(call, found)
    return Reply({"ok": True, "channels": rows, **more})


@FACE.reads("users.conversations", method("users.conversations"), "POST")
def users_conversations(call: Call) -> Reply:
    """The channels that our bot is in."""
    _known(call, "cursor", "limit", "exclude_archived", "types", "user", "team_id")
    return _listed(call, [channel for channel in channels(call) if BOT in channel["members"]])


@FACE.reads("conversations.info", method("conversations.info"), "POST")
def conversations_info(call: Call) -> Reply:
    _known(call, "channel", "include_locale", "include_num_members")
    return Reply({"ok": True, "channel": channel_json(channel_of(call, str(_argument(call, "channel", ""))))})


@FACE.reads("conversations.members", method("conversations.members"), "POST")
def members(call: Call) -> Reply:
    """Who is in a channel."""
    _known(call, "channel", "cursor", "limit")
    channel = channel_of(call, str(_argument(call, "channel", "")))
    rows, more = _page(call, list(channel["members"]))
    return Reply({"ok": True, "members": rows, **more})


def _kind(channel: dict[str, Any]) -> str:
    return "im" if channel["user"] else "private_channel" if channel["is_private"] else "public_channel"


@FACE.reads("conversations.history", method("conversations.history"), "POST")
def history(call: Call) -> Reply:
    """Messages, newest first; metadata only with `include_all_metadata`."""
    _known(call, "channel", "cursor", "limit", "oldest", "latest", "inclusive", "include_all_metadata")
    channel = channel_of(call, str(_argument(call, "channel", "")))
    oldest, latest = float(_argument(call, "oldest", 0)), float(_argument(call, "latest", "inf"))
    with_metadata = str(_argument(call, "include_all_metadata", "")).lower() in {"true", "1"}
    found = [m for m in reversed(channel["messages"]) if oldest <= float(m["ts"]) <= latest and "thread_ts" not in m]
    shown = found if with_metadata else [{k: v for k, v in m.items() if k != "metadata"} for m in found]
    rows, more = _page(call, shown)
    return Reply({"ok": True, "messages": rows, "has_more": more["response_metadata"]["next_cursor"] != "", **more})


@FACE.reads("pins.list", method("pins.list"), "POST")
def pins(call: Call) -> Reply:
    _known(call, "channel")
    channel = channel_of(call, str(_argument(call, "channel", "")))
    pinned = [m for m in channel["messages"] if m["ts"] in channel["pins"]]
    items = [{"type": "message", "channel": channel["id"], "created": 0, "created_by": BOT, "message": m} for m in pinned]
    return Reply({"ok": True, "items": items})


@FACE.reads("bookmarks.list", method("bookmarks.list"), "POST")
def bookmarks(call: Call) -> Reply:
    _known(call, "channel_id")
    channel = channel_of(call, str(_argument(call, "channel_id", "")))
    return Reply({"ok": True, "bookmarks": channel["bookmarks"]})


@FACE.reads("users.list", method("users.list"), "POST")
def users(call: Call) -> Reply:
    _known(call, "cursor", "limit", "include_locale", "team_id")
    rows, more = _page(call, [user_json(person) for person in call.state.people.values()])
    return Reply({"ok": True, "members": rows, **more})


@FACE.reads("users.lookupByEmail", method("users.lookupByEmail"), "POST")
def lookup(call: Call) -> Reply:
    _known(call, "email")
    email = _argument(call, "email", "")
    found = next((person for person in call.state.people.values() if person.email == email), None)
    if found is None:
        raise Refusal(no("users_not_found"))
    return Reply({"ok": True, "user": user_json(found)})


_READING = {
    "auth.test": auth_test,
    "conversations.list": conversations_list,
    "conversations.info": conversations_info,
    "users.conversations": users_conversations,
    "conversations.members": members,
    "conversations.history": history,
    "pins.list": pins,
    "bookmarks.list": bookmarks,
    "users.list": users,
    "users.lookupByEmail": lookup,
}
for _name, _handler in _READING.items():
    FACE.reads(f"{_name}.get", method(_name))(_handler)  # Slack answers its reading methods to GET as well
