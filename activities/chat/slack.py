"""Slack's Web API (https://api.slack.com/web). Errors come as HTTP 200 with `ok: false`; here they become the same outcomes as elsewhere.

Reads are GETs with a query, writes are POSTs with JSON: Slack takes JSON for its writing methods only. Nothing is tried twice here.
"""

from collections.abc import AsyncIterator
from typing import Any

from activities.action import Call, NotYet, Refused, digest
from activities.kit.http import HttpClient

JSON = dict[str, Any]
EVENT = "incident_playbooks"  # the event_type of our messages' metadata
_SLOW_DOWN = frozenset({"ratelimited", "rate_limited"})
_UNKNOWN = frozenset({"fatal_error", "internal_error", "request_timeout", "service_unavailable", "team_added_to_org"})
_LONGEST_LOOK = 20  # pages of a listing: a look-up that finds nothing ends


class SlackSaid(Exception):
    """Slack answered `ok: false` with an error that only the caller can judge (`name_taken`) or that leaves the outcome open."""

    def __init__(self, method: str, error: str) -> None:
        super().__init__(f"slack {method}: {error}")
        self.error = error


class Slack:
    """One workspace. The door's base URL ends in `/api`; the token is a bot's (`Authorization: Bearer xoxb-…`)."""

    def __init__(self, door: HttpClient) -> None:
        self._client = door

    async def whoami(self, call: Call) -> JSON:
        """`auth.test`: user_id (ours) and url (the workspace's)."""
        return await self._read(call, "auth.test")

    async def scopes(self, call: Call) -> frozenset[str]:
        """What the token may do, by the header of `auth.test`; empty where Slack does not say."""
        said = (await self._client.read(call, "/auth.test")).headers.get("X-OAuth-Scopes", "")
        return frozenset(scope.strip() for scope in said.split(",") if scope.strip())

    async def create(self, call: Call, name: str, private: bool) -> JSON | None:
        """`conversations.create`: the channel, or None when the name is taken."""
        try:
            return dict((await self._write(call, "conversations.create", name=name, is_private=private, expects="name_taken"))["channel"])
        except SlackSaid as said:
            if said.error == "name_taken":
                return None
            raise

    async def channel(self, call: Call, *, name: str = "", id: str = "") -> JSON | None:
        """A channel by name or id, through `conversations.list`, archived ones too; None when we cannot see one."""
        types = "public_channel,private_channel"
        async for found in self._pages(call, "conversations.list", "channels", types=types, exclude_archived="false", limit=200):
            if found["id"] == id or found.get("name") == name:
                return found
        return None

    async def open_direct(self, call: Call, user: str) -> str:
        """`conversations.open`: the id of our direct channel with a user; the same one every time."""
        return str((await self._write(call, "conversations.open", users=user))["channel"]["id"])

    async def invite(self, call: Call, channel: str, user: str) -> bool:
        """`conversations.invite`: False when the user was there already."""
        return await self._unless(call, "already_in_channel", "conversations.invite", channel=channel, users=user)

    async def set_topic(self, call: Call, channel: str, topic: str) -> None:
        """`conversations.setTopic` (at most 250 characters)."""
        await self._write(call, "conversations.setTopic", channel=channel, topic=topic[:250])

    async def set_purpose(self, call: Call, channel: str, purpose: str) -> None:
        """`conversations.setPurpose` (at most 250 characters)."""
        await self._write(call, "conversations.setPurpose", channel=channel, purpose=purpose[:250])

    async def post(self, call: Call, channel: str, text: str, key: str) -> str:
        """`chat.postMessage` with our key in its metadata: the message's `ts`. Slack has no idempotency of its own."""
        mark = {"event_type": EVENT, "event_payload": {"key": key}}
        return str((await self._write(call, "chat.postMessage", channel=channel, text=text, metadata=mark))["ts"])

    async def message(self, call: Call, channel: str, key: str) -> JSON | None:
        """The message that carries our key, through `conversations.history`; None when there is none."""
        async for found in self._pages(call, "conversations.history", "messages", channel=channel, include_all_metadata="true", limit=200):
            mark = found.get("metadata") or {}
            if mark.get("event_type") == EVENT and mark.get("event_payload", {}).get("key") == key:
                return found
        return None

    async def edit(self, call: Call, channel: str, ts: str, text: str, key: str) -> bool:
        """`chat.update`: False when the message is not there any more. Our key, and what the text is known by, go into its metadata."""
        mark = {"event_type": EVENT, "event_payload": {"key": key, "says": digest(text)}}
        gone = "message_not_found"
        try:
            await self._write(call, "chat.update", expects=gone, channel=channel, ts=ts, text=text, metadata=mark)
        except SlackSaid as said:
            if said.error == gone:
                return False
            raise
        return True

    async def says(self, call: Call, channel: str, ts: str, text: str) -> bool:
        """True when the message shows this text. Slack rewrites links and signs, so that our own mark is compared and not the words."""
        where = {"channel": channel, "oldest": ts, "latest": ts, "inclusive": "true", "include_all_metadata": "true", "limit": 1}
        found = (await self._read(call, "conversations.history", **where))["messages"]
        marks = [message.get("metadata") or {} for message in found]
        return any(mark.get("event_payload", {}).get("says") == digest(text) for mark in marks)

    async def pin(self, call: Call, channel: str, ts: str) -> bool:
        """`pins.add`: False when it was pinned already."""
        return await self._unless(call, "already_pinned", "pins.add", channel=channel, timestamp=ts)

    async def pinned(self, call: Call, channel: str) -> tuple[str, ...]:
        """`pins.list`: the `ts` of the pinned messages."""
        items = (await self._read(call, "pins.list", channel=channel))["items"]
        return tuple(str(item["message"]["ts"]) for item in items if "message" in item)

    async def _unless(self, call: Call, already: str, method: str, **body: Any) -> bool:
        try:
            await self._write(call, method, expects=already, **body)
        except SlackSaid as said:
            if said.error == already:
                return False
            raise
        return True

    async def _pages(self, call: Call, method: str, field: str, **params: Any) -> AsyncIterator[JSON]:
        cursor: str | None = None
        for _ in range(_LONGEST_LOOK):
            answer = await self._read(call, method, cursor=cursor, **params)
            for found in answer[field]:
                yield found
            cursor = (answer.get("response_metadata") or {}).get("next_cursor") or None
            if cursor is None:
                return

    async def _read(self, call: Call, method: str, **params: Any) -> JSON:
        return _answer(method, (await self._client.read(call, f"/{method}", **params)).json())

    async def _write(self, call: Call, method: str, *, expects: str = "", **body: Any) -> JSON:
        return _answer(method, (await self._client.write(call, "POST", f"/{method}", json=body)).json(), expects)


def _answer(method: str, said: JSON, expects: str = "") -> JSON:
    """The answer, or the outcome that its `error` means: `expects` and an open one raise SlackSaid, a throttle NotYet, the rest Refused."""
    if said.get("ok"):
        return said
    error = str(said.get("error", "no reason given"))
    if error in _SLOW_DOWN:
        raise NotYet(f"slack {method}: asked to slow down")
    if error in _UNKNOWN or error == expects:
        raise SlackSaid(method, error)
    raise Refused(f"slack {method}: {error}")


async def say_once(slack: Slack, call: Call, channel: str, text: str, key: str) -> tuple[str, bool]:
    """Post a message unless one with our key is there, and see it in the channel: its `ts`, and whether it was there already.

    It always looks first: a zombie of this attempt may be ahead of us, and Slack would take the message twice. NotYet: posted, but not to
    be seen.
    """
    there = await slack.message(call, channel, key)
    if there:
        return str(there["ts"]), True
    await slack.post(call, channel, text, key)
    posted = await slack.message(call, channel, key)
    if posted is None:
        raise NotYet(f"slack took the message for {channel}, but the channel does not show it")
    return str(posted["ts"]), False
