"""What is wanted of chat: a war room per incident, kept current; and word to standing channels."""

from activities.action import Order, Value
from activities.chat.slack import by_hand, post_by_hand
from activities.kit.words.escape import line, slack
from activities.kit.words.shell import Var
from activities.organisation.people import Person

CHANNEL, TS = Var("CHANNEL"), Var("TS")


class OpenRoom(Order, target="#{name}"):
    """Open the incident's channel, invite people, pin texts. `pins`: by a name of their own.

    The effect's `after` holds `channel` (its id), `name`, `url` and `pins` (the `ts` by name).
    """

    undone = "archive #{name} when the incident is closed"  # never deleted: what was said in it is evidence

    name: str
    topic: str
    people: tuple[Person, ...]
    pins: dict[str, str] = {}
    private: bool = False

    def effect(self) -> str:
        kind = "private channel" if self.private else "channel"
        return f"the {kind} #{self.name} is open, with {', '.join(p.name for p in self.people) or 'nobody'} in it"

    def by_hand(self) -> tuple[str, ...]:
        """The channel, our marker, its topic, people and pins. `$CHANNEL` is the first answer's id, `$TS` a post's ts."""
        pin = by_hand("pins.add", channel=CHANNEL, timestamp=TS)
        marked = f"War room of {self.name} {marker(self.name)}"  # a room is named after its incident
        return (
            by_hand("conversations.create", name=self.name, is_private=self.private),
            by_hand("conversations.setPurpose", channel=CHANNEL, purpose=slack(marked)),
            by_hand("conversations.setTopic", channel=CHANNEL, topic=slack(self.topic)),
            *(by_hand("conversations.invite", channel=CHANNEL, users=person.slack) for person in self.people if person.slack),
            *(step for text in self.pins.values() for step in (post_by_hand(CHANNEL, text), pin)),
        )


class Pinned(Value):
    """A pinned message, and what it is to say."""

    ts: str
    text: str


class TellRoom(Order, target="room {channel}"):
    """Say what is new in the channel, bring what is pinned there up to date, and let in who is new: all of it at once.

    `channel` and each `ts` come from `OpenRoom`'s effect. The effect's `after` holds `pins`: a pin that somebody deleted has a new `ts`;
    and `not_sent`: what Slack will never take, with its reason.
    """

    undone = "post a correction"

    channel: str
    says: tuple[str, ...] = ()
    pins: dict[str, Pinned] = {}
    people: tuple[Person, ...] = ()
    nth: int

    def effect(self) -> str:
        first = _first_line(self.says[0]) if self.says else ""
        return f"the war room reads: {first or ' and '.join(self.pins) + ' as of now'}"

    def by_hand(self) -> tuple[str, ...]:
        return (
            *(post_by_hand(self.channel, text) for text in self.says),
            *(by_hand("chat.update", channel=self.channel, ts=pin.ts, text=slack(pin.text)) for pin in self.pins.values()),
        )


class MembersOf(Order, target="#{name}", effect="see who is in #{name}"):
    """Everybody who reads the room. `known`: who may be there."""

    name: str
    known: tuple[Person, ...]

    def by_hand(self) -> tuple[str, ...]:
        return (by_hand("conversations.members", channel=CHANNEL),)


def kick_by_hand(user: str) -> tuple[str, ...]:
    """Take somebody out of a room. Only people do that."""
    return (by_hand("conversations.kick", channel=CHANNEL, user=user),)


class Members(Value):
    """Who is in a room. `strangers`: ids that nobody of those who may be there has."""

    people: tuple[str, ...]
    strangers: tuple[str, ...]

    @property
    def summary(self) -> str:
        return f"{len(self.people)} people are in the room" + (f", and {len(self.strangers)} whom nobody knows" if self.strangers else "")


class Announce(Order):
    """Tell standing channels, each its own text. `to`: text by the channel's name, without the #."""

    undone = "post a correction"

    to: dict[str, str]
    nth: int

    def target(self) -> str:
        return " and ".join(f"#{name}" for name in self.to)

    def effect(self) -> str:
        return "; ".join(f"#{name} reads: {_first_line(text)}" for name, text in self.to.items())

    def by_hand(self) -> tuple[str, ...]:
        return tuple(post_by_hand(f"#{name}", text) for name, text in self.to.items())


def marker(incident_id: str) -> str:
    """By which a room is known as an incident's."""
    return f"[orchestrator:{incident_id}]"


def _first_line(text: str) -> str:
    return line(text.partition("\n")[0], 120)
