"""Slack's Web API (https://api.slack.com/web). Errors come as HTTP 200 with `ok: false`; here they become the same outcomes as elsewhere.

Reads are GETs with a query, writes are POSTs with JSON: Slack takes JSON for its writing methods only. Nothing is tried twice here. Text
is `Escaped` before it is sent: only `escaped` and `split` make such text.
"""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from html import unescape
from typing import Any, Literal, NewType

from activities.action import Call, NotYet, Refused, digest
from activities.kit.create_once import once
from activities.kit.http import HttpClient, pages
from activities.kit.words import escape, shell

JSON = dict[str, Any]
Escaped = NewType("Escaped", str)
CLOCKS_DIFFER = timedelta(minutes=10)  # at most, ours and Slack's
EVENT = "incident_playbooks"  # the event_type of our messages' metadata
LONGEST_MESSAGE, LONGEST_TOPIC = 4_000, 250  # characters
_SLOW_DOWN = frozenset({"ratelimited", "rate_limited"})
_UNKNOWN = frozenset({"fatal_error", "internal_error", "request_timeout", "service_unavailable", "team_added_to_org"})
_THIS_MESSAGE = frozenset({
    "msg_too_long", "msg_blocks_too_long", "no_text", "invalid_blocks", "invalid_metadata_format", "metadata_too_large",
    "cant_update_message", "edit_window_closed",
})  # fmt: skip


class SlackError(Exception):
    """Slack answered `ok: false` with an error that leaves the outcome open."""


class MessageRefused(Refused):
    """Slack will never take this very message or edit; others in the same channel are not concerned."""


def escaped(text: str, longest: int = LONGEST_MESSAGE) -> Escaped:
    """Text that Slack shows as it is, cut to what Slack takes."""
    shown = escape.slack(text)
    return Escaped(shown if len(shown) <= longest else shown[: _end(shown, longest - 1)] + "…")


def split(text: str) -> tuple[Escaped, ...]:
    """The whole of a text in as many messages as it takes, cut at line ends where there are any."""
    shown, found = escape.slack(text), []
    while len(shown) > LONGEST_MESSAGE:
        end = shown.rfind("\n", 1, LONGEST_MESSAGE + 1)
        end = end if end > 0 else _end(shown, LONGEST_MESSAGE)
        found.append(Escaped(shown[:end]))
        shown = shown[end:].removeprefix("\n")
    return (*found, Escaped(shown))


def _end(shown: str, longest: int) -> int:
    """Where a text can be cut without cutting through `&amp;`."""
    start = shown.rfind("&", longest - 4, longest)
    return start if start > 0 and ";" not in shown[start:longest] else longest


def same(shown: str, wanted: Escaped) -> bool:
    """Whether Slack shows this text: it escapes some fields once more."""
    return unescape(shown) == unescape(wanted)


def by_hand(method: str, **body: object) -> shell.Command:
    """The same request as a shell command."""
    return shell.curl("POST", f"https://slack.com/api/{method}", ("Authorization: Bearer ", shell.Var("SLACK_TOKEN")), body=body)


def post_by_hand(channel: str | shell.Var, text: str) -> shell.Command:
    return by_hand("chat.postMessage", channel=channel, text=escape.slack(text))


