"""Slack's records as its API shows them: users, channels, messages."""

from __future__ import annotations

from typing import Any

from practice.http.face import Call
from practice.world.state import JSON, Person

BOT = "U_BOT"
STANDING = {"C_GENERAL": "general", "C_INCIDENTS": "incidents", "C_SUPPORT": "support", "C_EXECUTIVES": "executives"}


class Channels(dict[str, JSON]):
    """Channel id → channel with its messages, pins and bookmarks."""


def user_json(person: Person) -> JSON:
    profile = {"real_name": person.name.title(), "email": person.email, "title": person.role}
    return {
        "id": person.slack_id,
        "team_id": "T_PRACTICE",
        "name": person.name,
        "real_name": person.name.title(),
        "deleted": False,
        "is_bot": False,
        "profile": profile,
    }


def member_ids(call: Call) -> set[str]:
    return {BOT, *(person.slack_id for person in call.state.people.values())}


def channels(call: Call) -> list[JSON]:
    """All channels; the standing ones are there from the beginning."""
    for identity, name in STANDING.items():
        if identity not in call.state.part(Channels):
            call.state.part(Channels)[identity] = _channel(identity, name, call.world.clock.to_real(call.world.clock.start))
    return list(call.state.part(Channels).values())


def new_channel(call: Call, name: str, private: bool) -> JSON:
    identity = f"C{call.world.number():08d}"
    channel = call.state.part(Channels)[identity] = _channel(identity, name, call.real(), private=private)
    return channel


def direct_channel(call: Call, user: str) -> JSON:
    """The channel between us and one user, opened if need be."""
    found = next((channel for channel in call.state.part(Channels).values() if channel["user"] == user), None)
    if found is None:
        identity = f"D{call.world.number():08d}"
        found = call.state.part(Channels)[identity] = _channel(identity, "", call.real(), user=user)
    return found


def stored_message(call: Call, channel: JSON, content: JSON) -> JSON:
    """Append a message; its `ts` is its identity in the channel and always later than the last one."""
    ts = call.real()
    if channel["messages"]:
        ts = max(ts, float(channel["messages"][-1]["ts"]) + 0.00001)
    message: JSON = {"type": "message", "user": BOT, "bot_id": "B_PRACTICE", "ts": f"{ts:.6f}", **content}
    channel["messages"].append(message)
    return message


def channel_json(channel: JSON) -> JSON:
    """A channel as `conversations.*` shows it."""
    shown: dict[str, Any] = {k: channel[k] for k in ("id", "created", "is_archived", "is_private")}
    if channel["user"]:
        return {**shown, "is_im": True, "user": channel["user"]}
    return {
        **shown,
        "name": channel["name"],
        "is_channel": True,
        "is_im": False,
        "is_member": BOT in channel["members"],
        "creator": BOT,
        "topic": {"value": channel["topic"], "creator": BOT, "last_set": 0},
        "purpose": {"value": channel["purpose"], "creator": BOT, "last_set": 0},
        "num_members": len(channel["members"]),
        "members": list(channel["members"]),
    }


def _channel(identity: str, name: str, created: float, private: bool = False, user: str = "") -> JSON:
    return {
        "id": identity,
        "name": name,
        "created": int(created),
        "is_private": private,
        "is_archived": False,
        "user": user,
        "topic": "",
        "purpose": "",
        "members": [BOT, *([user] if user else [])],
        "messages": [],
        "pins": [],
        "bookmarks": [],
    }
