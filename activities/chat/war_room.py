"""The war room: a Slack channel per incident; and the standing channels where others hear of it. What is pinned is kept current by editing it."""

import asyncio
from collections.abc import Awaitable
from html import unescape
from typing import Literal, TypeVar

from activities.action import Call, Effect, NotYet, Refused, Risk, System, action
from activities.chat.orders import Announce, Members, MembersOf, OpenRoom, Pinned, TellRoom, marker
from activities.chat.slack import JSON, LONGEST_TOPIC, Escaped, MessageRefused, Slack, escaped, same
from activities.kit.create_once import CreateOnce
from activities.organisation.people import Person

T = TypeVar("T")


class Rooms(CreateOnce[OpenRoom, JSON]):
    """The channel alone. Ours by its purpose; or made by us and without one, when an earlier attempt got no further."""

    def __init__(self, slack: Slack) -> None:
        self._slack = slack

    async def find(self, call: Call, order: OpenRoom) -> JSON | None:
        found = await self._slack.channel_named(call, order.name)
        if found is None:
            return None
        purpose = _text_of(found, "purpose")
        ours = marker(call.incident_id) in purpose if purpose else found.get("creator") == (await self._slack.whoami(call))["user_id"]
        if not ours:
            raise Refused(f"#{order.name} is taken by a channel that is not of {call.incident_id}: choose another name")
        if found.get("is_archived"):
            raise Refused(f"#{order.name} is archived: bring it back by hand, then retry")
        return found

    async def make(self, call: Call, order: OpenRoom) -> str:
        """A name is given once, so that a second room of that name cannot come about."""
        made = await self._slack.create(call, order.name, order.private)
        if made is None and (made := await self.find(call, order)) is None:
            raise Refused(f"#{order.name} is taken by a channel that our bot is not in: invite it there, or choose another name")
        return str(made["id"])

    async def fetch(self, call: Call, order: OpenRoom, id: str) -> JSON | None:
        try:
            return await self._slack.channel(call, id)
        except Refused:  # not there (yet)
            return None


