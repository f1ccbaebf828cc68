"""Slack's `conversations.*` methods that change a channel (api.slack.com/methods)."""

from __future__ import annotations

import re

from practice.faces.slack.base import FACE, InChannel, channel_of, method, no, open_channel
from practice.faces.slack.records import BOT, Channels, channel_json, channels, direct_channel, member_ids, new_channel
from practice.http.face import Ask, Call, Refusal, Reply

_NAME = re.compile(r"[a-z0-9_-]+")


class _Create(Ask):
    name: str = ""
    is_private: bool = False
    team_id: str | None = None


class _Invite(InChannel):
    users: str
    force: bool = False


class _Topic(InChannel):
    topic: str


class _Purpose(InChannel):
    purpose: str


class _Open(Ask):
    users: str
    return_im: bool = False


@FACE.writes("conversations.create", method("conversations.create"))
def create(call: Call) -> Reply:
    wanted = call.ask(_Create)
    if not wanted.name:
        raise Refusal(no("invalid_name_required"))
    if len(wanted.name) > 80:
        raise Refusal(no("invalid_name_maxlength"))
    if not _NAME.fullmatch(wanted.name):
        raise Refusal(no("invalid_name_specials"))
    if any(channel["name"] == wanted.name for channel in channels(call)):
        raise Refusal(no("name_taken"))
    channel = new_channel(call, wanted.name, wanted.is_private)
    call.did(f"channels/{wanted.name}", None, channel_json(channel))
    return Reply({"ok": True, "channel": channel_json(channel)})


@FACE.writes("conversations.invite", method("conversations.invite"))
def invite(call: Call) -> Reply:
    """Invite comma-separated users; all must exist, and one who is in already is an error."""
    wanted = call.ask(_Invite)
    channel = open_channel(call, wanted.channel)
    users = [user for user in wanted.users.split(",") if user]
    known = member_ids(call)
    if not users or any(user not in known for user in users):
        raise Refusal(no("user_not_found" if users else "no_user"))
    if BOT in users:
        raise Refusal(no("cant_invite_self"))
    newcomers = [user for user in users if user not in channel["members"]]
    if not newcomers or (len(newcomers) < len(users) and not wanted.force):
        raise Refusal(no("already_in_channel"))
    before = list(channel["members"])
    channel["members"] += list(call.each(newcomers))
    call.did(f"channels/{channel['name']}/members", before, list(channel["members"]))
    return Reply({"ok": True, "channel": channel_json(channel)})


@FACE.writes("conversations.join", method("conversations.join"))
def join(call: Call) -> Reply:
    channel = open_channel(call, call.ask(InChannel).channel)
    before = list(channel["members"])
    if BOT not in before:
        channel["members"].append(BOT)
    call.did(f"channels/{channel['name']}/members", before, list(channel["members"]))
    warning = {"warning": "already_in_channel"} if BOT in before else {}
    return Reply({"ok": True, "channel": channel_json(channel), **warning})


@FACE.writes("conversations.archive", method("conversations.archive"))
def archive(call: Call) -> Reply:
    channel = channel_of(call, call.ask(InChannel).channel)
    if channel["is_archived"]:
        raise Refusal(no("already_archived"))
    channel["is_archived"] = True
    call.did(f"channels/{channel['name']}", {"is_archived": False}, {"is_archived": True})
    return Reply({"ok": True})


@FACE.writes("conversations.setTopic", method("conversations.setTopic"))
def set_topic(call: Call) -> Reply:
    wanted = call.ask(_Topic)
    return _describe(call, wanted.channel, "topic", wanted.topic)


@FACE.writes("conversations.setPurpose", method("conversations.setPurpose"))
def set_purpose(call: Call) -> Reply:
    wanted = call.ask(_Purpose)
    return _describe(call, wanted.channel, "purpose", wanted.purpose)


def _describe(call: Call, channel_id: str, what: str, text: str) -> Reply:
    channel = open_channel(call, channel_id)
    if len(text) > 250:
        raise Refusal(no("too_long"))
    before, channel[what] = channel[what], text
    call.did(f"channels/{channel['name']}/{what}", before, text)
    return Reply({"ok": True, "channel": channel_json(channel)})


@FACE.writes("conversations.open", method("conversations.open"))
def open_direct(call: Call) -> Reply:
    """Open the direct channel with one user."""
    user = call.ask(_Open).users
    if user not in member_ids(call):
        raise Refusal(no("user_not_found"))
    existed = any(channel["user"] == user for channel in call.state.part(Channels).values())
    channel = direct_channel(call, user)
    call.did(f"direct/{user}", {"open": existed}, {"open": True})
    already = {"no_op": True, "already_open": True} if existed else {}
    return Reply({"ok": True, "channel": {"id": channel["id"]}, **already})
