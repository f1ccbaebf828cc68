"""The war room: a Slack channel per incident. What is said there is found again by the key in its metadata."""

import asyncio

from activities.action import Call, Effect, NotYet, Order, Refused, Risk, System, action
from activities.clients.slack import JSON, Slack, say_once
from activities.organisation import Person
from activities.wording import curl

_SLACK = "https://slack.com/api"
_TOKEN = "Authorization: Bearer $SLACK_TOKEN"  # noqa: S105 - a reference: the person's own shell fills it in


class OpenRoom(Order):
    """Open the incident's channel, invite people, pin texts. The effect's `after` holds `channel` (its id), `name` and `url`."""

    name: str
    topic: str
    people: tuple[Person, ...]
    pins: tuple[str, ...] = ()
    private: bool = False

    def target(self) -> str:
        """The channel."""
        return f"#{self.name}"

    def effect(self) -> str:
        """Who meets where."""
        kind = "private channel" if self.private else "channel"
        return f"the {kind} #{self.name} is open, with {', '.join(p.name for p in self.people) or 'nobody'} in it"

    def inverse(self) -> str:
        """Rooms are closed, never deleted: what was said in them is evidence."""
        return f"archive #{self.name} when the incident is closed"

    def by_hand(self) -> tuple[str, ...]:
        """The channel, our marker, its topic, people and pins. `$CHANNEL` is the first answer's id, `$TS` a post's ts."""
        marked = f"War room of {self.name} [orchestrator:{self.name}]"  # a room is named after its incident
        said: list[tuple[str, JSON]] = [
            ("conversations.setPurpose", {"purpose": marked}),
            ("conversations.setTopic", {"topic": self.topic[:250]}),
            *(("conversations.invite", {"users": person.slack}) for person in self.people if person.slack),
            *(step for text in self.pins for step in (("chat.postMessage", {"text": text}), ("pins.add", {"timestamp": "$TS"}))),
        ]
        create = curl("POST", f"{_SLACK}/conversations.create", _TOKEN, body={"name": self.name, "is_private": self.private})
        return (create, *(curl("POST", f"{_SLACK}/{method}", _TOKEN, body={"channel": "$CHANNEL", **more}) for method, more in said))


class RoomPost(Order):
    """Say something in the channel (its id, from `OpenRoom`'s effect)."""

    channel: str
    text: str
    nth: int

    def target(self) -> str:
        """The channel."""
        return f"room {self.channel}"

    def effect(self) -> str:
        """What is said."""
        return f"the war room reads: {self.text.splitlines()[0][:120] if self.text else ''}"

    def inverse(self) -> str:
        """A message is corrected by the next one."""
        return "post a correction"

    def by_hand(self) -> tuple[str, ...]:
        """The message."""
        return (curl("POST", f"{_SLACK}/chat.postMessage", _TOKEN, body={"channel": self.channel, "text": self.text}),)