class WarRoom(System):
    def __init__(self, slack: Slack) -> None:
        self._slack = slack
        self._rooms = Rooms(slack)

    @action("war_room.open", risk=Risk.C0, writes=True)
    async def open(self, order: OpenRoom, call: Call) -> Effect:
        """Open the room, or go on opening ours. Refused: the name is somebody else's. NotYet: Slack accepted it, and does not show it."""
        room = await self._rooms.once(call, order)
        channel = str(room.found["id"])
        for what, text in _unset(room.found, order, call).items():
            await self._slack.describe(call, channel, what, text)
        not_invited = await self._invite(order.people, call, channel)
        not_sent: dict[str, str] = {}
        pinned: dict[str, str] = {}
        for name, pin in order.pins.items():
            if ts := await _unless_refused(not_sent, f"pinned {name}", self._pin(call, channel, name, pin)):
                pinned[name] = ts
        seen = await self._slack.channel(call, channel)
        if _unset(seen, order, call) or not set(pinned.values()) <= set(await self._slack.pinned(call, channel)):
            raise NotYet(f"slack does not show #{order.name} as it was set up")
        url = f"{(await self._slack.whoami(call))['url'].rstrip('/')}/archives/{channel}"
        return order.done(
            "conversations.info shows the channel with our purpose and topic, pins.list its pins",
            f"#{order.name} is open{_but(not_invited, not_sent)}",
            adopted=room.adopted,
            after={"channel": channel, "name": order.name, "url": url, "pins": pinned, "not_invited": not_invited, "not_sent": not_sent},
        )

    @action("war_room.tell", risk=Risk.C0, writes=True)
    async def tell(self, order: TellRoom, call: Call) -> Effect:
        """Say each text once and edit what is pinned; what Slack will never take keeps nothing else waiting.

        Refused: the channel is archived or unknown. NotYet: Slack accepted it, and does not show it.
        """
        not_sent: dict[str, str] = {}
        posted = [
            await _unless_refused(not_sent, f"message {n}", self._slack.say(call, order.channel, text, f"{call.key}/{n}"))
            for n, text in enumerate(order.says, start=1)
        ]
        edited = {
            name: await _unless_refused(not_sent, f"pinned {name}", self._edit(call, order.channel, name, pin))
            for name, pin in order.pins.items()
        }
        pins = {name: done[0] for name, done in edited.items() if done}
        not_invited = await self._invite(order.people, call, order.channel)
        return order.done(
            "conversations.history shows every message and every pinned text",
            order.effect() + _but(not_invited, not_sent),
            adopted=all(done[1] for done in (*posted, *edited.values()) if done),
            after={"channel": order.channel, "pins": pins, "not_invited": not_invited, "not_sent": not_sent},
        )

    @action("war_room.members")
    async def members(self, order: MembersOf, call: Call) -> Members:
        """Everybody but our own bot. Refused: we are in no such room."""
        found = await self._slack.channel_named(call, order.name)
        if found is None:
            raise Refused(f"our bot is in no room #{order.name}")
        bot = (await self._slack.whoami(call))["user_id"]
        there = [id for id in await self._slack.members(call, str(found["id"])) if id != bot]
        known = {one.slack: one.id for one in order.known if one.slack}
        return Members(people=tuple(known[id] for id in there if id in known), strangers=tuple(id for id in there if id not in known))

    @action("war_room.announce", risk=Risk.C0, writes=True)
    async def announce(self, order: Announce, call: Call) -> Effect:
        """Tell each channel once; one that cannot be told keeps no other waiting. Refused: none could be told."""
        told: dict[str, bool] = {}
        untold: dict[str, str] = {}
        for name, text in order.to.items():
            try:
                found = await self._slack.channel_named(call, name)
                if found is None:
                    raise Refused(f"there is no channel #{name} that our bot is in: invite our bot, or name another one in [contacts]")
                told[name] = (await self._slack.say(call, found["id"], text, f"{call.key}/{name}"))[1]
            except Refused as no:
                untold[name] = no.message
        if not told:
            raise Refused("; ".join(untold.values()))
        return order.done(
            "conversations.history of each channel shows the message",
            f"{' and '.join(f'#{name}' for name in told)} told" + "".join(f"; {why}" for why in untold.values()),
            adopted=all(told.values()),
            after={"told": list(told), "untold": untold},
        )

    async def _edit(self, call: Call, channel: str, name: str, pin: Pinned) -> tuple[str, bool]:
        """The pinned message's `ts`, and whether it said so already. Where somebody deleted it, it is posted and pinned anew."""
        text = escaped(pin.text)
        if await self._slack.says(call, channel, pin.ts, text):
            return pin.ts, True
        if not await self._slack.edit(call, channel, pin.ts, text, f"{call.key}/pin/{name}"):
            return await self._pin(call, channel, name, pin.text), False
        if not await self._slack.says(call, channel, pin.ts, text):
            raise NotYet(f"slack accepted the new text of the pinned {name}, but does not show it")
        return pin.ts, False

    async def _pin(self, call: Call, channel: str, name: str, text: str) -> str:
        ts, _ = await self._slack.say_one(call, channel, escaped(text), f"{call.key}/pin/{name}")
        await self._slack.pin(call, channel, ts)
        return ts

    async def _invite(self, people: tuple[Person, ...], call: Call, channel: str) -> dict[str, str]:
        """Who could not be invited, and why. One unknown name must not keep the others out."""
        reasons = await asyncio.gather(*(self._invite_one(call, channel, person) for person in people))
        return {person.id: why for person, why in zip(people, reasons, strict=True) if why}

    async def _invite_one(self, call: Call, channel: str, person: Person) -> str:
        """Why this person cannot be invited, or nothing. Inviting again is the proof: then Slack says that they are in."""
        if not person.slack:
            return "no Slack id on the roster"
        try:
            if await self._slack.invite(call, channel, person.slack) and await self._slack.invite(call, channel, person.slack):
                raise NotYet(f"slack accepted the invitation of {person.name}, but they are not in the channel")
        except Refused as no:
            return no.message
        return ""


async def _unless_refused(not_sent: dict[str, str], what: str, sending: Awaitable[T]) -> T | None:
    """What is refused for ever is let go, and keeps nothing else waiting."""
    try:
        return await sending
    except MessageRefused as no:
        not_sent[what] = no.message
        return None


def _but(not_invited: dict[str, str], not_sent: dict[str, str]) -> str:
    invited = f"; not invited: {', '.join(not_invited)}" if not_invited else ""
    return invited + "".join(f"; {what} was not sent: {why}" for what, why in not_sent.items())


def _unset(channel: JSON, order: OpenRoom, call: Call) -> dict[Literal["topic", "purpose"], Escaped]:
    """What the channel does not say yet: our marker in its purpose, and its topic."""
    ours, topic = marker(call.incident_id), escaped(order.topic, LONGEST_TOPIC)
    purpose = escaped(f"War room of {call.incident_id} {ours}", LONGEST_TOPIC)
    unset: dict[Literal["topic", "purpose"], Escaped] = {} if ours in _text_of(channel, "purpose") else {"purpose": purpose}
    return unset if same(_text_of(channel, "topic"), topic) else {**unset, "topic": topic}


def _text_of(channel: JSON, field: str) -> str:
    return unescape(str((channel.get(field) or {}).get("value", "")))
