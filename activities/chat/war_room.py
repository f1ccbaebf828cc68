"""The war room: a Slack channel per incident; and the standing channels where others hear of it.

What is said is found again by the key in its metadata. What is pinned is kept current by editing it: nothing pinned is ever posted again.
"""

import asyncio

from activities.action import Call, Effect, NotYet, Order, Refused, Risk, System, Value, action
from activities.chat.slack import JSON, Slack, say_once
from activities.organisation.people import Person
from activities.texts.wording import curl

_SLACK = "https://slack.com/api"
_TOKEN = "Authorization: Bearer $SLACK_TOKEN"  # noqa: S105 - a reference: the person's own shell fills it in


class OpenRoom(Order):
    """Open the incident's channel, invite people, pin texts. `pins`: by a name of their own.

    The effect's `after` holds `channel` (its id), `name`, `url` and `pins` (the `ts` by name).
    """

    name: str
    topic: str
    people: tuple[Person, ...]
    pins: dict[str, str] = {}
    private: bool = False

    def target(self) -> str:
        return f"#{self.name}"

    def effect(self) -> str:
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
            *(step for text in self.pins.values() for step in (("chat.postMessage", {"text": text}), ("pins.add", {"timestamp": "$TS"}))),
        ]
        create = curl("POST", f"{_SLACK}/conversations.create", _TOKEN, body={"name": self.name, "is_private": self.private})
        return (create, *(curl("POST", f"{_SLACK}/{method}", _TOKEN, body={"channel": "$CHANNEL", **more}) for method, more in said))


class Pinned(Value):
    """A pinned message, and what it is to say."""

    ts: str
    text: str


class TellRoom(Order):
    """Say what is new in the channel, bring what is pinned there up to date, and let in who is new: all of it at once.

    `channel` and each `ts` come from `OpenRoom`'s effect. The effect's `after` holds `pins`: a pin that somebody deleted has a new `ts`.
    """

    channel: str
    says: tuple[str, ...] = ()
    pins: dict[str, Pinned] = {}
    people: tuple[Person, ...] = ()
    nth: int

    def target(self) -> str:
        return f"room {self.channel}"

    def effect(self) -> str:
        first = self.says[0].splitlines()[0][:120] if self.says and self.says[0] else f"{' and '.join(self.pins)} as of now"
        return f"the war room reads: {first}"

    def inverse(self) -> str:
        """A message is corrected by the next one."""
        return "post a correction"

    def by_hand(self) -> tuple[str, ...]:
        said = (curl("POST", f"{_SLACK}/chat.postMessage", _TOKEN, body={"channel": self.channel, "text": text}) for text in self.says)
        edits = (
            curl("POST", f"{_SLACK}/chat.update", _TOKEN, body={"channel": self.channel, "ts": pin.ts, "text": pin.text})
            for pin in self.pins.values()
        )
        return (*said, *edits)


class Announce(Order):
    """Tell standing channels, each its own text. `to`: text by the channel's name, without the #."""

    to: dict[str, str]
    nth: int

    def target(self) -> str:
        return " and ".join(f"#{name}" for name in self.to)

    def effect(self) -> str:
        return "; ".join(f"#{name} reads: {text.splitlines()[0][:120] if text else ''}" for name, text in self.to.items())

    def inverse(self) -> str:
        """A message is corrected by the next one."""
        return "post a correction"

    def by_hand(self) -> tuple[str, ...]:
        posts = ({"channel": f"#{name}", "text": text} for name, text in self.to.items())
        return tuple(curl("POST", f"{_SLACK}/chat.postMessage", _TOKEN, body=body) for body in posts)