class WarRoom(System):
    """The incident's channel."""

    def __init__(self, slack: Slack) -> None:
        self._slack = slack

    @action("war_room.open", risk=Risk.C0, writes=True)
    async def open(self, order: OpenRoom, call: Call) -> Effect:
        """Open the room, or go on opening ours. Refused: the name is somebody else's. NotYet: Slack says done, and it is not to be seen."""
        channel, adopted = await self._channel(order, call)
        await self._label(order, call, channel)
        missed = await self._invite(order, call, channel["id"])
        pinned = await self._pin(order, call, channel["id"])
        seen = await self._slack.channel(call, id=channel["id"])
        if seen is None or not _labelled(seen, order, call) or not pinned <= set(await self._slack.pinned(call, channel["id"])):
            raise NotYet(f"slack does not show #{order.name} as it was set up")
        url = f"{(await self._slack.whoami(call))['url'].rstrip('/')}/archives/{channel['id']}"
        return Effect(
            target=order.target(),
            summary=f"#{order.name} is open" + (f"; not invited: {', '.join(missed)}" if missed else ""),
            proven_by="conversations.list shows the channel with our purpose and topic, pins.list its pins",
            adopted=adopted,
            after={"channel": channel["id"], "name": order.name, "url": url, "not_invited": dict(missed)},
        )

    @action("war_room.post", risk=Risk.C0, writes=True)
    async def post(self, order: RoomPost, call: Call) -> Effect:
        """Say it once. Refused: the channel is archived or unknown. NotYet: not to be seen in the channel."""
        ts, adopted = await say_once(self._slack, call, order.channel, order.text, call.key)
        return Effect(
            target=order.target(),
            summary=order.effect(),
            proven_by="conversations.history shows the message",
            adopted=adopted,
            after={"channel": order.channel, "ts": ts},
        )

    async def _channel(self, order: OpenRoom, call: Call) -> tuple[JSON, bool]:
        """The channel, and whether it was there: a name can be taken only once, so that creating is looking."""
        created = await self._slack.create(call, order.name, order.private)
        found = await self._slack.channel(call, name=order.name)
        if found is None and created:
            raise NotYet(f"slack says that it created #{order.name}, but does not list it")
        if found is None:
            raise Refused(f"#{order.name} is taken by a channel that we cannot see: choose another name")
        if created is None and not await self._ours(call, found):
            raise Refused(f"#{order.name} is taken by a channel that is not of {call.incident_id}: choose another name")
        if found.get("is_archived"):
            raise Refused(f"#{order.name} is archived: bring it back by hand, then retry")
        return found, created is None

    async def _ours(self, call: Call, found: JSON) -> bool:
        """Ours by its purpose; or made by us and without one, when an earlier try got no further."""
        if _purpose(found):
            return _marker(call) in _purpose(found)
        return bool(found.get("creator") == (await self._slack.whoami(call))["user_id"])

    async def _label(self, order: OpenRoom, call: Call, channel: JSON) -> None:
        if _marker(call) not in _purpose(channel):
            await self._slack.set_purpose(call, channel["id"], f"War room of {call.incident_id} {_marker(call)}")
        if _topic(channel) != order.topic[:250]:
            await self._slack.set_topic(call, channel["id"], order.topic)

    async def _invite(self, order: OpenRoom, call: Call, channel: str) -> dict[str, str]:
        """Who could not be invited, and why. One unknown name must not keep the others out."""
        reasons = await asyncio.gather(*(self._invite_one(call, channel, person) for person in order.people))
        return {person.id: why for person, why in zip(order.people, reasons, strict=True) if why}

    async def _invite_one(self, call: Call, channel: str, person: Person) -> str:
        """Why this person cannot be invited, or nothing. Inviting again is the proof: then Slack says that they are in."""
        if not person.slack:
            return "no Slack id on the roster"
        try:
            if await self._slack.invite(call, channel, person.slack) and await self._slack.invite(call, channel, person.slack):
                raise NotYet(f"slack took the invitation of {person.name}, but they are not in the channel")
        except Refused as said:
            return said.message
        return ""

    async def _pin(self, order: OpenRoom, call: Call, channel: str) -> set[str]:
        pinned = set()
        for number, text in enumerate(order.pins, start=1):
            ts, _ = await say_once(self._slack, call, channel, text, f"{call.key}/pin/{number}")
            await self._slack.pin(call, channel, ts)
            pinned.add(ts)
        return pinned


def _marker(call: Call) -> str:
    return f"[orchestrator:{call.incident_id}]"


def _labelled(channel: JSON, order: OpenRoom, call: Call) -> bool:
    return _marker(call) in _purpose(channel) and _topic(channel) == order.topic[:250]


def _topic(channel: JSON) -> str:
    return str((channel.get("topic") or {}).get("value", ""))


def _purpose(channel: JSON) -> str:
    return str((channel.get("purpose") or {}).get("value", ""))
