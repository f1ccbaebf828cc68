"""Slack's methods that write messages, pins and bookmarks (api.slack.com/methods)."""

from __future__ import annotations

from typing import Any, Literal

from practice.faces.slack.base import FACE, InChannel, channel_of, message_of, method, no, open_channel
from practice.faces.slack.records import BOT, direct_channel, member_ids, stored_message
from practice.http.face import Ask, Call, Refusal, Reply, described

MAX_TEXT, MAX_EDIT = 40_000, 4_000


class _Message(InChannel):
    text: str = ""
    blocks: list[dict[str, Any]] | None = None
    attachments: list[dict[str, Any]] | None = None
    metadata: dict[str, Any] | None = None


class _Post(_Message):
    thread_ts: str | None = None
    reply_broadcast: bool = False
    unfurl_links: bool = False
    unfurl_media: bool = False
    mrkdwn: bool = True
    link_names: bool = False
    username: str | None = None
    icon_emoji: str | None = None


class _Update(_Message):
    ts: str


class _Pin(InChannel):
    timestamp: str


class _Bookmark(Ask):
    channel_id: str
    title: str
    type: Literal["link"]
    link: str
    emoji: str | None = None


@FACE.writes("chat.postMessage", method("chat.postMessage"))
def post_message(call: Call) -> Reply:
    """Post to a channel, or to a user directly: then it reaches their phone. Twice is two messages."""
    wanted = call.ask(_Post)
    _readable(wanted)
    directly = wanted.channel in member_ids(call)
    channel = direct_channel(call, wanted.channel) if directly else open_channel(call, wanted.channel)
    if BOT not in channel["members"]:
        raise Refusal(no("not_in_channel"))
    if wanted.thread_ts and not any(m["ts"] == wanted.thread_ts for m in channel["messages"]):
        raise Refusal(no("thread_not_found"))
    content = wanted.model_dump(include={"text", "blocks", "attachments", "metadata", "thread_ts"}, exclude_none=True)
    message = stored_message(call, channel, content)
    if channel["user"]:
        person = next(p for p in call.state.people.values() if p.slack_id == channel["user"])
        key = (wanted.metadata or {}).get("event_payload", {}).get("key")
        call.state.deliver(person.name, call.stamp(), "dm", wanted.text, key)
    call.did(f"channels/{channel['name'] or channel['user']}/messages", None, described(message, "ts", "text", "metadata"))
    return Reply({"ok": True, "channel": channel["id"], "ts": message["ts"], "message": message})


@FACE.writes("chat.update", method("chat.update"))
def update_message(call: Call) -> Reply:
    wanted = call.ask(_Update)
    _readable(wanted, MAX_EDIT)
    channel = channel_of(call, wanted.channel)
    message = message_of(channel, wanted.ts)
    before = described(message, "text", "blocks", "metadata")
    message.update(wanted.model_dump(include={"text", "blocks", "attachments", "metadata"}, exclude_none=True))
    call.did(f"channels/{channel['name']}/messages/{wanted.ts}", before, described(message, "text", "blocks", "metadata"))
    message["edited"] = {"user": BOT, "ts": f"{call.real():.6f}"}
    return Reply({"ok": True, "channel": channel["id"], "ts": wanted.ts, "text": message["text"], "message": message})


@FACE.writes("pins.add", method("pins.add"))
def pin(call: Call) -> Reply:
    wanted = call.ask(_Pin)
    channel = open_channel(call, wanted.channel)
    message = message_of(channel, wanted.timestamp)
    if message["ts"] in channel["pins"]:
        raise Refusal(no("already_pinned"))
    before = list(channel["pins"])
    channel["pins"].append(message["ts"])
    call.did(f"channels/{channel['name']}/pins", before, list(channel["pins"]))
    return Reply({"ok": True})


@FACE.writes("bookmarks.add", method("bookmarks.add"))
def bookmark(call: Call) -> Reply:
    """Add a link above the channel. Twice is two bookmarks."""
    wanted = call.ask(_Bookmark)
    channel = open_channel(call, wanted.channel_id)
    added = {"id": f"Bk{call.world.number():08d}", **wanted.model_dump(exclude_none=True), "date_created": int(call.real())}
    channel["bookmarks"].append(added)
    call.did(f"channels/{channel['name']}/bookmarks", None, described(added, "title", "link"))
    return Reply({"ok": True, "bookmark": added})


def _readable(message: _Message, longest: int = MAX_TEXT) -> None:
    if not message.text and not message.blocks and not message.attachments:
        raise Refusal(no("no_text"))
    if len(message.text) > longest:
        raise Refusal(no("msg_too_long"))
    if message.metadata is not None and set(message.metadata) != {"event_type", "event_payload"}:
        raise Refusal(no("invalid_metadata_format"))