class WarRoom(System):
    def __init__(self, slack: Slack) -> None:
        self._slack = slack

    @action("war_room.open", risk=Risk.C0, writes=True)
    async def open(self, order: OpenRoom, call: Call) -> Effect:
        """Open the room, or go on opening ours. Refused: the name is somebody else's. NotYet: Slack says done, and it is not to be seen."""
        channel, adopted = await self._channel(order, call)
        await self._label(order, call, channel)
        missed = await self._invite(order.people, call, channel["id"])
        pinned = await self._pin(call, channel["id"], order.pins)
        seen = await self._slack.channel(call, id=channel["id"])
        if seen is None or not _labelled(seen, order, call) or not await self._are_pinned(call, channel["id"], pinned):
            raise NotYet(f"slack does not show #{order.name} as it was set up")
        url = f"{(await self._slack.whoami(call))['url'].rstrip('/')}/archives/{channel['id']}"
        return Effect(
            target=order.target(),
            summary=f"#{order.name} is open" + (f"; not invited: {', '.join(missed)}" if missed else ""),
            proven_by="conversations.list shows the channel with our purpose and topic, pins.list its pins",
            adopted=adopted,
            after={"channel": channel["id"], "name": order.name, "url": url, "not_invited": dict(missed), "pins": dict(pinned)},
        )

    @action("war_room.tell", risk=Risk.C0, writes=True)
    async def tell(self, order: TellRoom, call: Call) -> Effect:
        """Say each text once and edit what is pinned. Refused: the channel is archived or unknown. NotYet: not to be seen there."""
        written = [await say_once(self._slack, call, order.channel, text, f"{call.key}/{n}") for n, text in enumerate(order.says, start=1)]
        edited = {name: await self._edit(call, order.channel, name, pin) for name, pin in order.pins.items()}
        missed = await self._invite(order.people, call, order.channel)
        return Effect(
            target=order.target(),
            summary=order.effect() + (f"; not invited: {', '.join(missed)}" if missed else ""),
            proven_by="conversations.history shows every message and every pinned text",
            adopted=all(there for _, there in (*written, *edited.values())),
            after={"channel": order.channel, "pins": {name: ts for name, (ts, _) in edited.items()}, "not_invited": dict(missed)},
        )

    @action("war_room.announce", risk=Risk.C0, writes=True)
    async def announce(self, order: Announce, call: Call) -> Effect:
        """Tell each channel once; one that cannot be told keeps no other waiting. Refused: none could. NotYet: not to be seen there."""
        told: dict[str, bool] = {}
        untold: dict[str, str] = {}
        for name, text in order.to.items():
            try:
                told[name] = await self._say_in(call, name, text)
            except Refused as no:
                untold[name] = no.message
        if not told:
            raise Refused("; ".join(untold.values()))
        return Effect(
            target=order.target(),
            summary=f"{' and '.join(f'#{name}' for name in told)} told" + "".join(f"; {why}" for why in untold.values()),
            proven_by="conversations.history of each channel shows the message",
            adopted=all(told.values()),
            after={"told": list(told), "untold": dict(untold)},
        )

    async def _say_in(self, call: Call, name: str, text: str) -> bool:
        found = await self._slack.channel(call, name=name)
        if found is None:
            raise Refused(f"there is no channel #{name} that we can see: invite our bot, or name another one in [contacts]")
        return (await say_once(self._slack, call, found["id"], text, f"{call.key}/{name}"))[1]

    async def _edit(self, call: Call, channel: str, name: str, pin: Pinned) -> tuple[str, bool]:
        """The pinned message's `ts`, and whether it said so already. Where somebody deleted it, it is posted and pinned anew."""
        if await self._slack.says(call, channel, pin.ts, pin.text):
            return pin.ts, True
        if not await self._slack.edit(call, channel, pin.ts, pin.text, f"{call.key}/pin/{name}"):
            again = await self._pin(call, channel, {name: pin.text})
            return again[name], False
        if not await self._slack.says(call, channel, pin.ts, pin.text):
            raise NotYet(f"slack took the new text of the pinned {name}, but does not show it")
        return pin.ts, False

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
                raise NotYet(f"slack took the invitation of {person.name}, but they are not in the channel")
        except Refused as said:
            return said.message
        return ""

    async def _pin(self, call: Call, channel: str, pins: dict[str, str]) -> dict[str, str]:
        pinned = {}
        for name, text in pins.items():
            ts, _ = await say_once(self._slack, call, channel, text, f"{call.key}/pin/{name}")
            await self._slack.pin(call, channel, ts)
            pinned[name] = ts
        return pinned

    async def _are_pinned(self, call: Call, channel: str, pinned: dict[str, str]) -> bool:
        return set(pinned.values()) <= set(await self._slack.pinned(call, channel))


def _marker(call: Call) -> str:
    return f"[orchestrator:{call.incident_id}]"


def _labelled(channel: JSON, order: OpenRoom, call: Call) -> bool:
    return _marker(call) in _purpose(channel) and _topic(channel) == order.topic[:250]


def _topic(channel: JSON) -> str:
    return str((channel.get("topic") or {}).get("value", ""))


def _purpose(channel: JSON) -> str:
    return str((channel.get("purpose") or {}).get("value", ""))