class Slack:
    """One workspace. The client's base URL ends in `/api`; the token is a bot's (`Authorization: Bearer xoxb-…`)."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    async def whoami(self, call: Call) -> JSON:
        """`auth.test`: user_id (ours) and url (the workspace's)."""
        return await self._read(call, "auth.test")

    async def scopes(self, call: Call) -> frozenset[str]:
        """What the token may do, by the header of `auth.test`; empty where Slack does not say."""
        listed = (await self._client.read(call, "/auth.test")).headers.get("X-OAuth-Scopes", "")
        return frozenset(scope.strip() for scope in listed.split(",") if scope.strip())

    async def create(self, call: Call, name: str, private: bool) -> JSON | None:
        """`conversations.create`: the channel, or None when the name is taken."""
        made = await self._write(call, "conversations.create", unless="name_taken", name=name, is_private=private)
        return dict(made["channel"]) if made else None

    async def channel(self, call: Call, id: str) -> JSON:
        return dict((await self._read(call, "conversations.info", channel=id))["channel"])

    async def channel_named(self, call: Call, name: str) -> JSON | None:
        """The channel of this name among those that our bot is in, archived ones too; None when it is in none."""
        types = "public_channel,private_channel"
        listed = self._all(call, "users.conversations", "channels", types=types, exclude_archived="false", limit=1000)
        return await anext((found async for found in listed if found.get("name") == name), None)

    async def members(self, call: Call, channel: str) -> tuple[str, ...]:
        """`conversations.members`: the ids of everybody in it, to the end of the list."""
        return tuple([str(one) async for one in self._all(call, "conversations.members", "members", channel=channel, limit=200)])

    async def open_direct(self, call: Call, user: str) -> str:
        """`conversations.open`: the id of our direct channel with a user; the same one every time."""
        return str((await self._write(call, "conversations.open", users=user))["channel"]["id"])

    async def invite(self, call: Call, channel: str, user: str) -> bool:
        """`conversations.invite`: False when the user was there already."""
        return bool(await self._write(call, "conversations.invite", unless="already_in_channel", channel=channel, users=user))

    async def describe(self, call: Call, channel: str, what: Literal["topic", "purpose"], text: Escaped) -> None:
        """`conversations.setTopic` or `.setPurpose` (at most 250 characters)."""
        await self._write(call, f"conversations.set{what.capitalize()}", channel=channel, **{what: text})

    async def say(self, call: Call, channel: str, text: str, key: str) -> tuple[str, bool]:
        """Post a text once, in as many messages as it takes: the `ts` of the first one, and whether all of them were there already."""
        parts = [await self.say_one(call, channel, part, f"{key}.{n}" if n else key) for n, part in enumerate(split(text))]
        return parts[0][0], all(already for _, already in parts)

    async def say_one(self, call: Call, channel: str, text: Escaped, key: str) -> tuple[str, bool]:
        """Post one message: its `ts`, and whether it was there already. Slack would take it twice, so that it is looked for by our key."""
        # No attempt of this call is older than the call; of a person's *retry* an earlier one may be.
        oldest = None if call.again else f"{(call.at - CLOCKS_DIFFER).timestamp():.6f}"
        find, make = partial(self.message_of, call, channel, key, oldest), partial(self.post, call, channel, text, key)
        there = await once(call, f"channel {channel}", find, make, partial(self.message, call, channel))
        return str(there.found["ts"]), there.adopted

    async def post(self, call: Call, channel: str, text: Escaped, key: str) -> str:
        """`chat.postMessage` with our key in its metadata: the message's `ts`. Slack has no idempotency of its own."""
        body: JSON = {"channel": channel, "text": text, "metadata": _metadata(key=key), "unfurl_links": False, "unfurl_media": False}
        return str((await self._write(call, "chat.postMessage", **body))["ts"])

    async def message(self, call: Call, channel: str, ts: str) -> JSON | None:
        where = {"channel": channel, "oldest": ts, "latest": ts, "inclusive": "true", "include_all_metadata": "true", "limit": 1}
        found = (await self._read(call, "conversations.history", **where))["messages"]
        return next((dict(message) for message in found if message["ts"] == ts), None)

    async def message_of(self, call: Call, channel: str, key: str, oldest: str | None) -> JSON | None:
        """The message that carries our key, of all those since `oldest` (a `ts`; None: ever)."""
        where = {"channel": channel, "oldest": oldest, "include_all_metadata": "true", "limit": 200}
        listed = self._all(call, "conversations.history", "messages", **where)
        return await anext((found async for found in listed if _payload(found).get("key") == key), None)

    async def edit(self, call: Call, channel: str, ts: str, text: Escaped, key: str) -> bool:
        """`chat.update`: False when the message is not there any more. Our key, and what the text is known by, go into its metadata."""
        body = {"channel": channel, "ts": ts, "text": text, "metadata": _metadata(key=key, says=digest(text))}
        return bool(await self._write(call, "chat.update", unless="message_not_found", **body))

    async def says(self, call: Call, channel: str, ts: str, text: Escaped) -> bool:
        """True when the message shows this text. Slack rewrites links and signs, so that our own mark is compared and not the words."""
        found = await self.message(call, channel, ts)
        return found is not None and _payload(found).get("says") == digest(text)

    async def pin(self, call: Call, channel: str, ts: str) -> None:
        await self._write(call, "pins.add", unless="already_pinned", channel=channel, timestamp=ts)

    async def pinned(self, call: Call, channel: str) -> tuple[str, ...]:
        """`pins.list`: the `ts` of the pinned messages. Slack pins at most 100 in a channel, and lists them all at once."""
        items = (await self._read(call, "pins.list", channel=channel))["items"]
        return tuple(str(item["message"]["ts"]) for item in items if "message" in item)

    def _all(self, call: Call, method: str, field: str, **params: Any) -> AsyncIterator[JSON]:
        async def page(cursor: str) -> tuple[list[JSON], str | None]:
            answer = await self._read(call, method, cursor=cursor or None, **params)
            return answer[field], (answer.get("response_metadata") or {}).get("next_cursor") or None

        return pages(f"slack {method}", "", page)

    async def _read(self, call: Call, method: str, **params: Any) -> JSON:
        return _answer(method, (await self._client.read(call, f"/{method}", **params)).json())

    async def _write(self, call: Call, method: str, *, unless: str = "", **body: Any) -> JSON:
        """The answer; an empty one where Slack answers with the error `unless`."""
        return _answer(method, (await self._client.write(call, "POST", f"/{method}", json=body)).json(), unless)


def _metadata(**payload: str) -> JSON:
    return {"event_type": EVENT, "event_payload": payload}


def _payload(message: JSON) -> JSON:
    """What our metadata says on a message; empty on a message that is not ours."""
    mark = message.get("metadata") or {}
    return dict(mark.get("event_payload") or {}) if mark.get("event_type") == EVENT else {}


def _answer(method: str, answer: JSON, unless: str = "") -> JSON:
    """The answer, or the outcome that its `error` means: an open one raises SlackError, a throttle NotYet, the rest Refused."""
    if answer.get("ok"):
        return answer
    error = re.sub(r"\W+", "_", str(answer.get("error", "no_reason_given")))[:100]
    if error == unless:
        return {}
    if error in _SLOW_DOWN:
        raise NotYet(f"slack {method}: asked to slow down")
    if error in _UNKNOWN:
        raise SlackError(f"slack {method}: {error}")
    raise MessageRefused(f"slack {method}: {error}") if error in _THIS_MESSAGE else Refused(f"slack {method}: {error}")
