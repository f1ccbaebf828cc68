"""What all Slack methods share: how Slack says no, and how things are found (api.slack.com/web)."""

from __future__ import annotations

from typing import Any

from practice.faces.slack.records import channels
from practice.http.face import Ask, Call, Face, Refusal, Reply
from practice.world.state import JSON


def no(error: str, **more: Any) -> Reply:
    """Slack's refusal: HTTP 200 with `ok: false`."""
    return Reply({"ok": False, "error": error, **more})


FACE = Face(
    "slack",
    refused=lambda status, message: Reply({"ok": False, "error": "fatal_error" if status >= 500 else message}, status),
    invalid=lambda problems: no("invalid_arguments", response_metadata={"messages": problems}),
    unauthorised=lambda headers: no("invalid_auth" if "authorization" in headers else "not_authed"),
    throttled=lambda: Reply({"ok": False, "error": "ratelimited"}, 429),
)


class InChannel(Ask):
    """Arguments of a method that works on one channel."""

    channel: str


def method(name: str) -> str:
    """The path of a Web API method."""
    return f"/slack/api/{name}"


def channel_of(call: Call, channel_id: str) -> JSON:
    found = next((channel for channel in channels(call) if channel["id"] == channel_id), None)
    if found is None:
        raise Refusal(no("channel_not_found"))
    return found


def open_channel(call: Call, channel_id: str) -> JSON:
    """A channel that is not archived."""
    channel = channel_of(call, channel_id)
    if channel["is_archived"]:
        raise Refusal(no("is_archived"))
    return channel


def message_of(channel: JSON, ts: str) -> JSON:
    found: JSON | None = next((message for message in channel["messages"] if message["ts"] == ts), None)
    if found is None:
        raise Refusal(no("message_not_found"))
    return found
