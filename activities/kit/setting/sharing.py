"""A setting that several incidents hold at once: what is written so that each has what it needs, and what is left to others (ADR 25)."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from typing import Any

from activities.action import Call, NotYet
from activities.kit.holding import NOT_KNOWN, Held, Hold, Holders, HoldersAway, Thing, dropped, needs, own, taken
from activities.kit.setting.orders import Change, Resource, Restore, SettingValue
from activities.kit.setting.write import SOON


@dataclass(frozen=True)
class Shared:
    """An order as it is carried out where others hold the same. `said`: who they are, empty when nobody is; `done`: nothing is to be written."""

    order: Any
    said: str = ""
    done: bool = False


@dataclass(frozen=True)
class Sharing:
    """The holders of one kind of setting."""

    holders: Holders
    verb: str  # that changes it
    value: type[SettingValue]

    async def before(self, call: Call, of: Resource, now: SettingValue) -> tuple[SettingValue | None, tuple[str, ...]]:
        """What an undo by this incident goes back to, None where nobody else holds it; and what the others need, in words."""
        things = self._things(of, now)
        try:
            held = await self.holders.look(list(things.values()))
        except HoldersAway:
            return None, (NOT_KNOWN,)
        others = _others(held, call.incident_id)
        if not others:
            return None, ()
        parts = now.parts()
        return self.value.whole({name: self._back(held[thing], call.incident_id, parts[name]) for name, thing in things.items()}), others

    def _back(self, holds: Sequence[Hold], incident: str, now: SettingValue) -> SettingValue:
        """One part: what we needed of it before; what it was before anybody held it; or as it is, where nobody else does."""
        if not needs(holds, without=incident):
            return now
        mine = [one.need for one in holds if one.incident == incident]
        return self._read(mine[-1] if mine else holds[0].before)

    async def taken(self, call: Call, order: Change[Any, Any], now: SettingValue) -> Shared:
        """Take hold of it, and say what to write. Raises `Contended`; where the record does not answer, the change goes on."""
        things, wanted = self._things(order.of, order.wanted), order.wanted.parts()
        before = (order._before() if order.prior else now).parts()

        def rule(held: Held) -> Held:
            return {thing: self._taken(call, order, held[thing], wanted[name], before[name]) for name, thing in things.items()}

        try:
            held = await self.holders.settle(list(things.values()), rule)
        except HoldersAway:
            return Shared(order, NOT_KNOWN)
        others = _others(held, call.incident_id)
        if not others:
            return Shared(order)
        to = self.value.whole({name: self._serving(held[thing], call.incident_id, wanted[name]) for name, thing in things.items()})
        # Others may change it as well: only the version that is read in this attempt guards the write.
        return Shared(order.model_copy(update={"wanted": to, "prior": None}), f"also held by {'; '.join(others)}")

    def _taken(
        self, call: Call, order: Change[Any, Any], holds: Sequence[Hold], wanted: SettingValue, before: SettingValue
    ) -> tuple[Hold, ...]:
        mine = Hold(
            incident=call.incident_id, key=call.key, need=_json(wanted), before=_json(before), says=wanted.effect(order.of),
            concern=call.concern, since=call.at,
        )  # fmt: skip
        return taken(holds, mine, lambda need: wanted.both(self._read(need)) is not None, datetime.now(UTC), order.over)

    async def dropped(self, call: Call, order: Change[Any, Any]) -> None:
        """It was refused: this call holds nothing."""
        things = list(self._things(order.of, order.wanted).values())
        try:
            await self.holders.settle(things, lambda held: {one: dropped(held[one], call.incident_id, call.key) for one in things})
        except HoldersAway:
            return  # it shows as held, and this incident's lift ends that

    async def lifting(self, call: Call, order: Restore[Any, Any]) -> Shared:
        """The lift, so that others keep what they need. Raises `NotYet` where the record does not answer: what others need is never lifted."""
        things, left, to = self._things(order.of, order.left), order.left.parts(), order.steps[-1].parts()
        held = await self._looked(list(things.values()))
        others = _others(held, call.incident_id)
        if not others:
            return Shared(order)
        last = order.steps[-1].same(order.goal)
        now = self.value.whole({name: self._serving(held[thing], call.incident_id, left[name]) for name, thing in things.items()})
        after = self.value.whole(
            {name: self._after(held[thing], call.incident_id, left[name], to[name], last=last) for name, thing in things.items()}
        )
        if now.same(after):
            return Shared(order, "; ".join(others), done=True)
        steps = now.way_back(after, order.numbers, None) if last else (after,)
        return Shared(order.model_copy(update={"left": now, "steps": steps, "goal": after}), "; ".join(others))

    @asynccontextmanager
    async def moving(self, call: Call, order: Restore[Any, Any], others: str) -> AsyncIterator[None]:
        """Around one write of a lift: nobody may rely meanwhile on what is in force. Raises `NotYet` when others hold it than was known."""
        await self._mark(call, order, others, datetime.now(UTC))
        yield
        await self._mark(call, order, None, None)

    async def _mark(self, call: Call, order: Restore[Any, Any], known: str | None, at: datetime | None) -> None:
        things, left = self._things(order.of, order.left), order.left.parts()

        def rule(held: Held) -> Held:
            if known is not None and "; ".join(_others(held, call.incident_id)) != known:
                raise NotYet(f"others hold {order.of} than a moment ago; we look again", after=SOON)
            return {thing: self._marked(call, order, held[thing], left[name], at) for name, thing in things.items()}

        try:
            await self.holders.settle(list(things.values()), rule)
        except HoldersAway:
            if known is not None:
                raise _unknown(order) from None

    def _marked(
        self, call: Call, order: Restore[Any, Any], holds: Sequence[Hold], left: SettingValue, at: datetime | None
    ) -> tuple[Hold, ...]:
        mine = own(holds, call.incident_id, _json(left))
        if mine is None:
            return tuple(holds)
        return tuple(one.model_copy(update={"moving_at": at}) if one is mine else one for one in holds)

    async def left(self, call: Call, order: Restore[Any, Any]) -> None:
        """The step back is done: what we need is what it led to, or nothing more."""
        things, left, to, goal = self._things(order.of, order.left), order.left.parts(), order.steps[-1].parts(), order.goal.parts()
        last = order.steps[-1].same(order.goal)

        def after(holds: Sequence[Hold], name: str) -> tuple[Hold, ...]:
            mine = own(holds, call.incident_id, _json(left[name]))
            if mine is None or (left[name] == to[name] and not last):
                return tuple(holds)
            if last or to[name] == goal[name]:
                return dropped(holds, mine.incident, mine.key)
            return tuple(one.model_copy(update={"need": _json(to[name]), "moving_at": None}) if one is mine else one for one in holds)

        try:
            await self.holders.settle(list(things.values()), lambda held: {thing: after(held[thing], n) for n, thing in things.items()})
        except HoldersAway:
            raise _unknown(order) from None

    def _serving(self, holds: Sequence[Hold], incident: str, ours: SettingValue) -> SettingValue:
        """What serves our need and everybody else's; ours does not count while it yields."""
        counts = needs(holds)
        yields = any(one.incident == incident for one in holds) and not any(one.incident == incident for one in counts)
        theirs = [self._read(one.need) for one in counts if one.incident != incident]
        return self._all(theirs if yields and theirs else [ours, *theirs])

    def _after(self, holds: Sequence[Hold], incident: str, left: SettingValue, to: SettingValue, *, last: bool) -> SettingValue:
        """What serves everybody after a step back. `last`: of ours only what we had imposed before still counts."""
        if not last:
            return self._all([*(self._read(one.need) for one in needs(holds) if one.incident != incident), to])
        lifted = own(holds, incident, _json(left))
        return self._all([self._read(one.need) for one in needs([one for one in holds if one is not lifted])] or [to])

    def _all(self, wanted: Sequence[SettingValue]) -> SettingValue:
        return reduce(lambda one, other: one.both(other) or one, wanted)

    def _read(self, value: Mapping[str, Any]) -> SettingValue:
        return self.value.model_validate(value)

    def _things(self, of: Resource, value: SettingValue) -> dict[str, Thing]:
        return {name: Thing(self.verb, f"{of.target()}/{name}" if name else of.target()) for name in value.parts()}

    async def _looked(self, things: Sequence[Thing]) -> Held:
        try:
            return await self.holders.look(things)
        except HoldersAway:
            raise NotYet(f"{NOT_KNOWN}. Nothing is lifted before that", after=SOON) from None


def _others(held: Held, incident: str) -> tuple[str, ...]:
    """What others need, a line for each incident."""
    every = {one.incident: one for holds in held.values() for one in needs(holds, without=incident)}
    return tuple(one.in_words() for one in sorted(every.values(), key=lambda one: (one.since, one.incident)))


def _unknown(order: Restore[Any, Any]) -> NotYet:
    return NotYet(f"{NOT_KNOWN}. {order.of}: we look again", after=SOON)


def _json(value: SettingValue) -> dict[str, Any]:
    return value.model_dump(mode="json")
